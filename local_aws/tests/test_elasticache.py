"""Valkey: replication groups, what they are read back as, and what AWS refuses."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.ecs import Client, Network, until


def _code(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


@pytest.fixture
def subnets(client: Client, network: Network) -> str:
    name = f"s-{uuid4().hex[:8]}"
    client("elasticache").create_cache_subnet_group(
        CacheSubnetGroupName=name, CacheSubnetGroupDescription="Test", SubnetIds=network.subnets
    )
    return name


def _create(client: Client, subnets: str, **more: Any) -> str:
    request = {
        "ReplicationGroupId": f"r-{uuid4().hex[:8]}",
        "ReplicationGroupDescription": "Test",
        "Engine": "valkey",
        "EngineVersion": "8.0",
        "CacheNodeType": "cache.t4g.micro",
        "NumCacheClusters": 2,
        "AutomaticFailoverEnabled": True,
        "MultiAZEnabled": True,
        "TransitEncryptionEnabled": True,
        "CacheSubnetGroupName": subnets,
        **more,
    }
    return str(client("elasticache").create_replication_group(**request)["ReplicationGroup"]["ReplicationGroupId"])


def _group(client: Client, name: str) -> dict[str, Any]:
    found = client("elasticache").describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
    return dict(found[0])


def test_group_has_members_in_both_zones(client: Client, subnets: str) -> None:
    cache, name = client("elasticache"), _create(client, subnets, Tags=[{"Key": "a", "Value": "b"}])
    assert _group(client, name)["Status"] == "creating"
    until(lambda: _group(client, name)["Status"] == "available")
    group = _group(client, name)
    assert group["MemberClusters"] == [f"{name}-001", f"{name}-002"]
    assert group["NodeGroups"][0]["PrimaryEndpoint"]["Address"].startswith(f"master.{name}.")
    assert group["AtRestEncryptionEnabled"]  # AWS's default for Valkey
    members = [
        cache.describe_cache_clusters(CacheClusterId=member, ShowCacheNodeInfo=True)["CacheClusters"][0]
        for member in group["MemberClusters"]
    ]
    assert {member["PreferredAvailabilityZone"] for member in members} == {"eu-west-1a", "eu-west-1b"}
    assert members[0]["EngineVersion"] == "8.0.1"
    for arn in (group["ARN"], members[1]["ARN"]):
        assert cache.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "a", "Value": "b"}]
    with pytest.raises(ClientError) as raised:
        cache.delete_cache_subnet_group(CacheSubnetGroupName=subnets)
    assert _code(raised) == "CacheSubnetGroupInUse"
    cache.delete_replication_group(ReplicationGroupId=name)

    def is_gone() -> bool:
        return name not in [
            each["ReplicationGroupId"] for each in cache.describe_replication_groups()["ReplicationGroups"]
        ]

    until(is_gone)
    with pytest.raises(ClientError) as raised:
        _group(client, name)
    assert _code(raised) == "ReplicationGroupNotFoundFault"
    cache.delete_cache_subnet_group(CacheSubnetGroupName=subnets)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"EngineVersion": "9.9"}, "InvalidParameterCombination"),
        ({"NumCacheClusters": 1}, "InvalidParameterCombination"),
        ({"AutomaticFailoverEnabled": False}, "InvalidParameterCombination"),
        ({"CacheParameterGroupName": "default.redis7"}, "InvalidParameterCombination"),
        ({"CacheParameterGroupName": "none"}, "CacheParameterGroupNotFound"),
        ({"CacheSubnetGroupName": "none"}, "CacheSubnetGroupNotFoundFault"),
        ({"AuthToken": "x" * 16}, "NotImplemented"),
        ({"UserGroupIds": ["some"]}, "UserGroupNotFound"),
        ({"SecurityGroupIds": ["sg-0"]}, "InvalidParameterValue"),
    ],
)
def test_group_is_refused(client: Client, subnets: str, more: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as raised:
        _create(client, subnets, **more)
    assert _code(raised) == code


def _user(client: Client, **more: Any) -> str:
    name = f"u-{uuid4().hex[:8]}"
    request = {
        "UserId": name,
        "UserName": name,
        "Engine": "valkey",
        "AccessString": "on ~a:* -@all +get",
        "AuthenticationMode": {"Type": "iam"},
        **more,
    }
    return str(client("elasticache").create_user(**request)["UserId"])


def _users(client: Client, *users: str, engine: str = "valkey") -> str:
    name = f"g-{uuid4().hex[:8]}"
    made = client("elasticache").create_user_group(UserGroupId=name, Engine=engine, UserIds=list(users))
    return str(made["UserGroupId"])


def test_users_are_let_into_a_group_that_is_there_already(client: Client, subnets: str) -> None:
    cache, name = client("elasticache"), _create(client, subnets)
    until(lambda: _group(client, name)["Status"] == "available")
    assert _group(client, name).get("UserGroupIds", []) == []
    user = _user(client, Tags=[{"Key": "a", "Value": "b"}])
    users = _users(client, user)
    arn = cache.describe_users(UserId=user)["Users"][0]["ARN"]
    assert cache.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "a", "Value": "b"}]
    cache.modify_replication_group(ReplicationGroupId=name, UserGroupIdsToAdd=[users], ApplyImmediately=True)
    until(lambda: _group(client, name)["Status"] == "available")
    assert _group(client, name)["UserGroupIds"] == [users]
    (described,) = cache.describe_users(UserId=user)["Users"]
    assert (described["Authentication"]["Type"], described["UserGroupIds"]) == ("iam", [users])
    assert described["AccessString"] == "on ~a:* -@all +get"
    with pytest.raises(ClientError) as raised:
        cache.delete_user_group(UserGroupId=users)
    assert _code(raised) == "InvalidUserGroupState"
    cache.modify_replication_group(ReplicationGroupId=name, UserGroupIdsToRemove=[users], ApplyImmediately=True)
    cache.delete_user_group(UserGroupId=users)
    cache.delete_user(UserId=user)
    with pytest.raises(ClientError) as raised:
        cache.describe_users(UserId=user)
    assert _code(raised) == "UserNotFound"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"UserName": "another"}, "InvalidParameterCombination"),
        ({"AuthenticationMode": {"Type": "no-password-required"}}, "InvalidParameterCombination"),
        ({"AuthenticationMode": {"Type": "password"}}, "InvalidParameterCombination"),
        ({"Passwords": ["p" * 16]}, "InvalidParameterCombination"),
        ({"AccessString": "on ~* +@all >password"}, "InvalidParameterValue"),
        ({"UserId": "two--hyphens", "UserName": "two--hyphens"}, "InvalidParameterValue"),
        ({"Engine": "memcached"}, "InvalidParameterValue"),
    ],
)
def test_user_is_refused(client: Client, more: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as raised:
        _user(client, **more)
    assert _code(raised) == code


def test_a_group_of_users_is_refused(client: Client, subnets: str) -> None:
    user = _user(client)
    for engine, users, code in (
        ("redis", [user], "DefaultUserRequired"),
        ("valkey", [user, user], "DuplicateUserName"),
        ("valkey", ["nobody"], "UserNotFound"),
    ):
        with pytest.raises(ClientError) as raised:
            _users(client, *users, engine=engine)
        assert _code(raised) == code
    with pytest.raises(ClientError) as raised:
        _create(client, subnets, TransitEncryptionEnabled=False, UserGroupIds=[_users(client, user)])
    assert _code(raised) == "InvalidParameterCombination"

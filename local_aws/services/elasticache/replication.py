"""Replication groups with cluster mode disabled, their member clusters, and what AWS refuses for them."""

from __future__ import annotations

import re
import secrets
import string
import time
from datetime import UTC, datetime
from typing import Any

from moto.elasticache.models import elasticache_backends

from local_aws import clock
from local_aws.actions import Action, Moto
from local_aws.services.elasticache import checks, users
from local_aws.services.elasticache.groups import parameter_group, subnet_group
from local_aws.services.elasticache.state import Json, arn, error, find, several, shown, state_of

SECONDS = clock.seconds("LOCAL_AWS_CACHE_SECONDS", 1)
UPGRADE_AFTER = clock.seconds("LOCAL_AWS_MINOR_UPGRADE_SECONDS", 0)

_NOT_HERE = ("AuthToken", "LogDeliveryConfigurations")
_MISSING = ("ReplicationGroupNotFoundFault", "ReplicationGroup")
# Fields that are the same in a request and in a description.
_COMMON = ("AutoMinorVersionUpgrade", "CacheNodeType", "SnapshotRetentionLimit", "SnapshotWindow")


def tick(now: float) -> None:
    for regions in list(elasticache_backends.values()):
        for backend in list(regions.values()):
            groups = state_of(backend).replication_groups
            for name, group in list(groups.items()):
                _raise(group, now)
                if group["_due"] is None or group["_due"] > now:
                    continue
                group["_due"] = None
                if group["Status"] == "deleting":
                    del groups[name]
                    for each in (group["ARN"], *(member["ARN"] for member in group["_members"])):
                        backend.tagging_service.delete_all_tags_for_resource(each)
                else:
                    group["Status"] = "available"


def _raise(group: Json, now: float) -> None:
    """An automatic minor upgrade, with LOCAL_AWS_MINOR_UPGRADE_SECONDS.

    Terraform's provider makes a replacement of going back (`internal/service/elasticache/engine_version.go`,
    customizeDiffEngineVersionForceNewOnDowngrade).
    """
    is_due = UPGRADE_AFTER and now >= group["ReplicationGroupCreateTime"].timestamp() + UPGRADE_AFTER
    if is_due and group["AutoMinorVersionUpgrade"] and group["Status"] == "available" and not group.get("_raised"):
        group["_raised"] = True
        group["_version"] = checks.newest_minor(group["Engine"], group["_version"])


def create_replication_group(backend: Any, asked: Json) -> Json:
    name = asked["ReplicationGroupId"].lower()
    groups = state_of(backend).replication_groups
    if name in groups:
        raise error("ReplicationGroupAlreadyExists", f"Replication group {name} already exists.")
    if asked.get("ClusterMode") == "enabled" or int(asked.get("NumNodeGroups") or 1) > 1:
        raise NotImplementedError("replication groups with cluster mode enabled")
    _check_known(asked)
    engine = asked.get("Engine") or "redis"
    version = checks.version(engine, asked.get("EngineVersion"))
    family = checks.family(engine, version)
    parameters = (asked.get("CacheParameterGroupName") or f"default.{family}").lower()
    subnets = subnet_group(backend, asked.get("CacheSubnetGroupName") or "default")
    replicas = asked.get("ReplicasPerNodeGroup")
    count = int(asked.get("NumCacheClusters") or (1 + int(replicas) if replicas is not None else 1))
    encrypted = asked.get("AtRestEncryptionEnabled")
    group = {
        "ReplicationGroupId": name,
        "Description": asked["ReplicationGroupDescription"],
        "Status": "creating",
        "ARN": arn(backend, "replicationgroup", name),
        "Engine": engine,
        "ClusterEnabled": False,
        "ClusterMode": "disabled",
        "AutomaticFailover": _switch(asked.get("AutomaticFailoverEnabled")),
        "MultiAZ": _switch(asked.get("MultiAZEnabled")),
        "TransitEncryptionEnabled": bool(asked.get("TransitEncryptionEnabled")),
        "TransitEncryptionMode": asked.get("TransitEncryptionMode") or "required",
        # The default is on for Valkey alone.
        "AtRestEncryptionEnabled": engine == "valkey" if encrypted is None else bool(encrypted),
        "KmsKeyId": asked.get("KmsKeyId"),
        "AuthTokenEnabled": False,
        "ReplicationGroupCreateTime": datetime.now(UTC),
        "DataTiering": "enabled" if asked.get("DataTieringEnabled") else "disabled",
        "NetworkType": asked.get("NetworkType") or "ipv4",
        "IpDiscovery": asked.get("IpDiscovery") or "ipv4",
        "AutoMinorVersionUpgrade": asked.get("AutoMinorVersionUpgrade", True),
        "CacheNodeType": asked.get("CacheNodeType"),
        "SnapshotRetentionLimit": asked.get("SnapshotRetentionLimit") or 0,
        "SnapshotWindow": asked.get("SnapshotWindow") or "05:00-06:00",
        "_version": version,
        "_parameter_group": parameters,
        "_subnet_group": subnets["CacheSubnetGroupName"],
        "_security_groups": asked.get("SecurityGroupIds") or [],
        "_user_groups": [],
        "_maintenance": (asked.get("PreferredMaintenanceWindow") or "sun:03:00-sun:04:00").lower(),
        "_topic": asked.get("NotificationTopicArn"),
        "_port": int(asked.get("Port") or 6379),
        "_random": "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(6)),
        "_zones": asked.get("PreferredCacheClusterAZs") or [],
        "_members": [],
        "_due": time.time() + SECONDS,
    }
    if not group["TransitEncryptionEnabled"]:
        group["TransitEncryptionMode"] = None
    group["_user_groups"] = users.of_cache(backend, group, asked.get("UserGroupIds") or [])
    checks.check(backend, group, parameter_group(parameters), subnets, count)
    _resize(backend, group, count)
    groups[name] = group
    for each in (group["ARN"], *(member["ARN"] for member in group["_members"])):
        backend.tagging_service.tag_resource(each, asked.get("Tags") or [])
    return {"ReplicationGroup": _described(backend, group)}


def _check_known(asked: Json) -> None:
    for name in _NOT_HERE:
        if asked.get(name):
            raise NotImplementedError(f"replication groups with {name}")


def _switch(on: Any) -> str:
    return "enabled" if on else "disabled"


def _resize(backend: Any, group: Json, count: int) -> None:
    """Add members up to `count`, each in the zone with the fewest, or take the last ones away."""
    subnets = subnet_group(backend, group["_subnet_group"])["Subnets"]
    members = group["_members"]
    del members[count:]
    for number in range(len(members) + 1, count + 1):
        name = f"{group['ReplicationGroupId']}-{number:03}"
        used = [member["_subnet"] for member in members]
        wanted = group["_zones"][number - 1] if number <= len(group["_zones"]) else None
        fit = [each for each in subnets if wanted in (None, each["SubnetAvailabilityZone"]["Name"])]
        if not fit:
            raise error("InvalidParameterValue", f"The subnet group has no subnet in the zone {wanted}.")
        subnet = min(fit, key=lambda each: used.count(each["SubnetIdentifier"]))
        members.append(
            {
                "CacheClusterId": name,
                "ARN": arn(backend, "cluster", name),
                "PreferredAvailabilityZone": subnet["SubnetAvailabilityZone"]["Name"],
                "CacheClusterCreateTime": datetime.now(UTC),
                "_subnet": subnet["SubnetIdentifier"],
            }
        )


def _domain(backend: Any, group: Json) -> str:
    area, direction, number = backend.region_name.split("-")[-3:]
    initials = "".join(word[0] for word in re.findall("north|south|east|west|central", direction))
    short = f"{area}{initials}{number}"
    return f"{group['_random']}.{short}.cache.amazonaws.com"


def _address(backend: Any, group: Json, prefix: str) -> Json:
    """AWS's names differ with encryption in transit, for certificates are made for them."""
    name, domain = group["ReplicationGroupId"], _domain(backend, group)
    if group["TransitEncryptionEnabled"]:
        return {"Address": f"{prefix}.{name}.{domain}", "Port": group["_port"]}
    where = {"master": f"{name}.{group['_random']}.ng.0001", "replica": f"{name}-ro.{group['_random']}.ng.0001"}
    return {"Address": f"{where.get(prefix, prefix)}.{domain.partition('.')[2]}", "Port": group["_port"]}


def addresses(backend: Any, group: Json) -> list[tuple[str, int]]:
    """The names that clients connect to, each with its port."""
    shown = [_address(backend, group, prefix) for prefix in ("master", "replica")]
    return [(each["Address"], each["Port"]) for each in shown]


def _described(backend: Any, group: Json) -> Json:
    members = group["_members"]
    node_group = {
        "NodeGroupId": "0001",
        "Status": group["Status"],
        "PrimaryEndpoint": _address(backend, group, "master"),
        "ReaderEndpoint": _address(backend, group, "replica"),
        "NodeGroupMembers": [
            {
                "CacheClusterId": member["CacheClusterId"],
                "CacheNodeId": "0001",
                "ReadEndpoint": _address(backend, group, member["CacheClusterId"]),
                "PreferredAvailabilityZone": member["PreferredAvailabilityZone"],
                "CurrentRole": "replica" if index else "primary",
            }
            for index, member in enumerate(members)
        ],
    }
    described = {
        **shown(group),
        "UserGroupIds": group["_user_groups"],
        "MemberClusters": [member["CacheClusterId"] for member in members],
        "NodeGroups": [node_group] if group["Status"] != "creating" else [],
        "PendingModifiedValues": {},
    }
    if group["SnapshotRetentionLimit"]:
        described["SnapshottingClusterId"] = members[-1]["CacheClusterId"]
    return described


def describe_replication_groups(backend: Any, asked: Json) -> Json:
    found = several(state_of(backend).replication_groups, asked.get("ReplicationGroupId"), *_MISSING)
    return {"ReplicationGroups": [_described(backend, each) for each in found]}


def describe_cache_clusters(backend: Any, asked: Json, moto: Moto) -> Json:
    name = asked.get("CacheClusterId")
    found = [
        _cluster(backend, group, member)
        for group in state_of(backend).replication_groups.values()
        for member in group["_members"]
        if name in (None, member["CacheClusterId"])
    ]
    if name and not found:
        return moto()
    others = [] if name else list(backend.cache_clusters.values())
    return {"CacheClusters": [*found, *others]}


def _cluster(backend: Any, group: Json, member: Json) -> Json:
    same = {name: group[name] for name in _COMMON}
    family = {"CacheParameterGroupName": group["_parameter_group"], "ParameterApplyStatus": "in-sync"}
    node = {
        "CacheNodeId": "0001",
        "CacheNodeStatus": group["Status"],
        "CacheNodeCreateTime": member["CacheClusterCreateTime"],
        "Endpoint": _address(backend, group, member["CacheClusterId"]),
        "ParameterGroupStatus": "in-sync",
        "CustomerAvailabilityZone": member["PreferredAvailabilityZone"],
    }
    described = {
        **shown(member),
        **same,
        "ReplicationGroupId": group["ReplicationGroupId"],
        "CacheClusterStatus": group["Status"],
        "Engine": group["Engine"],
        "EngineVersion": group["_version"],
        "NumCacheNodes": 1,
        "CacheNodes": [node] if group["Status"] != "creating" else [],
        "CacheParameterGroup": {**family, "CacheNodeIdsToReboot": []},
        "CacheSubnetGroupName": group["_subnet_group"],
        "SecurityGroups": [{"SecurityGroupId": each, "Status": "active"} for each in group["_security_groups"]],
        "PreferredMaintenanceWindow": group["_maintenance"],
        "TransitEncryptionEnabled": group["TransitEncryptionEnabled"],
        "TransitEncryptionMode": group["TransitEncryptionMode"],
        "AtRestEncryptionEnabled": group["AtRestEncryptionEnabled"],
        "AuthTokenEnabled": False,
        "NetworkType": group["NetworkType"],
        "IpDiscovery": group["IpDiscovery"],
        "NotificationConfiguration": {"TopicArn": group["_topic"], "TopicStatus": "active"}
        if group["_topic"]
        else None,
    }
    return {name: value for name, value in described.items() if value is not None}


def _changeable(backend: Any, name: str) -> Json:
    group = find(state_of(backend).replication_groups, name, *_MISSING)
    if group["Status"] != "available":
        raise error(
            "InvalidReplicationGroupState",
            f"Replication group {name} is not in the available state; it is {group['Status']}.",
        )
    return group


def modify_replication_group(backend: Any, asked: Json) -> Json:
    _check_known(asked)
    group = _changeable(backend, asked["ReplicationGroupId"])
    changed = {**group, **{name: asked[name] for name in _COMMON if asked.get(name) is not None}}
    engine = asked.get("Engine") or group["Engine"]
    if engine != group["Engine"] or asked.get("EngineVersion"):
        changed["Engine"] = engine
        changed["_version"] = checks.version(engine, asked.get("EngineVersion"), group)
        if not asked.get("CacheParameterGroupName") and group["_parameter_group"].startswith("default."):
            changed["_parameter_group"] = f"default.{checks.family(engine, changed['_version'])}"
    for name, field in (("AutomaticFailoverEnabled", "AutomaticFailover"), ("MultiAZEnabled", "MultiAZ")):
        if asked.get(name) is not None:
            changed[field] = _switch(asked[name])
    for name, field in (
        ("ReplicationGroupDescription", "Description"),
        ("TransitEncryptionEnabled", "TransitEncryptionEnabled"),
        ("TransitEncryptionMode", "TransitEncryptionMode"),
        ("SecurityGroupIds", "_security_groups"),
        ("CacheParameterGroupName", "_parameter_group"),
        ("NotificationTopicArn", "_topic"),
        ("IpDiscovery", "IpDiscovery"),
    ):
        if asked.get(name) is not None:
            changed[field] = asked[name]
    kept = [] if asked.get("RemoveUserGroups") else group["_user_groups"]
    kept = [each for each in kept if each not in (asked.get("UserGroupIdsToRemove") or [])]
    changed["_user_groups"] = users.of_cache(backend, changed, kept + (asked.get("UserGroupIdsToAdd") or []))
    if asked.get("PreferredMaintenanceWindow"):
        changed["_maintenance"] = asked["PreferredMaintenanceWindow"].lower()
    parameters = parameter_group(changed["_parameter_group"])
    subnets = subnet_group(backend, group["_subnet_group"])
    checks.check(backend, changed, parameters, subnets, len(group["_members"]))
    group.update(changed)
    _begin(group)
    return {"ReplicationGroup": _described(backend, group)}


def _begin(group: Json) -> None:
    group["Status"], group["_due"] = "modifying", time.time() + SECONDS


def _change_replicas(backend: Any, asked: Json) -> Json:
    group = _changeable(backend, asked["ReplicationGroupId"])
    count = 1 + int(asked["NewReplicaCount"])
    checks.check_count(group, count)
    present = {
        each["Key"]: each["Value"] for each in backend.tagging_service.list_tags_for_resource(group["ARN"])["Tags"]
    }
    _resize(backend, group, count)
    for member in group["_members"]:
        tags = [{"Key": key, "Value": value} for key, value in present.items()]
        backend.tagging_service.tag_resource(member["ARN"], tags)
    _begin(group)
    return {"ReplicationGroup": _described(backend, group)}


def delete_replication_group(backend: Any, asked: Json) -> Json:
    if asked.get("RetainPrimaryCluster") or asked.get("FinalSnapshotIdentifier"):
        raise NotImplementedError("what is left of a replication group")
    group = _changeable(backend, asked["ReplicationGroupId"])
    group["Status"], group["_due"] = "deleting", time.time() + SECONDS
    return {"ReplicationGroup": _described(backend, group)}


ACTIONS: dict[str, Action] = {
    "CreateReplicationGroup": create_replication_group,
    "DescribeReplicationGroups": describe_replication_groups,
    "ModifyReplicationGroup": modify_replication_group,
    "IncreaseReplicaCount": _change_replicas,
    "DecreaseReplicaCount": _change_replicas,
    "DeleteReplicationGroup": delete_replication_group,
}

"""Sessions that all web containers share."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Stacks, of_type, only, variables, ways_to


@pytest.fixture
def omero(synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise()["omero"]


@pytest.fixture
def frontend(synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise()["frontend"]


def test_the_cache_speaks_tls_only_and_survives_a_zone(frontend: dict[str, Any]) -> None:
    cache = only(frontend, "aws_elasticache_replication_group")
    assert cache["engine"] == "valkey"
    assert (cache["transit_encryption_enabled"], cache["transit_encryption_mode"]) == (True, "required")
    assert (cache["at_rest_encryption_enabled"], cache["kms_key_id"]) == ("true", "${aws_kms_key.key.arn}")
    assert (cache["num_cache_clusters"], cache["automatic_failover_enabled"], cache["multi_az_enabled"]) == (
        2,
        True,
        True,
    )
    assert len(only(frontend, "aws_elasticache_subnet_group")["subnet_ids"]) == 2


def test_the_cache_lets_in_one_user_and_nobody_without_a_name(frontend: dict[str, Any]) -> None:
    """A group for Valkey has no `default` unless it is given one, and takes none without a password."""
    user, users = only(frontend, "aws_elasticache_user"), only(frontend, "aws_elasticache_user_group")
    assert user["authentication_mode"] == {"type": "iam"}
    assert user["user_id"] == user["user_name"] == "omero-lab-sessions"
    assert users["user_ids"] == ["${aws_elasticache_user.sessions_user.user_id}"]
    assert {user["engine"], users["engine"]} == {"valkey"}
    cache = only(frontend, "aws_elasticache_replication_group")
    assert cache["user_group_ids"] == ["${aws_elasticache_user_group.sessions_users.user_group_id}"]
    assert "passwords" not in json.dumps(frontend)


def test_the_user_has_its_own_keys_and_cannot_see_or_change_the_rest(frontend: dict[str, Any]) -> None:
    on, keys, none, *commands = only(frontend, "aws_elasticache_user")["access_string"].split()
    assert (on, keys, none) == ("on", "~:1:*", "-@all")
    assert all(command[0] == "+" and command[1:].isalpha() for command in commands)
    assert not {"+keys", "+scan", "+flushall", "+flushdb", "+config", "+eval", "+acl", "+client"} & set(commands)


def test_web_alone_may_connect_as_that_user(omero: dict[str, Any]) -> None:
    policies = of_type(omero, "aws_iam_role_policy")
    may = {name: policy["policy"] for name, policy in policies.items() if "elasticache" in policy["policy"]}
    assert may.keys() == {"web_task_policy"}
    (statement,) = [each for each in json.loads(may["web_task_policy"])["Statement"] if each["Sid"] == "Sessions"]
    assert statement["Action"] == "elasticache:Connect"
    assert [each.rpartition("aws_elasticache_")[2].rstrip("}") for each in statement["Resource"]] == [
        "replication_group_sessions_arn",
        "user_sessions_user_arn",
    ]


def test_only_web_reaches_it(omero: dict[str, Any]) -> None:
    assert ways_to(omero, "sessions") == {("web_security_group", 6379)}


def test_omero_web_keeps_its_sessions_there(omero: dict[str, Any]) -> None:
    values = variables(omero, "web")
    assert values["CONFIG_omero_web_session__engine"] == "django.contrib.sessions.backends.cache"
    cache = json.loads(values["CONFIG_omero_web_caches"])["default"]
    assert cache["BACKEND"] == "containers.web.sessions.Cache"
    same = "omero-lab-sessions"
    assert cache["OPTIONS"]["signed"] == {"cache": same, "user": same, "region": "eu-central-1"}
    address = r"rediss://\$\{.*aws_elasticache_replication_group_sessions_primary_endpoint_address\}:6379/0"
    assert re.fullmatch(address, cache["LOCATION"])


def test_a_single_node_has_nothing_to_fail_over_to(synthesise: Callable[..., Stacks]) -> None:
    cache = only(
        synthesise(omero={"web": {"sessions": {"replicas": 0}}})["frontend"], "aws_elasticache_replication_group"
    )
    assert (cache["num_cache_clusters"], cache["automatic_failover_enabled"], cache["multi_az_enabled"]) == (
        1,
        False,
        False,
    )


def test_there_is_none_if_the_workspace_says_so(synthesise: Callable[..., Stacks]) -> None:
    omero = synthesise(omero={"web": {"sessions": None}})["omero"]
    assert not of_type(omero, "aws_elasticache_replication_group")
    assert not [name for name in variables(omero, "web") if "session" in name or "caches" in name]
    assert "omero_web_session" not in json.dumps(omero["resource"])

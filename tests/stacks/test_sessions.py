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


def test_only_web_reaches_it(omero: dict[str, Any]) -> None:
    assert ways_to(omero, "sessions") == {("web_security_group", 6379)}


def test_omero_web_keeps_its_sessions_there(omero: dict[str, Any]) -> None:
    values = variables(omero, "web")
    assert values["CONFIG_omero_web_session__engine"] == "django.contrib.sessions.backends.cache"
    cache = json.loads(values["CONFIG_omero_web_caches"])["default"]
    assert cache["BACKEND"] == "containers.web.sessions.Cache"
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

"""What makes `rw-tls-nlb` this topology: OMERO.server is reached from outside, on the ports that were asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from tests.conftest import Stacks, container, of_type, only, workspace
from tests.stacks.test_rw_tls import TLS

ANALYSTS = "203.0.113.0/24"
CHANGES: dict[str, Any] = {"topology": "rw-tls-nlb", "tls": TLS, "access": {"server": {"cidrs": [ANALYSTS]}}}


def _changes(**server: Any) -> dict[str, Any]:
    return {**CHANGES, "access": {"server": {"cidrs": [ANALYSTS], **server}}}


@pytest.fixture
def omero(synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise(**CHANGES)["omero"]


@pytest.fixture
def frontend(synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise(**CHANGES)["frontend"]


def _ports(frontend: dict[str, Any]) -> set[int]:
    listeners = of_type(frontend, "aws_lb_listener").values()
    return {listener["port"] for listener in listeners if listener["protocol"] == "TCP"}


@pytest.mark.parametrize(
    ("asked", "ports", "transports"),
    [
        ({}, {4064}, "ssl"),
        ({"unencrypted": True}, {4063, 4064}, "ssl,tcp"),
        ({"websockets": True}, {4064, 4066}, "ssl,wss"),
        ({"unencrypted": True, "websockets": True}, {4063, 4064, 4065, 4066}, "ssl,wss,tcp,ws"),
    ],
)
def test_opens_the_ports_that_were_asked_for(
    synthesise: Callable[..., Stacks], asked: dict[str, Any], ports: set[int], transports: str
) -> None:
    stacks = synthesise(**_changes(**asked))
    omero = stacks["omero"]
    assert _ports(stacks["frontend"]) == ports
    server = container(omero, "server")
    assert {mapping["containerPort"] for mapping in server["portMappings"]} == ports
    variables = {variable["name"]: variable["value"] for variable in server["environment"]}
    assert variables["CONFIG_omero_client_icetransports"] == transports
    targets = of_type(omero, "aws_ecs_service")["server"]["load_balancer"]
    assert {target["container_port"] for target in targets} == ports


def test_only_the_named_networks_reach_the_server(omero: dict[str, Any], frontend: dict[str, Any]) -> None:
    rules = of_type(omero, "aws_vpc_security_group_ingress_rule")
    to_server_balancer = {
        (rule["cidr_ipv4"], rule["from_port"])
        for rule in of_type(frontend, "aws_vpc_security_group_ingress_rule").values()
        if "server_balancer" in rule["security_group_id"]
    }
    assert to_server_balancer == {(ANALYSTS, 4064)}
    to_server = {
        re.search(r"(\w+)_security_group[._]id\}$", rule["referenced_security_group_id"].replace(".", "_"))[1]  # type: ignore[index]
        for rule in rules.values()
        if rule["security_group_id"] == "${aws_security_group.server_security_group.id}"
    }
    assert {each.removeprefix("${").rpartition("aws_security_group_")[2] for each in to_server} == {
        "server_balancer",
        "web",
    }


def test_balancer_spans_zones_and_is_kept(synthesise: Callable[..., Stacks], frontend: dict[str, Any]) -> None:
    balancer = of_type(frontend, "aws_lb")["server_balancer"]
    assert balancer["load_balancer_type"] == "network"
    assert balancer["enable_cross_zone_load_balancing"] is True
    assert balancer["enable_deletion_protection"] is True
    assert balancer["security_groups"] == ["${aws_security_group.server_balancer_security_group.id}"]
    let_go = synthesise(**CHANGES, retain=False)["frontend"]
    assert of_type(let_go, "aws_lb")["server_balancer"]["enable_deletion_protection"] is False


def test_asks_for_no_access_logs_that_never_come(frontend: dict[str, Any]) -> None:
    """A network balancer writes them for TLS listeners only (its user guide, "Access logs"), and has TCP listeners."""
    balancers = of_type(frontend, "aws_lb")
    protocols: dict[str, set[str]] = {name: set() for name in balancers}
    for listener in of_type(frontend, "aws_lb_listener").values():
        protocols[listener["load_balancer_arn"].split(".")[1]].add(listener["protocol"])
    assert protocols["server_balancer"] == {"TCP"}
    logging = {name for name, balancer in balancers.items() if balancer.get("access_logs")}
    assert logging == {name for name, spoken in protocols.items() if spoken & {"HTTP", "HTTPS", "TLS"}}
    assert "delivery.logs.amazonaws.com" not in only(frontend, "aws_s3_bucket_policy")["policy"]


def test_there_is_still_one_writer(omero: dict[str, Any]) -> None:
    server = of_type(omero, "aws_ecs_service")["server"]
    assert (server["deployment_minimum_healthy_percent"], server["deployment_maximum_percent"]) == (0, 100)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({**CHANGES, "access": {}}, r"access\.server\n  topology rw-tls-nlb needs this section"),
        (
            {"access": {"server": {"cidrs": [ANALYSTS]}}},
            r"access\.server\n  topology rw-http does not use this section",
        ),
        (_changes(cidrs=["0.0.0.0/0"]), r"server\.cidrs\.0\n  0\.0\.0\.0/0 is the whole internet"),
    ],
)
def test_refuses_what_does_not_fit(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        workspace(**changes)

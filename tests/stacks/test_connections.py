"""Who may reach whom follows from what tasks, hosts and functions mount and call, and from nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import Stacks, of_type, only
from tests.settings.test_topology import sections

OUT, IN = "aws_vpc_security_group_egress_rule", "aws_vpc_security_group_ingress_rule"
EC2 = {"server": {"launch_type": "EC2"}}
VARIANTS: dict[str, dict[str, Any]] = {
    "least": {},
    "rw-http on EC2": {"omero": EC2},
    "rw-ro-tls on EC2": {**sections("rw-ro-tls"), "omero": EC2},
    "rw-tls-nlb": sections("rw-tls-nlb"),
    "an existing share": {**sections("rw-http-s3fg"), "upload_host": {}},
    "all sections": {
        "omero": EC2,
        "file_gateway": {"mount_point": "/slides"},
        "upload_host": {},
        "sftp": {"cidrs": ["198.51.100.0/24"]},
        "datasync": {},
    },
}

# From group, to group, port.
Way = tuple[str, str, int]


@pytest.fixture(params=list(VARIANTS.values()), ids=list(VARIANTS))
def stacks(request: pytest.FixtureRequest, synthesise: Callable[..., Stacks]) -> Stacks:
    return synthesise(**request.param)


def _group(reference: str) -> str:
    """The name of a security group that a rule names, in this stack or in another."""
    found = re.search(r"aws_security_group[._](\w*?security_group)_?\.?id", reference)
    assert found, reference
    return found[1].removesuffix("_security_group")


def _ways(stack: dict[str, Any]) -> set[Way]:
    """Between groups; the way out is there and the way in, or it is no way."""
    rules = {kind: [each for each in of_type(stack, kind).values() if "cidr_ipv4" not in each] for kind in (OUT, IN)}
    out, into = (
        {
            (_group(each["security_group_id"]), _group(each["referenced_security_group_id"]), each["from_port"])
            for each in rules[kind]
        }
        for kind in (OUT, IN)
    )
    assert out == {(source, target, port) for target, source, port in into}
    return out


def _needed(omero: dict[str, Any]) -> Iterator[Way]:
    """What the task definitions say: volumes, hosts in variables, and balancers' targets."""
    for name, definition in of_type(omero, "aws_ecs_task_definition").items():
        role = name.removesuffix("_task_definition")
        for volume in definition.get("volume", ()):
            if "efs_volume_configuration" in volume:
                yield role, "file_system", 2049
            elif "file_gateway" in volume["docker_volume_configuration"]["driver_opts"]["o"]:
                yield "instances", "gateway", 2049
        text = definition["container_definitions"]
        if "aws_db_instance" in text:
            yield role, "database", 5432
        if "rediss://" in text:
            yield role, "sessions", 6379
        for host in re.findall(r"\b(server|read-only-\d)\.[a-z0-9-]+\.omero\.internal\b", text):
            yield role, host.replace("-", "_"), 4064
    for role, service in of_type(omero, "aws_ecs_service").items():
        for target in service.get("load_balancer") or ():
            yield "balancer" if role == "web" else "server_balancer", role, target["container_port"]


def test_ways_are_those_that_task_definitions_need(stacks: Stacks) -> None:
    assert _ways(stacks["omero"]) == set(_needed(stacks["omero"]))


def test_a_service_waits_for_its_ways_and_goes_before_them(stacks: Stacks) -> None:
    omero = stacks["omero"]
    for role, service in of_type(omero, "aws_ecs_service").items():
        for kind in (OUT, IN):
            own = (f"{role}_to_", f"balancer_to_{role}", f"{role}_security_group_https")
            rules = {f"{kind}.{name}" for name in of_type(omero, kind) if name.startswith(own)}
            assert rules
            assert rules <= set(service["depends_on"])


def test_hosts_functions_and_datasync_reach_what_they_mount_and_call(stacks: Stacks) -> None:
    to_share = {("host", "gateway", 2049)} if "file_gateway" in stacks else set()
    wanted = {
        "upload_host": {("host", "file_system", 2049), ("host", "server", 4064), *to_share},
        "sftp": {("drop_area_folders", "file_system", 2049)},
        "datasync": {("task", "file_system", 2049)},
        "file_gateway": {("gateway_activation_function", "gateway", 80)},
    }
    for name in wanted.keys() & stacks:
        assert _ways(stacks[name]) == wanted[name]


def test_who_waits_for_ways_beside_services(synthesise: Callable[..., Stacks]) -> None:
    stacks = synthesise(**VARIANTS["all sections"])
    waiting = {
        ("upload_host", "aws_autoscaling_group", "host_to_file_system"),
        ("sftp", "aws_lambda_function", "drop_area_nfs"),
        ("datasync", "aws_datasync_location_efs", "task_nfs"),
        ("file_gateway", "aws_lambda_invocation", "gateway_activation_to_gateway"),
    }
    for name, kind, way in waiting:
        assert {f"{OUT}.{way}_out", f"{IN}.{way}_in"} <= set(only(stacks[name], kind)["depends_on"])


def test_the_share_of_a_gateway_elsewhere_is_reached_by_its_address(synthesise: Callable[..., Stacks]) -> None:
    stacks = synthesise(**VARIANTS["an existing share"])
    for name, source in (("omero", "instances"), ("upload_host", "host")):
        rule = of_type(stacks[name], OUT)[f"{source}_security_group_share"]
        assert rule["from_port"] == 2049
        address, _, length = rule["cidr_ipv4"].partition("/")
        assert length == "32"
        assert json.dumps(stacks[name]["resource"]).count(address) > json.dumps(rule).count(address)

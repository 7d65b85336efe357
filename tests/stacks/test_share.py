"""What makes the `-s3fg` topologies what they are: the share of an S3 File Gateway, as a source to import from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from settings.topology import TOPOLOGIES
from tests.conftest import Stacks, container, of_type
from tests.settings.test_topology import sections

SHARED = [name for name, row in TOPOLOGIES.items() if row.share]


@pytest.fixture(params=SHARED)
def topology(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def omero(topology: str, synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise(**sections(topology))["omero"]


def test_there_are_three_as_in_the_original() -> None:
    assert SHARED == ["rw-http-s3fg", "rw-tls-s3fg", "rw-tls-nlb-s3fg"]


def test_the_server_sees_both_file_system_and_share(omero: dict[str, Any]) -> None:
    mounts = {mount["containerPath"]: mount["readOnly"] for mount in container(omero, "server")["mountPoints"]}
    assert mounts == {"/OMERO": False, "/s3uploads": True}
    assert not container(omero, "web")["mountPoints"]


def test_the_share_is_mounted_by_the_instance_and_cannot_be_written(omero: dict[str, Any]) -> None:
    definition = of_type(omero, "aws_ecs_task_definition")["server_task_definition"]
    volumes = {volume["name"]: volume for volume in definition["volume"]}
    assert set(volumes) == {"omero", "share"}
    share = volumes["share"]["docker_volume_configuration"]
    assert share["driver"] == "local"
    options = share["driver_opts"]
    assert (options["type"], options["device"]) == ("nfs", ":/lab-slides")
    assert {"addr=10.192.20.15", "ro", "nolock", "hard"} <= set(options["o"].split(","))


def test_instances_reach_the_gateway_and_tasks_the_file_system(omero: dict[str, Any]) -> None:
    out = of_type(omero, "aws_vpc_security_group_egress_rule").values()
    nfs = {(rule["security_group_id"], rule.get("cidr_ipv4")) for rule in out if rule["from_port"] == 2049}
    assert nfs == {
        ("${aws_security_group.instances_security_group.id}", "10.192.20.15/32"),
        ("${aws_security_group.server_security_group.id}", None),
    }


def test_it_is_otherwise_the_topology_without_the_share(topology: str, synthesise: Callable[..., Stacks]) -> None:
    plain = topology.removesuffix("-s3fg")
    size = {"cpu": 2048, "memory_mib": 5120, "launch_type": "EC2"}
    with_share = synthesise(**sections(topology))["omero"]
    without = synthesise(**sections(plain), omero={"server": size})["omero"]
    added = {
        f"{kind}.{name}"
        for kind, resources in with_share["resource"].items()
        for name in resources
        if name not in without["resource"].get(kind, {})
    }
    assert added == {"aws_vpc_security_group_egress_rule.instances_security_group_share"}
    missing = {
        name
        for kind, resources in without["resource"].items()
        for name in set(resources) - set(with_share["resource"][kind])
    }
    assert not missing

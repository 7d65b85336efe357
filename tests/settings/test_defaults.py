"""A default that depends on another setting follows it: no value that is allowed alone is refused for a default."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from pydantic import ValidationError

from settings import fargate
from settings.ec2 import INSTANCE_TYPES
from settings.omero import Importer, Omero, Web
from settings.topology import TOPOLOGIES
from tests.conftest import workspace
from tests.settings.test_topology import sections


def database(**values: Any) -> tuple[int, int]:
    made = workspace(data={"database": values}).data.database
    return made.storage_gib, made.max_storage_gib


@pytest.mark.parametrize(
    ("storage", "most"), [(20, 200), (181, 200), (182, 201), (200, 220), (1000, 1100), (59578, 65536)]
)
def test_the_database_may_grow_beyond_what_it_begins_with(storage: int, most: int) -> None:
    assert database(storage_gib=storage) == (storage, most)


def test_refuses_a_database_that_could_not_grow() -> None:
    with pytest.raises(ValidationError, match=r"data\.database\.storage_gib"):
        database(storage_gib=59579)
    with pytest.raises(ValidationError, match="199 leaves no room above storage_gib 182; give 201 or more"):
        database(storage_gib=182, max_storage_gib=199)


@pytest.mark.parametrize("model", [Web, Importer])
@pytest.mark.parametrize("cpu", fargate.MEMORY_MIB)
def test_memory_follows_the_cpu(model: type[Web | Importer], cpu: int) -> None:
    made = model(cpu=cpu)
    assert fargate.refusal(cpu, made.memory_mib) is None
    assert made.memory_mib == 4096 or 4096 not in fargate.MEMORY_MIB[cpu]


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("cpu", [cpu for cpu in fargate.MEMORY_MIB if cpu > 256])
def test_memory_of_servers_follows_the_cpu(topology: str, cpu: int) -> None:
    fargate_only = {"omero": {"server": {"cpu": cpu}}} if not TOPOLOGIES[topology].share else {}
    made = workspace(**{**sections(topology), **fargate_only}).omero.server
    assert made.launch_type == "EC2" or fargate.refusal(made.cpu, made.memory_mib) is None
    usual = TOPOLOGIES[topology].server_size[1]
    assert made.launch_type == "EC2" or made.memory_mib == usual or usual not in fargate.MEMORY_MIB[cpu]


@pytest.mark.parametrize("cpu", [cpu for cpu in fargate.MEMORY_MIB if cpu > 256])
def test_memory_of_read_only_servers_follows_the_cpu(cpu: int) -> None:
    made = workspace(**sections("rw-ro-tls"), omero={"read_only": {"cpu": cpu}}).omero.read_only
    assert made
    assert fargate.refusal(cpu, made.memory_mib) is None


def test_says_that_the_cpu_is_too_little_where_no_memory_would_do() -> None:
    with pytest.raises(ValidationError, match=r"server\.cpu\n  256 is not enough for OMERO\.server, which needs 4096"):
        workspace(omero={"server": {"cpu": 256}})


@pytest.mark.parametrize("instance_type", INSTANCE_TYPES)
@pytest.mark.parametrize("readers", [0, 1, 7])
def test_instances_and_memory_follow_the_instance_type_and_the_servers(instance_type: str, readers: int) -> None:
    values: dict[str, Any] = {"server": {"launch_type": "EC2"}, "ec2": {"instance_type": instance_type}}
    if readers:
        values["read_only"] = {"count": readers}
    made = Omero.model_validate(values)
    assert made.ec2
    assert made.ec2.max_instances >= 2
    assert made.server.memory_mib == min(10240, INSTANCE_TYPES[instance_type].memory_mib)


@pytest.mark.parametrize(
    ("tasks", "filesets", "connections"),
    [(None, None, 50), (4, 10, 50), (20, None, 90), (None, 32, 138), (15, 32, 490)],
)
def test_the_pool_follows_the_importers(tasks: int | None, filesets: int | None, connections: int) -> None:
    given = {"max_tasks": tasks, "parallel_filesets": filesets}
    made = Omero.model_validate({"importer": {key: value for key, value in given.items() if value is not None}})
    assert made.server.database_connections == connections


@pytest.mark.parametrize("connections", range(11, 60, 4))
@pytest.mark.parametrize("importer", [{}, {"max_tasks": 1}, {"parallel_filesets": 1}])
def test_the_importers_follow_the_pool(connections: int, importer: dict[str, int]) -> None:
    values: dict[str, Any] = {"server": {"database_connections": connections}}
    if importer:
        values["importer"] = importer
    made = Omero.model_validate(values).importer
    assert made.max_tasks * made.parallel_filesets <= connections - 10
    if connections >= 26 and not importer:
        assert (made.max_tasks, made.parallel_filesets) == (4, 4)


def test_refuses_more_imports_than_connections_can_be_had() -> None:
    with pytest.raises(ValidationError, match="50 times parallel_filesets 32 need 1600 database connections"):
        workspace(omero={"importer": {"max_tasks": 50, "parallel_filesets": 32}})


@pytest.mark.parametrize("prefix", range(16, 27))
@pytest.mark.parametrize("base", ["10.0.0.0", "10.192.0.0", "172.16.128.0"])
def test_subnets_follow_the_vpc(prefix: int, base: str) -> None:
    cidr = str(ipaddress.IPv4Network(f"{base}/{prefix}", strict=False))
    network = workspace(network={"cidr": cidr}).network
    subnets = [ipaddress.IPv4Network(each) for each in network.public_subnets + network.private_subnets]
    assert all(each.subnet_of(ipaddress.IPv4Network(cidr)) for each in subnets)
    if base == "10.192.0.0" and prefix == 16:
        assert [str(each) for each in subnets] == [f"10.192.{number}.0/24" for number in (10, 11, 20, 21)]


@pytest.mark.parametrize("public", [("10.192.20.0/24", "10.192.21.0/24"), ("10.192.10.0/24", "10.192.20.0/24")])
def test_private_subnets_stay_clear_of_the_public_ones(public: tuple[str, str]) -> None:
    private = workspace(network={"public_subnets": public}).network.private_subnets
    assert not set(private) & set(public)

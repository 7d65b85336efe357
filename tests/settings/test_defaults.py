"""A default that depends on another setting follows it: no value that is allowed alone is refused for a default."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from pydantic import ValidationError

from settings import fargate
from settings.ec2 import INSTANCE_TYPES
from settings.omero import Omero, Web
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


@pytest.mark.parametrize("cpu", fargate.MEMORY_MIB)
def test_memory_follows_the_cpu(cpu: int) -> None:
    made = Web(cpu=cpu)
    assert fargate.refusal(cpu, made.memory_mib) is None
    assert made.memory_mib == 4096 or 4096 not in fargate.MEMORY_MIB[cpu]


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("cpu", [cpu for cpu in fargate.MEMORY_MIB if cpu > 512])
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


@pytest.mark.parametrize(("cpu", "importer", "least"), [(256, 1536, 1024), (512, 1536, 1024), (1024, 8192, 2048)])
def test_says_that_the_cpu_is_too_little_where_no_memory_would_do(cpu: int, importer: int, least: int) -> None:
    said = (
        rf"server\.cpu\n  {cpu} is not enough for OMERO\.server beside an importer of {importer} MiB, .* {least} or m"
    )
    with pytest.raises(ValidationError, match=said):
        workspace(omero={"server": {"cpu": cpu}, "importer": {"memory_mib": importer}})
    with pytest.raises(ValidationError, match=r"read_only\.cpu\n  256 is not enough for OMERO\.server, .* 512 or more"):
        workspace(**sections("rw-ro-tls"), omero={"read_only": {"cpu": 256}})


@pytest.mark.parametrize("importer", [1024, 1536, 1537, 4096, 8000, 8192])
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_memory_of_servers_follows_the_importer(topology: str, importer: int) -> None:
    omero = workspace(**sections(topology), omero={"importer": {"memory_mib": importer}}).omero
    usual = TOPOLOGIES[topology].server_size[1]
    assert omero.server.memory_mib - importer >= usual - 1536
    assert omero.server.memory_mib - max(importer, 1536) < usual - 1536 + 1024


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
    ("connections", "filesets"), [(12, 1), (13, 1), (14, 2), (16, 3), (18, 4), (50, 4), (500, 4), (None, 4)]
)
def test_filesets_at_once_follow_the_pool(connections: int | None, filesets: int) -> None:
    server = {} if connections is None else {"database_connections": connections}
    assert Omero.model_validate({"server": server}).importer.parallel_filesets == filesets
    given = Omero.model_validate({"server": server, "importer": {"parallel_filesets": 1}})
    assert given.importer.parallel_filesets == 1


def test_refuses_more_imports_than_there_are_connections_or_threads() -> None:
    said = r"importer\.parallel_filesets\n  4 need 8 .* leaves 6 after 10 for users; lower it, or set .* to 18 or more"
    with pytest.raises(ValidationError, match=said):
        workspace(omero={"server": {"database_connections": 16}, "importer": {"parallel_filesets": 4}})
    with pytest.raises(ValidationError, match=r"parallel_filesets\n  Input should be less than or equal to 4"):
        workspace(omero={"importer": {"parallel_filesets": 5}})


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

"""OMERO's JVMs have what is paid for, and everything fits into the task.

The witness is omero/install/jvmcfg.py of ome/omero-py (commit 33db303): `_heap_mib` computes as `Settings.lookup`,
`Strategy.get_heap_size` and `PercentStrategy.calculate_heap_size` there do, from the properties that a container has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from modules.connections import Endpoint
from modules.database import DatabaseUser
from modules.omero import ServerProps
from settings import ec2, fargate
from settings.memory import (
    HELPER_MIB,
    IMPORTER_MIB,
    LEAST_IMPORTER_MIB,
    heaps_mib,
    least_task_mib,
    server_mib,
)
from tests.conftest import Stacks, container, containers, of_type, variables
from tests.settings.test_topology import sections

JVMS = ("blitz", "pixeldata", "indexer")
PERCENT = {"blitz": 15, "pixeldata": 15, "indexer": 10}
# Three JVMs' classes, code and threads, and what else runs: see settings/memory.py.
OVERHEAD_MIB = 1024


def _heap_mib(jvm: str, properties: Mapping[str, str]) -> int:
    """MiB of `-Xmx` that OMERO starts a JVM with."""

    def lookup(key: str, default: str) -> str:
        return properties.get(f"omero.jvmcfg.{key}.{jvm}", properties.get(f"omero.jvmcfg.{key}", default))

    if size := lookup("heap_size", ""):
        return int(float(size))
    total = int(lookup("system_memory", "0"))
    active = max(min(total, int(lookup("max_system_memory", "48000"))), int(lookup("min_system_memory", "3414")))
    return int(active * int(lookup("percent", str(PERCENT[jvm]))) / 100)


def test_the_formula_is_the_one_that_was_seen() -> None:
    seen = {"omero.jvmcfg.system_memory": str(10_240 - 1024)}
    assert [_heap_mib(jvm, seen) for jvm in JVMS] == [1382, 1382, 921]


def _tasks() -> Iterator[tuple[int, int]]:
    """MiB of tasks that Fargate offers or that an instance has room for, and of an importer that fits beside a server.

    0: there is no importer, as beside a read-only server.
    """
    most = max(offered.memory_mib for offered in ec2.INSTANCE_TYPES.values())
    sizes = {mib for sizes in fargate.MEMORY_MIB.values() for mib in sizes} | {*range(3000, most, 97), most}
    for importer_mib in (0, LEAST_IMPORTER_MIB, IMPORTER_MIB, 4096):
        yield from ((mib, importer_mib) for mib in sorted(sizes) if mib >= least_task_mib(importer_mib))
        yield least_task_mib(importer_mib), importer_mib


def _properties(limit_mib: int) -> dict[str, str]:
    return ServerProps(
        image="omero-server:5.6.18",
        memory_mib=limit_mib,
        heaps_mib=heaps_mib(limit_mib),
        database=Endpoint(id="to_database", port=5432, description="x", security_group_id="sg", host="database"),
        database_name="omero",
        database_user=DatabaseUser(name="omero", password_arn="arn"),
        mounts=(),
    ).properties()


def test_heaps_and_the_rest_fit_into_every_server_and_server_and_importer_into_every_task() -> None:
    for memory_mib, importer_mib in _tasks():
        limit_mib = server_mib(memory_mib, importer_mib)
        heaps = {jvm: _heap_mib(jvm, _properties(limit_mib)) for jvm in JVMS}
        assert sum(heaps.values()) + OVERHEAD_MIB <= limit_mib
        assert limit_mib + importer_mib + HELPER_MIB <= memory_mib
        assert importer_mib > IMPORTER_MIB or heaps["blitz"] >= memory_mib * 30 // 100
        assert heaps["pixeldata"] >= 512
        assert heaps["indexer"] >= 256


@pytest.mark.parametrize(
    ("changes", "role", "limits", "heaps"),
    [
        ({}, "server", {"server": 8448, "importer": 1536}, (4608, 1536, 768)),
        (
            {"omero": {"server": {"cpu": 2048, "memory_mib": 5120}}},
            "server",
            {"server": 3328, "importer": 1536},
            (1536, 512, 256),
        ),
        (
            {"omero": {"importer": {"memory_mib": 2560}}},
            "server",
            {"server": 8448, "importer": 2560},
            (4608, 1536, 768),
        ),
        (sections("rw-ro-tls"), "read_only_1", {"read-only-1": 3840}, (1843, 614, 307)),
    ],
)
def test_containers_have_limits_and_their_heaps(
    synthesise: Callable[..., Stacks],
    changes: dict[str, Any],
    role: str,
    limits: dict[str, int],
    heaps: tuple[int, ...],
) -> None:
    omero = synthesise(**changes)["omero"]
    assert {name: each["memory"] for name, each in containers(omero, role).items() if "memory" in each} == limits
    given = {
        name.removeprefix("CONFIG_").replace("__", " ").replace("_", ".").replace(" ", "_"): value
        for name, value in variables(omero, role).items()
    }
    assert int(given["omero.jvmcfg.system_memory"]) == container(omero, role)["memory"]
    assert tuple(_heap_mib(jvm, given) for jvm in JVMS) == heaps
    task = of_type(omero, "aws_ecs_task_definition")[f"{role}_task_definition"]
    assert sum(limits.values()) + HELPER_MIB <= int(task["memory"])

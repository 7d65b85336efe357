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
from settings.memory import IMPORTER_MIB, LEAST_MEMORY_MIB, heaps_mib
from tests.conftest import Stacks, of_type, variables

JVMS = ("blitz", "pixeldata", "indexer")
PERCENT = {"blitz": 15, "pixeldata": 15, "indexer": 10}
# Four JVMs' classes, code and threads, and what else runs: see settings/memory.py.
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


def _sizes() -> Iterator[int]:
    """MiB of every size that Fargate offers, and some of those that an instance has room for."""
    yield from sorted({mib for sizes in fargate.MEMORY_MIB.values() for mib in sizes if mib >= LEAST_MEMORY_MIB})
    most = max(offered.memory_mib for offered in ec2.INSTANCE_TYPES.values())
    yield from (*range(LEAST_MEMORY_MIB, most, 97), most)


def _properties(memory_mib: int) -> dict[str, str]:
    return ServerProps(
        image="omero-server:5.6.18",
        memory_mib=memory_mib,
        heaps_mib=heaps_mib(memory_mib),
        database=Endpoint(id="to_database", port=5432, description="x", security_group_id="sg", host="database"),
        database_name="omero",
        database_user=DatabaseUser(name="omero", password_arn="arn"),
        mounts=(),
    ).properties()


def test_heaps_an_importer_and_the_rest_fit_into_every_task_and_blitz_has_its_share() -> None:
    for memory_mib in _sizes():
        heaps = {jvm: _heap_mib(jvm, _properties(memory_mib)) for jvm in JVMS}
        assert sum(heaps.values()) + IMPORTER_MIB + OVERHEAD_MIB <= memory_mib
        assert heaps["blitz"] >= memory_mib * 30 // 100
        assert heaps["pixeldata"] >= 512
        assert heaps["indexer"] >= 256


@pytest.mark.parametrize(
    ("changes", "role", "heaps"),
    [
        ({}, "server", (4736, 1894, 947)),
        ({"omero": {"server": {"cpu": 2048, "memory_mib": 4096}}}, "server", (1280, 512, 256)),
        ({"omero": {"server": {"cpu": 16384, "memory_mib": 122_880}}}, "server", (68_096, 27_238, 13_619)),
    ],
)
def test_a_container_has_the_heaps_of_its_task(
    synthesise: Callable[..., Stacks], changes: dict[str, Any], role: str, heaps: tuple[int, ...]
) -> None:
    omero = synthesise(**changes)["omero"]
    given = {
        name.removeprefix("CONFIG_").replace("__", " ").replace("_", ".").replace(" ", "_"): value
        for name, value in variables(omero, role).items()
    }
    task = of_type(omero, "aws_ecs_task_definition")[f"{role}_task_definition"]
    assert given["omero.jvmcfg.system_memory"] == task["memory"]
    assert tuple(_heap_mib(jvm, given) for jvm in JVMS) == heaps

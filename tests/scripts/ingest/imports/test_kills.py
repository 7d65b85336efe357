"""Randomised runs: runners, plugins, tasks, importers and JVMs are killed, the server is replaced, ECS, sessions and
OMERO fail; each file is in OMERO once in the end.

IMPORT_RUNS is the number of runs (3 unless set; `make kills` makes 500), IMPORT_SEED the first seed. A third of them
imports by tasks, a third by ECS Exec, and a third by both at once.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from containers.importer.entries import FAILED, IMPORTED
from contract.outputs import Data
from local_aws.testing.ecs import until
from scripts import aws
from scripts.errors import Failed, Refused
from scripts.ingest.imports import ecs_exec, ecs_task
from scripts.ingest.imports import ledger as ledger_module
from scripts.ingest.imports.batches import Limits
from scripts.ingest.imports.context import ImportContext
from scripts.ingest.imports.importing import ImportOptions, Run
from scripts.ingest.imports.ledger import Ledger
from scripts.ingest.server_exec import channel
from tests.scripts.ingest.imports.exec_help import children, of_importers, task_of_server
from tests.scripts.ingest.imports.imports_help import QUICK, Importing, LocalDeployedWorkspace

RUNS = int(os.environ.get("IMPORT_RUNS", "3"))
FIRST = int(os.environ.get("IMPORT_SEED", "1"))
FORK = multiprocessing.get_context("fork")
WAYS = (("task",), ("exec",), ("task", "exec"))
UNEXPECTED = 70
FORESEEN: tuple[type[Exception], ...] = (Failed, Refused, *aws.ERRORS)
# A look at the ledger takes the local AWS a tenth of a second of this machine's time.
CALM = {"poll_seconds": 0.5}

Faults = dict[str, list[str]]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What AWS takes minutes for, takes the local one seconds; and a program is written in two sessions, not in six."""
    monkeypatch.setattr(ledger_module, "CLAIM_SECONDS", 4)
    monkeypatch.setattr(ecs_task, "LISTED_SECONDS", 5)
    monkeypatch.setattr(ecs_exec, "BEGIN_SECONDS", 6)
    monkeypatch.setattr(ecs_exec, "LOOK_SECONDS", 4)
    monkeypatch.setattr(channel, "DEADLINE_SECONDS", 5)
    monkeypatch.setattr(channel, "CONNECT_SECONDS", 3)
    monkeypatch.setattr(channel, "PIECE", 50_000)


def _run(importing: Importing, way: str, parallel: int, filesets: int) -> None:
    """A runner of its own, with clients of its own."""
    deployment = LocalDeployedWorkspace(
        workspace=importing.deployment.workspace,
        session=importing.deployment.session,
        parameters=importing.deployment.parameters,
    )
    import_context = ImportContext(
        deployment=deployment,
        ledger=Ledger(deployment.client("dynamodb"), deployment.parameter(Data.ledger_table_name)),
    )
    wanted = ImportOptions(**{**QUICK, **CALM, "parallel": parallel, "limits": Limits(filesets=filesets)})
    try:
        Run(
            import_context.ledger, import_context.transport(way), wanted, lambda *_: None, import_context.transport
        ).run()
    except FORESEEN:
        os._exit(1)
    except BaseException:
        traceback.print_exc()
        os._exit(UNEXPECTED)
    os._exit(0)


def _ecs_faults(chance: random.Random) -> Faults:
    def some(*kinds: str) -> list[str]:
        return chance.choices(kinds, k=chance.randrange(3))

    seconds = f"{chance.uniform(0.2, 3):.1f}"
    return {
        "RunTask": some("ThrottlingException", "RESOURCE:MEMORY", "lost", "ServerException"),
        "DescribeTasks": some("ThrottlingException"),
        "ExecuteCommand": some("TargetNotConnectedException", "ServerException", "lost", "AccessDeniedException"),
        "session": some(f"drop:{chance.randrange(200)}", f"end:{seconds}", "mute"),
        "task": some(f"kill:{seconds}", f"spot:{seconds}", "CannotPullContainerError"),
    }


def _omero_faults(chance: random.Random, names: list[str]) -> list[tuple[str, dict[str, Any]]]:
    kinds: list[Callable[[], tuple[str, dict[str, Any]]]] = [
        lambda: ("crash", {"times": 1}),
        lambda: ("kill", {"times": 1}),
        lambda: ("late", {"times": 1, "seconds": 0.8}),
        lambda: ("slow", {"times": 2, "seconds": chance.uniform(0.1, 1.5)}),
        # Longer than all that is waited for: who takes a JVM for dead that is not gets a second image.
        lambda: ("slow", {"times": 1, "seconds": 12}),
        lambda: ("fail", {"times": 1, "message": "java.io.IOException: a fault of this test"}),
    ]
    omero = []
    for _ in range(chance.randrange(4)):
        kind, more = chance.choice(kinds)()
        omero.append((kind, {"match": chance.choice(names), **more}))
    return omero


def _kill(importing: Importing, chance: random.Random, runners: Sequence[Any], ways: Sequence[str]) -> None:
    """Something dies that is no runner."""
    table = importing.deployment.parameter(Data.ledger_table_name)
    ecs = importing.programs.ecs
    what = chance.choice(["importer", "importer", "plugin", "server"])
    if what == "server" and "exec" in ways:
        if task := task_of_server(ecs):
            ecs.client.stop_task(cluster=ecs.cluster, task=task)
        return
    # The first is the program itself, the others its importer and the JVM, which would live on; best seen while all do.
    end = time.monotonic() + 1.5
    while len(found := of_importers(table)) < 3 and time.monotonic() < end:
        time.sleep(0.1)
    found = found[: chance.choice([1, 1, 9])]
    if what == "plugin":
        found = [each for runner in runners for each in children(runner.pid)] or found
    if found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(found), signal.SIGKILL)


def _round(importing: Importing, chance: random.Random, ways: Sequence[str]) -> None:
    """Runners run for a while, something else is killed, then they are."""
    runners = [
        FORK.Process(target=_run, args=(importing, chance.choice(ways), chance.randrange(1, 4), chance.randrange(1, 6)))
        for _ in range(chance.randrange(1, 3))
    ]
    for runner in runners:
        runner.start()
    for _ in range(chance.randrange(1, 4)):
        # An importer in the server's container begins after two sessions or more.
        time.sleep(chance.uniform(0.1, 4 if "exec" in ways else 1.5))
        if chance.random() < 0.5:
            _kill(importing, chance, runners, ways)
    plugins = [each for runner in runners for each in children(runner.pid or 0)]
    for runner in runners:
        runner.kill()
        runner.join()
        assert runner.exitcode in (0, 1, -signal.SIGKILL), "a runner ended by an error that it did not foresee"
    until(lambda: not any(Path(f"/proc/{each}").exists() for each in plugins))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
@pytest.mark.usefixtures("short", "plugin")
def test_every_file_is_in_omero_exactly_once_whatever_is_killed(
    importing: Importing, seed: int, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(seed)
    ways = WAYS[seed % len(WAYS)]
    names = [f"{number}'s \n $(file).tif" for number in range(chance.randrange(3, 9))]
    paths = [importing.image(name, f"II*{name}".encode()) for name in names]
    if "exec" in ways:
        request.getfixturevalue("server")
    importing.scan()
    importing.programs.fault(**_ecs_faults(chance))
    for kind, more in _omero_faults(chance, [f"{number}'s" for number in range(len(names))]):
        importing.server.fault(kind, **more)
    for _ in range(chance.randrange(1, 4)):
        _round(importing, chance, ways)
    importing.server.clear_faults()
    importing.programs.forget_faults()
    for _ in range(10):
        if "exec" in ways:
            until(lambda: task_of_server(importing.programs.ecs), seconds=20)
        try:
            importing.run(chance.choice(ways), **CALM)
        except Failed:
            continue
        if not [importing.ledger.retry(entry) for entry in importing.ledger.entries(FAILED)]:
            break
    images = importing.server.images()
    assert sorted(image.name for image in images) == sorted(names), f"seed {seed}"
    assert importing.states() == dict.fromkeys(paths, IMPORTED), f"seed {seed}"
    filesets = {image.name: image.fileset for image in images}
    recorded = {entry.path: entry.fileset for entry in importing.ledger.entries(IMPORTED)}
    assert recorded == {path: filesets[name] for path, name in zip(paths, names, strict=True)}, f"seed {seed}"
    assert importing.ledger.slots() == []
    until(lambda: not of_importers(importing.deployment.parameter(Data.ledger_table_name)), seconds=20)

"""Randomised runs: runners, tasks and JVMs are killed, ECS and OMERO fail; each file is in OMERO once in the end.

IMPORT_RUNS is the number of runs (3 unless set; `make kills` makes 500), IMPORT_SEED the first one's seed.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from containers.importer.entries import FAILED, IMPORTED
from scripts.errors import Failed
from scripts.ingest import ecs_task
from scripts.ingest import ledger as ledger_module
from scripts.ingest.batches import Limits
from scripts.ingest.ecs_task import TaskTransport
from scripts.ingest.importing import Run, Wanted
from scripts.ingest.ledger import Ledger
from tests.scripts.ingest.imports_help import QUICK, Importing, LocalOpened

RUNS = int(os.environ.get("IMPORT_RUNS", "3"))
FIRST = int(os.environ.get("IMPORT_SEED", "1"))
FORK = multiprocessing.get_context("fork")


def _run(importing: Importing, parallel: int, filesets: int) -> None:
    """A runner of its own, with clients of its own."""
    opened = LocalOpened(
        workspace=importing.opened.workspace,
        session=boto3.Session("testing", "testing", region_name=importing.programs.aws.region),
        parameters=importing.opened.parameters,
    )
    ledger = Ledger(opened.client("dynamodb"), opened.parameter("data/ledger_table_name"))
    wanted = Wanted(**{**QUICK, "parallel": parallel, "limits": Limits(filesets=filesets)})
    try:
        Run(ledger, TaskTransport(opened), wanted, lambda *_: None, lambda _: TaskTransport(opened)).run()
    except Failed:
        os._exit(1)
    os._exit(0)


def _faults(chance: random.Random, names: list[str]) -> tuple[dict[str, list[str]], list[tuple[str, dict[str, Any]]]]:
    """Of ECS, and of OMERO."""
    ecs = {
        "RunTask": chance.choices(
            ["ThrottlingException", "RESOURCE:MEMORY", "lost", "ServerException"], k=chance.randrange(3)
        ),
        "DescribeTasks": ["ThrottlingException"] * chance.randrange(2),
        "task": chance.choices(
            [f"kill:{chance.uniform(0.2, 3):.1f}", f"spot:{chance.uniform(0.2, 3):.1f}", "CannotPullContainerError"],
            k=chance.randrange(3),
        ),
    }
    kinds: list[Callable[[], tuple[str, dict[str, Any]]]] = [
        lambda: ("crash", {"times": 1}),
        lambda: ("kill", {"times": 1}),
        lambda: ("late", {"times": 1, "seconds": 0.8}),
        lambda: ("slow", {"times": 2, "seconds": chance.uniform(0.1, 1.5)}),
        lambda: ("fail", {"times": 1, "message": "java.io.IOException: a fault of this test"}),
    ]
    omero = []
    for _ in range(chance.randrange(4)):
        kind, more = chance.choice(kinds)()
        omero.append((kind, {"match": chance.choice(names), **more}))
    return {name: some for name, some in ecs.items() if some}, omero


@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_every_file_is_in_omero_exactly_once_whatever_is_killed(
    importing: Importing, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What AWS takes minutes for, takes the local one seconds.
    monkeypatch.setattr(ledger_module, "CLAIM_SECONDS", 4)
    monkeypatch.setattr(ecs_task, "LISTED_SECONDS", 5)
    chance = random.Random(seed)
    names = [f"{number}'s \n $(file).tif" for number in range(chance.randrange(3, 9))]
    paths = [importing.image(name, f"II*{name}".encode()) for name in names]
    importing.scan()
    ecs, omero = _faults(chance, [f"{number}'s" for number in range(len(names))])
    if ecs:
        importing.programs.fault(**ecs)
    for kind, more in omero:
        importing.server.fault(kind, **more)
    for _ in range(chance.randrange(1, 4)):
        runners = [
            FORK.Process(target=_run, args=(importing, chance.randrange(1, 4), chance.randrange(1, 6)))
            for _ in range(chance.randrange(1, 3))
        ]
        for runner in runners:
            runner.start()
        time.sleep(chance.uniform(0.1, 4))
        for runner in runners:
            runner.kill()
            runner.join()
    importing.server.clear_faults()
    for _ in range(10):
        try:
            importing.run()
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

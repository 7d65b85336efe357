"""Randomised imports: workers, importers and JVMs are killed, servers replaced and doubled, answers lost, clocks wrong,
people pause, cancel and ask again; in the end OMERO has each file once, and the ledger says of it what OMERO says.

IMPORT_RUNS is the number of runs (1 unless set; `make kills` makes 500), IMPORT_SEED the first seed.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from containers.importer.entries import FAILED, IMPORTED, INCOMPLETE
from local_aws.testing.ecs import until
from tests.scripts.ingest.imports.imports_help import Importing, run_work, swift_program

RUNS = int(os.environ.get("IMPORT_RUNS", "1"))
FIRST = int(os.environ.get("IMPORT_SEED", "1"))
CHAOS = Path(__file__).with_name("chaos.py").read_text(encoding="utf-8")
POINTS = ("verify", "save", "pixels", "thumbnails")
PEOPLE = ("root", "alice")


def faulty_program(seed: int) -> bytes:
    """The worker's program with `chaos` in it."""
    line = "from .worker import Worker\n"
    return swift_program(
        (("importer/__main__.py", line, f"from . import chaos  # noqa: F401\n{line}"),),
        (("importer/chaos.py", CHAOS.replace("SEED = 0", f"SEED = {seed}")),),
    )


def omero_faults(importing: Importing, chance: random.Random, names: list[str]) -> None:
    """Some of what can befall an import in OMERO and in its importer."""
    kinds: list[Callable[[], tuple[str, dict[str, Any]]]] = [
        lambda: ("crash", {"at": chance.choice(POINTS), "times": 1}),
        lambda: ("kill", {"times": 1}),
        lambda: ("cancel", {"at": chance.choice(POINTS[1:]), "times": 1}),
        lambda: ("slow", {"at": chance.choice(POINTS), "times": 1, "seconds": chance.uniform(0.2, 4)}),
        lambda: ("slow", {"times": 2, "seconds": chance.uniform(0.1, 1.5)}),
        lambda: ("fail", {"times": 1, "message": "java.io.IOException: a fault of this test"}),
        lambda: ("memory", {"times": 1}),
    ]
    for _ in range(chance.randrange(5)):
        kind, more = chance.choice(kinds)()
        importing.server.fault(kind, chance.choice(names), **more)
    importing.server.lose_lookups(chance.choice([0, 0, 1, 3]))


def kill_importer(importing: Importing, chance: random.Random) -> None:
    """The command line or the JVM; best seen while they live."""
    end = time.monotonic() + 1.5
    while not (found := importing.programs_of("java")) and time.monotonic() < end:
        time.sleep(0.05)
    for each in chance.sample(found, min(1, len(found))):
        with suppress(ProcessLookupError):
            os.kill(int(each["pid"]), chance.choice([signal.SIGKILL, signal.SIGTERM]))


def befall(importing: Importing, chance: random.Random, requests: list[str]) -> None:
    """Something happens."""
    what = chance.choice(["worker", "worker", "importer", "importer", "pause", "cancel", "server", "down", "second"])
    if what == "worker":
        importing.kill_worker()
    elif what == "importer":
        kill_importer(importing, chance)
    elif what == "pause":
        importing.at.requests.pause(paused=True)
        time.sleep(chance.uniform(0, 1))
        importing.at.requests.pause(paused=False)
    elif what == "cancel":
        importing.at.requests.cancel(chance.choice(requests))
    elif what == "server":
        importing.replace_server()
    elif what == "second":
        with suppress(AssertionError):  # it may not come in time: there is no room for more here
            importing.start_second_server()
    else:
        importing.server.down()
        time.sleep(chance.uniform(0, 1.5))
        importing.server.up()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_every_file_is_in_omero_exactly_once_whatever_happens(importing: Importing, seed: int) -> None:
    chance = random.Random(seed)
    importing.server.add_user("alice", password="secret")
    importing.publish(faulty_program(seed))
    importing.restart_worker()
    names = [f"{number}'s \n $(file).tif" for number in range(chance.randrange(3, 9))]
    paths = [importing.image(name, f"II*{name}".encode()) for name in names]
    importing.scan()
    omero_faults(importing, chance, [f"{number}'s" for number in range(len(names))])
    work = run_work(
        user=chance.choice(["", "alice"]),
        target=chance.choice(["", "Dataset:name:slides"]),
        create=True,
        batch_filesets=chance.randrange(1, 6),
    )
    requests = [importing.ask("run", **work) for _ in range(chance.randrange(1, 3))]
    for _ in range(chance.randrange(1, 5)):
        time.sleep(chance.uniform(0.1, 2))
        befall(importing, chance, requests)
    importing.server.clear_faults()
    importing.end_second_servers()
    for id_ in requests:
        importing.answer(id_, seconds=180)
    said = []
    for _ in range(6):
        said.append(importing.answer(importing.ask("run", **work), seconds=180))
        if not settle(importing) and "error" not in said[-1] and "state" not in said[-1]:
            break
    else:
        pytest.fail(f"seed {seed}: people ask again and again, and are told {said}, {importing.reasons()}")
    agree(importing, paths, names, f"seed {seed}: {said}")
    assert until(lambda: not importing.programs_of("java"), seconds=30)


def settle(importing: Importing) -> int:
    """Do what a person would with what failed or is incomplete; how many that are."""
    for entry in importing.at.ledger.entries(INCOMPLETE):
        importing.server.delete_fileset(entry.fileset)
    trouble = [entry.path.hex() for entry in importing.at.ledger.entries(FAILED, INCOMPLETE)]
    if trouble:
        assert importing.answer(importing.ask("retry", files=trouble, under=""))["filesets"] == len(trouble)
    return len(trouble)


def agree(importing: Importing, paths: list[bytes], names: list[str], about: str) -> None:
    """OMERO has every file once, and the ledger knows it as OMERO has it."""
    images = importing.server.images()
    assert sorted(image.name for image in images) == sorted(names), about
    assert importing.states() == dict.fromkeys(paths, IMPORTED), about
    known = {image.name: (image.fileset, image.owner) for image in images}
    recorded = {entry.path: (entry.fileset, entry.owner) for entry in importing.at.ledger.entries(IMPORTED)}
    assert recorded == {path: known[name] for path, name in zip(paths, names, strict=True)}, about
    for entry in importing.at.ledger.entries(IMPORTED):
        assert entry.history, about

"""Imports by tasks: every image in OMERO exactly once, and the ledger says so."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from containers.importer.entries import FAILED, IMPORTED, PENDING
from scripts.errors import Failed
from scripts.ingest.imports.batches import Limits
from scripts.ingest.imports.ledger import Entry, Ledger
from scripts.ingest.imports.single_job import run_job
from tests.scripts.ingest.imports.hostile import names
from tests.scripts.ingest.imports.imports_help import Importing


def test_what_was_found_is_imported_once(importing: Importing) -> None:
    paths = [importing.image(f"a/{number}.tif") for number in range(5)]
    found = importing.scan()
    assert (found["filesets"], found["new"]) == (5, 5)
    importing.run()
    assert importing.states() == dict.fromkeys(paths, IMPORTED)
    assert importing.once() == {path.decode().lstrip("/"): 1 for path in paths}
    images = {image.client_path: image for image in importing.server.images()}
    for entry in importing.ledger.entries():
        image = images[entry.path.decode().lstrip("/")]
        assert (entry.images, entry.fileset, entry.count) == (str(image.id), image.fileset, 1)
        assert image.transfer == "ln_s"
    assert len(importing.server.jvm_starts()) == 1
    importing.scan()
    importing.run()
    assert set(importing.once().values()) == {1}
    assert len(importing.server.jvm_starts()) == 1


def test_a_bad_file_fails_with_omeros_reason_and_the_others_are_imported(importing: Importing) -> None:
    good, bad = importing.image("good.tif"), importing.image("bad.tif")
    importing.server.fault("fail", "bad.tif", message="the tile at 3,4 is broken")
    importing.scan()
    importing.run()
    assert importing.states() == {good: IMPORTED, bad: FAILED}
    entry = importing.ledger.get(bad)
    assert entry is not None
    assert "the tile at 3,4 is broken" in entry.reason
    assert entry.log


HOSTILE = [
    "with space.tif",
    "quote'.tif",
    'double".tif',
    "new\nline.tif",
    "$(touch pwned).tif",
    "`touch pwned`.tif",
    "-leading.tif",
    "--target=x.tif",
    "a?.tif",
    "a%.tif",
    "a*.tif",
    "ax.tif",
    "semi;colon.tif",
    "semi:colon.tif",
    "back\\slash.tif",
    "CON.tif",
    "$HOME.tif",
    "tab\t.tif",
    "{brace}.tif",
    "#hash.tif",
    "é" * 125 + ".tif",
    "\N{GRINNING FACE}" * 62 + ".tif",
    "'; drop table x; --.tif",
    "a' or '1'='1.tif",
]


# Through each transport; `make kills` takes 2,000.
HOSTILE_NAMES = int(os.environ.get("HOSTILE_NAMES", "40"))


def test_hostile_names_are_all_imported_and_run_nothing(importing: Importing) -> None:
    hostile = list(dict.fromkeys([*HOSTILE, *names(HOSTILE_NAMES)]))
    paths = [importing.image(name, f"II*{number}".encode()) for number, name in enumerate(hostile)]
    odd = importing.image(b"not-\xff-utf8.tif")
    importing.scan()
    importing.run()
    assert importing.states() == {**dict.fromkeys(paths, IMPORTED), odd: FAILED}
    assert len(importing.server.images()) == len(hostile)
    assert sorted(image.name for image in importing.server.images()) == sorted(hostile)
    filesets = [entry.fileset for entry in importing.ledger.entries(IMPORTED)]
    assert len(set(filesets)) == len(hostile), "two names with the same client path are two images"
    assert not list(importing.programs.folder.rglob("*pwned")), "a name was run as a command"
    faulty = importing.ledger.get(odd)
    assert faulty is not None
    assert "not UTF-8" in faulty.reason


def test_a_crash_between_omeros_success_and_our_record_makes_no_second_image(importing: Importing) -> None:
    paths = [importing.image(f"{number}.tif") for number in range(6)]
    importing.server.fault("crash", "3.tif", times=1)
    importing.scan()
    importing.run()
    assert importing.states() == dict.fromkeys(paths, IMPORTED)
    assert set(importing.once().values()) == {1}


def test_what_omero_finishes_after_its_importer_died_is_waited_for(importing: Importing) -> None:
    paths = [importing.image(f"{number}.tif") for number in range(3)]
    importing.server.fault("late", "1.tif", seconds=1, times=1)
    importing.scan()
    importing.run()
    assert importing.states() == dict.fromkeys(paths, IMPORTED)
    assert set(importing.once().values()) == {1}


def test_a_server_that_is_down_is_said_once_and_loses_nothing(importing: Importing) -> None:
    path = importing.image("a.tif")
    importing.scan()
    importing.server.down()
    with pytest.raises(Failed, match=r"batches in a row failed, .*OMERO.server does not answer"):
        importing.run()
    entry = importing.ledger.get(path)
    assert entry is not None
    assert (entry.state, entry.attempts) == (PENDING, 0)
    importing.server.up()
    importing.run()
    assert importing.states() == {path: IMPORTED}


def test_a_run_does_not_end_before_the_index_has_caught_up(
    importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = importing.image("a.tif")
    importing.scan()
    shown, shard = time.monotonic() + 0.5, Ledger._shard

    def behind(self: Ledger, state: str, part: str) -> Iterator[tuple[str, Entry]]:
        return shard(self, state, part) if time.monotonic() > shown else iter(())

    monkeypatch.setattr(Ledger, "_shard", behind)
    monkeypatch.setattr(Ledger, "number", lambda self, state: sum(1 for _ in self.entries(state)))
    importing.run(index_seconds=1.5)
    entry = importing.ledger.get(path)
    assert entry is not None
    assert entry.state == IMPORTED


def test_a_task_that_is_killed_is_taken_up_again(importing: Importing) -> None:
    paths = [importing.image(f"{number}.tif") for number in range(4)]
    importing.scan()
    importing.server.fault("slow", "", seconds=0.4)
    importing.programs.fault(task=["kill:1.5"])
    importing.run()
    assert importing.states() == dict.fromkeys(paths, IMPORTED)
    assert set(importing.once().values()) == {1}


def test_tasks_that_never_start_end_a_run_with_ecs_own_reason(importing: Importing) -> None:
    path = importing.image("a.tif")
    importing.scan()
    importing.programs.fault(task=["CannotPullContainerError"] * 3)
    with pytest.raises(Failed, match="CannotPullContainerError: pull image manifest"):
        importing.run()
    assert importing.states() == {path: PENDING}


def test_throttled_and_lost_answers_of_ecs_start_no_second_task(importing: Importing) -> None:
    path = importing.image("a.tif")
    importing.scan()
    importing.programs.fault(RunTask=["ThrottlingException", "RESOURCE:MEMORY", "lost"])
    importing.run()
    assert importing.states() == {path: IMPORTED}
    assert len(importing.server.jvm_starts()) == 1


def test_images_belong_to_the_user_that_is_named(importing: Importing) -> None:
    importing.server.add_user("alice", password="secret")
    importing.image("a.tif")
    importing.scan()
    importing.run(user="alice", target="Dataset:name:slides")
    (image,) = importing.server.images()
    assert (image.owner, image.dataset) == ("alice", "slides")


def test_an_unknown_user_is_said(importing: Importing) -> None:
    importing.image("a.tif")
    importing.scan()
    with pytest.raises(Failed, match="OMERO has no user mallory, or root may not act for them"):
        importing.run(user="mallory")


def test_verify_lists_what_differs(importing: Importing) -> None:
    kept, lost = importing.image("kept.tif"), importing.image("lost.tif")
    importing.scan()
    importing.run()
    importing.server.query("DELETE FROM images WHERE name = 'lost.tif'")
    ids = tuple(entry.id for entry in importing.ledger.entries(IMPORTED))
    result = run_job(
        importing.ledger,
        importing.transport(),
        {"do": "verify"},
        key="job#verify#1",
        event=lambda *_: None,
        poll_seconds=0.1,
        ids=ids,
    )
    assert result == {"same": 1, "differs": 1}
    differs = {entry.path: entry.differs for entry in importing.ledger.entries(IMPORTED)}
    assert differs == {kept: "", lost: "OMERO has no image of this file any more"}
    entry = importing.ledger.get(lost)
    assert entry is not None
    assert importing.ledger.retry(entry)
    importing.run()
    assert importing.states() == {kept: IMPORTED, lost: IMPORTED}
    assert sorted(image.name for image in importing.server.images()) == ["kept.tif", "lost.tif"]


def test_many_files_take_few_jvms(importing: Importing) -> None:
    for number in range(300):
        importing.image(f"{number:03}.tif")
    importing.scan()
    importing.run(limits=Limits(filesets=100))
    assert set(importing.states().values()) == {IMPORTED}
    assert len(importing.server.jvm_starts()) == 3

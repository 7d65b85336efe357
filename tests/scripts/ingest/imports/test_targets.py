"""Where images go, and whether OMERO can take them: asked once, before importers begin."""

from __future__ import annotations

import time
from typing import Any

import pytest

from containers.importer.entries import IMPORTED, PENDING
from scripts.errors import Failed
from scripts.ingest.imports.ledger import job_key
from scripts.ingest.imports.single_job import run_job
from tests.scripts.ingest.imports.imports_help import Importing


def check(importing: Importing, target: str, *, create: bool = False, user: str = "") -> str:
    work = {"do": "check", "target": target, "user": user, "group": "", "create": create}
    key = job_key("check", target, str(create), user)
    transport = importing.transport()
    answer = run_job(importing.ledger, transport, work, key=key, event=lambda *_: None, poll_seconds=0.1)
    return str(answer["target"])


def names(importing: Importing, kind: str) -> list[str]:
    return [row[0] for row in importing.server.query(f"SELECT name FROM {kind} ORDER BY id")]  # noqa: S608


def test_a_data_set_in_a_project_is_made_once_and_used(importing: Importing) -> None:
    target = "Project:name:the 'P'/Dataset:name:D: $(id)"
    with pytest.raises(Failed, match="there is no Project named the 'P'; add --create-target to have it made"):
        check(importing, target)
    made = check(importing, target, create=True)
    assert check(importing, target) == made
    assert (names(importing, "project"), names(importing, "dataset")) == (["the 'P'"], ["D: $(id)"])
    importing.image("a.tif")
    importing.scan()
    importing.run(target=made)
    (image,) = importing.server.images()
    assert (image.project, image.dataset) == ("the 'P'", "D: $(id)")


def test_a_data_set_of_the_same_name_elsewhere_is_another_one(importing: Importing) -> None:
    alone = check(importing, "Dataset:name:D", create=True)
    inside = check(importing, "Project:name:P/Dataset:name:D", create=True)
    assert alone != inside
    assert check(importing, "Dataset:-name:D") == alone
    assert check(importing, "Dataset:name:D") == inside
    with pytest.raises(Failed, match="2 Datasets are named D; give the id of one"):
        check(importing, "Dataset:%name:D")
    assert check(importing, f"Dataset:id:{alone.partition(':')[2]}") == alone


def test_a_data_set_of_another_user_is_not_taken(importing: Importing) -> None:
    importing.server.add_user("alice", password="secret")
    of_root = check(importing, "Dataset:name:slides", create=True)
    of_alice = check(importing, "Dataset:name:slides", create=True, user="alice")
    assert of_root != of_alice
    assert names(importing, "dataset") == ["slides", "slides"]


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("Dataset:77", "there is no Dataset 77, or root may not see it"),
        ("Project:name:P", "is a project, and images are in data sets"),
        ("Dataset:all", "target Dataset:all is none; allowed: Dataset:5, Dataset:name:a name"),
    ],
)
def test_refuses_targets_that_there_are_not(importing: Importing, target: str, fault: str) -> None:
    with pytest.raises(Failed, match=fault):
        check(importing, target)


def test_a_lock_that_another_server_holds_is_said_and_loses_nothing(importing: Importing) -> None:
    path = importing.image("a.tif")
    importing.scan()
    importing.server.lock()
    with pytest.raises(Failed, match=r"no managed repository .*: the lock /OMERO/\.omero/repository/.*held by"):
        importing.run()
    assert importing.states() == {path: PENDING}
    importing.server.up()
    importing.run()
    assert importing.states() == {path: IMPORTED}


def scan_of(importing: Importing) -> dict[str, Any]:
    return {
        "do": "scan",
        "path": b"/OMERO/in".hex(),
        "data_dir": "/OMERO",
        "settle_seconds": 0.5,
        "checksum": False,
        "who": "tester",
        "found": "2026-01-01T00:00:00Z",
        "lease_seconds": 2,
    }


def test_a_scan_whose_runner_was_killed_is_waited_for_by_the_next(importing: Importing) -> None:
    importing.image("a.tif")
    ledger, transport, key = importing.ledger, importing.transport(), job_key("scan", "in")
    token = ledger.take(key, scan_of(importing), (), "killed")
    assert token
    ledger.ready(key, token, ())
    ledger.note_task(key, token, task=transport.start(key, token))
    result = run_job(ledger, transport, scan_of(importing), key=key, event=lambda *_: None, poll_seconds=0.1)
    assert result["new"] == 1
    assert ledger.job(key) is None


def test_what_a_runner_left_before_its_container_began_is_begun_anew(
    importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    importing.image("a.tif")
    ledger, key = importing.ledger, job_key("scan", "in")
    monkeypatch.setattr("scripts.ingest.imports.ledger.CLAIM_SECONDS", -1)
    assert ledger.take(key, scan_of(importing), (), "killed")
    monkeypatch.undo()
    began = time.monotonic()
    work = scan_of(importing)
    assert run_job(ledger, importing.transport(), work, key=key, event=lambda *_: None, poll_seconds=0.1)["new"] == 1
    assert time.monotonic() - began < 60

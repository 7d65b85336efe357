"""The commands: what they show, refuse, and ask the worker for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from containers.importer import entries
from containers.importer.entries import FAILED, IMPORTED, IMPORTING, INCOMPLETE, PENDING
from contract import arrivals
from contract.outputs import Data, Omero
from scripts.errors import Refused
from scripts.ingest.arrivals import command
from scripts.ingest.arrivals.waiting import age, waiting
from scripts.ingest.deployment import DeployedWorkspace
from scripts.ingest.imports.context import ImportContext
from scripts.ingest.imports.ledger import Entry
from tests.conftest import workspace
from tests.scripts.ingest.imports.test_imports import LEASE, Asked, Kept

BY_SENDER = {"path": "/OMERO/SFTP", "user": "{folder}", "owners": {"scanner-3": "alice"}}
PLAIN = {"path": "/OMERO/in", "user": "facility"}
Run = Callable[..., Result]


def _entry(path: str, state: str, found: str = "2026-01-01T10:00:00Z", **more: Any) -> Entry:
    raw = path.encode()
    return Entry(id=entries.fileset_id(raw), path=raw, state=state, found=f"{found}#0000000001", **more)


LEDGER = (
    _entry("/OMERO/SFTP/scanner-3/sub/1.tif", PENDING, "2026-01-01T09:00:00Z"),
    _entry("/OMERO/SFTP/scanner-3/2.tif", IMPORTING),
    _entry("/OMERO/SFTP/scanner-3/3.tif", FAILED, reason="the file is empty"),
    _entry("/OMERO/SFTP/bob/1.tif", IMPORTED),
    _entry("/OMERO/in/a/1.tif", INCOMPLETE, reason="no clean end"),
    _entry("/OMERO/other/1.tif", FAILED, reason="of no concern here"),
)


class Watching(Asked):
    """A worker that says something of each folder."""

    said: dict[bytes, dict[str, Any]] = {  # noqa: RUF012 - never changed
        b"/OMERO/SFTP": {"loose": 2},
        b"/OMERO/SFTP/bob": {"arriving": 3, "replaced": 1, "error": ""},
        b"/OMERO/gone": {"arriving": 1},
    }

    def arrivals(self) -> dict[bytes, dict[str, Any]]:
        return self.said

    def paused(self, *, arrivals: bool = False) -> str:
        return "arn:bob" if arrivals else ""


def _settings(*folders: dict[str, Any]) -> str:
    return arrivals.parameter(workspace(arrivals={"folders": list(folders)})) if folders else "{}"


@pytest.fixture
def asked() -> Watching:
    return Watching({"filesets": 1}, lease=LEASE)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, asked: Watching) -> Run:
    """`run(*words, settings=...)` runs a command."""

    def command_(*words: str, settings: str = _settings(BY_SENDER, PLAIN)) -> Result:
        names = {Data.ledger_table_name.path: "l", Omero.arrivals.path: settings}
        deployment = DeployedWorkspace(workspace=workspace(), session=None, parameters=names)  # type: ignore[arg-type]
        at = ImportContext(deployment=deployment, ledger=Kept(*LEDGER), requests=asked)  # type: ignore[arg-type]
        monkeypatch.setattr(command, "import_context", lambda _name: at)
        return CliRunner().invoke(command.app, list(words))

    return command_


def test_shows_what_waits_by_sender_and_folder(run: Run) -> None:
    done = run("status", "--json")
    assert done.exit_code == 1
    found = {each["path"]: each for each in json.loads(done.stdout)["folders"]}
    assert list(found) == ["/OMERO/SFTP", "/OMERO/SFTP/bob", "/OMERO/SFTP/scanner-3", "/OMERO/in"]
    scanner = found["/OMERO/SFTP/scanner-3"]
    assert (scanner["owner"], scanner["waits"], scanner["since"]) == ("alice", 2, "2026-01-01T09:00:00Z")
    assert (scanner["failed"], scanner["reasons"]) == (1, {"the file is empty": 1})
    assert (found["/OMERO/SFTP/bob"]["arriving"], found["/OMERO/SFTP/bob"]["replaced"]) == (3, 1)
    assert (found["/OMERO/in"]["owner"], found["/OMERO/in"]["failed"]) == ("facility", 1)
    assert found["/OMERO/SFTP"]["loose"] == 2


def test_says_in_words_what_a_person_has_to_do(run: Run) -> None:
    said = run("status").stderr
    for text in (
        "/OMERO/SFTP/scanner-3: 1 time: the file is empty",
        "/OMERO/SFTP: 2 files in no folder",
        "/OMERO/SFTP/bob: 1 fileset replaced after the import",
        "paused by arn:bob; `omero-aws arrivals resume` ends that",
        "not everything in 4 folders was imported",
    ):
        assert text in said
    assert "of no concern" not in said


def test_replays_what_is_watched_and_nothing_else(run: Run, asked: Watching) -> None:
    assert "pending again: 2 filesets;" in run("replay").stderr
    assert asked.asked == [("replay", {"under": each.hex()}) for each in (b"/OMERO/SFTP", b"/OMERO/in")]
    run("replay", "--under", "/OMERO/SFTP/alice")
    assert asked.asked[2:] == [("replay", {"under": b"/OMERO/SFTP/alice".hex()})]
    assert "would be done: the watched folders scanned, and 2 filesets" in run("replay", "--dry-run").stderr
    assert len(asked.asked) == 3


def test_refuses_to_replay_what_is_not_watched(run: Run) -> None:
    refused = run("replay", "--under", "/OMERO/SFTP-2")
    assert isinstance(refused.exception, Refused)
    assert str(refused.exception) == (
        "/OMERO/SFTP-2 is in no watched folder; give a path under /OMERO/SFTP or /OMERO/in."
    )


@pytest.mark.parametrize("word", ["status", "pause", "resume", "replay"])
def test_refuses_where_nothing_is_watched(run: Run, word: str) -> None:
    refused = run(word, settings="{}")
    assert isinstance(refused.exception, Refused)
    assert "no folder of the workspace lab is watched; add the section arrivals" in str(refused.exception)


def test_tells_how_long_something_waits() -> None:
    now = datetime(2026, 1, 3, 10, tzinfo=UTC)
    ages = ("2026-01-03T09:55:00Z", "2026-01-03T07:00:00Z", "2026-01-01T09:00:00Z", "2026-01-03T10:01:00Z", "")
    assert [age(each, now) for each in ages] == ["5 min", "3 h", "2 d", "0 min", ""]


def test_a_file_beside_the_folders_is_the_watched_folders() -> None:
    settings = json.loads(_settings(BY_SENDER))
    (found,) = waiting(settings, {}, [_entry("/OMERO/SFTP/1.tif", PENDING)])
    assert (found.path, found.waits) == (b"/OMERO/SFTP", 1)

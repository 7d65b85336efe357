"""The commands: what they refuse, what a dry run says, what they write."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from containers.importer import entries
from containers.importer.entries import FAILED, IMPORTED, PENDING
from contract.outputs import Data, Omero
from scripts.errors import Failed, Refused
from scripts.ingest.deployment import DeployedWorkspace
from scripts.ingest.imports import command as imports
from scripts.ingest.imports import report, run_options, scan_report, sources
from scripts.ingest.imports.context import ImportContext
from scripts.ingest.imports.ledger import Entry, Total
from scripts.ingest.imports.requests import Lease, Request
from tests.conftest import workspace
from tests.settings.test_topology import sections


class Kept:
    """A ledger of entries that do not change."""

    def __init__(self, *found: Entry) -> None:
        self.found = found

    def entries(self, *states: str, under: bytes = b"") -> Any:
        return (
            entry for entry in self.found if entry.state in (states or entries.STATES) and entry.path.startswith(under)
        )

    def get(self, path: bytes) -> Entry | None:
        return next((entry for entry in self.found if entry.path == path), None)

    def raw(self, *states: str, under: bytes = b"") -> Any:
        return ({"path": each.path, "size": each.size} for each in self.entries(*states, under=under))

    def count(self, *states: str, under: bytes = b"") -> int:
        return sum(1 for _ in self.entries(*states, under=under))

    def totals(self, under: bytes = b"", *states: str) -> dict[str, Total]:
        found = {state: Total() for state in states or entries.STATES}
        for entry in self.entries(*found, under=under):
            found[entry.state].add(entry)
        return found


class Asked:
    """Requests that are answered at once with `result`, by a worker that says `lease`."""

    def __init__(
        self, result: dict[str, Any] | None = None, *, state: str = "done", lease: Lease | None = None
    ) -> None:
        self.result = result or {}
        self.state = state
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.cancelled: list[str] = []
        self._lease = lease

    def ask(self, do: str, work: dict[str, Any]) -> str:
        self.asked.append((do, work))
        return "request-1"

    def get(self, id_: str) -> Request | None:
        do, work = self.asked[-1] if self.asked else ("run", {})
        known: dict[str, Any] = {
            "id": id_,
            "do": do,
            "work": work,
            "who": "arn:alice",
            "state": self.state,
            "progress": {},
        }
        return Request(**known, result=self.result, asked="t") if id_ == "request-1" else None

    def watch(self, id_: str, show: Any, absent: Any) -> Request:
        found = self.get(id_)
        assert found is not None
        show(found)
        if self.state == "waiting":
            absent(self._lease)
        return found

    def cancel(self, id_: str) -> None:
        self.cancelled.append(id_)

    def open(self) -> list[Request]:
        return []

    def lease(self) -> Lease | None:
        return self._lease

    def paused(self) -> str:
        return ""


LEASE = Lease(token="t", beat=7, task="task-1", says={"state": "idle"}, at="2026-01-01T00:00:00Z")


def entry(name: str | bytes, state: str = PENDING, **more: Any) -> Entry:
    path = b"/OMERO/in/" + os.fsencode(name)
    return Entry(id=entries.fileset_id(path), path=path, state=state, size=1500, **more)


HOSTILE = [
    entry("<script>alert(1)</script>.tif", FAILED, reason="=cmd|' /C calc'!A0", log="/omero/lab/importer x"),
    entry(b"not-\xff.tif", FAILED, reason="the name is not UTF-8"),
    entry('new\nline,and "quotes".tif', IMPORTED, fileset=5, images="7-9", count=3),
    entry("-leading.tif"),
]


def deployment(**changes: Any) -> DeployedWorkspace:
    parameters = {
        Omero.arrivals.path: "{}",
        Omero.importer_parallel_filesets.path: "4",
        Data.ledger_table_name.path: "t",
    }
    return DeployedWorkspace(workspace=workspace(**changes), session=None, parameters=parameters)  # type: ignore[arg-type]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def invoke(*words: str, found: tuple[Entry, ...] = tuple(HOSTILE), asked: Asked | None = None) -> Result:
        requests: Any = asked or Asked(lease=LEASE)
        at = ImportContext(deployment=deployment(), ledger=Kept(*found), requests=requests)  # type: ignore[arg-type]
        monkeypatch.setattr(imports, "import_context", lambda _name: at)
        return CliRunner().invoke(imports.app, list(words))

    return invoke


def test_a_report_in_csv_has_every_entry_and_no_formula(run: Callable[..., Result]) -> None:
    rows = list(csv.DictReader(io.StringIO(run("report", "--format", "csv").stdout)))
    assert len(rows) == len(HOSTILE)
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "@", "-"))]
    assert rows[2]["path"] == '/OMERO/in/new\nline,and "quotes".tif'
    assert rows[2]["images"] == "7-9"


def test_a_report_in_json_gives_each_path_back_byte_by_byte(run: Callable[..., Result]) -> None:
    rows = json.loads(run("report").stdout)
    assert [os.fsencode(row["path"]) for row in rows] == [each.path for each in HOSTILE]
    assert json.loads(run("report", found=()).stdout) == []


def test_show_says_all_of_one_file_on_lines_of_its_own(run: Callable[..., Result]) -> None:
    done = run("show", '/OMERO/in/new\nline,and "quotes".tif')
    assert done.exit_code == 0
    assert "images: 7-9" in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("file: ")]) == 1
    missing = run("show", "/OMERO/in/other.tif")
    assert isinstance(missing.exception, Refused)
    assert "is not in the ledger as a main file" in str(missing.exception)


def test_status_counts_and_tells_reasons(run: Callable[..., Result]) -> None:
    done = json.loads(run("status", "--json").stdout)
    assert {state: total["filesets"] for state, total in done["states"].items()} == {
        "pending": 1,
        "importing": 0,
        "imported": 1,
        "failed": 2,
        "incomplete": 0,
        "dismissed": 0,
    }
    assert done["worker"] == {"task": "task-1", "at": LEASE.at, "state": "idle"}
    shown = run("status")
    assert "1 time: the name is not UTF-8" in shown.stderr
    assert "worker: idle, last seen at 2026-01-01T00:00:00Z" in shown.stderr
    assert (shown.exit_code, "error: failed or incomplete: 2 filesets;" in shown.stderr) == (1, True)
    assert run("status", found=()).exit_code == 0


@pytest.mark.parametrize("words", [("run",), ("scan", "/OMERO/in"), ("retry",)])
def test_a_dry_run_is_data_too(run: Callable[..., Result], words: tuple[str, ...]) -> None:
    told = json.loads(run(*words, "--dry-run", "--json").stdout)
    assert told["dry_run"] is True
    assert told.get("filesets", 1) in (1, 2)


def test_a_dry_run_names_the_containers_of_an_expression(run: Callable[..., Result]) -> None:
    done = run("run", "--dry-run", "-T", "regex:^OMERO/(?<Container1>[a-z]*)")
    assert done.exit_code == 0
    assert "would be done: 1 fileset (1.5 kB) imported in 1 batch by --transfer ln_s" in done.stderr
    assert "  in" in done.stderr.splitlines()


RESULT = {"imported": 3, "already": 1, "failed": 0, "incomplete": 0, "left": 0, "seconds": 5.0}


def test_a_run_asks_the_worker_and_tells_what_this_run_came_to(run: Callable[..., Result]) -> None:
    asked = Asked(RESULT)
    done = run("run", "-T", "Dataset:5", "--as", "alice", "--under", "/OMERO/in", "--json", asked=asked)
    assert done.exit_code == 0, "two filesets failed in other runs, and not in this one"
    assert json.loads(done.stdout) == RESULT
    assert "3 imported and 1 already in OMERO; 0 failed, 0 incomplete, 0 left" in done.stderr
    ((do, work),) = asked.asked
    assert (do, work["target"], work["user"], work["under"]) == ("run", "Dataset:5", "alice", b"/OMERO/in".hex())


@pytest.mark.parametrize("trouble", ["failed", "incomplete", "left"])
def test_a_run_with_something_failed_or_left_fails(run: Callable[..., Result], trouble: str) -> None:
    done = run("run", asked=Asked({**RESULT, trouble: 2}))
    assert isinstance(done.exception, Failed)
    assert "not imported: 2 filesets of this run" in str(done.exception)


def test_the_workers_own_reason_is_the_commands(run: Callable[..., Result]) -> None:
    done = run("run", asked=Asked({"error": "there is no Dataset 77"}))
    assert str(done.exception) == "there is no Dataset 77."
    cancelled = run("run", asked=Asked(RESULT, state="cancelled"))
    assert "the request request-1 was cancelled" in str(cancelled.exception)


def test_says_that_no_worker_is_there_and_why(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.ingest.imports.asking.absence", lambda *_: "the container importer is STOPPED (137)")
    done = run("run", asked=Asked(state="waiting"))
    assert isinstance(done.exception, Failed)
    assert "no worker has been seen for 60 s: the container importer is STOPPED (137)" in str(done.exception)
    assert "The request request-1 stays" in str(done.exception)


def test_cancels_what_is_open(run: Callable[..., Result]) -> None:
    asked = Asked(state="running")
    assert run("cancel", "request-1", asked=asked).exit_code == 0
    assert asked.cancelled == ["request-1"]
    assert "has ended already: it is done" in str(run("cancel", "request-1").exception)
    assert "there is no request another" in str(run("cancel", "another").exception)


def test_retry_and_dismiss_ask_by_name(run: Callable[..., Result]) -> None:
    asked = Asked({"filesets": 2})
    assert "pending again: 2 filesets" in run("retry", asked=asked).stderr
    assert "would be done: pending again: 2 filesets" in run("retry", "--dry-run", asked=asked).stderr
    assert "dismissed: 2 filesets" in run("dismiss", "/OMERO/in/a.tif", "--reason", "a test", asked=asked).stderr
    assert asked.asked == [
        ("retry", {"files": [], "under": ""}),
        ("dismiss", {"files": [b"/OMERO/in/a.tif".hex()], "reason": "a test"}),
    ]


def test_users_are_listed(run: Callable[..., Result]) -> None:
    done = run("users", "--json", asked=Asked({"users": [["alice", "Alice A", 5]]}))
    assert json.loads(done.stdout) == [{"name": "alice", "full_name": "Alice A", "id": 5}]


@pytest.mark.parametrize(
    "text", ["a.tif", "/etc/passwd", "/OMERO/../etc", "/OMEROS/a", "", "/OMERO/a\0b", "/s3uploads/a"]
)
def test_refuses_paths_that_importers_do_not_see(text: str) -> None:
    with pytest.raises(Refused, match=r"outside OMERO\.server's folders; give a path under /OMERO/"):
        sources.path(deployment(), text)


@pytest.mark.parametrize("name", ["-rf", "$(id)", "a\nb", "x" * 255, "é" * 120, "..."])
def test_takes_any_name_below_the_mounts(name: str) -> None:
    assert sources.path(deployment(), f"/OMERO/{name}") == os.fsencode(f"/OMERO/{name}")
    assert sources.path(deployment(**sections("rw-http-s3fg")), f"/s3uploads/{name}").startswith(b"/s3uploads/")


def ask(found: tuple[Entry, ...] = (), **more: Any) -> Any:
    given = {"target": "", "create": False, "transfer": "ln_s", "user": "", "group": "", "skip": (), "under": ""}
    at = deployment(**more.pop("changes", {}))
    ledger: Any = Kept(*found)
    return run_options.wanted(at, ledger, **{**given, "batch_filesets": 200, **more})


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"transfer": "ln_rm"}, "--transfer ln_rm deletes the files"),
        ({"transfer": "move"}, "--transfer move is not valid; allowed: ln_s, ln, cp, upload"),
        ({"skip": ("most",)}, "--skip most is not valid; allowed: all, checksum"),
        ({"target": "slides"}, "--target slides is not valid; allowed: Dataset:5"),
        ({"target": "regex:["}, "is not a regular expression that both"),
        ({"target": "regex:^(.*)"}, "has no group for the container; add a group"),
        ({"batch_filesets": 0}, "--batch-filesets 0 is not allowed; give 1 to 1000"),
        ({"user": "-w"}, "--as -w is not a name in OMERO"),
        ({"under": "/tmp"}, "outside OMERO.server's folders"),  # noqa: S108
    ],
)
def test_refuses_options_before_anything_is_done(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(Refused, match=rule):
        ask(**options)


def test_refuses_hard_links_to_a_share_and_no_other_link() -> None:
    shared = Entry(id="1", path=b"/s3uploads/a.svs", state=PENDING)
    changes = sections("rw-http-s3fg")
    with pytest.raises(Refused, match=r"--transfer ln cannot import /s3uploads/a\.svs: hard links do not reach"):
        ask((shared,), changes=changes, transfer="ln")
    for transfer in ("ln_s", "cp"):
        assert ask((shared,), changes=changes, transfer=transfer)["transfer"] == transfer


def test_an_empty_scan_is_a_failure_that_says_what_was_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    counts = dict.fromkeys(
        ("filesets", "files", "bytes", "new", "renewed", "known", "imported", "unstable", "changed"), 0
    )
    result = {**counts, "samples": {}, "ignored": {".txt": 7}, "links": 0, "unreadable_count": 0, "unreadable": []}
    with pytest.raises(Failed, match="no file that OMERO imports was found under /OMERO/in"):
        scan_report.show(result, b"/OMERO/in")
    assert ".txt 7" in capsys.readouterr().err
    with pytest.raises(Failed):
        scan_report.show({**result, "not_taken": {".raw": 3}, "odd": 2}, b"/OMERO/in")
    said = capsys.readouterr().err
    assert "other programs' files look alike: .raw 3" in said
    assert "pipes, sockets and devices that were not opened: 2" in said
    deep = {"unreadable": [b"/OMERO/in/deep".hex()], "unreadable_count": 1, "unreadable_reason": "File name too long"}
    with pytest.raises(
        Failed, match=r"the first /OMERO/in/deep \(File name too long\); let uid 1000 read them, or sho"
    ):
        scan_report.show({**result, **deep}, b"/OMERO/in")


def test_sizes_and_times_are_for_people() -> None:
    assert [report.size(number) for number in (0, 999, 1500, 2_000_000_000)] == ["0 B", "999 B", "1.5 kB", "2.0 GB"]
    assert [report.duration(number) for number in (5, 65, 3700)] == ["5 s", "1 min 05 s", "1 h 01 min"]

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

    def totals(self, under: bytes = b"") -> dict[str, Total]:
        found = {state: Total() for state in entries.STATES}
        for entry in self.entries(under=under):
            found[entry.state].add(entry)
        return found

    def slots(self) -> list[Any]:
        return []

    def retry(self, entry: Entry) -> bool:
        return entry.state == FAILED


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
        Omero.importer_max_tasks.path: "4",
        Omero.importer_parallel_filesets.path: "4",
        Data.ledger_table_name.path: "t",
    }
    return DeployedWorkspace(workspace=workspace(**changes), session=None, parameters=parameters)  # type: ignore[arg-type]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def invoke(*words: str, found: tuple[Entry, ...] = tuple(HOSTILE)) -> Result:
        at = ImportContext(deployment=deployment(), ledger=Kept(*found))  # type: ignore[arg-type]
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


def test_a_page_escapes_names_and_shows_what_needs_a_person(run: Callable[..., Result]) -> None:
    page = run("report", "--format", "html").stdout
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "the name is not UTF-8" in page
    assert "-leading" not in page


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
    }
    shown = run("status")
    assert "failed 1 times: the name is not UTF-8" in shown.stderr
    assert (shown.exit_code, "error: 2 filesets failed; run `omero-aws imports retry`" in shown.stderr) == (1, True)
    assert run("status", found=()).exit_code == 0


@pytest.mark.parametrize("words", [("run",), ("scan", "/OMERO/in"), ("retry",)])
def test_a_dry_run_is_data_too(run: Callable[..., Result], words: tuple[str, ...]) -> None:
    told = json.loads(run(*words, "--dry-run", "--json").stdout)
    assert told["dry_run"] is True
    assert told.get("filesets", 1) in (1, 2)


def test_a_dry_run_names_the_containers_of_an_expression(run: Callable[..., Result]) -> None:
    done = run("run", "--dry-run", "-T", "regex:^OMERO/(?<Container1>[a-z]*)")
    assert done.exit_code == 0
    assert "would be done: 1 filesets (1.5 kB) imported in 1 batches, 4 at once, by --transfer ln_s" in done.stderr
    assert "  in" in done.stderr.splitlines()


def test_only_what_is_failed_is_tried_again(run: Callable[..., Result]) -> None:
    assert "2 filesets are pending again" in run("retry").stderr
    refused = run("retry", "/OMERO/in/-leading.tif").exception
    assert isinstance(refused, Refused)
    assert "is pending; give a failed fileset, or one that `verify` found to differ" in str(refused)


@pytest.mark.parametrize(
    "text", ["a.tif", "/etc/passwd", "/OMERO/../etc", "/OMEROS/a", "", "/OMERO/a\0b", "/s3uploads/a"]
)
def test_refuses_paths_that_importers_do_not_see(text: str) -> None:
    with pytest.raises(Refused, match="outside the importers' folders; give a path under /OMERO/"):
        sources.path(deployment(), text)


@pytest.mark.parametrize("name", ["-rf", "$(id)", "a\nb", "x" * 255, "é" * 120, "..."])
def test_takes_any_name_below_the_mounts(name: str) -> None:
    assert sources.path(deployment(), f"/OMERO/{name}") == os.fsencode(f"/OMERO/{name}")
    assert sources.path(deployment(**sections("rw-http-s3fg")), f"/s3uploads/{name}").startswith(b"/s3uploads/")


def ask(found: tuple[Entry, ...] = (), **more: Any) -> Any:
    given: dict[str, Any] = {"target": "", "transfer": "ln_s", "user": "", "group": "", "skip": (), "under": ""}
    at = deployment(**more.pop("changes", {}))
    return run_options.wanted(at, Kept(*found), **{**given, "parallel": None, "batch_filesets": 200, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"transfer": "ln_rm"}, "--transfer ln_rm deletes the files"),
        ({"transfer": "move"}, "--transfer move is not valid; allowed: ln_s, ln, cp, upload"),
        ({"skip": ("most",)}, "--skip most is not valid; allowed: all, checksum"),
        ({"target": "slides"}, "--target slides is not valid; allowed: Dataset:5"),
        ({"target": "regex:["}, "is not a regular expression that both"),
        ({"target": "regex:^(.*)"}, "has no group for the container; add a group"),
        ({"parallel": 9}, "--parallel 9 is more than the 4 importers that the database"),
        ({"batch_filesets": 0}, "--batch-filesets 0 is not allowed; give 1 to 1000"),
        ({"user": "-w"}, "--as -w is not a name in OMERO"),
        ({"under": "/tmp"}, "outside the importers' folders"),  # noqa: S108
    ],
)
def test_refuses_options_before_anything_is_done(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(Refused, match=rule):
        ask(**options)


def test_refuses_links_to_a_share() -> None:
    shared = Entry(id="1", path=b"/s3uploads/a.svs", state=PENDING)
    changes = sections("rw-http-s3fg")
    with pytest.raises(
        Refused, match=r"--transfer ln_s cannot import /s3uploads/a\.svs: a File Gateway's share does not hold"
    ):
        ask((shared,), changes=changes)
    assert ask((shared,), changes=changes, transfer="cp").transfer == "cp"


def test_an_empty_scan_is_a_failure_that_says_what_was_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    counts = dict.fromkeys(
        ("filesets", "files", "bytes", "new", "renewed", "known", "imported", "unstable", "changed"), 0
    )
    result = {**counts, "samples": {}, "ignored": {".txt": 7}, "links": 0, "unreadable_count": 0, "unreadable": []}
    with pytest.raises(Failed, match="no file that OMERO imports was found under /OMERO/in"):
        scan_report.show(result, b"/OMERO/in")
    assert ".txt 7" in capsys.readouterr().err


def test_sizes_and_times_are_for_people() -> None:
    assert [report.size(number) for number in (0, 999, 1500, 2_000_000_000)] == ["0 B", "999 B", "1.5 kB", "2.0 GB"]
    assert [report.duration(number) for number in (5, 65, 3700)] == ["5 s", "1 min 05 s", "1 h 01 min"]

"""What is asked for of what has arrived, and whose the images are where strangers give the names."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from containers.importer import entries, jobs
from containers.importer.arrivals import AGAIN_SECONDS, LEDGER_SHARE, TROUBLE, Arrivals, Delivery
from containers.importer.entries import CANCELLED, FAILED, IMPORTED, PENDING
from containers.importer.figures import FRESH_SECONDS
from containers.importer.ledger import Ledger
from containers.importer.requests import Request, Requests
from containers.importer.scan import scan
from containers.importer.table import Table
from containers.importer.watch import Watched
from stacks.services import importer

BY_SENDER = {"user": "{folder}", "group": "", "target": "Dataset:name:{folder}", "transfer": "ln_s", "owners": {}}


@pytest.fixture(autouse=True)
def admin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMERO_ADMIN", "importer")


def _delivery(name: bytes, **settings: Any) -> Delivery:
    path = b"/OMERO/SFTP/" + name
    return Delivery(path, {**BY_SENDER, **settings}, Watched(path))


def test_a_sender_owns_what_it_has_sent() -> None:
    work = _delivery(b"alice").work()
    assert (work["user"], work["target"], work["group"]) == ("alice", "Dataset:name:alice", "")
    assert (work["under"], work["create"], work["transfer"]) == (b"/OMERO/SFTP/alice".hex(), True, "ln_s")


def test_an_owner_may_have_another_name() -> None:
    work = _delivery(b"scanner 3", owners={"scanner 3": "root"}).work()
    assert (work["user"], work["target"]) == ("root", "Dataset:name:scanner 3")


@pytest.mark.parametrize("name", [b"root", b"guest", b"importer"])
def test_a_folders_name_makes_nobody_an_administrator(name: bytes) -> None:
    with pytest.raises(ValueError, match=f"does not make {name.decode()} the owner; name one under `owners`"):
        _delivery(name).work()


@pytest.mark.parametrize("name", [b"-x", b"a b", b"a'b", b"a" * 65])
def test_a_name_that_is_no_users_is_refused(name: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be that of an OMERO user"):
        _delivery(name).work()


@pytest.mark.parametrize("name", [b"a\xff", b"a\nb", b"\x1b[2J"])
def test_a_name_that_is_no_text_is_refused(name: bytes) -> None:
    for settings in ({}, {"user": "alice"}):
        with pytest.raises(ValueError, match="is not printable text"):
            _delivery(name, **settings).work()
    assert _delivery(name, user="alice", target="Dataset:5").work()["target"] == "Dataset:5", "it decides nothing"


@dataclass
class Looking:
    """The thread's steps, one by one, over a folder with Alice's; `open_` are the requests that nobody has answered."""

    folder: Path
    ledger: Ledger
    requests: Requests
    arrivals: Arrivals = field(init=False)
    settings: dict[str, Any] = field(init=False)

    def step(self) -> list[Request]:
        self.arrivals._step()
        return self.requests.open()

    @property
    def one_new(self) -> dict[str, Any]:
        """The result of a scan that has found one of Alice's."""
        return {"by_path": {bytes(self.folder / "alice").hex(): [0, 0, 1]}}

    def end(self, request: Request, result: dict[str, Any], **state: str) -> list[Request]:
        self.requests.finish(request, result, **state)
        return self.step()

    def found(self, name: str, **other: Any) -> None:
        """As a scan records it; `other` are attributes with another value, or None for none."""
        path = bytes(self.folder / name)
        id_ = entries.fileset_id(path)
        found = "2026-01-01T00:00:00Z#1"
        values: dict[str, Any] = {"id": id_, "path": path, "found": found, "queue": entries.queue(PENDING, id_)}
        values["since"] = round(time.time())
        self.ledger.put_open([(id_, found, path)])
        self.ledger.put_new({**values, "state": PENDING, "at": entries.now_text(), "attempts": 0, **other})


@pytest.fixture
def looking(tmp_path: Path, tables: tuple[Table, Table], ledger: Ledger) -> Looking:
    (tmp_path / "alice").mkdir()
    made = Looking(tmp_path, ledger, Requests(tables[1]))
    made.settings = {"interval_seconds": 0, "settle_seconds": 60, "folders": [{**BY_SENDER, "path": str(tmp_path)}]}
    made.arrivals = Arrivals(
        tables[1],
        made.requests,
        ledger,
        settings=lambda: json.dumps(made.settings),
        hints=lambda _url: False,
        publish=lambda *_message: None,
        stop=threading.Event(),
    )
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds, for `time` and `monotonic`."""
    now = [1_800_000_000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def test_what_has_come_is_scanned_and_what_was_found_is_imported(looking: Looking) -> None:
    (scan,) = looking.step()
    assert (scan.do, scan.who, scan.work["settle_seconds"]) == ("scan", "arrivals", 60)
    assert scan.work["paths"] == [bytes(looking.folder / "alice").hex()]
    assert looking.step() == [scan], "it is asked for once"
    looking.found("alice/1.tif")
    (run,) = looking.end(scan, looking.one_new)
    assert (run.do, run.work["user"]) == ("run", "alice")
    assert [each.id for each in looking.step()] == [run.id]


def test_a_folder_whose_scan_came_to_nothing_is_scanned_again(looking: Looking) -> None:
    (scan,) = looking.step()
    assert looking.end(scan, {}, state=CANCELLED) == []
    (again,) = looking.step()
    assert looking.end(again, {"error": "it broke"}) == []
    (third,) = looking.step()
    looking.end(third, {})
    assert looking.step() == []


def test_what_comes_while_a_scan_runs_is_scanned_after_it(looking: Looking) -> None:
    (scan,) = looking.step()
    (looking.folder / "alice" / "late.tif").write_bytes(b"")
    assert [each.id for each in looking.step()] == [scan.id]
    (after,) = looking.end(scan, {})
    assert after.work == scan.work


def test_an_import_that_cannot_be_is_tried_again_with_an_arrival_and_after_a_replay(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scan,) = looking.step()
    looking.found("alice/1.tif")
    (run,) = looking.end(scan, looking.one_new)
    assert looking.end(run, {"error": "OMERO opens no session for alice"}) == []
    assert looking.step() == [], "not every few minutes"
    (looking.folder / "alice" / "2.tif").write_bytes(b"")
    (scan,) = looking.step()
    looking.found("alice/2.tif")
    (run,) = looking.end(scan, looking.one_new)
    assert looking.end(run, {"error": "OMERO opens no session for alice"}) == []
    looking.arrivals.replay(b"")
    assert {each.do for each in looking.step()} == {"scan", "run"}
    assert AGAIN_SECONDS >= 3600


def test_nothing_is_asked_for_while_it_is_paused_and_nothing_is_forgotten(
    looking: Looking, tables: tuple[Table, Table]
) -> None:
    row = {"part": "control", "row": "pause-arrivals", "who": "arn:bob"}
    tables[1].put({**row, "paused": "yes"})
    assert looking.step() == looking.step() == []
    tables[1].put({**row, "paused": "no"})
    assert [each.do for each in looking.step()] == ["scan"]


def test_what_is_gone_is_no_longer_shown(looking: Looking, tables: tuple[Table, Table]) -> None:
    looking.step()
    shown = [bytes(looking.folder / "alice"), bytes(looking.folder)]
    assert {row["path"] for row in tables[1].rows("arrivals")} == set(shown)
    (looking.folder / "alice").rename(looking.folder / ".alice")
    looking.step()
    assert [row["path"] for row in tables[1].rows("arrivals")] == shown[1:]


def test_a_hint_makes_a_look_at_once_and_one_when_no_client_remembers_how_it_was(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    looking.settings["interval_seconds"] = 3600
    (scan,) = looking.step()
    looking.end(scan, {})
    (looking.folder / "alice" / "1.tif").write_bytes(b"")
    assert looking.step() == []
    looking.arrivals._hinted.set()
    (scan,) = looking.step()
    looking.end(scan, {})
    (looking.folder / "alice" / "late.tif").write_bytes(b"")
    assert looking.step() == []
    now[0] += 61
    (scan,) = looking.step()
    looking.end(scan, {})
    (looking.folder / "alice" / "unhinted.tif").write_bytes(b"")
    now[0] += 120
    assert looking.step() == []
    now[0] += 3600
    assert len(looking.step()) == 1, "without any hint, too"


def test_events_that_come_in_hundreds_or_twice_make_few_looks(
    looking: Looking, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    looking.settings["interval_seconds"] = 3600
    looking.step()
    looks: list[bytes] = []

    def look(self: Watched, **_how: bool) -> bool:
        looks.append(self.root)
        return False

    monkeypatch.setattr(Watched, "changed", look)
    for _ in range(30):
        looking.arrivals._hinted.set()
        looking.step()
        clock[0] += 1
    assert len(looks) == 2


def test_the_log_tells_once_of_what_needs_a_person(
    looking: Looking, capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    (scan,) = looking.step()
    looking.found("alice/1.tif")
    (run,) = looking.end(scan, looking.one_new)
    entry = looking.ledger.get_all([entries.fileset_id(bytes(looking.folder / "alice/1.tif"))]).popitem()[1]
    looking.ledger.change(entry, FAILED, {"reason": "broken"})
    looking.end(run, {"error": "OMERO opens no session for alice"})
    looking.step()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(TROUBLE)]
    told = sorted(line.partition("alice: ")[2] for line in lines)
    assert told == ["OMERO opens no session for alice", "filesets that failed: 1"]
    assert TROUBLE == importer.TROUBLE, "or no alarm hears it"


def _figures(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """The last that the worker has said."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    found: dict[str, int] = lines[-1]["arrivals"]
    return found


def test_what_waits_grows_older_from_its_first_change_until_it_is_imported(
    looking: Looking, capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    looking.settings["interval_seconds"] = 3600
    (scan,) = looking.step()
    clock[0] += 120
    looking.step()
    assert _figures(capsys)["oldest_seconds"] == 120, "nobody has scanned it yet"
    looking.found("alice/1.tif")
    (run,) = looking.end(scan, {"by_path": {bytes(looking.folder / "alice").hex(): [1, 0, 1]}})
    clock[0] += 600
    looking.step()
    found = _figures(capsys)
    assert (found["oldest_seconds"], found["waiting"], found["arriving"]) == (600, 1, 1)
    entry = looking.ledger.get_all([entries.fileset_id(bytes(looking.folder / "alice/1.tif"))]).popitem()[1]
    (claimed,) = looking.ledger.claim("a" * 32, run.id, [entry], "arrivals")
    clock[0] += 600
    looking.step()
    assert _figures(capsys)["oldest_seconds"] == 1200, "OMERO is at it"
    looking.ledger.settle(claimed, IMPORTED, {"owner": "alice", "images": "1"})
    looking.end(run, {})
    clock[0] += 301
    looking.step()
    assert _figures(capsys) == {"oldest_seconds": 0, "waiting": 0, "arriving": 1, "failed": 0, "imported": 1}
    clock[0] += 61
    looking.step()
    assert _figures(capsys)["imported"] == 0, "since the last line"


def test_what_an_older_release_has_found_waits_since_its_last_change(
    looking: Looking, capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    looking.found("alice/1.tif", since=None, at=entries.now_text(clock[0] - 7200))
    looking.step()
    assert _figures(capsys)["oldest_seconds"] == 7200


def test_a_ledger_that_takes_long_to_read_is_read_for_a_part_of_the_time(
    looking: Looking, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million open entries take minutes, and each reading is paid for; what a scan finds is imported all the same."""
    read, real = [], Ledger.open

    def slow(self: Ledger, under: bytes = b"") -> Any:
        read.append(clock[0])
        clock[0] += 300
        return real(self, under)

    monkeypatch.setattr(Ledger, "open", slow)
    begun = clock[0]
    (scan,) = looking.step()
    looking.found("alice/1.tif")
    (run,) = looking.end(scan, looking.one_new)
    assert (run.do, len(read)) == ("run", 1)
    while clock[0] < begun + 24 * 3600:
        looking.step()
        clock[0] += 300
    assert len(read) * 300 <= 24 * 3600 * LEDGER_SHARE * 1.1
    looking.end(run, {"left": 1})
    assert not [each for each in looking.step() if each.do == "run"]
    clock[0] += FRESH_SECONDS
    assert [each.do for each in looking.step() if each.do == "run"] == ["run"], "it has told that something is left"
    count = len(read)
    looking.arrivals.replay(b"")
    looking.step()
    assert len(read) == count + 1, "what a person has mended is not waited for"


def test_what_failed_is_counted_and_waits_no_more(
    looking: Looking, capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    (scan,) = looking.step()
    looking.found("alice/1.tif")
    entry = looking.ledger.get_all([entries.fileset_id(bytes(looking.folder / "alice/1.tif"))]).popitem()[1]
    looking.ledger.change(entry, FAILED, {"reason": "broken"})
    looking.end(scan, {})
    clock[0] += 600
    looking.step()
    found = _figures(capsys)
    assert (found["oldest_seconds"], found["waiting"], found["failed"]) == (0, 0, 1)


def test_a_scan_that_came_to_nothing_and_a_pause_keep_the_clock_running(
    looking: Looking, tables: tuple[Table, Table], capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    (scan,) = looking.step()
    clock[0] += 120
    looking.end(scan, {"error": "it broke"})
    tables[1].put({"part": "control", "row": "pause-arrivals", "who": "arn:bob", "paused": "yes"})
    clock[0] += 120
    looking.step()
    assert _figures(capsys)["oldest_seconds"] == 240


def test_a_long_look_says_between_folders_that_it_goes_on(
    looking: Looking, capsys: pytest.CaptureFixture[str], clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    (looking.folder / "bob").mkdir()
    real = Watched.changed

    def slow(self: Watched, **how: bool) -> bool:
        clock[0] += 61
        return real(self, **how)

    monkeypatch.setattr(Watched, "changed", slow)
    looking.step()
    assert len([line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]) >= 2


def test_the_log_tells_of_files_that_nobody_owns_and_of_what_was_replaced(
    looking: Looking, capsys: pytest.CaptureFixture[str]
) -> None:
    (looking.folder / "loose.tif").write_bytes(b"")
    (scan,) = looking.step()
    looking.end(scan, {"by_path": {bytes(looking.folder / "alice").hex(): [0, 2, 0]}})
    looking.step()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(TROUBLE)]
    assert [line.split(": ", 2)[2] for line in lines] == ["files in no folder: 1", "filesets that were replaced: 2"]


def test_what_is_replayed_waits_from_then_on(
    looking: Looking, capsys: pytest.CaptureFixture[str], clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPORT_ROOTS", json.dumps([str(looking.folder)]))
    (looking.folder / "alice" / "1.tif").write_bytes(b"II*\0")
    work = {"path": bytes(looking.folder).hex(), "data_dir": "/OMERO", "settle_seconds": 0, "checksum": False}
    stop = threading.Event()
    scan(work, looking.ledger, who="arrivals", stop=stop, say=lambda **_said: None)
    clock[0] += 600
    asked = {each.do: each for each in looking.step()}
    assert _figures(capsys)["oldest_seconds"] == 600, "from the first line on"
    looking.end(asked["scan"], {})
    looking.end(asked["run"], {})
    entry = looking.ledger.get_all([entries.fileset_id(bytes(looking.folder / "alice/1.tif"))]).popitem()[1]
    looking.ledger.change(entry, FAILED, {"reason": "broken"})
    looking.step()
    clock[0] += 86_400
    jobs.do("replay", {"under": ""}, looking.ledger, None, who="arn:bob", stop=stop, say=lambda **_said: None)
    clock[0] += 301
    looking.step()
    looking.step()
    clock[0] += 61
    looking.step()
    assert _figures(capsys)["oldest_seconds"] == 362

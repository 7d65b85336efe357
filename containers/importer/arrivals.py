"""Imports that nobody asks for: looks at watched folders, and asks for a scan and a run of what has arrived there.

What is asked for are requests like everybody's, so that nothing here imports anything. Nothing has to be remembered: a
worker that starts looks at everything once, and the ledger knows what is there already.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import re
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from containers.supervisor.signing import AwsError

from . import entries
from .entries import ARRIVALS, FAILED, IMPORTING, INCOMPLETE, PENDING, WHO
from .figures import FRESH_SECONDS, Figures
from .figures import SECONDS as FIGURES_SECONDS
from .ledger import Ledger, chunks, is_under
from .omero import REPOSITORY
from .reports import Reports
from .requests import Requests
from .table import Table
from .watch import Watched

TROUBLE = "arrivals need a person"
STEP_SECONDS = 2.0
# Between readings of the settings.
SETTINGS_SECONDS = 60.0
# After an import that came to nothing as a whole, for instance of a sender whom OMERO does not know.
AGAIN_SECONDS = 3600.0
# Between looks that hints ask for; and for how long an NFS client may remember a folder as it was before the file came
# (nfs(5), acdirmax): it is looked at once more after that.
HINT_SECONDS, LATER_SECONDS = 15.0, 60.0
# Hour of the day, UTC, at which everything is read.
NIGHT_HOUR = 2
# Between looks whether there is something to tell people.
REPORT_SECONDS = 15.0
# The ledger's open entries are read for this part of the time at most: a million take minutes, and are paid for.
LEDGER_SHARE = 0.05
# Of one scan: a row has room for 400 KB, and a path has 4 KiB at most.
PATHS = 40
FOLDER = "{folder}"
# Whom the name of a folder, which a stranger may have given, can make the owner of images.
USER = re.compile(r"[A-Za-z0-9_.@][A-Za-z0-9_.@-]{0,63}")


@dataclass
class Delivery:
    """A watched folder, or one directly below it where their names say whose they are or where they go: what is scanned
    and imported with one owner and one target. `scan` and `run` are requests that have not ended; it is to be scanned
    if it is `dirty`, and with the next look if `again`; it has changed `since` (seconds since 1970), and nobody has
    scanned it; `pending`: something of it waits to be imported."""

    path: bytes
    settings: dict[str, Any]
    watched: Watched
    dirty: bool = False
    again: bool = False
    since: float = 0.0
    pending: bool = False
    scan: str = ""
    run: str = ""
    arriving: int = 0
    replaced: int = 0
    scan_error: str = ""
    run_error: str = ""
    not_before: float = 0.0

    def change(self) -> None:
        """It is to be scanned."""
        self.dirty, self.again = True, False
        self.since = self.since or time.time()

    @property
    def name(self) -> str:
        """Of the folder, for its owner and target."""
        return os.fsdecode(os.path.basename(self.path))

    def work(self) -> dict[str, Any]:
        """What its run asks for. Raises ValueError with the reason why it cannot."""
        named, settings = self.name, self.settings
        by_folder = {key: settings[key] for key in ("user", "group", "target")}
        if is_by_folder(settings) and not (named.isprintable() and _is_text(named)):
            raise ValueError("its name is not printable text, and decides the owner or the target; rename the folder")
        user = settings["owners"].get(named) or by_folder["user"].replace(FOLDER, named)
        if FOLDER in by_folder["user"] and named not in settings["owners"]:
            if user in ("root", "guest", os.environ["OMERO_ADMIN"]):
                raise ValueError(f"the name of a folder does not make {user} the owner; name one under `owners`")
            if not USER.fullmatch(user):
                raise ValueError("its name cannot be that of an OMERO user; name the owner under `owners`")
        return {
            "target": by_folder["target"].replace(FOLDER, named),
            "create": True,
            "transfer": settings["transfer"],
            "user": user,
            "group": by_folder["group"].replace(FOLDER, named),
            "skip": [],
            "under": self.path.hex(),
            "batch_filesets": 200,
        }


class Arrivals:
    """Works in a thread of its own: a look at a large tree takes minutes, in which imports go on."""

    def __init__(
        self,
        table: Table,
        requests: Requests,
        ledger: Ledger,
        *,
        settings: Callable[[], str],
        hints: Callable[[str], bool],
        publish: Callable[[str, str, str], None],
        stop: threading.Event,
    ) -> None:
        """`settings` reads them, as `contract.arrivals` writes them; `hints` waits for one in the queue of an URL;
        `publish` sends a subject and a text to a topic."""
        self._table = table
        self._requests = requests
        self._ledger = ledger
        self._read = settings
        self._hints = hints
        self._reports = Reports(table, ledger, publish)
        self._hinted = threading.Event()
        self._stop = stop
        self._settings: dict[str, Any] = {}
        self._deliveries: dict[bytes, Delivery] = {}
        # Files beside the folders that would say whose they are, by the watched folder.
        self._loose: dict[bytes, int] = {}
        self._replayed: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._due: dict[str, float] = {}
        self._said: dict[bytes, dict[str, Any]] = {}
        self._failed: Counter[bytes] | None = None
        self._figures = Figures()
        # Whether a run has ended since the ledger was read.
        self._ended = False
        self._night = ""

    def start(self) -> None:
        """Begin to look."""
        for each in (self._run, self._listen):
            threading.Thread(target=each, daemon=True).start()

    def replay(self, under: bytes) -> None:
        """Have everything at or below a folder scanned, and forget why something was not imported; "" is all."""
        self._replayed.put(under)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._step()
            except AwsError as fault:
                sys.stderr.write(f"arrivals wait: {fault}\n")
            except Exception:  # the next step may be better; what it was stands in the log
                traceback.print_exc()
            self._stop.wait(STEP_SECONDS)

    def _listen(self) -> None:
        """Hints make looks earlier, and are missed by nobody."""
        while not self._stop.is_set():
            url = self._settings.get("hints_url")
            try:
                if url and self._hints(url):
                    self._hinted.set()
                    continue
            except (AwsError, OSError, http.client.HTTPException) as fault:
                sys.stderr.write(f"hints of arrivals wait: {fault}\n")
                url = ""
            self._stop.wait(STEP_SECONDS if url else SETTINGS_SECONDS)

    def _step(self) -> None:
        if self._is_due("settings", SETTINGS_SECONDS):
            self._configure(json.loads(self._read()))
        if not self._settings.get("folders"):
            return
        replayed = []
        while not self._replayed.empty():
            replayed.append(self._replayed.get())
        if self._hinted.is_set() and self._is_due("hint", HINT_SECONDS):
            self._hinted.clear()
            self._due["look"], self._due["again"] = 0.0, time.monotonic() + LATER_SECONDS
        if 0.0 < self._due.get("again", 0.0) <= time.monotonic():
            self._due["look"], self._due["again"] = 0.0, 0.0
        if self._is_due("look", self._settings["interval_seconds"]) or replayed:
            self._look(replayed)
        self._follow()
        if not self._requests.arrivals_paused():
            self._ask_for_scans()
            for each in self._deliveries.values():
                self._ask_for_run(each)
        deliveries = self._deliveries.values()
        for each in deliveries:
            error = each.run_error or each.scan_error
            self._show(each.path, arriving=each.arriving, replaced=each.replaced, error=error)
        if (self._ended or self._figures.waiting) and self._is_due("fresh", FRESH_SECONDS) and self._find_pending():
            self._ended = False
        self._say_figures()
        if self._is_due("report", REPORT_SECONDS):
            busy = any(each.who == WHO for each in self._requests.open())
            self._reports.tell(self._settings, busy=busy, arriving=sum(each.arriving for each in deliveries))

    def _is_due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + seconds
        return True

    def _configure(self, settings: dict[str, Any]) -> None:
        if settings != self._settings:
            self._settings = settings
            self._deliveries, self._loose = {}, {}
            self._due.pop("look", None)

    def _look(self, replayed: list[bytes]) -> None:
        """Find what is new in the watched folders, and what waits in the ledger."""
        night = time.strftime("%Y-%m-%d", time.gmtime(time.time() - NIGHT_HOUR * 3600))
        whole = bool(self._night) and night != self._night
        self._night = night
        self._deliveries = {each.path: each for folder in self._settings["folders"] for each in self._below(folder)}
        if self._failed is None:  # or figures would say for the whole first look that nothing waits
            self._find_pending()
        for each in self._deliveries.values():
            if any(is_under(each.path, under) or is_under(under, each.path) for under in replayed):
                each.change()
                each.not_before = 0.0
            if each.watched.changed(whole=whole) or each.again:
                each.change()
            self._say_figures()
            if self._stop.is_set():
                return
        if replayed:
            self._due.pop("ledger", None)
        self._find_pending()
        self._forget_gone()
        for path, count in self._loose.items():
            self._show(path, loose=count)

    def _below(self, folder: dict[str, Any]) -> Iterator[Delivery]:
        path = os.fsencode(folder["path"])
        if not is_by_folder(folder):
            yield self._delivery(path, folder)
            return
        loose = 0
        try:
            with os.scandir(path) as inside:
                found = sorted(inside, key=lambda each: each.name)
        except OSError:  # nobody has delivered anything yet
            found = []
        for entry in found:
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(b"."):
                yield self._delivery(entry.path, folder)
            elif not entry.name.startswith(b"."):
                loose += 1
        self._loose[path] = loose

    def _delivery(self, path: bytes, folder: dict[str, Any]) -> Delivery:
        return self._deliveries.get(path) or Delivery(path, folder, Watched(path))

    def _find_pending(self) -> bool:
        """What is pending by a person's scan, or since before this worker, is imported as well; whether the ledger was
        read for it."""
        begun = time.monotonic()
        if begun < self._due.get("ledger", 0.0):
            return False
        failed: Counter[bytes] = Counter()
        waiting, since = 0, time.time()
        for entry in self._ledger.open():
            at = entry["path"]
            while len(at) > 1 and at not in self._deliveries:
                at = os.path.dirname(at)
            if at not in self._deliveries:
                continue
            if entry["state"] in (PENDING, IMPORTING):
                waiting += 1
                # A release without `since` may have written it.
                since = min(since, entry.get("since") or entries.moment(entry["at"]))
            if entry["state"] == PENDING:
                each = self._deliveries[at]
                each.pending = each.pending or not each.run
            elif entry["state"] in (FAILED, INCOMPLETE):
                failed[at] += 1
        for path, count in failed.items():
            # What had failed before this worker was told by the one before.
            if self._failed is not None and count > self._failed[path]:
                _tell(path, f"filesets that failed: {count}")
        self._failed = failed
        self._figures.waiting, self._figures.failed = waiting, sum(failed.values())
        self._figures.since = since if waiting else 0.0
        now = time.monotonic()
        self._due["fresh"], self._due["ledger"] = now + FRESH_SECONDS, now + (now - begun) / LEDGER_SHARE
        return True

    def _say_figures(self) -> None:
        if self._is_due("figures", FIGURES_SECONDS):
            deliveries = self._deliveries.values()
            self._figures.unscanned = min((each.since for each in deliveries if each.since), default=0.0)
            self._figures.say(arriving=sum(each.arriving for each in deliveries), imported=self._ledger.arrived)

    def _follow(self) -> None:
        """See what has come of the requests that were open."""
        asked = [each for each in self._deliveries.values() if each.scan or each.run]
        if not asked:
            return
        open_ = {each.id for each in self._requests.open()}
        scanned = any(each.scan and each.scan not in open_ for each in asked)
        results: dict[str, dict[str, Any]] = {}
        for each in asked:
            if each.scan and each.scan not in open_:
                if each.scan not in results:
                    results[each.scan] = self._requests.result(each.scan)
                result, each.scan = results[each.scan], ""
                counts = result.get("by_path", {}).get(each.path.hex(), (0, 0, 0))
                each.arriving, each.replaced, new = counts
                each.scan_error = result.get("error", "")
                # What still changes is dirty with the next look; what nobody has scanned is not.
                each.again = "error" in result
                if not each.again:
                    each.since = time.time() if each.dirty else 0.0
                if new:
                    each.pending, each.not_before = True, 0.0
            if each.run and each.run not in open_:
                result, each.run = self._requests.result(each.run), ""
                self._ended = True
                each.run_error = result.get("error", "")
                each.not_before = time.monotonic() + AGAIN_SECONDS if each.run_error else 0.0
                if result.get("left") and not each.run_error and not each.pending:
                    each.pending, each.not_before = True, time.monotonic() + FRESH_SECONDS
        if scanned:
            self._find_pending()

    def _ask_for_scans(self) -> None:
        """One for all that have changed, as far as a request holds their paths: each is a thread, and waits once."""
        dirty = [each for each in self._deliveries.values() if each.dirty and not each.scan]
        work = {"data_dir": os.fsdecode(os.path.dirname(REPOSITORY)), "checksum": False}
        work["settle_seconds"] = self._settings["settle_seconds"]
        for some in chunks(dirty, PATHS):
            id_ = self._requests.ask("scan", {**work, "paths": [each.path.hex() for each in some]}, WHO)
            for each in some:
                each.scan, each.dirty = id_, False

    def _ask_for_run(self, each: Delivery) -> None:
        if not each.pending or each.run or time.monotonic() < each.not_before:
            return
        each.pending = False
        try:
            each.run = self._requests.ask("run", each.work(), WHO)
        except ValueError as fault:
            each.run_error, each.not_before = str(fault), time.monotonic() + AGAIN_SECONDS

    def _show(self, path: bytes, **said: Any) -> None:
        """Write what people see of a folder, where it has changed."""
        if self._said.get(path) != said:
            before = self._said.get(path, {})
            if said.get("error") and said["error"] != before.get("error"):
                _tell(path, str(said["error"]))
            for what, which in (("loose", "files in no folder"), ("replaced", "filesets that were replaced")):
                if said.get(what, 0) > before.get(what, 0):
                    _tell(path, f"{which}: {said[what]}")
            row = {"part": ARRIVALS, "row": entries.fileset_id(path), "path": path, "says": json.dumps(said)}
            self._table.put(row)
            self._said[path] = said

    def _forget_gone(self) -> None:
        here = {*self._deliveries, *self._loose}
        gone = [row for row in self._table.rows(ARRIVALS) if row["path"] not in here]
        self._table.write_all(deletes=[entries.row_key(ARRIVALS, row["row"]) for row in gone])
        self._said = {path: said for path, said in self._said.items() if path in here}


def _tell(path: bytes, what: str) -> None:
    """A line of the log that an alarm hears."""
    sys.stdout.write(f"{TROUBLE}: {entries.shown(path)}: {what}\n")
    sys.stdout.flush()


def is_by_folder(folder: dict[str, Any]) -> bool:
    """Whether the names of the folders directly below a watched one decide whose their images are, or where they go."""
    return any(FOLDER in folder[key] for key in ("user", "group", "target"))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True

"""Import filesets with one JVM, or ask OMERO about them; what came of each is recorded at once."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from . import entries, formats
from .entries import FAILED, IMPORTED, IMPORTING, PENDING
from .job import Job, JobError
from .omero import UNREACHABLE, Filesets, Import, Omero
from .table import Table

# Attempts at a fileset before it is left to a person. The later ones have an importer of their own.
ATTEMPTS = 4
SETTLE_POLL_SECONDS = 5.0
# How an importer ends that has come to its end: 1 nothing to import, 2 an import failed.
CERTAIN = (0, 1, 2, 3)
MISSING = "the file is no longer there; put it back, or leave it, and scan again"
CHANGED = "the file has changed since the scan, so it may still be arriving; scan again"
Entry = dict[str, Any]


class Batch:
    """The filesets of a job, as far as they are still its own."""

    def __init__(self, job: Job, table: Table) -> None:
        self._job = job
        self._table = table
        self._work = job.work
        self.counts = {"imported": 0, "already": 0, "failed": 0, "pending": 0}
        self._importer_seconds = 0.0
        items = [entries.plain(item) for item in table.get_all(job.ids)]
        mine = [each for each in items if each["state"] == IMPORTING and each.get("batch") == job.batch]
        order = {id_: at for at, id_ in enumerate(job.ids)}
        self._left = {each["id"]: each for each in sorted(mine, key=lambda each: order[each["id"]])}

    def run(self, omero: Omero) -> dict[str, Any]:
        """Import what OMERO does not have yet. The counts, and how long OMERO's own importer took."""
        self._say("look")
        found = self._settled(omero)
        read: dict[bytes, Any] = {}
        for each in list(self._left.values()):
            if filesets := found.get(each["path"]):
                self._imported(each, filesets, already=True)
            elif fault := _fault(each, read):
                self._failed(each, fault)
        if self._left:
            self._import(omero)
        return {**self.counts, "importer_seconds": round(self._importer_seconds, 3)}

    def _settled(self, omero: Omero) -> dict[bytes, Filesets]:
        """What OMERO has, once imports that somebody began before have come to their end, or are given up."""
        end = time.monotonic() + float(self._work["settle_seconds"])
        while True:
            all_found = omero.of_paths([each["path"] for each in self._left.values()])
            begun = [path for path, filesets in all_found.items() if not any(filesets.values())]
            if not begun or time.monotonic() > end:
                return {path: filesets for path, filesets in all_found.items() if any(filesets.values())}
            self._say("wait for an import that OMERO has begun already")
            if self._job.lost.wait(SETTLE_POLL_SECONDS):
                self._job.mine()

    def _import(self, omero: Omero) -> None:
        self._say("import")
        self._job.mine()
        paths = [each["path"] for each in self._left.values()]
        begun = time.monotonic()
        done = omero.import_(paths, self._options(), until=self._job.lost)
        self._importer_seconds = time.monotonic() - begun
        sys.stdout.write(done.out)
        sys.stderr.write(done.errors)
        self._job.mine()
        self._say("confirm")
        found = omero.of_paths(paths)
        if not found and _general(done):
            raise JobError(f"{done.last()}; nothing of this batch was imported")
        printed = done.filesets()
        alone = len(self._left) == 1
        for each in list(self._left.values()):
            filesets = {id_: images for id_, images in found.get(each["path"], {}).items() if images}
            if filesets:
                self._imported(each, filesets, printed=printed)
                continue
            reason = done.reason(each["path"])
            # Without a reason of its own it is tried again, with fewer others and at last alone.
            final = bool(reason) or each["attempts"] >= ATTEMPTS or (alone and done.code in CERTAIN)
            self._failed(each, reason or done.last(), final=final)

    def _options(self) -> list[str]:
        work = self._work
        options = ["--transfer", work["transfer"], "--parallel-fileset", str(work["parallel_filesets"])]
        for each in work["skip"]:
            options += ["--skip", each]
        if work["target"]:
            options += ["--target", work["target"]]
        return options

    def _imported(
        self, each: Entry, filesets: Filesets, *, already: bool = False, printed: Filesets | None = None
    ) -> None:
        """Record it as imported, with the ids of the query; those of the importer's output have to be the same."""
        if printed:
            same = {id_: images for id_, images in filesets.items() if printed.get(id_) == images}
            filesets = same or filesets
        fileset = min(filesets)
        self._record(
            each,
            {
                "state": IMPORTED,
                "fileset": fileset,
                "images": entries.ranges(filesets[fileset]),
                "count": len(filesets[fileset]),
                "imported_at": entries.now_text(),
            },
            remove=("reason", "by", "changed"),
        )
        self.counts["already" if already else "imported"] += 1

    def _failed(self, each: Entry, reason: str, *, final: bool = True) -> None:
        """Leave it to a person, or to a later batch, once OMERO is certainly not at it any more."""
        after = {} if final else {"after": int(time.time() + float(self._work["settle_seconds"]) + 1)}
        self._record(each, {"state": FAILED if final else PENDING, "reason": reason, **after})
        self.counts["failed" if final else "pending"] += 1

    def _record(self, each: Entry, values: dict[str, Any], remove: tuple[str, ...] = ()) -> None:
        """Conditional on the lease: a batch that was taken back records nothing any more."""
        self._table.update(
            entries.update(
                each["id"],
                {
                    **values,
                    "queue": entries.queue(values["state"], each["id"]),
                    "log": self._work.get("log", ""),
                    "user": self._work["user"] or self._work["admin"],
                    "who": self._work["who"],
                    "at": entries.now_text(),
                },
                remove=("batch", *remove),
                when="#batch = :batch and #state = :state",
                given={"batch": self._job.batch, "state": IMPORTING},
            )
        )
        del self._left[each["id"]]

    def _say(self, phase: str) -> None:
        self._job.progress({"phase": phase, "left": len(self._left), **self.counts})


def _general(done: Import) -> bool:
    """Whether the importer could not begin at all: no JARs, wrong usage, no server."""
    return done.code in (103, 108, 200, 202) or any(word in done.errors for word in UNREACHABLE)


def _fault(each: Entry, read: dict[bytes, Any]) -> str:
    """Why a file should not be imported as it is now; `read` are the folders that were read for others."""
    if not os.path.lexists(each["path"]):
        return MISSING
    now = formats.one(each["path"], formats.Seen(), read)
    return "" if now and now.print == each["print"] else CHANGED


_STILL_IMPORTED: dict[str, Any] = {"when": "#state = :state", "given": {"state": IMPORTED}}


def verify(job: Job, table: Table, omero: Omero) -> dict[str, Any]:
    """Ask OMERO again about filesets that the ledger has as imported; what differs is recorded."""
    counts = {"same": 0, "differs": 0}
    job.progress({"phase": "ask", "left": len(job.ids)})
    items = [each for each in map(entries.plain, table.get_all(job.ids)) if each["state"] == IMPORTED]
    found = omero.of_paths([each["path"] for each in items])
    for each in items:
        differs = _difference(each, found.get(each["path"], {}))
        values = {"verified_at": entries.now_text()}
        if differs:
            values["differs"] = differs
        remove = () if differs else ("differs",)
        table.update(entries.update(each["id"], values, remove=remove, **_STILL_IMPORTED))
        counts["differs" if differs else "same"] += 1
    return counts


def _difference(each: Entry, filesets: Filesets) -> str:
    imported = {id_: images for id_, images in filesets.items() if images}
    if not imported:
        return "OMERO has no image of this file any more"
    if len(imported) > 1:
        return f"OMERO has it {len(imported)} times: filesets {', '.join(map(str, sorted(imported)))}"
    ((fileset, images),) = imported.items()
    if fileset != each.get("fileset") or entries.ranges(images) != each.get("images"):
        return f"OMERO has it as fileset {fileset} with the images {entries.ranges(images)}"
    if not os.path.lexists(each["path"]):
        return "the file itself is no longer there; an image that was imported in place is lost without it"
    return ""

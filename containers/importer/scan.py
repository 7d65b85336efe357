"""Look for filesets, twice, and record those that did not change in between."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import entries, formats
from .entries import FAILED, IMPORTED, IMPORTING, PENDING
from .job import Job, JobError
from .table import Table

# What OMERO keeps below its data directory, and where OMERO.dropbox imports from by itself.
OWN = (
    b".omero",
    b".snapshot",
    b"BioFormatsCache",
    b"Files",
    b"FullText",
    b"ManagedRepository",
    b"Pixels",
    b"Thumbnails",
    b"certs",
)
DROPBOX = b"DropBox"
WRITERS = 16
CHUNK = 100
READ_BYTES = 4 * 1024 * 1024


def scan(job: Job, table: Table) -> dict[str, Any]:
    """The counts. `work` has `path` (hex), `data_dir`, `settle_seconds`, `checksum`, `who`, `found`."""
    work = job.work
    root = bytes.fromhex(work["path"])
    if not os.path.lexists(root):
        raise JobError(f"{entries.shown(root)} is not there; `exec -- ls` shows what is, as OMERO.server sees it")
    data_dir = os.fsencode(work["data_dir"])
    for each in OWN:
        own = os.path.join(data_dir, each)
        if os.path.commonpath((own, root)) == own:
            raise JobError(
                f"{entries.shown(root)} is OMERO's own and holds what was imported already; name another folder"
            )
    skip = frozenset(os.path.join(data_dir, each) for each in (*OWN, DROPBOX)) - {root}
    first = _first_look(job, root, skip)
    _settle(job, float(work["settle_seconds"]), len(first))
    recorder = _Recorder(job, table)
    seen = formats.Seen()
    chunk = []
    for found in _walk(root, seen, skip):
        recorder.counts["filesets"] += 1
        if first.pop(_digest(found.main), None) != found.print:
            recorder.counts["unstable"] += 1
            recorder.sample("unstable", found.main)
            continue
        chunk.append(found)
        if len(chunk) == CHUNK:
            recorder.record(chunk)
            chunk = []
            job.progress({"phase": "record", **recorder.counts})
    recorder.record(chunk)
    return recorder.result(seen, unstable_gone=len(first))


def _walk(root: bytes, seen: formats.Seen, skip: frozenset[bytes]) -> Iterable[formats.Fileset]:
    if os.path.isdir(root):
        return formats.filesets(root, seen, skip)
    found = formats.one(root, seen)
    return [found] if found else []


def _digest(path: bytes) -> bytes:
    return hashlib.sha256(path).digest()[:16]


def _first_look(job: Job, root: bytes, skip: frozenset[bytes]) -> dict[bytes, str]:
    first = {}
    seen = formats.Seen()
    for found in _walk(root, seen, skip):
        first[_digest(found.main)] = found.print
        if len(first) % 1000 == 0:
            job.progress({"phase": "look", "filesets": len(first), "folders": seen.folders})
    return first


def _settle(job: Job, seconds: float, filesets: int) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        job.progress({"phase": "wait", "filesets": filesets, "seconds_left": int(left)})
        time.sleep(min(left, 5))


class _Recorder:
    def __init__(self, job: Job, table: Table) -> None:
        self._job = job
        self._table = table
        self._pool = ThreadPoolExecutor(WRITERS)
        names = ("filesets", "files", "bytes", "new", "known", "renewed", "changed", "imported", "unstable", "faulty")
        self.counts = dict.fromkeys(names, 0)
        self._samples: dict[str, list[str]] = {}
        self._number = 0

    def sample(self, kind: str, path: bytes) -> None:
        some = self._samples.setdefault(kind, [])
        if len(some) < 20:
            some.append(path.hex())

    def record(self, chunk: list[formats.Fileset]) -> None:
        """Record some, in parallel; those that the ledger has already are only read."""
        ids = {entries.fileset_id(each.main): each for each in chunk}
        known = {item["id"]["S"]: entries.plain(item) for item in self._table.get_all(ids)}
        numbered = []
        for id_, each in ids.items():
            self._number += 1
            numbered.append((id_, each, known.get(id_), self._number))
        for outcome, each in self._pool.map(lambda args: self._one(*args), numbered):
            self.counts[outcome] += 1
            self.counts["files"] += each.files
            self.counts["bytes"] += each.size
            if each.fault:
                self.counts["faulty"] += 1
            if outcome == "changed" or each.fault:
                self.sample("faulty" if each.fault else outcome, each.main)

    def _one(
        self, id_: str, each: formats.Fileset, known: dict[str, Any] | None, number: int
    ) -> tuple[str, formats.Fileset]:
        if known is None:
            return ("new" if self._put(id_, each, number) else "known"), each
        state = known["state"]
        if state == IMPORTED:
            if known.get("print") == each.print:
                return "imported", each
            now = entries.now_text()
            self._table.update(entries.update(id_, {"changed": now}, when="#state = :state", given={"state": IMPORTED}))
            return "changed", each
        repaired = state == FAILED and known.get("by") == "scan" and not each.fault
        if state == IMPORTING or (known.get("print") == each.print and not repaired):
            return "known", each
        values = self._values(id_, each)
        renewed = entries.update(
            id_,
            {name: value for name, value in values.items() if value is not None and name not in ("id", "path")},
            remove=[name for name in ("reason", "by", "checksum") if values.get(name) is None],
            when="#state = :state",
            given={"state": state},
        )
        return ("renewed" if self._table.update(renewed) else "known"), each

    def _put(self, id_: str, each: formats.Fileset, number: int) -> bool:
        found = f"{self._job.work['found']}#{number:010d}"
        return self._table.put_new(entries.wire({**self._values(id_, each), "found": found}))

    def _values(self, id_: str, each: formats.Fileset) -> dict[str, Any]:
        state = FAILED if each.fault else PENDING
        return {
            "id": id_,
            "path": each.main,
            "queue": entries.queue(state, id_),
            "state": state,
            "files": each.files,
            "size": each.size,
            "print": each.print,
            "together": each.together or None,
            "checksum": _checksum(each.main) if self._job.work["checksum"] and not each.fault else None,
            "attempts": 0,
            "reason": each.fault or None,
            "by": "scan" if each.fault else None,
            "who": self._job.work["who"],
            "at": entries.now_text(),
        }

    def result(self, seen: formats.Seen, unstable_gone: int) -> dict[str, Any]:
        return {
            **self.counts,
            "unstable": self.counts["unstable"] + unstable_gone,
            "folders": seen.folders,
            "links": seen.links,
            "ignored": dict(sorted(seen.ignored.items(), key=lambda pair: -pair[1])[:30]),
            "unreadable": [folder.hex() for folder in seen.unreadable[:20]],
            "unreadable_count": len(seen.unreadable),
            "samples": self._samples,
        }


def _checksum(path: bytes) -> str:
    """SHA-256 of the main file."""
    content = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(READ_BYTES):
            content.update(block)
    return "sha256:" + content.hexdigest()

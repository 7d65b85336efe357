"""Look for filesets, twice, and record those that did not change in between."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from . import entries, formats, hostile
from .entries import DISMISSED, FAILED, IMPORTED, IMPORTING, INCOMPLETE, PENDING, WHO
from .faults import JobError
from .ledger import Ledger, is_under
from .tree import opened

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
CHUNK = 100
READ_BYTES = 4 * 1024 * 1024


Say = Callable[..., None]


def scan(work: dict[str, Any], ledger: Ledger, *, who: str, stop: threading.Event, say: Say) -> dict[str, Any]:
    """The counts. `work` has `path` (hex), `data_dir`, `settle_seconds` and `checksum`.

    Instead of `path` it may have `paths`, which may have gone; `by_path` then has what of each still changes, was
    replaced after its import, and is new, where that is not 0.

    Raises:
        JobError: the folder is not there, is OMERO's own, or none that is imported from; or `stop` was set, so that it
            has to begin again.
    """
    data_dir = os.fsencode(work["data_dir"])
    roots = [bytes.fromhex(each) for each in work.get("paths") or [work["path"]]]
    for root in roots:
        _check(root, data_dir)
    if "paths" in work:
        roots = [root for root in roots if os.path.lexists(root)]
    elif not os.path.lexists(roots[0]):
        raise JobError(
            f"{entries.shown(roots[0])} is not there; `omero-aws exec -- ls` shows what is, as OMERO.server sees it"
        )
    skip = frozenset(os.path.join(data_dir, each) for each in (*OWN, DROPBOX)) - set(roots)
    seen = formats.Seen()
    looks = [_first_look(root, skip, seen, say) for root in roots]
    _settle(float(work["settle_seconds"]), sum(map(len, looks)), stop, say)
    recorder = _Recorder(ledger, who, checksum=bool(work["checksum"]))
    seen = formats.Seen()
    for root, first in zip(roots, looks):  # noqa: B905 - Python 3.9
        _second_look(root, first, skip, seen, recorder, stop, say)
    return {**recorder.result(seen), **({"by_path": recorder.by_path} if "paths" in work else {})}


def _check(root: bytes, data_dir: bytes) -> None:
    allowed = [os.fsencode(each) for each in json.loads(os.environ["IMPORT_ROOTS"])]
    if os.path.normpath(root) != root or not any(is_under(root, each) for each in allowed):
        raise JobError(
            f"{entries.shown(root)} is outside of what is imported from; allowed is what is under "
            f"{', '.join(map(entries.shown, allowed))}"
        )
    for each in OWN:
        own = os.path.join(data_dir, each)
        if os.path.commonpath((own, root)) == own:
            raise JobError(
                f"{entries.shown(root)} is OMERO's own and holds what was imported already; name another folder"
            )


def _second_look(
    root: bytes,
    first: dict[bytes, str],
    skip: frozenset[bytes],
    seen: formats.Seen,
    recorder: _Recorder,
    stop: threading.Event,
    say: Say,
) -> None:
    """Record what is as it was at the first look."""
    before = dict(recorder.counts)
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
            say(phase="record", **recorder.counts)
        if stop.is_set():
            raise JobError("the worker is being stopped")
    recorder.record(chunk)
    recorder.counts["unstable"] += len(first)
    recorder.note(root, before)


def _walk(root: bytes, seen: formats.Seen, skip: frozenset[bytes]) -> Iterable[formats.Fileset]:
    if os.path.isdir(root):
        return formats.filesets(root, seen, skip)
    found = formats.one(root, seen)
    return [found] if found else []


def _digest(path: bytes) -> bytes:
    return hashlib.sha256(path).digest()[:16]


def _first_look(root: bytes, skip: frozenset[bytes], seen: formats.Seen, say: Say) -> dict[bytes, str]:
    first = {}
    for found in _walk(root, seen, skip):
        first[_digest(found.main)] = found.print
        if len(first) % 1000 == 0:
            say(phase="look", filesets=len(first), folders=seen.folders)
    return first


def _settle(seconds: float, filesets: int, stop: threading.Event, say: Say) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        say(phase="wait", filesets=filesets, seconds_left=int(left))
        if stop.wait(min(left, 5)):
            return


class _Recorder:
    def __init__(self, ledger: Ledger, who: str, *, checksum: bool) -> None:
        self._ledger = ledger
        self._who = who
        self._checksum = checksum
        self._begun = entries.now_text()
        self._id = uuid.uuid4().hex
        names = ("filesets", "files", "bytes", "new", "known", "renewed", "changed", "imported", "unstable", "faulty")
        self.counts = dict.fromkeys(names, 0)
        self._samples: dict[str, list[str]] = {}
        self._number = 0
        self.by_path: dict[str, list[int]] = {}

    def note(self, root: bytes, before: dict[str, int]) -> None:
        """Keep what was found below one of the folders, of what is still to be looked after."""
        more = {name: count - before[name] for name, count in self.counts.items()}
        if any(counts := [more["unstable"], more["changed"], more["new"] + more["renewed"]]):
            self.by_path[root.hex()] = counts

    def sample(self, kind: str, path: bytes) -> None:
        some = self._samples.setdefault(kind, [])
        if len(some) < 20:
            some.append(path.hex())

    def record(self, chunk: list[formats.Fileset]) -> None:
        """Record some, in parallel; those that the ledger has already are only read."""
        ids = {entries.fileset_id(each.main): each for each in chunk}
        known = self._ledger.get_all(ids)
        numbered = []
        for id_, each in ids.items():
            self._number += 1
            found = f"{self._begun}#{self._number:010d}"
            numbered.append((id_, each, known.get(id_), known[id_]["found"] if id_ in known else found))
        # What is open already, too: a ledger of an earlier version had no such list.
        self._ledger.put_open(
            (id_, found, each.main)
            for id_, each, entry, found in numbered
            if entry is None or entry["state"] not in entries.SETTLED
        )
        for outcome, each in self._ledger.at_once(lambda args: self._one(*args), numbered):
            self.counts[outcome] += 1
            self.counts["files"] += each.files
            self.counts["bytes"] += each.size
            if each.fault:
                self.counts["faulty"] += 1
            if outcome == "changed" or each.fault:
                self.sample("faulty" if each.fault else outcome, each.main)

    def _one(
        self, id_: str, each: formats.Fileset, known: dict[str, Any] | None, found: str
    ) -> tuple[str, formats.Fileset]:
        same = known is not None and known.get("print") == each.print
        if not same or (known is not None and known.get("by") == "scan"):
            # Nobody has looked into it yet, or what somebody found in it may be mended.
            each = each._replace(fault=each.fault or hostile.fault(each.main, each.members))
        if known is None:
            values = {"id": id_, "path": each.main, "found": found, "attempts": 0, **self._values(id_, each)}
            self._announce(id_, each)
            return ("new" if self._ledger.put_new(values) else "known"), each
        state = known["state"]
        if state == IMPORTED:
            if same:
                return "imported", each
            differs = f"OMERO has an earlier content (fileset {known.get('fileset')})"
            self._ledger.note(known, {"changed": entries.now_text(), "differs": differs})
            return "changed", each
        repaired = state == FAILED and known.get("by") == "scan" and not each.fault
        # What is incomplete waits for a person, whatever the file is now.
        if state in (IMPORTING, INCOMPLETE) or (same and not repaired):
            return "known", each
        self._announce(id_, each)
        values = {"attempts": 0, **self._values(id_, each)}
        renewed = self._ledger.change(
            known,
            values.pop("state"),
            {name: value for name, value in values.items() if value is not None},
            remove=[name for name in ("reason", "by", "checksum") if values.get(name) is None],
            event="found again" if state == DISMISSED else "found changed",
        )
        return ("renewed" if renewed else "known"), each

    def _announce(self, id_: str, each: formats.Fileset) -> None:
        if each.fault and self._who == WHO:
            self._ledger.announce(id_, self._id)

    def _values(self, id_: str, each: formats.Fileset) -> dict[str, Any]:
        state = FAILED if each.fault else PENDING
        return {
            "queue": entries.queue(state, id_),
            "state": state,
            "files": each.files,
            "size": each.size,
            "print": each.print,
            "together": each.together or None,
            "checksum": _checksum(each.main) if self._checksum and not each.fault else None,
            "reason": each.fault or None,
            "by": "scan" if each.fault else None,
            "settled_by": self._id if each.fault else None,
            "who": self._who,
            "since": int(time.time()),
            "at": entries.now_text(),
        }

    def result(self, seen: formats.Seen) -> dict[str, Any]:
        return {
            **self.counts,
            "folders": seen.folders,
            "links": seen.links,
            "odd": seen.odd,
            "ignored": _most(seen.ignored),
            "not_taken": _most(seen.not_taken),
            "unreadable": [folder.hex() for folder in seen.unreadable[:20]],
            "unreadable_count": len(seen.unreadable),
            "unreadable_reason": next(iter(seen.tree.unreadable.values()), ""),
            "samples": self._samples,
        }


def _most(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: -pair[1])[:30])


def _checksum(path: bytes) -> str:
    """SHA-256 of the main file."""
    content = hashlib.sha256()
    with opened(path) as file:
        while block := file.read(READ_BYTES):
            content.update(block)
    return "sha256:" + content.hexdigest()

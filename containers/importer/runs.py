"""A run of imports: one batch at a turn, until nothing of what it is about is left to be imported."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from . import repository
from .attempts import Attempts, Counts
from .batches import Batch, Entry, Limits, container_key, cut
from .entries import FAILED, IMPORTING, INCOMPLETE, PENDING, WHO
from .faults import JobError
from .ledger import Ledger, is_under
from .omero import Omero, user_session
from .requests import Request
from .targets import Owner, check

# Attempts in a row that came to nothing, before a run gives up.
FAULTS = 3
# Of OMERO's transfers those that leave the source where it is; and what its importer can skip. Whoever may write a
# request may write any word into it.
TRANSFERS = ("ln_s", "ln", "cp", "upload")
SKIPS = ("all", "checksum", "minmax", "thumbnails", "upgrade")


def left_to_arrivals(settings: Mapping[str, Any], who: str, under: bytes) -> list[bytes]:
    """The watched folders that a run leaves alone, for their settings say whose their images are: none if `arrivals`
    asks for it, and not the one in which `under` lies, which somebody has named."""
    folders = [os.fsencode(each["path"]) for each in settings.get("folders", ())]
    return [] if who == WHO else [each for each in folders if not under or not is_under(under, each)]


def is_in_any(path: bytes, leaves: Sequence[bytes]) -> bool:
    """Whether a fileset is in one of these folders."""
    return any(is_under(path, each) for each in leaves)


class Run:
    """Of one request. `work` has `target`, `create`, `transfer`, `user`, `group`, `skip`, `under` (hex) and
    `batch_filesets`."""

    def __init__(
        self, request: Request, ledger: Ledger, omero: Omero, *, parallel: int, leaves: Sequence[bytes]
    ) -> None:
        """Look its target up, or make it: once, and not by each importer. `leaves` are folders that it leaves alone.

        Raises:
            JobError: there is no such user or target, or it asks for what is not done.
            Unreachable: OMERO does not answer.
        """
        self.request = request
        self._ledger = ledger
        self._attempts: Attempts  # of the turn
        work = request.work
        if work["transfer"] not in TRANSFERS:
            raise JobError(f"the transfer {work['transfer']} is not done; allowed: {', '.join(TRANSFERS)}")
        if others := set(work["skip"]) - set(SKIPS):
            raise JobError(f"{', '.join(sorted(others))} cannot be skipped; allowed: {', '.join(SKIPS)}")
        self._under = bytes.fromhex(work.get("under", ""))
        self._leaves = leaves
        self._work = {**work, "parallel_filesets": parallel}
        self._key_of = container_key(work["target"])
        with user_session(omero, work.get("user", ""), work.get("group", "")) as session:
            owner = Owner(omero, session, work.get("user") or omero.admin)
            self._work["target"] = check(work["target"], owner, create=bool(work.get("create")))
        self._limits = Limits(filesets=int(work.get("batch_filesets", Limits().filesets)))
        # OMERO makes a container for each of these: two filesets at once would make two.
        self._made = set() if work["target"].startswith("regex:") else {""}
        self._source: Iterator[Batch] | None = None
        self._faults: list[str] = []
        self.importer_seconds = 0.0
        # Whether nothing is to be imported, and OMERO is still at some of it.
        self.waits = False
        self.counts: Counts = {
            "imported": 0,
            "already": 0,
            "failed": 0,
            "incomplete": 0,
            **request.progress.get("counts", {}),
        }

    def turn(self, attempts: Attempts, omero: Omero, *, stop: threading.Event, say: Callable[..., None]) -> bool:
        """Import one batch, or find that there is none; whether the run is at its end.

        `attempts` and `omero` are those of this turn: after OMERO was away they are others.

        Raises:
            JobError: several attempts in a row came to nothing.
            Unreachable: OMERO does not answer.
        """
        self._attempts = attempts
        batch = self._next()
        if batch is None:
            self.waits = self._is_left()
            return not self.waits
        self.waits = False
        # A server that has lost its repository's lock takes no file, and says so of each.
        repository.check(omero)
        alone = batch.key not in self._made
        begun = time.monotonic()
        try:
            counts = attempts.run(
                batch.entries,
                self._work,
                request=self.request.id,
                who=self.request.who,
                stop=stop,
                say=lambda phase: say(phase=phase, filesets=len(batch.entries), counts=self.counts),
                alone=alone,
            )
        except JobError as fault:
            self._faults.append(str(fault))
            if len(self._faults) == FAULTS:
                raise JobError(
                    f"{FAULTS} importers in a row came to nothing, the last because {str(fault).rstrip('.')}"
                ) from fault
            return False
        self._faults.clear()
        self._made.add(batch.key)
        self.importer_seconds += time.monotonic() - begun
        self.add(counts)
        return False

    def add(self, counts: Counts) -> None:
        """Count what an attempt of this run has come to."""
        for name, count in counts.items():
            if name in self.counts:
                self.counts[name] += count

    def result(self) -> dict[str, Any]:
        """What this run has come to, told by the ledger itself and not by what was counted on the way."""
        ended = {FAILED: 0, INCOMPLETE: 0}
        left = 0
        for entry in self._open():
            if entry["state"] in ended:
                ended[entry["state"]] += entry.get("request") == self.request.id
            else:
                left += 1
        return {**self.counts, **ended, "left": left, "seconds": round(self.importer_seconds, 1)}

    def _next(self) -> Batch | None:
        """The next batch; None when all that is open was looked at and nothing was pending."""
        fresh = self._source is None
        if self._source is None:
            self._source = cut(self._pending(), self._limits, self._key_of)
        batch = next(self._source, None)
        if batch is None:
            # From the beginning: filesets may have been given back, or found, meanwhile.
            self._source = None
            return None if fresh else self._next()
        return batch

    def _open(self) -> Iterator[Entry]:
        for entry in self._ledger.open(self._under):
            if not is_in_any(entry["path"], self._leaves):
                yield entry

    def _pending(self) -> Iterator[Entry]:
        for entry in self._open():
            if entry["state"] == PENDING:
                yield entry
            elif entry["state"] == IMPORTING:
                self._attempts.release_stray(entry)

    def _is_left(self) -> bool:
        """Whether OMERO is still at some of it, or something was given back just now."""
        return any(entry["state"] in (PENDING, IMPORTING) for entry in self._open())

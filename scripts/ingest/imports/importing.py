"""Import what is pending: fill the slots with batches, look after those that run, whoever started them.

A run ends when nothing is pending and nothing runs. Killed at any point, the next one continues: a job's filesets are
given back only when its program certainly does not run any more, and each importer asks OMERO by client path first.
"""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from containers.importer.entries import CLAIMED, DONE, IMPORTING, PENDING, READY, RUNNING
from scripts.errors import Failed, Refused
from scripts.ingest.imports.batches import Batch, Limits, container_key, cut
from scripts.ingest.imports.ecs_task import Ended, NotStarted, Transport
from scripts.ingest.imports.ledger import Entry, JobItem, Ledger, slot

# Jobs in a row that came to nothing, before a run gives up.
FAULTS = 3
# Without a beat for this long, ECS is asked about the program. Importers beat six times in a lease (120 s).
SILENT_SECONDS = 45.0
# How long a start is tried again that ECS has no room for.
ROOM_SECONDS = 900.0


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What a run does. `target` as OMERO's importer takes it, or ""; `user` "" is the importer's own."""

    target: str = ""
    transfer: str = "ln_s"
    user: str = ""
    group: str = ""
    skip: tuple[str, ...] = ()
    under: bytes = b""
    parallel: int = 4
    parallel_filesets: int = 4
    limits: Limits = field(default_factory=Limits)
    lease_seconds: float = 120
    settle_seconds: float = 600
    poll_seconds: float = 3.0
    index_seconds: float = 2.0  # how far the ledger's index may be behind

    def work(self, who: str, transport: Transport, *, alone: bool) -> dict[str, Any]:
        """The work of one batch. `alone`: its container is not there yet, and two filesets at once would make two."""
        return {
            "do": "import",
            "transport": transport.name,
            "target": self.target,
            "transfer": self.transfer,
            "user": self.user,
            "group": self.group,
            "skip": list(self.skip),
            "parallel_filesets": 1 if alone else self.parallel_filesets,
            "lease_seconds": self.lease_seconds,
            "settle_seconds": self.settle_seconds,
            "who": who,
            "log": transport.log,
        }


class Heartbeats:
    """How long jobs have been silent, by this machine's monotonic clock: its time of day may be minutes wrong."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, float]] = {}

    def silent(self, job: JobItem) -> float:
        """Seconds since a new beat of the job was first seen here."""
        expires, since = self._seen.get(job.batch, (0.0, 0.0))
        if expires != job.expires:
            since = time.monotonic()
            self._seen[job.batch] = (job.expires, since)
        return time.monotonic() - since

    def keep(self, batches: Collection[str]) -> None:
        """Forget all others."""
        self._seen = {batch: seen for batch, seen in self._seen.items() if batch in batches}


def lease(job: JobItem) -> float:
    """Seconds that a job is its container's without a sign of life."""
    return float(job.work.get("lease_seconds", 120))


Event = Callable[[str, Mapping[str, Any]], None]


def who() -> str:
    """Who runs this, as the ledger records it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        name = "unknown"
    return f"{name}@{socket.gethostname()}"


class Run:
    """One run. `event(kind, facts)` is told of what happens.

    `counts` and `importer_seconds` (of OMERO's own importers) are of the batches whose end this run saw.
    `other` makes the transport of jobs that somebody else has started by another one than this run's `transport`.
    """

    def __init__(
        self,
        ledger: Ledger,
        transport: Transport,
        wanted: ImportOptions,
        event: Event,
        other: Callable[[str], Transport],
    ) -> None:
        self._ledger = ledger
        self._transport = transport
        self._transports = {transport.name: transport}
        self._other = other
        self._beats = Heartbeats()
        self._wanted = wanted
        self._event = event
        self._who = who()
        self._key_of = container_key(wanted.target)
        self._open_keys: dict[str, str] = {}
        self._made: set[str] = {""} if not wanted.target.startswith("regex:") else set()
        self._waiting: list[Batch] = []
        self._source: Iterator[Batch] = iter(())
        self._faults: list[str] = []
        self._no_room_since: float | None = None
        self._begin_at = 0.0
        self.counts = {"imported": 0, "already": 0, "failed": 0, "pending": 0}
        self.importer_seconds = 0.0

    def run(self) -> None:
        """Go on until nothing is left.

        Raises:
            Failed: importers did not start, or came to nothing, several times in a row.
        """
        for entry in self._ledger.orphans():
            self._ledger.give_back(entry.batch, [entry.id], "its batch is no longer known", counted=False)
        quiet_since: float | None = None
        while True:
            jobs = self._look_after()
            if self._faults[FAULTS - 1 :]:
                self._give_up(jobs)
            started = self._fill(jobs)
            self._event("progress", {"jobs": jobs, **self.counts})
            if jobs or started or self._is_left():
                quiet_since = None
            else:
                # The index may not show yet what was found or given back just now.
                quiet_since = quiet_since or time.monotonic()
                if time.monotonic() - quiet_since >= self._wanted.index_seconds:
                    return
            time.sleep(self._wanted.poll_seconds)

    # Looking after jobs

    def _look_after(self) -> list[JobItem]:
        """Settle what has ended; the jobs that are left."""
        left = []
        for job in self._ledger.slots():
            if not self._settled(job):
                left.append(job)
        live = {job.batch for job in left}
        # Others settle jobs of this run, too.
        self._open_keys = {batch: key for batch, key in self._open_keys.items() if batch in live}
        self._beats.keep(live)
        return left

    def _settled(self, job: JobItem) -> bool:
        now = time.time()
        if job.state == DONE:
            self._close(job, job.result.get("error", ""), counted=False)
            return True
        if job.state == CLAIMED:
            # Its runner was killed before a container could take it; a runner that is only slow is refused afterwards.
            return now > job.expires and self._ledger.revoke(job) and self._close(job, "", counted=False)
        silent = self._beats.silent(job)
        if job.state == RUNNING and silent < min(SILENT_SECONDS, lease(job) / 2):
            return False
        transport = self._transport_of(job)
        ended = transport.ended(job)
        if ended is not None:
            # It may have given the job back with its last breath.
            last = self._ledger.job(job.key)
            if last is None or last.batch != job.batch or last.state == DONE:
                return False
            return self._ended(last, ended)
        if silent > lease(job) if job.state == RUNNING else now > job.expires:
            self._event("stop", {"job": job})
            transport.stop(job, "its lease has ended")
        return False

    def _transport_of(self, job: JobItem) -> Transport:
        """The one by which it was started: no other one knows where its program is."""
        name = str(job.work.get("transport", self._transport.name))
        if name not in self._transports:
            try:
                self._transports[name] = self._other(name)
            except Refused as fault:
                raise Refused(
                    f"{job.key} was started by {job.who} with --transport {name}, and does not answer; to watch "
                    f"it, fix this: {fault}"
                ) from fault
        return self._transports[name]

    def _ended(self, job: JobItem, ended: Ended) -> bool:
        if not self._ledger.revoke(job):
            return False
        return self._close(job, ended.reason, counted=ended.counted, fault=not ended.started)

    def _close(self, job: JobItem, reason: str, *, counted: bool, fault: bool = False) -> bool:
        """Give back what is not done, and free the slot."""
        begun = job.state not in (CLAIMED, READY)
        counted = counted and begun
        wait = float(job.work.get("settle_seconds", 0)) if begun else 0
        back = self._ledger.give_back(job.batch, job.ids, reason or "its runner was killed", counted=counted, wait=wait)
        self._ledger.drop(job.key, job.batch)
        for name in self.counts:
            self.counts[name] += job.result.get(name, 0)
        self.importer_seconds += job.result.get("importer_seconds", 0)
        error = job.result.get("error") or (reason if fault else "")
        if error:
            self._faults.append(error)
        elif job.state == DONE:
            self._faults.clear()
            self._made.add(self._open_keys.get(job.batch, ""))
        self._event("ended", {"job": job, "reason": reason, "back": back})
        return True

    def _give_up(self, jobs: list[JobItem]) -> None:
        raise Failed(
            f"{FAULTS} batches in a row failed, the last because {self._faults[-1].rstrip('.')}; {len(jobs)} "
            "running importers continue unwatched. Fix that and run this again: nothing is lost or done twice."
        )

    # Filling slots

    def _fill(self, jobs: list[JobItem]) -> int:
        taken = {job.key for job in jobs}
        started = 0
        if time.monotonic() < self._begin_at:
            return 1 if self._waiting else 0
        for number in range(self._wanted.parallel):
            if slot(number) in taken:
                continue
            batch = self._next()
            if batch is None:
                break
            started += self._start(slot(number), batch)
            if time.monotonic() < self._begin_at:
                break
        return started

    def _next(self) -> Batch | None:
        """The next batch whose container no other batch may be making at the moment."""
        busy = {key for key in self._open_keys.values() if key not in self._made}
        for index, batch in enumerate(self._waiting):
            if batch.key not in busy:
                return self._waiting.pop(index)
        if len(self._waiting) >= 2 * self._wanted.parallel:
            return None
        for batch in self._source:
            if batch.key not in busy:
                return batch
            self._waiting.append(batch)
            if len(self._waiting) >= 2 * self._wanted.parallel:
                return None
        if not self._waiting:
            # Read from the beginning: filesets may have been given back, or found, meanwhile.
            self._source = cut(self._pending(), self._wanted.limits, self._key_of)
            return next(self._source, None)
        return None

    def _pending(self) -> Iterator[Entry]:
        """What may be imported now."""
        now = time.time()
        found = self._ledger.entries(PENDING, under=self._wanted.under)
        return (entry for entry in found if entry.after <= now)

    def _start(self, key: str, batch: Batch) -> int:
        """Claim a batch's filesets and start its program; the number of programs, 0 or 1."""
        alone = batch.key not in self._made
        work = self._wanted.work(self._who, self._transport, alone=alone)
        token = self._ledger.take(key, work, [entry.id for entry in batch.entries], self._who)
        if token is None:
            self._waiting.append(batch)
            return 0
        claimed = self._ledger.claim(token, batch.entries)
        ids = [entry.id for entry in claimed]
        if not claimed or not self._ledger.ready(key, token, ids):
            self._ledger.give_back(token, ids, "another runner took its slot", counted=False)
            self._ledger.drop(key, token)
            return 0
        try:
            task = self._transport.start(key, token)
        except NotStarted as fault:
            if not self._runs_all_the_same(key, token):
                self._not_started(key, token, ids, fault)
                return 0
            task = ""
        else:
            self._ledger.note_task(key, token, task=task)
        self._no_room_since = None
        self._open_keys[token] = batch.key
        size = sum(entry.size for entry in claimed)
        self._event("started", {"key": key, "filesets": len(claimed), "bytes": size, "task": task})
        return 1

    def _runs_all_the_same(self, key: str, token: str) -> bool:
        """Whether the program has taken the job, though its start is said to have failed; if not, it can no more."""
        job = self._ledger.job(key)
        if job is None or job.batch != token or job.state not in (CLAIMED, READY):
            return True
        return not self._ledger.revoke(job)

    def _not_started(self, key: str, token: str, ids: list[str], fault: NotStarted) -> None:
        """What ECS did not take, it may take later."""
        self._ledger.give_back(token, ids, str(fault), counted=False)
        self._ledger.drop(key, token)
        now = time.monotonic()
        self._begin_at = now + 5 * self._wanted.poll_seconds
        if fault.passing:
            self._no_room_since = self._no_room_since or now
            if now - self._no_room_since > ROOM_SECONDS:
                raise Failed(f"no importer could be started for {ROOM_SECONDS / 60:.0f} minutes: {fault}")
            self._event("waiting", {"reason": str(fault)})
            return
        self._faults.append(str(fault))
        self._event("fault", {"reason": str(fault)})

    def _is_left(self) -> bool:
        if self._wanted.under:
            states = (PENDING, IMPORTING)
            return next(self._ledger.entries(*states, under=self._wanted.under), None) is not None
        return self._ledger.number(PENDING) > 0

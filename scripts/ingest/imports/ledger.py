"""The ledger of imports: a DynamoDB table that knows of each fileset what became of it, and of each job who has it.

`containers.importer.entries` describes the items. Every change is conditional on what was read before, so that any
number of runners and containers may work at once and each may be killed at any point.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

from containers.importer import entries
from containers.importer.batch import ATTEMPTS
from containers.importer.entries import CLAIMED, FAILED, IMPORTING, PENDING, READY, SHARDS
from scripts import aws

T = TypeVar("T")
INDEX = "by_state"
# DynamoDB's code for a condition that is not met: somebody was faster.
NOT_MET = "ConditionalCheckFailedException"
# Requests at a time. DynamoDB takes thousands; this machine's connections are the limit (botocore: 10 a client).
THREADS = 10
KEYS = 100
CLAIM_SECONDS = 120.0
# From the order to start a container to its first sign of life: the image has 2 GB, and an instance may have to start.
START_SECONDS = 900.0


# Not frozen: a million of them are made three times as fast, and nobody changes one.
@dataclass(slots=True, kw_only=True)
class Entry:
    """A fileset. `size` in bytes; `images` as ranges of ids, `count` of them.

    It is not imported before `after` (seconds since 1970): OMERO may still be at it, for an importer that is gone.
    """

    id: str
    path: bytes
    state: str
    size: int = 0
    files: int = 1
    attempts: int = 0
    together: str = ""
    found: str = ""
    batch: str = ""
    reason: str = ""
    log: str = ""
    checksum: str = ""
    fileset: int | None = None
    images: str = ""
    count: int = 0
    user: str = ""
    who: str = ""
    at: str = ""
    imported_at: str = ""
    verified_at: str = ""
    differs: str = ""
    changed: str = ""
    by: str = ""
    after: int = 0

    @classmethod
    def of(cls, item: Mapping[str, Mapping[str, Any]]) -> Entry:
        """An item as DynamoDB's API has it; attributes of later versions of this program are passed over."""
        values: dict[str, Any] = {}
        for name, typed in item.items():
            if name in _FIELDS:
                ((kind, value),) = typed.items()
                values[name] = int(value) if kind == "N" else value
        return cls(**values)


_FIELDS = frozenset(Entry.__dataclass_fields__)


@dataclass(frozen=True, kw_only=True)
class JobItem:
    """A job as it is in the ledger. `batch` is the token of the one container that may do it."""

    key: str
    batch: str
    state: str
    expires: float
    work: dict[str, Any]
    ids: list[str]
    progress: dict[str, Any]
    result: dict[str, Any]
    who: str
    claimed: float
    task: str

    @classmethod
    def of(cls, item: Mapping[str, Mapping[str, Any]]) -> JobItem:
        values = entries.plain(dict(item))
        return cls(
            key=values["id"],
            batch=values["batch"],
            state=values["state"],
            expires=float(values.get("expires", 0)),
            work=json.loads(values.get("work", b"{}")),
            ids=entries.unpack(values.get("ids", b"")),
            progress=json.loads(values.get("progress", "{}")),
            result=json.loads(values.get("result", "{}")),
            who=values.get("who", ""),
            claimed=float(values.get("claimed", 0)),
            task=values.get("task", ""),
        )


@dataclass
class Total:
    """Of the entries in one state."""

    filesets: int = 0
    files: int = 0
    bytes: int = 0
    images: int = 0

    def add(self, entry: Entry) -> None:
        """Count one more."""
        self.filesets += 1
        self.files += entry.files
        self.bytes += entry.size
        self.images += entry.count


class Ledger:
    """One workspace's. `client` is a patient client of DynamoDB: throttling slows it down, and no more."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    # Filesets

    def get(self, path: bytes) -> Entry | None:
        """The fileset whose main file is at `path`."""
        item = self._get(entries.fileset_id(path))
        return Entry.of(item) if item else None

    def get_all(self, ids: Iterable[str]) -> Iterator[Entry]:
        """Those that there are, in any order."""
        yield from map(Entry.of, self._get_all(ids))

    def entries(self, *states: str, under: bytes = b"") -> Iterator[Entry]:
        """All in these states in the order in which they were found; read by pages while it is used.

        The index is a moment behind: what was changed just now may come in its former state, or twice.
        """
        pages = [self._shard(state, shard) for state in states or entries.STATES for shard in SHARDS]
        for _, entry in heapq.merge(*pages, key=lambda pair: pair[0]):
            if not under or entry.path == under or entry.path.startswith(under.rstrip(b"/") + b"/"):
                yield entry

    def _shard(self, state: str, shard: str) -> Iterator[tuple[str, Entry]]:
        for item in aws.rows(self._client, "query", "Items", **self._queue(state, shard)):
            entry = Entry.of(item)
            yield entry.found, entry

    def _queue(self, state: str, shard: str) -> dict[str, Any]:
        """The query of those in a state, in one shard."""
        return {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": "#queue = :queue",
            "ExpressionAttributeNames": {"#queue": "queue"},
            "ExpressionAttributeValues": {":queue": {"S": f"{state}#{shard}"}},
        }

    def totals(self, under: bytes = b"", *states: str) -> dict[str, Total]:
        """How many there are in each of these states, by default in all."""
        asked = states or entries.STATES
        found = {state: Total() for state in asked}
        for entry in self.entries(*asked, under=under):
            found[entry.state].add(entry)
        return found

    def number(self, state: str) -> int:
        """How many there are in a state, without reading them one by one."""

        def of(shard: str) -> int:
            pages = aws.pages(self._client, "query", Select="COUNT", **self._queue(state, shard))
            return sum(page["Count"] for page in pages)

        return sum(_at_once(of, SHARDS))

    def claim(self, batch: str, wanted: Collection[Entry]) -> list[Entry]:
        """Mark filesets as being imported by `batch`; those that were still pending, in their order."""

        def one(entry: Entry) -> Entry | None:
            values = {
                "state": IMPORTING,
                "queue": entries.queue(IMPORTING, entry.id),
                "batch": batch,
                "attempts": entry.attempts + 1,
                "at": entries.now_text(),
            }
            when = "#state = :pending and #attempts = :attempts"
            given = {"pending": PENDING, "attempts": entry.attempts}
            return entry if self._update(entry.id, values, when=when, given=given) else None

        return [entry for entry in _at_once(one, wanted) if entry]

    def give_back(self, batch: str, ids: Iterable[str], reason: str, *, counted: bool, wait: float = 0) -> int:
        """Let go of filesets that `batch` has not finished; how many. `counted`: it may well have been their fault.

        `wait` seconds is how long OMERO may go on with them by itself.
        """
        left = [entry for entry in self.get_all(ids) if entry.state == IMPORTING and entry.batch == batch]

        def one(entry: Entry) -> bool:
            attempts = entry.attempts if counted else max(0, entry.attempts - 1)
            state = FAILED if counted and attempts >= ATTEMPTS else PENDING
            values = {
                "state": state,
                "queue": entries.queue(state, entry.id),
                "attempts": attempts,
                "reason": reason,
                "after": int(time.time() + wait + 1) if wait else 0,
                "at": entries.now_text(),
            }
            when, given = "#state = :importing and #batch = :batch", {"importing": IMPORTING, "batch": batch}
            return self._update(entry.id, values, remove=("batch",), when=when, given=given)

        return sum(_at_once(one, left))

    def retry(self, entry: Entry) -> bool:
        """Have one imported again that is settled; False if it is in another state by now.

        The importer asks OMERO first, as ever: what is there after all is recorded, and not imported twice.
        """
        values = {"state": PENDING, "queue": entries.queue(PENDING, entry.id), "attempts": 0, "at": entries.now_text()}
        old = ("by", "batch", "differs", "verified_at")
        return self._update(entry.id, values, remove=old, when="#state = :state", given={"state": entry.state})

    def orphans(self) -> list[Entry]:
        """Those that a batch has which no job knows: what is left of a table that was restored."""
        importing = list(self.entries(IMPORTING))
        # Read after the entries: a batch that ended in between has let go of them.
        live = {job.batch for job in self.slots()}
        return [entry for entry in importing if entry.batch not in live]

    # Jobs

    def slots(self) -> list[JobItem]:
        """The jobs that there are in slots, as they are now."""
        found = self._get_all(slot(number) for number in range(MOST_SLOTS))
        return sorted((JobItem.of(item) for item in found if "batch" in item), key=lambda job: job.key)

    def job(self, key: str) -> JobItem | None:
        """One job."""
        item = self._get(key)
        return JobItem.of(item) if item and "batch" in item else None

    def take(self, key: str, work: Mapping[str, Any], ids: Iterable[str], who: str) -> str | None:
        """Make a job in a slot that is free; its token, None if the slot is not free."""
        batch = uuid4().hex
        now = time.time()
        values = {
            "batch": batch,
            "state": CLAIMED,
            "expires": int(now + CLAIM_SECONDS),
            "claimed": int(now),
            "work": json.dumps(dict(work)).encode(),
            "ids": entries.pack(ids),
            "who": who,
        }
        return batch if self._update(key, values, when="attribute_not_exists(#batch)") else None

    def ready(self, key: str, batch: str, ids: Iterable[str]) -> bool:
        """Let a container take the job, for these of its filesets; False if somebody took it back meanwhile."""
        values = {"state": READY, "expires": int(time.time() + START_SECONDS), "ids": entries.pack(ids)}
        when, given = "#batch = :batch and #state = :claimed", {"batch": batch, "claimed": CLAIMED}
        return self._update(key, values, when=when, given=given)

    def note_task(self, key: str, batch: str, *, task: str) -> None:
        """Keep which task does the job."""
        self._update(key, {"task": task}, when="#batch = :batch", given={"batch": batch})

    def revoke(self, job: JobItem) -> bool:
        """Take a job back that no container does any more, or may begin; False if that is not so after all."""
        values = {"state": CLAIMED, "expires": int(time.time() + CLAIM_SECONDS)}
        return self._update(
            job.key, values, when="#batch = :batch and #state = :state", given={"batch": job.batch, "state": job.state}
        )

    def drop(self, key: str, batch: str) -> None:
        """Remove a job whose filesets are all settled."""
        aws.read(
            lambda: self._client.delete_item(
                TableName=self._table,
                Key={"id": {"S": key}},
                ConditionExpression="#batch = :batch",
                ExpressionAttributeNames={"#batch": "batch"},
                ExpressionAttributeValues={":batch": {"S": batch}},
            ),
            NOT_MET,
        )

    # DynamoDB

    def _get(self, key: str) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=self._table, Key={"id": {"S": key}}, ConsistentRead=True)
        found: dict[str, Any] | None = answer.get("Item")
        return found

    def _get_all(self, ids: Iterable[str]) -> Iterator[dict[str, Any]]:
        left = list(dict.fromkeys(ids))
        while left:
            some, left = left[:KEYS], left[KEYS:]
            asked = {"Keys": [{"id": {"S": id_}} for id_ in some], "ConsistentRead": True}
            answer = self._client.batch_get_item(RequestItems={self._table: asked})
            yield from answer["Responses"].get(self._table, ())
            unread = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", ())
            if unread:
                time.sleep(0.2)
                left = [key["id"]["S"] for key in unread] + left

    def _update(
        self,
        key: str,
        values: Mapping[str, Any],
        *,
        remove: Collection[str] = (),
        when: str,
        given: Mapping[str, Any] | None = None,
    ) -> bool:
        """Change an item; False if the condition is not met, for somebody was faster."""
        arguments = entries.update(key, dict(values), remove=tuple(remove), when=when, given=dict(given or {}))
        return aws.read(lambda: self._client.update_item(TableName=self._table, **arguments), NOT_MET) is not None


MOST_SLOTS = 50
"""As `omero.importer.max_tasks` may be."""


def slot(number: int) -> str:
    """The key of the slot of that number, which holds one job that imports."""
    return f"slot#{number:02d}"


def job_key(kind: str, *about: str) -> str:
    """The key of a job that is no import: the same for the same question, so that two who ask get one answer."""
    return f"job#{kind}#{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]}"


def _at_once(action: Callable[[Any], T], values: Iterable[Any]) -> list[T]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(action, values))

"""Requests for the worker beside OMERO.server: written here, done there, watched from here by anybody."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from containers.importer import entries
from containers.importer.entries import (
    ARRIVALS,
    CANCEL,
    CONTROL,
    ENDED,
    LEASE,
    PAUSE,
    PAUSE_ARRIVALS,
    REQUEST,
    WAITING,
    WORKER,
)
from scripts import aws
from scripts.errors import Failed

POLL_SECONDS = 1.0
# Without a sign of the worker for this long, a request is not waited for any longer.
SILENT_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it is now. `result` is there once it is `done` or `cancelled`."""

    id: str
    do: str
    work: Mapping[str, Any]
    who: str
    state: str
    progress: Mapping[str, Any]
    result: Mapping[str, Any]
    asked: str

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Request:
        """A row as DynamoDB's API has it."""
        row = entries.plain(dict(item))
        work, progress, result = (json.loads(row.get(name, "{}")) for name in ("work", "progress", "result"))
        return cls(
            id=row["row"],
            do=row["do"],
            work=work,
            who=row.get("who", ""),
            state=row.get("state", WAITING),
            progress=progress,
            result=result,
            asked=row.get("asked", ""),
        )

    @property
    def is_over(self) -> bool:
        """Whether it has its result."""
        return self.state not in (WAITING, entries.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Who is the worker. `beat` changes as long as it lives; `at` is by its own clock, for people."""

    token: str
    beat: int
    task: str
    says: Mapping[str, Any]
    at: str


class Requests:
    """One workspace's table of requests. `who` is the ARN of who asks, as AWS knows them."""

    def __init__(self, client: Any, table: str, who: str) -> None:
        self._client = client
        self._table = table
        self._who = who

    def ask(self, do: str, work: Mapping[str, Any]) -> str:
        """Write a request; its id. Written twice, because an answer was lost, it is one all the same."""
        id_ = f"{entries.now_text()}#{uuid4().hex[:12]}"
        row = {
            "part": REQUEST,
            "row": id_,
            "do": do,
            "work": json.dumps(work),
            "who": self._who,
            "state": WAITING,
            "asked": entries.now_text(),
        }
        self._put(row)
        return id_

    def get(self, id_: str) -> Request | None:
        """A request, whether it is open or has ended; None if there is none."""
        # The worker writes the end before it removes the request.
        item = self._row(REQUEST, id_) or self._row(ENDED, id_)
        return Request.of(item) if item else None

    def open(self) -> list[Request]:
        """Those that wait or run, the oldest first."""
        return [Request.of(item) for item in self._rows(REQUEST)]

    def pause(self, *, paused: bool, arrivals: bool = False) -> None:
        """Have the worker begin no import any more, or again; or only none of `arrivals`, which nobody asks for."""
        row = PAUSE_ARRIVALS if arrivals else PAUSE
        self._put({"part": CONTROL, "row": row, "paused": "yes" if paused else "no", "who": self._who})

    def arrivals(self) -> dict[bytes, Mapping[str, Any]]:
        """What the worker says of each folder that it looks at by itself."""
        rows = map(entries.plain, self._rows(ARRIVALS))
        return {row["path"]: json.loads(row["says"]) for row in rows}

    def paused(self, *, arrivals: bool = False) -> str:
        """Who has paused the worker, or `arrivals`; "" if nobody has."""
        row = entries.plain(self._row(CONTROL, PAUSE_ARRIVALS if arrivals else PAUSE) or {})
        return str(row.get("who", "")) if row.get("paused") == "yes" else ""

    def cancel(self, id_: str) -> None:
        """Have a request ended."""
        self._put({"part": CONTROL, "row": CANCEL + id_, "who": self._who})

    def lease(self) -> Lease | None:
        """The worker's; None if there has never been one, or it has ended in order."""
        item = self._row(WORKER, LEASE)
        row = entries.plain(item) if item else {}
        if not row.get("token"):
            return None
        says = json.loads(row.get("says", "{}"))
        return Lease(token=row["token"], beat=row["beat"], task=row.get("task", ""), says=says, at=row.get("at", ""))

    def watch(self, id_: str, show: Callable[[Request], None], absent: Callable[[Lease | None], None]) -> Request:
        """Wait for a request's end. `absent` is called when the worker has given no sign for `SILENT_SECONDS`.

        Raises:
            Failed: somebody has removed the request.
        """
        heard, seen = time.monotonic(), None
        while True:
            request = self.get(id_)
            if request is None:
                raise Failed(f"the request {id_} is no longer there; ask again.")
            if request.is_over:
                return request
            show(request)
            lease = self.lease()
            now = (lease.token, lease.beat) if lease else None
            if now != seen:
                seen, heard = now, time.monotonic() if now else heard
            if time.monotonic() - heard > SILENT_SECONDS:
                absent(lease)
                heard = time.monotonic()
            time.sleep(POLL_SECONDS)

    def _row(self, part: str, row: str) -> dict[str, Any] | None:
        key = entries.row_key(part, row)
        found: dict[str, Any] | None = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get(
            "Item"
        )
        return found

    def _rows(self, part: str) -> Iterator[dict[str, Any]]:
        return aws.rows(
            self._client,
            "query",
            "Items",
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="#part = :part",
            ExpressionAttributeNames={"#part": "part"},
            ExpressionAttributeValues={":part": {"S": part}},
        )

    def _put(self, values: dict[str, Any]) -> None:
        self._client.put_item(TableName=self._table, Item=entries.wire(values))

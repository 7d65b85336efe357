"""What people ask for: rows of the table of requests, from the first look at them to their result."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from . import entries
from .entries import CANCEL, CANCELLED, CONTROL, DONE, ENDED, PAUSE, PAUSE_ARRIVALS, REQUEST, RUNNING, WAITING
from .table import Table

# Days for which an ended request is kept; the ledger's history is kept for ever.
KEPT_DAYS = 90
# A running request shows its progress this often.
SHOWN_SECONDS = 3.0


@dataclass
class Request:
    """`do` is what to do and `work` what about; `who` is the ARN of who asked, as AWS knows them."""

    id: str
    do: str
    work: dict[str, Any]
    who: str
    state: str
    progress: dict[str, Any] = field(default_factory=dict)
    shown: float = 0.0

    @classmethod
    def of(cls, row: dict[str, Any]) -> Request:
        """A row as the table has it."""
        work, progress = (json.loads(row.get(name, "{}")) for name in ("work", "progress"))
        return cls(row["row"], row.get("do", ""), work, row.get("who", ""), row.get("state", WAITING), progress)

    @property
    def same(self) -> str:
        """Equal for requests that ask for the same."""
        return json.dumps([self.do, self.work], sort_keys=True)


class Requests:
    """The requests that are open, and what people want of the worker besides."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def open(self) -> list[Request]:
        """Those that wait or run, the oldest first."""
        return [Request.of(row) for row in self._table.rows(REQUEST)]

    def controls(self) -> tuple[str, set[str]]:
        """Who has paused the worker, if anybody has; and the requests that are to be cancelled."""
        paused, cancelled = "", set()
        for row in self._table.rows(CONTROL):
            if row["row"] == PAUSE:
                paused = row.get("who", "somebody") if row.get("paused") == "yes" else ""
            elif row["row"].startswith(CANCEL):
                cancelled.add(row["row"][len(CANCEL) :])
        return paused, cancelled

    def arrivals_paused(self) -> bool:
        """Whether nothing is to be asked for that nobody asks for."""
        row = self._table.get(entries.row_key(CONTROL, PAUSE_ARRIVALS))
        return row is not None and row.get("paused") == "yes"

    def ask(self, do: str, work: dict[str, Any], who: str) -> str:
        """Write a request as people do; its id."""
        now = entries.now_text()
        id_ = f"{now}#{uuid.uuid4().hex[:12]}"
        row = {"do": do, "work": json.dumps(work), "who": who, "state": WAITING, "asked": now}
        self._table.put({"part": REQUEST, "row": id_, **row})
        return id_

    def result(self, id_: str) -> dict[str, Any]:
        """Of a request that has ended; an `error` if it was cancelled."""
        row = self._table.get(entries.row_key(ENDED, id_)) or {}
        if row.get("state") == CANCELLED:
            return {"error": "somebody has cancelled it; `omero-aws arrivals replay` begins it again at once"}
        result: dict[str, Any] = json.loads(row.get("result", "{}"))
        return result

    def start(self, request: Request) -> None:
        """Show that it is being done."""
        if request.state == WAITING:
            request.state = RUNNING
            self._update(request, {"state": RUNNING, "started": entries.now_text()})

    def say(self, request: Request, *, now: bool = False, **progress: Any) -> None:
        """Show how far it is; not more often than people look."""
        if progress == request.progress or (not now and time.monotonic() - request.shown < SHOWN_SECONDS):
            return
        request.progress, request.shown = progress, time.monotonic()
        self._update(request, {"progress": json.dumps(progress)})

    def finish(self, request: Request, result: dict[str, Any], state: str = DONE) -> None:
        """Give the result; the request moves to those that have ended."""
        row = self._table.get(entries.row_key(REQUEST, request.id))
        if row is not None:
            ended = {"part": ENDED, "state": state, "result": json.dumps(result), "ended": entries.now_text()}
            self._table.put({**row, **ended, "ends": int(time.time()) + KEPT_DAYS * 86400})
        self._table.write_all(
            deletes=[entries.row_key(REQUEST, request.id), entries.row_key(CONTROL, CANCEL + request.id)]
        )

    def _update(self, request: Request, values: dict[str, Any]) -> None:
        key = entries.row_key(REQUEST, request.id)
        self._table.update(entries.update(key, values, when="attribute_exists(#part)"))

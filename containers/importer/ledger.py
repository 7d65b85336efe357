"""What the worker does to the ledger, and to the list of what is to be done.

A row of that list is written before its entry and removed after it, so that the list has everything that is open, and
perhaps a row too many. It is read consistently: nothing is concluded from the ledger's index, which lags.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from . import entries
from .entries import IMPORTED, IMPORTING, PENDING, REPORT, SETTLED, SHARDS, TODO, WHO
from .requests import KEPT_DAYS
from .table import Table

T = TypeVar("T")
R = TypeVar("R")
Entry = dict[str, Any]
# Requests at a time. DynamoDB takes thousands.
THREADS = 16
# Entries that are read at a time.
CHUNK = 100


class Ledger:
    """One workspace's, as the worker has it. Its attempts are described in `attempts`."""

    def __init__(self, table: Table, requests: Table) -> None:
        self._table = table
        self._requests = requests
        # Filesets of arrivals that this worker has imported.
        self.arrived = 0
        self._pool = ThreadPoolExecutor(THREADS)
        # Held while an entry is opened again, so that nobody takes its row for a left-over.
        self._reopening = threading.RLock()

    def get_all(self, ids: Iterable[str]) -> dict[str, Entry]:
        """Those entries that there are, as they are now, by their ids."""
        return {each["id"]: each for each in self._table.get_all(map(entries.entry_key, ids))}

    def open(self, under: bytes = b"") -> Iterator[Entry]:
        """All that is not settled, as it is now, in the order in which it was found.

        Of what is not `under` it, rows alone are read, and not their entries. Rows that a killed worker has left of
        what is settled go on the way.
        """
        shards = [self._requests.rows(f"{TODO}#{shard}") for shard in SHARDS]
        rows = heapq.merge(*shards, key=lambda row: str(row["row"]))
        # Releases before this one have written rows without the path.
        wanted = (str(each["row"]) for each in rows if is_under(each.get("path", under), under))
        for some in chunks(wanted, CHUNK):
            for entry in self._unsettled(some):
                if is_under(entry["path"], under):
                    yield entry

    def _unsettled(self, rows: Sequence[str]) -> list[Entry]:
        with self._reopening:
            found = self.get_all(map(entries.todo_id, rows))
            named = [(found.get(entries.todo_id(row)), row.rpartition("#")[0]) for row in rows]
            settled = [(entry, when) for entry, when in named if entry and entry["state"] in SETTLED]
            self._requests.write_all(deletes=[entries.todo_key(entry["id"], when) for entry, when in settled])
        return [entry for entry, _ in named if entry and entry["state"] not in SETTLED]

    def imported(self, under: bytes = b"") -> Iterator[Entry]:
        """What is imported, by the index: what became so just now may be missing, and each is to be read again."""
        for shard in SHARDS:
            for entry in self._table.indexed(entries.INDEX, "queue", f"{IMPORTED}#{shard}"):
                if is_under(entry["path"], under):
                    yield entry

    def put_open(self, of: Iterable[tuple[str, str, bytes]]) -> None:
        """Have entries in the list, by their ids, when they were found and their paths; before they are written
        themselves."""
        self._requests.write_all(
            [{**entries.plain(entries.todo_key(id_, found)), "path": path} for id_, found, path in of]
        )

    def put_new(self, values: Entry) -> bool:
        """Write an entry that nobody has written; False if somebody has."""
        return self._table.put_new({**values, "history": [_event(values, values["state"])]}, "id")

    def change(
        self,
        entry: Entry,
        state: str,
        values: dict[str, Any],
        *,
        remove: Sequence[str] = (),
        when: str = "#state = :state",
        given: dict[str, Any] | None = None,
        event: str = "",
    ) -> bool:
        """Change an entry, on the condition that it is in the state that was read; False if it is not."""
        now = {"state": state, "queue": entries.queue(state, entry["id"]), "at": entries.now_text(), **values}
        arguments = entries.update(
            entries.entry_key(entry["id"]),
            now,
            remove=remove,
            append={"history": _event(now, event or state)},
            when=when,
            given=given or {"state": entry["state"]},
        )
        if state not in SETTLED and entry["state"] in SETTLED:
            with self._reopening:
                self.put_open([(entry["id"], entry["found"], entry["path"])])
                return self._table.update(arguments)
        changed = self._table.update(arguments)
        if changed and state in SETTLED:
            self._requests.delete(entries.todo_key(entry["id"], entry["found"]))
        return changed

    def note(self, entry: Entry, values: dict[str, Any], remove: Sequence[str] = ()) -> bool:
        """Add what was found out about an entry whose state stays."""
        when, given = "#state = :state", {"state": entry["state"]}
        return self._table.update(
            entries.update(entries.entry_key(entry["id"]), values, remove=remove, when=when, given=given)
        )

    def claim(self, attempt: str, request: str, wanted: Iterable[Entry], who: str) -> list[Entry]:
        """Mark pending entries as those of an attempt; those that were still pending, in their order."""

        def one(entry: Entry) -> bool:
            values = {"attempt": attempt, "request": request, "attempts": entry.get("attempts", 0) + 1, "who": who}
            given = {"state": PENDING, "attempts": entry.get("attempts", 0)}
            when = "#state = :state and #attempts = :attempts"
            return self.change(entry, IMPORTING, values, when=when, given=given)

        all_ = list(wanted)
        return [
            {**entry, "state": IMPORTING, "attempt": attempt, "attempts": entry.get("attempts", 0) + 1, "who": who}
            for entry, claimed in zip(all_, self.at_once(one, all_))  # noqa: B905 - Python 3.9
            if claimed
        ]

    def settle(
        self, entry: Entry, state: str, values: dict[str, Any], *, remove: Sequence[str] = (), event: str = ""
    ) -> bool:
        """End an attempt at an entry; False if it is no longer that attempt's."""
        if state != PENDING and entry.get("who") == WHO:
            self.announce(entry["id"], entry["attempt"])
        values = {**values, "settled_by": entry["attempt"]}
        when = "#state = :state and #attempt = :attempt"
        given = {"state": IMPORTING, "attempt": entry["attempt"]}
        settled = self.change(entry, state, values, remove=("attempt", *remove), when=when, given=given, event=event)
        if settled and state == IMPORTED and entry.get("who") == WHO:
            self.arrived += 1
        return settled

    def announce(self, id_: str, by: str) -> None:
        """Have people told of what an attempt or a scan (`by`, soon `settled_by`) is about to make of an entry.

        Before it is written: a worker that is killed in between must not leave a fileset that nobody hears of.
        """
        now = int(time.time())
        row = {"part": REPORT, "row": entries.report_row(id_, by), "at": now}
        self._requests.put({**row, "ends": now + KEPT_DAYS * 86400})

    def at_once(self, action: Callable[[T], R], values: Iterable[T]) -> list[R]:
        """Do it to all, several at a time; what they gave, in order."""
        return list(self._pool.map(action, values))


def is_under(path: bytes, under: bytes) -> bool:
    """Whether a path is a folder or file, or below it; anything is under nothing."""
    return not under or path == under or path.startswith(under.rstrip(b"/") + b"/")


def chunks(values: Iterable[T], number: int) -> Iterator[list[T]]:
    """Lists of `number` of them, and one of the rest."""
    some: list[T] = []
    for value in values:
        some.append(value)
        if len(some) == number:
            yield some
            some = []
    if some:
        yield some


def _event(values: dict[str, Any], what: str) -> str:
    """A line of the history: when, what, who, and why."""
    words = [values["at"], what]
    words += [f"{name} {values[name]}" for name in ("attempt", "fileset", "owner", "who", "reason") if values.get(name)]
    return ", ".join(words)

"""The one lease: who has it is the worker, and nobody else imports.

Clocks of two machines are never compared. A candidate watches the lease's token and beat for longer than it lasts, by
its own clock, and takes it if neither has changed. A holder that could not renew it in time ends its process, and its
supervisor ends what that has started: there is no point at which a revoked worker would have to ask.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from containers.supervisor.signing import AwsError

from . import entries
from .entries import LEASE, WORKER
from .table import Table

LEASE_SECONDS = 30.0
# Of a lease: how often it is renewed, when its holder gives up, and when a candidate takes it.
RENEWED, WATCHED, GIVEN_UP, TAKEN = 1 / 6, 1 / 60, 0.8, 1.2
LOST = 3
KEY = entries.row_key(WORKER, LEASE)


def clock() -> float:
    """Seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """`holder` outlives a worker: its supervisor's mark, which has ended all that an earlier worker of it has left."""

    def __init__(self, table: Table, *, holder: str, task: str) -> None:
        self._table = table
        self._holder = holder
        self._task = task
        self._token = uuid.uuid4().hex
        self._beat = 0
        self._kept = 0.0
        self._says: dict[str, Any] = {}
        self._ended = threading.Event()
        self._on_loss: Callable[[], None] = lambda: None
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._keep, self._watch)]

    def take(self, stop: threading.Event, *, wait: bool = True) -> bool:
        """Become the worker; False if `stop` came first, or if another one is there and `wait` is False."""
        seen: tuple[Any, ...] | None = None
        since = clock()
        while not stop.is_set():
            row = self._table.get(KEY)
            now = (row["token"], row["beat"]) if row else ()
            if now != seen:
                if seen is not None and not wait:
                    return False
                seen, since = now, clock()
            free = row is None or row["token"] == "" or row["holder"] == self._holder
            if (free or clock() - since > LEASE_SECONDS * TAKEN) and self._took(row):
                for each in self._threads:
                    each.start()
                return True
            stop.wait(LEASE_SECONDS * RENEWED / 2)
        return False

    def _took(self, row: dict[str, Any] | None) -> bool:
        begun = clock()
        values = {**self._values(), "since": entries.now_text()}
        if row is None:
            took = self._table.put_new({"part": WORKER, "row": LEASE, **values}, "part")
        else:
            given = {"token": row["token"], "beat": row["beat"]}
            when = "#token = :token and #beat = :beat"
            took = self._table.update(entries.update(KEY, values, when=when, given=given))
        self._kept = begun
        return took

    def _values(self) -> dict[str, Any]:
        self._beat += 1
        return {
            "token": self._token,
            "beat": self._beat,
            "holder": self._holder,
            "task": self._task,
            "says": json.dumps(self._says),
            "at": entries.now_text(),
        }

    def on_loss(self, action: Callable[[], None]) -> None:
        """Have something ended before the process is, when the lease is lost."""
        self._on_loss = action

    def say(self, **facts: Any) -> None:
        """Show it with the next beat."""
        self._says = facts

    def release(self) -> None:
        """Let the next one take it at once."""
        self._ended.set()
        for each in self._threads:
            each.join()
        gone = {"token": "", "beat": self._beat + 1, "at": entries.now_text()}
        self._table.update(entries.update(KEY, gone, when="#token = :token", given={"token": self._token}))

    def _keep(self) -> None:
        while not self._ended.wait(LEASE_SECONDS * RENEWED):
            begun = clock()
            try:
                arguments = entries.update(KEY, self._values(), when="#token = :token", given={"token": self._token})
                if not self._table.update(arguments, seconds=LEASE_SECONDS * RENEWED):
                    self._lost()
            except AwsError as error:
                sys.stderr.write(f"the lease was not renewed: {error}\n")
                continue
            self._kept = begun

    def _watch(self) -> None:
        """Beside the thread that renews, for an answer may take any time."""
        while not self._ended.wait(LEASE_SECONDS * WATCHED):
            if clock() - self._kept > LEASE_SECONDS * GIVEN_UP:
                self._lost()

    def _lost(self) -> None:
        sys.stderr.write("the lease has ended, and with it this worker\n")
        sys.stderr.flush()
        self._on_loss()
        os._exit(LOST)

"""A job: taken once, kept by a beat, given back with its result."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

from . import entries
from .entries import DONE, READY, RUNNING
from .table import Table, TableError


class JobError(Exception):
    """The job cannot be done; the message is one sentence for the operator."""


class Lost(Exception):
    """The job is somebody else's by now: nothing may be imported any more."""


class Job:
    """`work` is what to do; `ids` the filesets it is about."""

    def __init__(self, table: Table, key: str, batch: str) -> None:
        """Take the job.

        Raises:
            Lost: it is not there for this container, or no longer.
        """
        self._table = table
        self._key = key
        self.batch = batch
        item = table.get(key)
        if item is None:
            raise Lost("no such job")
        values = entries.plain(item)
        self.work: dict[str, Any] = json.loads(values.get("work", b"{}"))
        self.ids = entries.unpack(values.get("ids", b""))
        self._lease = float(self.work.get("lease_seconds", 120))
        self._said: dict[str, Any] = {}
        self._ended = threading.Event()
        self.lost = threading.Event()
        self._kept = time.monotonic()
        taken = table.update(
            entries.update(
                key,
                {"state": RUNNING, "started": entries.now_text(), **_place(), **self._beat()},
                when="#batch = :batch and #state = :state",
                given={"batch": batch, "state": READY},
            )
        )
        if not taken:
            raise Lost("the job was taken back, or is taken already")
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def progress(self, said: dict[str, Any]) -> None:
        """Show it with the next beat."""
        self._said = said

    def finish(self, result: dict[str, Any]) -> None:
        """Give the job back; `result` may carry `error`, a sentence."""
        self._ended.set()
        self._thread.join()
        values = {"state": DONE, "result": json.dumps(result), "ended": entries.now_text()}
        self._table.update(entries.update(self._key, values, when="#batch = :batch", given={"batch": self.batch}))

    def mine(self) -> None:
        """Raises Lost if the job is not ours for certain."""
        if self.lost.is_set():
            raise Lost("the lease has ended")

    def _beat(self) -> dict[str, Any]:
        now = time.time()
        return {"beat": int(now), "expires": int(now + self._lease), "progress": json.dumps(self._said)}

    def _keep(self) -> None:
        """Renew the lease; when that has not worked for as long as it lasts, the job is no longer ours."""
        while not self._ended.wait(self._lease / 6):
            try:
                kept = self._table.update(
                    entries.update(
                        self._key,
                        self._beat(),
                        when="#batch = :batch and #state = :state",
                        given={"batch": self.batch, "state": RUNNING},
                    )
                )
            except TableError as error:
                sys.stderr.write(f"the lease was not renewed: {error}\n")
                if time.monotonic() - self._kept < self._lease:
                    continue
                kept = False
            if not kept:
                self.lost.set()
                return
            self._kept = time.monotonic()


def _place() -> dict[str, str]:
    """The task that this runs in, if whoever started it said so: what runs says where, even if that one was killed."""
    task = os.environ.get("LEDGER_TASK")
    return {"task": task} if task else {}

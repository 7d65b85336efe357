"""One message about all that has become of arrivals since the last one.

Whatever an attempt or a scan of arrivals settles leaves a row (`Ledger.announce`), which goes when a message with it
was sent. Each is told of once, so that the counts of all messages add up to the ledger's. SNS knows no exactly-once: a
message is in the table before it is sent, and a worker that is killed before the answer is there leaves it to the next
one, which sends it again, word for word and with the same number. Twice is better than never.
"""

from __future__ import annotations

import http.client
import itertools
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from containers.supervisor.signing import AwsError

from . import entries
from .entries import FAILED, IMPORTED, INCOMPLETE, MESSAGE, REPORT
from .ledger import Entry, Ledger
from .messages import Message
from .table import Table

# Between messages, however little each has to say; and after so long one comes while imports go on.
SOONEST_SECONDS, LATEST_SECONDS = 900.0, 3600.0
# Between attempts to send one, from the first to the last.
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 60.0, 3600.0
# Of one message: 48 bytes of a row each (the digest, and who settled it), and a row has room for 400 KB.
FILESETS = 5000
BY_BYTES = 16
# For so long a row may be there before its entry is as it says; after that it never will.
EARLY_SECONDS = 3600
KEY = {"part": MESSAGE, "row": "last"}


class Reports:
    """Those of one workspace. `publish` sends a subject and a text to a topic, by its ARN."""

    def __init__(self, table: Table, ledger: Ledger, publish: Callable[[str, str, str], None]) -> None:
        self._table = table
        self._ledger = ledger
        self._publish = publish
        self._busy_since: float | None = None
        self._not_before, self._pause = 0.0, PAUSE_SECONDS

    def tell(self, settings: dict[str, Any], *, busy: bool, arriving: int) -> None:
        """Send a message if there is something to tell and it is time; `busy`: imports of arrivals go on."""
        now = time.monotonic()
        if not busy or self._busy_since is None:
            self._busy_since = now if busy else None
        if not settings.get("reports_topic") or now < self._not_before:
            return
        last = self._table.get(entries.row_key(**KEY)) or {}
        if "told" not in last:
            if busy and self._busy_since is not None and now - self._busy_since < LATEST_SECONDS:
                return
            if time.time() - last.get("sent", 0.0) < SOONEST_SECONDS:
                return
            last = self._next(settings, arriving)
            if not last:
                return
            self._table.put(last)
        self._finish(settings["reports_topic"], last)

    def _finish(self, topic: str, message: dict[str, Any]) -> None:
        """Send one that is in the table, unless it was sent already, and forget what it tells of."""
        if "sent" not in message:
            try:
                self._publish(topic, message["subject"], message["text"])
            except (AwsError, OSError, http.client.HTTPException) as fault:
                sys.stderr.write(f"a message about arrivals waits, and is sent again later: {fault}\n")
                self._not_before = time.monotonic() + self._pause
                self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
                return
            self._pause = PAUSE_SECONDS
            message = {**message, "sent": time.time()}
            self._table.put(message)
        self._table.write_all(deletes=[entries.row_key(REPORT, row) for row in _unpacked(message["told"])])
        self._table.put({**KEY, "sent": message["sent"]})
        if self._busy_since is not None:
            self._busy_since = time.monotonic()

    def _next(self, settings: dict[str, Any], arriving: int) -> dict[str, Any]:
        """The message about what was settled since the last one; none if nothing was."""
        rows = {str(each["row"]): each["at"] for each in itertools.islice(self._table.rows(REPORT), FILESETS)}
        found = self._ledger.get_all({"fileset#" + row.partition("#")[0] for row in rows})
        settled: list[Entry] = []
        told, old = [], []
        for row, at in rows.items():
            id_, _, by = row.partition("#")
            entry = found.get("fileset#" + id_, {})
            if entry.get("settled_by") == by and entry["state"] in (IMPORTED, FAILED, INCOMPLETE):
                settled.append(entry)
                told.append(row)
            elif time.time() - at > EARLY_SECONDS:  # a later one tells of it, or a person has retried or dismissed it
                old.append(entries.row_key(REPORT, row))
        self._table.write_all(deletes=old)
        if not settled:
            return {}
        number = f"{entries.now_text()}-{uuid.uuid4().hex[:6]}"
        message = Message(number, settled, arriving, settings)
        return {**KEY, "subject": message.subject, "text": message.text, "told": _packed(told)}


def _packed(rows: Iterable[str]) -> bytes:
    return b"".join(bytes.fromhex(row.replace("#", "")) for row in rows)


def _unpacked(packed: bytes) -> list[str]:
    size = entries.DIGEST + BY_BYTES
    some = (packed[at : at + size] for at in range(0, len(packed), size))
    return [each[: entries.DIGEST].hex() + "#" + each[entries.DIGEST :].hex() for each in some]

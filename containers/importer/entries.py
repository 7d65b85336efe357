"""What both sides know of the two tables: keys, states, and the names of attributes.

The ledger's item is a fileset: `id` (`fileset#` and the SHA-256 of the path of its main file), `queue` (its state and a
part of the id: the key of the index, in 16 parts so that none gets hot), `found` (the scan's time and the place in it:
entries are imported in the order of folders), `path` (bytes: a name in Linux need not be text), `files`, `size` (bytes
of all), `print` (of sizes and times: another one is another content), `together` (entries that may be one fileset of
OMERO's are imported by one importer), `checksum` if it was asked for; `state`, `attempts`, `attempt` (the one that has
it), `reason`, `log`, `fileset`, `images`, `owner` (the one that OMERO has), `dataset` (its id) and `dataset_name` as
OMERO had them last, `settled_by` (the last attempt, or scan of arrivals, that ended), `note`, `who`, `at`, `write` (the
token of the last change), `since` (when it became pending, in seconds since 1970) and `history`, which only grows.

What the other table has is described in docs/adr/0015-imports-beside-the-server.md.
"""

from __future__ import annotations

import calendar
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Item = dict[str, Any]

PENDING, IMPORTING, IMPORTED, FAILED = "pending", "importing", "imported", "failed"
INCOMPLETE, DISMISSED = "incomplete", "dismissed"
STATES = (PENDING, IMPORTING, IMPORTED, FAILED, INCOMPLETE, DISMISSED)
# What is done with: everything else has a row in the list of what is to be done.
SETTLED = (IMPORTED, DISMISSED)
SHARDS = "0123456789abcdef"
# The ledger's index: entries by their state, in the order in which they were found.
INDEX = "by_state"

# Who asks for what nobody asks for.
WHO = "arrivals"

# Parts of the table of requests.
REQUEST, ENDED, CONTROL, WORKER, ATTEMPT, TODO = "request", "ended", "control", "worker", "attempt", "todo"
ARRIVALS, REPORT, MESSAGE = "arrivals", "report", "message"
LEASE, PAUSE, PAUSE_ARRIVALS, CANCEL = "lease", "pause", "pause-arrivals", "cancel#"
# States of a request.
WAITING, RUNNING, DONE, CANCELLED = "waiting", "running", "done", "cancelled"

DIGEST = 32


def fileset_id(path: bytes) -> str:
    """The key of the fileset whose main file is at `path`."""
    return "fileset#" + hashlib.sha256(path).hexdigest()


def shard(id_: str) -> str:
    """The part of a list in which an entry is."""
    return id_[len("fileset#")]


def queue(state: str, id_: str) -> str:
    """The part of the index in which an entry is found by its state."""
    return state + "#" + shard(id_)


def todo_key(id_: str, found: str) -> dict[str, Any]:
    """The key of an entry in the list of what is to be done."""
    return row_key(TODO + "#" + shard(id_), found + "#" + id_[len("fileset#") :])


def todo_id(row: str) -> str:
    """The entry that a row of that list is about."""
    return "fileset#" + row.rpartition("#")[2]


def report_row(id_: str, by: str) -> str:
    """The row that says that an attempt or a scan has settled an entry, of which no message was sent yet."""
    return id_[len("fileset#") :] + "#" + by


def row_key(part: str, row: str) -> dict[str, Any]:
    """The key of a row of the table of requests."""
    return {"part": {"S": part}, "row": {"S": row}}


def entry_key(id_: str) -> dict[str, Any]:
    """The key of an entry of the ledger."""
    return {"id": {"S": id_}}


def pack(ids: Iterable[str]) -> bytes:
    """Keys as an attempt has them: 10,000 fit into an item (400 KB at most)."""
    return b"".join(bytes.fromhex(id_[len("fileset#") :]) for id_ in ids)


def unpack(packed: bytes) -> list[str]:
    """The keys of `pack`."""
    return ["fileset#" + packed[at : at + DIGEST].hex() for at in range(0, len(packed), DIGEST)]


def ranges(numbers: Iterable[int]) -> str:
    """Image ids as text, `101-104,110`: a plate has thousands."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def numbers(text: str) -> Iterator[int]:
    """The ids of `ranges`."""
    for part in text.split(",") if text else []:
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def within(dataset: tuple[int, str] | None) -> dict[str, Any]:
    """The attributes that say in which dataset the images are; none where they are in none."""
    return {"dataset": dataset[0], "dataset_name": dataset[1]} if dataset else {}


def now_text(seconds: float | None = None) -> str:
    """A moment as ISO 8601 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def moment(text: str) -> int:
    """Seconds since 1970 of a text of `now_text`."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def shown(path: bytes) -> str:
    """A path for people: on one line, nothing that a terminal would obey, nothing lost."""
    return shown_text(os.fsdecode(path))


def shown_text(text: str) -> str:
    """A text that a stranger may have given, as `shown` has a path."""
    return text if text.isprintable() else json.dumps(text)


def wire(values: dict[str, Any]) -> Item:
    """Values as DynamoDB's API has them, with bytes as they are; None is left out."""
    return {name: _typed(value) for name, value in values.items() if value is not None}


def _typed(value: Any) -> dict[str, Any]:
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, (int, float)):
        return {"N": str(value)}
    if isinstance(value, list):
        return {"L": [_typed(each) for each in value]}
    return {"S": value}


def plain(item: Item) -> dict[str, Any]:
    """The values of an item; numbers are whole, but for times."""
    return {name: _plain(typed) for name, typed in item.items()}


def _plain(typed: dict[str, Any]) -> Any:
    ((kind, value),) = typed.items()
    if kind == "N":
        return float(value) if "." in value else int(value)
    return [_plain(each) for each in value] if kind == "L" else value


def update(
    key: dict[str, Any],
    set_: dict[str, Any],
    *,
    remove: Sequence[str] = (),
    append: dict[str, str] | None = None,
    when: str = "",
    given: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The arguments of an UpdateItem: `when` is its condition over `#name` and `:name`, with the values of `given`;
    `append` adds a text to a list."""
    more = append or {}
    names = {"#" + name: name for name in (*set_, *more, *remove)}
    parts = ["#" + name + " = :new_" + name for name in set_]
    parts += [f"#{name} = list_append(if_not_exists(#{name}, :none), :more_{name})" for name in more]
    text = "SET " + ", ".join(parts) if parts else ""
    if remove:
        text += " REMOVE " + ", ".join("#" + name for name in remove)
    values = {":new_" + name: _typed(value) for name, value in set_.items()}
    values.update({":more_" + name: _typed([value]) for name, value in more.items()})
    values.update({":none": _typed([])} if more else {})
    values.update({":" + name: _typed(value) for name, value in (given or {}).items()})
    for word in when.replace("(", " ").replace(")", " ").replace(",", " ").split():
        if word.startswith("#"):
            names[word] = word[1:]
    arguments: dict[str, Any] = {"Key": key, "UpdateExpression": text.strip(), "ExpressionAttributeNames": names}
    if values:
        arguments["ExpressionAttributeValues"] = values
    if when:
        arguments["ConditionExpression"] = when
    return arguments

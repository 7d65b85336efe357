"""What both sides know of the ledger's items: their keys, their states, the names of their attributes.

A fileset's item: `id` (`fileset#` and the SHA-256 of the path of its main file), `queue` (its state and a part of the
id: the key of the index, in 16 parts so that none gets hot), `found` (the scan's time and the place in it: entries are
imported in the order of folders), `path` (bytes: a name in Linux need not be text), `files`, `size` (bytes of all),
`print` (of sizes and times: another one is another content), `together` (entries that may be one fileset of OMERO's are
imported by one importer), `checksum` if it was asked for; `state`, `attempts`, `batch`, `reason`, `log`, `fileset`,
`images`, `who`, `user`, `at`.

A job's item: `id` (`slot#NN` of an import or a verification, `job#...` of a scan or a check), `batch` (the token of the
one run of a container that may do it), `state`, `expires` (seconds since 1970), `beat`, `work` (JSON) and `ids` (the
digests of the filesets, 32 bytes each), `progress` and `result` (JSON).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Item = dict[str, Any]

PENDING, IMPORTING, IMPORTED, FAILED = "pending", "importing", "imported", "failed"
STATES = (PENDING, IMPORTING, IMPORTED, FAILED)
SHARDS = "0123456789abcdef"

# Of a job. `claimed`: its filesets are not all marked yet; `ready`: a container may take it.
CLAIMED, READY, RUNNING, DONE = "claimed", "ready", "running", "done"

DIGEST = 32


def fileset_id(path: bytes) -> str:
    """The key of the fileset whose main file is at `path`."""
    return "fileset#" + hashlib.sha256(path).hexdigest()


def queue(state: str, id_: str) -> str:
    """The part of the index in which an entry is found by its state."""
    return state + "#" + id_[len("fileset#")]


def pack(ids: Iterable[str]) -> bytes:
    """Keys as `ids` of a job has them: 10,000 fit into an item (400 KB at most)."""
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


def now_text(seconds: float | None = None) -> str:
    """A moment as ISO 8601 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def shown(path: bytes) -> str:
    """A path for people: on one line, nothing that a terminal would obey, nothing lost."""
    text = os.fsdecode(path)
    if text.isprintable():
        return text
    return json.dumps(text)


def wire(values: dict[str, Any]) -> Item:
    """Values as DynamoDB's API has them, with bytes as they are; None is left out."""
    return {name: _typed(value) for name, value in values.items() if value is not None}


def _typed(value: Any) -> dict[str, Any]:
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, (int, float)):
        return {"N": str(value)}
    return {"S": value}


def plain(item: Item) -> dict[str, Any]:
    """The values of an item; numbers are whole, but for times."""
    values: dict[str, Any] = {}
    for name, typed in item.items():
        ((kind, value),) = typed.items()
        values[name] = (float(value) if "." in value else int(value)) if kind == "N" else value
    return values


def update(
    key: str, set_: dict[str, Any], *, remove: Sequence[str] = (), when: str = "", given: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The arguments of an UpdateItem: `when` is its condition over `#name` and `:name`, with the values of `given`."""
    names = {"#" + name: name for name in (*set_, *remove)}
    parts = []
    if set_:
        parts.append("SET " + ", ".join("#" + name + " = :new_" + name for name in set_))
    if remove:
        parts.append("REMOVE " + ", ".join("#" + name for name in remove))
    values = {":new_" + name: _typed(value) for name, value in set_.items()}
    values.update({":" + name: _typed(value) for name, value in (given or {}).items()})
    for word in when.replace("(", " ").replace(")", " ").replace(",", " ").split():
        if word.startswith("#"):
            names[word] = word[1:]
    arguments: dict[str, Any] = {
        "Key": {"id": {"S": key}},
        "UpdateExpression": " ".join(parts),
        "ExpressionAttributeNames": names,
    }
    if values:
        arguments["ExpressionAttributeValues"] = values
    if when:
        arguments["ConditionExpression"] = when
    return arguments

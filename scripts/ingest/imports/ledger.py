"""The ledger of imports, as people read it; only the worker writes to it.

`containers.importer.entries` describes the items.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from containers.importer import entries
from containers.importer.entries import INDEX, SHARDS
from containers.importer.ledger import is_under
from scripts import aws


# Not frozen: a million of them are made three times as fast, and nobody changes one.
@dataclass(slots=True, kw_only=True)
class Entry:
    """A fileset. `size` in bytes; `images` as ranges of ids, `count` of them; `owner` is who has it in OMERO, `dataset`
    the id of where it was when OMERO was last asked: after its import, and at each `verify`."""

    id: str
    path: bytes
    state: str
    size: int = 0
    files: int = 1
    attempts: int = 0
    together: str = ""
    found: str = ""
    reason: str = ""
    log: str = ""
    checksum: str = ""
    fileset: int | None = None
    images: str = ""
    count: int = 0
    owner: str = ""
    dataset: int | None = None
    dataset_name: str = ""
    note: str = ""
    who: str = ""
    at: str = ""
    imported_at: str = ""
    verified_at: str = ""
    differs: str = ""
    changed: str = ""
    history: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, item: Mapping[str, Mapping[str, Any]]) -> Entry:
        """An item as DynamoDB's API has it; attributes of later versions of this program are passed over."""
        known = {name: typed for name, typed in item.items() if name in _FIELDS}
        return cls(**entries.plain(known))


_FIELDS = frozenset(Entry.__dataclass_fields__)


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

    def get(self, path: bytes) -> Entry | None:
        """The fileset whose main file is at `path`, as it is now."""
        key = entries.entry_key(entries.fileset_id(path))
        item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return Entry.of(item) if item else None

    def entries(self, *states: str, under: bytes = b"") -> Iterator[Entry]:
        """All in these states in the order in which they were found; read by pages while it is used.

        The index is a moment behind: what was changed just now may come in its former state, or twice.
        """
        return map(Entry.of, self._items(states or entries.STATES, under))

    def raw(self, *states: str, under: bytes = b"") -> Iterator[dict[str, Any]]:
        """As `entries`, with the values that the worker reads."""
        return map(entries.plain, self._items(states, under))

    def _items(self, states: Iterable[str], under: bytes) -> Iterator[dict[str, Any]]:
        pages = [self._shard(state, shard) for state in states for shard in SHARDS]
        for item in heapq.merge(*pages, key=lambda item: str(item["found"]["S"])):
            if is_under(item["path"]["B"], under):
                yield item

    def _shard(self, state: str, shard: str) -> Iterator[dict[str, Any]]:
        asked = {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": "#queue = :queue",
            "ExpressionAttributeNames": {"#queue": "queue"},
            "ExpressionAttributeValues": {":queue": {"S": f"{state}#{shard}"}},
        }
        return aws.rows(self._client, "query", "Items", **asked)

    def count(self, *states: str, under: bytes = b"") -> int:
        """How many filesets are in any of these states."""
        return sum(1 for _ in self.entries(*states, under=under))

    def totals(self, under: bytes = b"", *states: str) -> dict[str, Total]:
        """How many there are in each of these states, by default in all."""
        asked = states or entries.STATES
        found = {state: Total() for state in asked}
        for entry in self.entries(*asked, under=under):
            found[entry.state].add(entry)
        return found

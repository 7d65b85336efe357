"""DynamoDB: indexes and reads that lag behind the writes, and UpdateTable's encryption.

moto 5.2.5 ignores UpdateTable's encryption, sorts a whole table for each query, and shows every write at once,
everywhere. In DynamoDB a global secondary
index follows its table by itself, "within a fraction of a second, under normal conditions", and a query of it may miss
what was just written (Developer Guide, "Using Global Secondary Indexes", "Data synchronization"). A read of the table
that does not ask for ConsistentRead "might not reflect the results of a recently completed write" ("Read consistency").

A global index shows the table as it was LOCAL_AWS_DYNAMODB_INDEX_SECONDS (0.3) ago, and a read that is not consistent
as it was LOCAL_AWS_DYNAMODB_READ_SECONDS (0) ago: always, where AWS does so now and then, so that who believes such a
read is found out. Streams and PartiQL show what there is.
"""

from __future__ import annotations

import copy
import inspect
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from moto.dynamodb.models import DynamoDBBackend, Table
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.responses import DynamoHandler

from local_aws import actions, clock

Json = dict[str, Any]
INDEX_SECONDS = clock.seconds("LOCAL_AWS_DYNAMODB_INDEX_SECONDS", 0.3)
READ_SECONDS = clock.seconds("LOCAL_AWS_DYNAMODB_READ_SECONDS", 0)

# Those of the request at hand that it reads by key, and does not ask for a consistent read of.
_eventually: ContextVar[frozenset[str]] = ContextVar("eventually", default=frozenset())
_noting = threading.Lock()
# The parameters of moto's methods.
_QUERY, _SCAN = (list(inspect.signature(each).parameters)[1:] for each in (Table.query, Table.scan))


def update_table(backend: Any, asked: Json, moto: actions.Moto) -> Json:
    wanted = asked.get("SSESpecification")
    if wanted is not None:
        table = backend.get_table(asked["TableName"])
        key = wanted.get("KMSMasterKeyId") or table._get_default_encryption_key(backend.account_id, backend.region_name)
        table.sse_specification = {**wanted, "KMSMasterKeyId": key} if wanted.get("Enabled") else None
    return moto()


def install() -> None:
    """Put the action into moto's DynamoDB, and have its tables remember what they were."""
    actions.wrap(DynamoHandler, "dynamodb_backend", {"UpdateTable": update_table})
    _remember()
    _lag()


def _remember() -> None:
    put, delete, update = Table.put_item, Table.delete_item, DynamoDBBackend.update_item

    def put_item(self: Any, item_attrs: Json, *arguments: Any, **named: Any) -> Any:
        before = _present(self, item_attrs)
        item = put(self, item_attrs, *arguments, **named)
        _note(self, item, before)
        return item

    def delete_item(self: Any, hash_key: Any, range_key: Any) -> Any:
        item = delete(self, hash_key, range_key)
        if item is not None:
            _note(self, item, item)
        return item

    def update_item(self: Any, table_name: str, key: Json, *arguments: Any, **named: Any) -> Any:
        # moto changes the item where it lies, once it has put a new one there.
        table = self.get_table(table_name)
        before = copy.deepcopy(_present(table, key))
        item = update(self, table_name, key, *arguments, **named)
        if before is not None:
            _note(table, item, before)
        return item

    Table.put_item = put_item
    Table.delete_item = delete_item
    DynamoDBBackend.update_item = update_item


def _present(table: Any, key: Json) -> Any:
    names = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
    if not all(name in key for name in names):
        return None  # which is refused
    return table.get_item(*(DynamoType(key[name]) for name in names))


def _note(table: Any, item: Any, before: Any) -> None:
    """Keep what was there before a change, for as long as somebody may still see it."""
    now = time.time()
    with _noting:
        kept = [change for change in _changes(table) if change[0] > now - max(INDEX_SECONDS, READ_SECONDS)]
        table._local_changes = [*kept, (now, item.hash_key, item.range_key, before)]


def _changes(table: Any) -> list[tuple[float, Any, Any, Any]]:
    return list(getattr(table, "_local_changes", ()))


def _as_it_was(table: Any, seconds: float) -> Any:
    """The table as it was that long ago; itself if nothing has changed since."""
    since = time.time() - seconds
    changes = [change for change in _changes(table) if change[0] > since]
    if not seconds or not changes:
        return table
    former = copy.copy(table)
    former.items = dict(table.items)
    for _, hash_key, range_key, before in reversed(changes):
        if table.has_range_key:
            rows = former.items[hash_key] = dict(former.items.get(hash_key) or {})
            _put(rows, range_key, before)
        else:
            _put(former.items, hash_key, before)
    return former


def _partition(table: Any, asked: Json) -> Any:
    """The items with the partition key of a query: moto sorts all that there is before it looks for them."""
    part = copy.copy(table)
    if not asked.get("index_name"):
        key = asked["hash_key"]
        part.items = {key: table.items[key]} if key in table.items else {}
        return part
    wanted = asked.get("hash_key_conditions") or ()

    def is_of_it(item: Any) -> bool:
        return all(name in item.attrs and item.attrs[name] == value for name, value in wanted)

    if table.has_range_key:
        parts = {
            key: {at: each for at, each in list(rows.items()) if is_of_it(each)}
            for key, rows in list(table.items.items())
        }
        part.items = {key: rows for key, rows in parts.items() if rows}
    else:
        part.items = {key: each for key, each in list(table.items.items()) if is_of_it(each)}
    return part


def _put(rows: dict[Any, Any], key: Any, item: Any) -> None:
    if item is None:
        rows.pop(key, None)
    else:
        rows[key] = item


def _lag() -> None:
    query, scan = Table.query, Table.scan
    get, batch, read = DynamoHandler.get_item, DynamoHandler.batch_get_item, DynamoDBBackend.get_item

    def as_seen(table: Any, index: str | None, consistent: bool) -> Any:
        if any(each.name == index for each in table.global_indexes or []):
            return _as_it_was(table, INDEX_SECONDS)
        return table if consistent else _as_it_was(table, READ_SECONDS)

    def query_table(self: Any, *arguments: Any, **named: Any) -> Any:
        asked = dict(zip(_QUERY, arguments, strict=False)) | named
        seen = as_seen(self, asked.get("index_name"), bool(asked.get("consistent_read")))
        return query(_partition(seen, asked), *arguments, **named)

    def scan_table(self: Any, *arguments: Any, **named: Any) -> Any:
        asked = dict(zip(_SCAN, arguments, strict=False)) | named
        seen = as_seen(self, asked.get("index_name"), bool(asked.get("consistent_read")))
        return scan(seen, *arguments, **named)

    def get_item(self: Any) -> Any:
        tables = () if self.body.get("ConsistentRead") else (self.body["TableName"],)
        with _reading(tables):
            return get(self)

    def batch_get_item(self: Any) -> Any:
        requests = self.body["RequestItems"]
        with _reading(name for name, each in requests.items() if not each.get("ConsistentRead")):
            return batch(self)

    def read_item(self: Any, table_name: str, keys: Json, projection_expressions: Any = None) -> Any:
        if table_name not in _eventually.get():
            return read(self, table_name, keys, projection_expressions)
        table = _as_it_was(self.get_table(table_name), READ_SECONDS)
        return table.get_item(*self.get_keys_value(table, keys), projection_expressions)

    Table.query = query_table
    Table.scan = scan_table
    DynamoHandler.get_item = get_item
    DynamoHandler.batch_get_item = batch_get_item
    DynamoDBBackend.get_item = read_item


@contextmanager
def _reading(tables: Iterable[str]) -> Iterator[None]:
    token = _eventually.set(frozenset(tables))
    try:
        yield
    finally:
        _eventually.reset(token)

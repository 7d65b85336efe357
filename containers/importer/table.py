"""A table of DynamoDB's, spoken to until it answers; an answer that is lost does no harm.

DynamoDB may have done what it did not come to confirm, and a conditional change that is repeated then fails although it
succeeded. So each change carries a token of its own: who finds it in the item that failed the condition has made it.
"""

from __future__ import annotations

import http.client
import random
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from containers.supervisor.signing import Aws, AwsError

from . import entries
from .entries import Item

TARGET = "DynamoDB_20120810."
# Of one call, with all its repetitions. Imports last hours: they should not be lost to minutes of throttling.
PATIENCE_SECONDS = 600.0
# Of one answer. DynamoDB gives it in milliseconds; a connection that hangs is better made anew.
ANSWER_SECONDS = 10.0
# Keys of one BatchGetItem, requests of one BatchWriteItem (API reference).
READ_AT_ONCE, WRITTEN_AT_ONCE = 100, 25
TOKEN = "write"  # noqa: S105 - the name of an attribute
PASSING = (
    "ExpiredTokenException",
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionInProgressException",
    "UnrecognizedClientException",
)


class Table:
    """One table. Safe for several threads."""

    def __init__(self, aws: Aws, name: str) -> None:
        self.name = name
        self._aws = aws

    def get(self, key: Item) -> dict[str, Any] | None:
        """The values of an item as they are now."""
        found = self._call("GetItem", {"Key": key, "ConsistentRead": True}).get("Item")
        return entries.plain(found) if found else None

    def get_all(self, keys: Iterable[Item]) -> Iterator[dict[str, Any]]:
        """The values of those items that there are, in any order."""
        left = list(keys)
        while left:
            some, left = left[:READ_AT_ONCE], left[READ_AT_ONCE:]
            asked = {self.name: {"Keys": some, "ConsistentRead": True}}
            answer = self._call("BatchGetItem", {"RequestItems": asked}, own=False)
            yield from map(entries.plain, answer["Responses"].get(self.name, ()))
            unread = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            if len(unread) == len(some):
                time.sleep(random.uniform(0.05, 0.5))  # noqa: S311
            left = unread + left

    def rows(self, part: str) -> Iterator[dict[str, Any]]:
        """The rows of a part in their order, as they are now; read by pages while they are used."""
        asked: dict[str, Any] = {
            "ConsistentRead": True,
            "KeyConditionExpression": "#part = :part",
            "ExpressionAttributeNames": {"#part": "part"},
            "ExpressionAttributeValues": {":part": {"S": part}},
        }
        return self._pages(asked)

    def indexed(self, index: str, name: str, value: str) -> Iterator[dict[str, Any]]:
        """The items of an index whose key is `value`; an index lags behind its table."""
        asked: dict[str, Any] = {
            "IndexName": index,
            "KeyConditionExpression": "#name = :value",
            "ExpressionAttributeNames": {"#name": name},
            "ExpressionAttributeValues": {":value": {"S": value}},
        }
        return self._pages(asked)

    def _pages(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        while True:
            page = self._call("Query", asked)
            yield from map(entries.plain, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            asked = {**asked, "ExclusiveStartKey": page["LastEvaluatedKey"]}

    def put(self, values: dict[str, Any]) -> None:
        """Put an item, over one of its key."""
        self._call("PutItem", {"Item": entries.wire(values)})

    def put_new(self, values: dict[str, Any], key: str) -> bool:
        """Put an item where there is none; False if there is one. `key` is the name of an attribute of the key."""
        token = uuid.uuid4().hex
        item = entries.wire({**values, TOKEN: token})
        arguments = {"Item": item, "ConditionExpression": f"attribute_not_exists({key})"}
        return self._changed("PutItem", arguments, token)

    def update(self, arguments: dict[str, Any], *, seconds: float = PATIENCE_SECONDS) -> bool:
        """UpdateItem by `entries.update`; False if its condition is not met."""
        token = uuid.uuid4().hex
        names = {**arguments["ExpressionAttributeNames"], "#" + TOKEN: TOKEN}
        values = {**arguments.get("ExpressionAttributeValues", {}), ":own_token": {"S": token}}
        text = arguments["UpdateExpression"]
        joined = text.replace("SET ", f"SET #{TOKEN} = :own_token, ", 1)
        if joined == text:
            joined = f"SET #{TOKEN} = :own_token {text}"
        whole = {**arguments, "ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
        return self._changed("UpdateItem", {**whole, "UpdateExpression": joined}, token, seconds=seconds)

    def delete(self, key: Item) -> None:
        """Remove an item, or find it gone."""
        self._call("DeleteItem", {"Key": key})

    def write_all(self, puts: Sequence[dict[str, Any]] = (), deletes: Sequence[Item] = ()) -> None:
        """Put and delete many, in any order and without a condition."""
        left: list[dict[str, Any]] = [{"PutRequest": {"Item": entries.wire(each)}} for each in puts]
        left += [{"DeleteRequest": {"Key": key}} for key in deletes]
        while left:
            some, left = left[:WRITTEN_AT_ONCE], left[WRITTEN_AT_ONCE:]
            answer = self._call("BatchWriteItem", {"RequestItems": {self.name: some}}, own=False)
            undone = answer.get("UnprocessedItems", {}).get(self.name, [])
            if undone:
                time.sleep(random.uniform(0.05, 0.5))  # noqa: S311
            left = undone + left

    def _changed(
        self, action: str, arguments: dict[str, Any], token: str, *, seconds: float = PATIENCE_SECONDS
    ) -> bool:
        whole = {**arguments, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        try:
            self._call(action, whole, seconds=seconds)
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            found: dict[str, str] = error.said.get("Item", {}).get(TOKEN, {})
            return found.get("S") == token
        return True

    def _call(
        self, action: str, arguments: dict[str, Any], *, own: bool = True, seconds: float = PATIENCE_SECONDS
    ) -> dict[str, Any]:
        """Ask until DynamoDB answers; what does not pass by itself is raised."""
        whole = {"TableName": self.name, **arguments} if own else arguments
        end = time.monotonic() + seconds
        pause = 0.1
        while True:
            try:
                return self._aws.call("dynamodb", TARGET + action, whole, seconds=min(ANSWER_SECONDS, seconds))
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() > end:
                    raise AwsError("Unreachable", f"{action}: {error}") from error
            except AwsError as error:
                if error.code not in PASSING or time.monotonic() > end:
                    raise
            time.sleep(random.uniform(0, pause))  # noqa: S311 - full jitter, no secret
            pause = min(pause * 2, 20)

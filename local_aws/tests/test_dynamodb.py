"""DynamoDB: what an index, and a read that is not consistent, do not show yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local_aws.install import install
from local_aws.services import dynamodb

install()


@pytest.fixture(scope="module")
def _aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def api(_aws: None, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """A client, and what time it is for the tables: `api.clock[0]` may be moved on."""
    clock = [1000.0]
    monkeypatch.setattr("local_aws.services.dynamodb.time.time", lambda: clock[0])
    monkeypatch.setattr(dynamodb, "INDEX_SECONDS", 2)
    monkeypatch.setattr(dynamodb, "READ_SECONDS", 1)
    client: Any = boto3.client(
        "dynamodb", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    client.clock = clock
    return client


def _table(api: Any, name: str, *, sorted_by: str = "", **more: Any) -> None:
    names = ["id", "state", *([sorted_by] if sorted_by else [])]
    keys = [("id", "HASH"), *([(sorted_by, "RANGE")] if sorted_by else [])]
    api.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": each, "KeyType": kind} for each, kind in keys],
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in names],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_state",
                "KeySchema": [{"AttributeName": "state", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        **more,
    )


def _of(api: Any, table: str, state: str) -> list[str]:
    answer = api.query(
        TableName=table,
        IndexName="by_state",
        KeyConditionExpression="#state = :state",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": state}},
    )
    return sorted(item["id"]["S"] for item in answer["Items"])


def _in_index(api: Any, table: str) -> int:
    return int(api.scan(TableName=table, IndexName="by_state")["Count"])


@pytest.mark.parametrize("sorted_by", ["", "at"])
def test_an_index_is_behind_its_table(api: Any, sorted_by: str) -> None:
    name = f"t-{sorted_by}"
    _table(api, name, sorted_by=sorted_by)
    more = {sorted_by: {"S": "1"}} if sorted_by else {}
    key = {"id": {"S": "a"}, **more}
    api.put_item(TableName=name, Item={**key, "state": {"S": "new"}})
    assert (_of(api, name, "new"), _in_index(api, name)) == ([], 0)
    assert api.scan(TableName=name, ConsistentRead=True)["Count"] == 1
    api.clock[0] += 2
    assert (_of(api, name, "new"), _in_index(api, name)) == (["a"], 1)
    for state in ("busy", "done"):
        api.update_item(
            TableName=name,
            Key=key,
            UpdateExpression="SET #state = :state",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":state": {"S": state}},
        )
    assert (_of(api, name, "new"), _of(api, name, "busy"), _of(api, name, "done")) == (["a"], [], [])
    api.clock[0] += 2
    assert (_of(api, name, "new"), _of(api, name, "done")) == ([], ["a"])
    api.delete_item(TableName=name, Key=key)
    assert _of(api, name, "done") == ["a"]
    api.clock[0] += 2
    assert (_of(api, name, "done"), _in_index(api, name)) == ([], 0)


def test_a_read_that_is_not_consistent_is_behind(api: Any) -> None:
    _table(api, "reads")
    key = {"id": {"S": "a"}}
    batch = {"reads": {"Keys": [key]}}
    api.put_item(TableName="reads", Item={**key, "state": {"S": "new"}})
    assert "Item" not in api.get_item(TableName="reads", Key=key)
    assert "Item" in api.get_item(TableName="reads", Key=key, ConsistentRead=True)
    assert api.batch_get_item(RequestItems=batch)["Responses"]["reads"] == []
    consistent = {"reads": {"Keys": [key], "ConsistentRead": True}}
    assert len(api.batch_get_item(RequestItems=consistent)["Responses"]["reads"]) == 1
    assert api.scan(TableName="reads")["Count"] == 0
    with pytest.raises(api.exceptions.ConditionalCheckFailedException):  # conditions look at what there is
        api.put_item(TableName="reads", Item=key, ConditionExpression="attribute_not_exists(id)")
    api.clock[0] += 1
    assert "Item" in api.get_item(TableName="reads", Key=key)
    assert api.scan(TableName="reads")["Count"] == 1


def test_a_protected_table_is_not_deleted(api: Any) -> None:
    _table(api, "kept", DeletionProtectionEnabled=True)
    with pytest.raises(ClientError) as raised:
        api.delete_table(TableName="kept")
    assert raised.value.response["Error"]["Code"] == "ValidationException"
    assert "DeletionProtectionEnabled is set to True" in str(raised.value)
    api.update_table(TableName="kept", DeletionProtectionEnabled=False)
    api.delete_table(TableName="kept")


@pytest.mark.parametrize("sorted_by", ["", "at"])
def test_a_query_gives_its_partition_whole_in_order_and_by_pages(api: Any, sorted_by: str) -> None:
    name = f"parts-{sorted_by}"
    _table(api, name, sorted_by=sorted_by)
    for number in range(40):
        key = {"id": {"S": f"{number % 4 if sorted_by else number}"}}
        at = {sorted_by: {"S": f"{97 * number % 41:02}"}} if sorted_by else {}
        api.put_item(TableName=name, Item={**key, **at, **({"state": {"S": f"{number % 3}"}} if number % 5 else {})})
    api.clock[0] += 2
    rows = api.scan(TableName=name, ConsistentRead=True)["Items"]

    def queried(attribute: str, value: str, **more: Any) -> list[Any]:
        pages = api.get_paginator("query").paginate(
            TableName=name,
            KeyConditionExpression="#name = :value",
            ExpressionAttributeNames={"#name": attribute},
            ExpressionAttributeValues={":value": {"S": value}},
            PaginationConfig={"PageSize": 3},
            **more,
        )
        return [item for page in pages for item in page["Items"]]

    for value in ("0", "1", "2", "9", "x"):
        wanted = [row for row in rows if row["id"]["S"] == value]
        assert queried("id", value) == sorted(wanted, key=lambda row: row.get("at", {}).get("S", ""))
        indexed = [row for row in rows if row.get("state") == {"S": value}]
        assert sorted(map(str, queried("state", value, IndexName="by_state"))) == sorted(map(str, indexed))

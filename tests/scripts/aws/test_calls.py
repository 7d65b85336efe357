"""What every caller of boto3 shares: listings, retries, tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from scripts import aws
from scripts.aws import calls


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(calls, "LONGEST_PAUSE", 0.001)


def client(service: str) -> Any:
    return boto3.Session("testing", "testing", region_name="eu-west-1").client(service)  # type: ignore[call-overload]


def failing(*codes: str) -> Callable[[], str]:
    """A call that AWS answers with these error codes, one after another, and then with success."""
    left = list(codes)

    def call() -> str:
        if left:
            raise ClientError({"Error": {"Code": left.pop(0), "Message": "no"}}, "UpdateServer")
        return "done"

    return call


def test_asks_again_while_aws_is_busy() -> None:
    assert aws.retry(failing("Busy", "Behind", "Busy"), ("Busy", "Behind"), seconds=60) == "done"


def test_does_not_ask_again_where_that_would_not_help() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.retry(failing("Busy", "AccessDenied"), ("Busy",), seconds=60)


def test_asks_again_only_for_what_aws_says() -> None:
    assert aws.retry(failing("Busy"), ("Busy",), seconds=60, saying="no") == "done"
    with pytest.raises(ClientError, match="Busy"):
        aws.retry(failing("Busy"), ("Busy",), seconds=60, saying="Unable to delete")


def test_gives_up_when_the_time_is_over() -> None:
    with pytest.raises(ClientError, match="Busy"):
        aws.retry(failing(*["Busy"] * 1000), ("Busy",), seconds=0.01)


# botocore has a paginator for the first, and none for the second.
@pytest.mark.parametrize(
    ("operation", "key"), [("describe_fleets", "Fleets"), ("describe_app_blocks", "AppBlocks")], ids=["paged", "not"]
)
def test_lists_all_pages(operation: str, key: str) -> None:
    appstream = client("appstream")
    assert appstream.can_paginate(operation) is (key == "Fleets")
    row = {"Name": "a", "Arn": "arn:aws:appstream:eu-west-1:123456789012:x/a"}
    if key == "Fleets":
        row |= {"InstanceType": "t", "ComputeCapacityStatus": {"Desired": 1}, "State": "RUNNING"}  # type: ignore[dict-item]
    with Stubber(appstream) as stub:
        stub.add_response(operation, {key: [row], "NextToken": "more"}, {})
        stub.add_response(operation, {key: [{**row, "Name": "b"}]}, {"NextToken": "more"})
        assert [each["Name"] for each in aws.rows(appstream, operation, key)] == ["a", "b"]
        stub.assert_no_pending_responses()


def test_tags_come_back_as_they_were() -> None:
    tags = {"Project": "omero-on-aws", "Name": "x"}
    assert aws.tag_dict(aws.tag_list(tags)) == tags

"""The function that refreshes a share's cache."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from functions.refresh_cache import handler

SHARE = "arn:aws:storagegateway:eu-west-1:111122223333:share/share-12AB34CD"
WANTED = {"FileShareARN": SHARE, "FolderList": ["/"], "Recursive": True}


@pytest.fixture
def stubber(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    client = boto3.Session("testing", "testing", region_name="eu-west-1").client("storagegateway")
    monkeypatch.setattr(boto3, "client", lambda _: client)
    stub = Stubber(client)
    stub.activate()
    return stub


def event(*shares: str) -> dict[str, Any]:
    return {"Records": [{"body": json.dumps({"file_share_arn": share})} for share in shares]}


def test_refreshes_the_whole_share_once_for_many_messages(stubber: Stubber) -> None:
    stubber.add_response("refresh_cache", {"FileShareARN": SHARE}, WANTED)
    handler(event(SHARE, SHARE, SHARE), None)
    stubber.assert_no_pending_responses()


def test_lets_sqs_deliver_again_what_aws_refused(stubber: Stubber) -> None:
    stubber.add_client_error("refresh_cache", "InvalidGatewayRequestException", "busy", expected_params=WANTED)
    with pytest.raises(ClientError, match="busy"):
        handler(event(SHARE), None)

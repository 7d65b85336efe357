"""What the tests of the state have in common: a workspace, AWS's answers made up, all that `ensure` sets read back."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError

from scripts.aws import waiting
from scripts.deploy import backend
from scripts.deploy.backend import StateBackend
from settings import Workspace
from settings.load import parse

ACCOUNT = "123456789012"
NAME = f"omero-state-{ACCOUNT}-eu-west-1"
YAML = f'account_id: "{ACCOUNT}"\nregion: eu-west-1\ntopology: rw-http\naccess: {{cidrs: [192.0.2.0/24]}}\n'


def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No AWS settings of the machine, and no waiting."""
    for name in os.environ:
        if name.startswith(("AWS_", "TF_", "OMERO_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0)
    monkeypatch.setattr("time.sleep", lambda _: None)


def workspace(more: str = "", region: str = "eu-west-1") -> Workspace:
    """The workspace `demo`, with `more` YAML."""
    return parse(YAML.replace("eu-west-1", region) + more, "demo", "demo.yaml")


def state_backend(more: str = "", region: str = "eu-west-1") -> StateBackend:
    """Where the state of `workspace(...)` is."""
    return backend.state_backend(workspace(more, region))


class Body(io.BytesIO):
    """An answer's body as botocore reads it."""

    def stream(self, **_: object) -> Any:
        yield self.read()


def answer(client: Any, operation: str, status: int, body: str = "", times: int = 1000) -> None:
    """Let AWS answer the next `times` requests of `operation` with this HTTP status and body."""
    left = [times]

    def made_up(request: Any, **_: object) -> AWSResponse | None:
        if left[0] <= 0:
            return None
        left[0] -= 1
        return AWSResponse(request.url, status, HTTPHeaders(), Body(body.encode()))

    service = client.meta.service_model.service_name
    client.meta.events.register_first(f"before-send.{service}.{operation}", made_up)


def s3_error(code: str) -> str:
    """S3's body of an error."""
    return f"<Error><Code>{code}</Code><Message>{code} it is.</Message></Error>"


def dynamodb_error(code: str) -> str:
    """DynamoDB's body of an error."""
    return json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": f"{code} it is."})


def _or_none(call: Any, **arguments: Any) -> Any:
    try:
        found = call(**arguments)
    except ClientError:
        return None
    return {key: value for key, value in found.items() if key != "ResponseMetadata"}


def all_properties(state: StateBackend) -> dict[str, Any]:
    """All that `ensure` sets, read with boto3 alone; None where it is not there."""
    s3, dynamodb = state.s3, state.dynamodb
    bucket = {"Bucket": state.bucket}
    found = {
        name: _or_none(getattr(s3, name), **bucket)
        for name in (
            "get_bucket_location",
            "get_bucket_ownership_controls",
            "get_public_access_block",
            "get_bucket_versioning",
            "get_bucket_encryption",
            "get_bucket_policy",
            "get_bucket_lifecycle_configuration",
            "get_bucket_tagging",
        )
    }
    table = (_or_none(dynamodb.describe_table, TableName=state.table) or {}).get("Table", {})
    for key in ("KeySchema", "AttributeDefinitions", "DeletionProtectionEnabled", "TableStatus"):
        found[key] = table.get(key)
    found["billing"] = table.get("BillingModeSummary", {}).get("BillingMode")
    found["sse"] = table.get("SSEDescription", {}).get("Status")
    backups = (_or_none(dynamodb.describe_continuous_backups, TableName=state.table) or {}).get(
        "ContinuousBackupsDescription", {}
    )
    found["recovery"] = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    found["table tags"] = table and _or_none(dynamodb.list_tags_of_resource, ResourceArn=table["TableArn"])
    return found

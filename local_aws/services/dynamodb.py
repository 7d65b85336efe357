"""DynamoDB: UpdateTable sets the encryption, which moto 5.2.5 ignores."""

from __future__ import annotations

from typing import Any

from moto.dynamodb.responses import DynamoHandler

from local_aws import actions

Json = dict[str, Any]


def update_table(backend: Any, asked: Json, moto: actions.Moto) -> Json:
    wanted = asked.get("SSESpecification")
    if wanted is not None:
        table = backend.get_table(asked["TableName"])
        key = wanted.get("KMSMasterKeyId") or table._get_default_encryption_key(backend.account_id, backend.region_name)
        table.sse_specification = {**wanted, "KMSMasterKeyId": key} if wanted.get("Enabled") else None
    return moto()


def install() -> None:
    """Put the action into moto's DynamoDB."""
    actions.wrap(DynamoHandler, "dynamodb_backend", {"UpdateTable": update_table})

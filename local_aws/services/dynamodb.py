"""DynamoDB: UpdateTable sets the encryption, which moto 5.2.5 ignores."""

from __future__ import annotations

from typing import Any

from moto.dynamodb.responses import DynamoHandler

_update_table = DynamoHandler.update_table


def update_table(self: Any) -> Any:
    wanted = self.body.get("SSESpecification")
    if wanted is not None:
        table = self.dynamodb_backend.get_table(self.body["TableName"])
        key = wanted.get("KMSMasterKeyId") or table._get_default_encryption_key(self.current_account, self.region)
        table.sse_specification = {**wanted, "KMSMasterKeyId": key} if wanted.get("Enabled") else None
    return _update_table(self)


def install() -> None:
    """Put the action into moto's DynamoDB. A second time changes nothing."""
    DynamoHandler.update_table = update_table

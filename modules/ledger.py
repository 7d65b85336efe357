"""The DynamoDB table of what was imported: one item for each fileset."""

from __future__ import annotations

from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.dynamodb_table import (
    DynamodbTable,
    DynamodbTableAttribute,
    DynamodbTableGlobalSecondaryIndex,
    DynamodbTablePointInTimeRecovery,
    DynamodbTableServerSideEncryption,
)
from constructs import Construct

from contract.policy import Statement
from modules.addresses import MAIN

# The index that finds entries by their state; what the attributes mean is in scripts/ingest/imports/ledger.py.
INDEX = "by_state"


@dataclass(frozen=True, kw_only=True)
class LedgerProps:
    """`retain` keeps the table from being deleted: it alone knows what was imported, when and by whom."""

    name: str
    key_arn: str
    retain: bool


class Ledger(Construct):
    """`name` and `arn` are the table's; `use` is what the importer needs, which deletes nothing."""

    def __init__(self, scope: Construct, id_: str, props: LedgerProps) -> None:
        super().__init__(scope, id_)
        table = DynamodbTable(
            self,
            MAIN,
            name=props.name,
            billing_mode="PAY_PER_REQUEST",
            hash_key="id",
            attribute=[DynamodbTableAttribute(name=name, type="S") for name in ("found", "id", "queue")],
            global_secondary_index=[
                DynamodbTableGlobalSecondaryIndex(
                    name=INDEX, hash_key="queue", range_key="found", projection_type="ALL"
                )
            ],
            point_in_time_recovery=DynamodbTablePointInTimeRecovery(enabled=True),
            server_side_encryption=DynamodbTableServerSideEncryption(enabled=True, kms_key_arn=props.key_arn),
            deletion_protection_enabled=props.retain,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=props.retain),
        )
        self.name = table.name
        self.arn = table.arn
        self.use = Statement(
            sid="UseLedger",
            actions=(
                "dynamodb:BatchGetItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ),
            # An index is a resource of its own.
            resources=(table.arn, f"{table.arn}/index/*"),
        )

"""The DynamoDB table of what people ask of the importer, and of what it has to remember; read consistently.

Its rows are in docs/adr/0015-imports-beside-the-server.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.dynamodb_table import (
    DynamodbTable,
    DynamodbTableAttribute,
    DynamodbTablePointInTimeRecovery,
    DynamodbTableServerSideEncryption,
    DynamodbTableTtl,
)
from constructs import Construct

from contract.policy import Statement
from modules.addresses import MAIN

# Seconds since 1970 after which DynamoDB deletes a row that has it: a request, 90 days after its end.
ENDS = "ends"


@dataclass(frozen=True, kw_only=True)
class ImportRequestsProps:
    """`retain` keeps the table from being deleted: it alone knows which filesets are neither imported nor failed."""

    name: str
    key_arn: str
    retain: bool


class ImportRequests(Construct):
    """`name` and `arn` are the table's; `use` is what the importer needs."""

    def __init__(self, scope: Construct, id_: str, props: ImportRequestsProps) -> None:
        super().__init__(scope, id_)
        table = DynamodbTable(
            self,
            MAIN,
            name=props.name,
            billing_mode="PAY_PER_REQUEST",
            hash_key="part",
            range_key="row",
            attribute=[DynamodbTableAttribute(name=name, type="S") for name in ("part", "row")],
            ttl=DynamodbTableTtl(attribute_name=ENDS, enabled=True),
            point_in_time_recovery=DynamodbTablePointInTimeRecovery(enabled=True),
            server_side_encryption=DynamodbTableServerSideEncryption(enabled=True, kms_key_arn=props.key_arn),
            deletion_protection_enabled=props.retain,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=props.retain),
        )
        self.name = table.name
        self.arn = table.arn
        self.use = Statement(
            sid="UseRequests",
            actions=(
                "dynamodb:BatchGetItem",
                "dynamodb:BatchWriteItem",
                "dynamodb:DeleteItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ),
            resources=(table.arn,),
        )

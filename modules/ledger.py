"""The DynamoDB table of what was imported: one item for each fileset."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.dynamodb_table import DynamodbTableGlobalSecondaryIndex
from constructs import Construct

from contract.policy import Statement
from modules.kept_table import KeptTableProps, kept_table

# The index that finds entries by their state; what the attributes mean is in containers/importer/entries.py.
INDEX = "by_state"


class Ledger(Construct):
    """`name` and `arn` are the table's; `use` is what the importer needs, which deletes nothing."""

    def __init__(self, scope: Construct, id_: str, props: KeptTableProps) -> None:
        super().__init__(scope, id_)
        # It is kept, for it alone knows what was imported, when and by whom.
        table = kept_table(
            self,
            props,
            attributes=("found", "id", "queue"),
            hash_key="id",
            global_secondary_index=[
                DynamodbTableGlobalSecondaryIndex(
                    name=INDEX, hash_key="queue", range_key="found", projection_type="ALL"
                )
            ],
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

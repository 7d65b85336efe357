"""The DynamoDB table of what people ask of the importer, and of what it has to remember; read consistently.

Its rows are in docs/adr/0015-imports-beside-the-server.md.
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.dynamodb_table import DynamodbTableTtl
from constructs import Construct

from contract.policy import Statement
from modules.kept_table import KeptTableProps, kept_table

# Seconds since 1970 after which DynamoDB deletes a row that has it: a request, 90 days after its end.
ENDS = "ends"


class ImportRequests(Construct):
    """`name` and `arn` are the table's; `use` is what the importer needs."""

    def __init__(self, scope: Construct, id_: str, props: KeptTableProps) -> None:
        super().__init__(scope, id_)
        # It is kept, for it alone knows which filesets are neither imported nor failed.
        table = kept_table(
            self,
            props,
            attributes=("part", "row"),
            hash_key="part",
            range_key="row",
            ttl=DynamodbTableTtl(attribute_name=ENDS, enabled=True),
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

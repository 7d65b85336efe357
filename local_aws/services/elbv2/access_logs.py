"""Whether the bucket for access logs lets a load balancer write to it."""

from __future__ import annotations

import fnmatch
import json
from typing import Any

from moto.elbv2.exceptions import InvalidConfigurationRequest
from moto.s3.models import s3_backends

_LOG_WRITERS = {
    "application": ("logdelivery.elasticloadbalancing.amazonaws.com", "delivery.logs.amazonaws.com"),
    "network": ("delivery.logs.amazonaws.com",),
}


def check(backend: Any, kind: str, name: str, prefix: str) -> None:
    """Raises InvalidConfigurationRequest as AWS does when it cannot write a test object.

    `kind` is that of the load balancer: logs of a network one are written by the service for log delivery alone,
    and may be encrypted with a KMS key
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/network/enable-access-logs.html).
    """
    bucket = s3_backends[backend.account_id][backend.partition].buckets.get(name)
    if bucket is None:
        raise InvalidConfigurationRequest(f"S3 bucket not found: {name}. Please check S3bucket")
    key = "/".join(part for part in (prefix, "AWSLogs", backend.account_id, "ELBAccessLogTestFile") if part)
    target = f"arn:{backend.partition}:s3:::{name}/{key}"
    statements = json.loads(bucket.policy or "{}").get("Statement") or []
    if isinstance(statements, dict):
        statements = [statements]
    kms = kind != "network" and "aws:kms" in json.dumps(bucket.encryption or {}, default=str)
    if kms or not any(_allows(statement, target, backend.account_id, kind) for statement in statements):
        raise InvalidConfigurationRequest(f"Access Denied for bucket: {name}. Please check S3bucket permission")


def _allows(statement: dict[str, Any], target: str, account: str, kind: str) -> bool:
    """Whether it lets the load balancers' account or service write `target`; conditions are taken as met."""
    if statement.get("Effect") != "Allow":
        return False
    principal = statement.get("Principal") or {}
    if isinstance(principal, dict):
        # Regions have an account each for it; any account but one's own is taken for that.
        accounts = [each for each in _several(principal.get("AWS")) if account not in each]
        services = [each for each in _several(principal.get("Service")) if each in _LOG_WRITERS[kind]]
        if not services and (kind == "network" or not accounts):
            return False
    return any(fnmatch.fnmatchcase("s3:PutObject", each) for each in _several(statement.get("Action"))) and any(
        fnmatch.fnmatchcase(target, each) for each in _several(statement.get("Resource"))
    )


def _several(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else [str(each) for each in value]

"""Elastic Load Balancing v2: deletion protection, access logs, and the health of targets that ECS registers.

moto 5.2.5 deletes a protected load balancer, and takes any bucket for access logs: AWS writes a test object first, and
refuses a bucket that is missing, whose policy does not allow that, or that is encrypted with a KMS key
(https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html). It calls
every registered target healthy. AWS says `unused` where no listener forwards to the target group,
and `initial` until the first health checks have passed
(https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html).
Targets of `local_aws.services.ecs` are `initial` until their task is healthy; others are healthy at once, as in moto.
A target is known by its id alone, as in moto: one address with two ports is one target.
"""

from __future__ import annotations

import fnmatch
import json
from typing import Any

from moto.elbv2.exceptions import ELBClientError, InvalidConfigurationRequest
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup
from moto.s3.models import s3_backends

_LOG_WRITERS = ("logdelivery.elasticloadbalancing.amazonaws.com", "delivery.logs.amazonaws.com")


def install() -> None:
    """Put the refusals into moto's load balancers, and the health that ECS knows of into its targets."""
    _report_health()
    modify, delete = ELBv2Backend.modify_load_balancer_attributes, ELBv2Backend.delete_load_balancer

    def modify_load_balancer_attributes(self: Any, arn: str, attrs: dict[str, Any]) -> Any:
        if str(attrs.get("access_logs.s3.enabled")).lower() == "true":
            _check_access_logs(self, attrs.get("access_logs.s3.bucket") or "", attrs.get("access_logs.s3.prefix") or "")
        return modify(self, arn, attrs)

    def delete_load_balancer(self: Any, arn: str) -> None:
        balancer = self.load_balancers.get(arn)
        if balancer is not None and str(balancer.attrs.get("deletion_protection.enabled")).lower() == "true":
            raise ELBClientError(
                "OperationNotPermitted",
                f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
            )
        delete(self, arn)

    ELBv2Backend.modify_load_balancer_attributes = modify_load_balancer_attributes
    ELBv2Backend.delete_load_balancer = delete_load_balancer


def _check_access_logs(backend: Any, name: str, prefix: str) -> None:
    """Raises InvalidConfigurationRequest as AWS does when it cannot write a test object."""
    bucket = s3_backends[backend.account_id][backend.partition].buckets.get(name)
    if bucket is None:
        raise InvalidConfigurationRequest(f"S3 bucket not found: {name}. Please check S3bucket")
    key = "/".join(part for part in (prefix, "AWSLogs", backend.account_id, "ELBAccessLogTestFile") if part)
    target = f"arn:{backend.partition}:s3:::{name}/{key}"
    statements = json.loads(bucket.policy or "{}").get("Statement") or []
    if isinstance(statements, dict):
        statements = [statements]
    kms = "aws:kms" in json.dumps(bucket.encryption or {}, default=str)
    if kms or not any(_allows(statement, target, backend.account_id) for statement in statements):
        raise InvalidConfigurationRequest(f"Access Denied for bucket: {name}. Please check S3bucket permission")


def _allows(statement: dict[str, Any], target: str, account: str) -> bool:
    """Whether it lets the load balancers' account or service write `target`; conditions are taken as met."""
    if statement.get("Effect") != "Allow":
        return False
    principal = statement.get("Principal") or {}
    if isinstance(principal, dict):
        # Regions have an account each for it; any account but one's own is taken for that.
        accounts = [each for each in _several(principal.get("AWS")) if account not in each]
        services = [each for each in _several(principal.get("Service")) if each in _LOG_WRITERS]
        if not accounts and not services:
            return False
    return any(fnmatch.fnmatchcase("s3:PutObject", each) for each in _several(statement.get("Action"))) and any(
        fnmatch.fnmatchcase(target, each) for each in _several(statement.get("Resource"))
    )


def _several(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else [str(each) for each in value]


def _report_health() -> None:
    original = FakeTargetGroup.health_for

    def health_for(self: Any, target: dict[str, Any], ec2_backend: Any) -> Any:
        if (known := self.targets.get(target["Id"])) is None:
            return original(self, target, ec2_backend)
        if not self.load_balancer_arns:
            return FakeHealthStatus(
                target["Id"],
                known["Port"],
                self.health_check_port,
                "unused",
                "Target.NotInUse",
                "Target group is not configured to receive traffic from the load balancer",
            )
        if known.get("State") == "initial":
            return FakeHealthStatus(
                target["Id"],
                known["Port"],
                self.health_check_port,
                "initial",
                "Elb.RegistrationInProgress",
                "Target registration is in progress",
            )
        return original(self, target, ec2_backend)

    FakeTargetGroup.health_for = health_for

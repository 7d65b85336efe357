"""What AppStream refuses because of things of other services: subnets, security groups, objects in S3, roles."""

from __future__ import annotations

import json
import re
from typing import Any

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends

from local_aws.services.appstream.models import AppStreamBackend, AppStreamError, Json, combination

PRINCIPAL = "appstream.amazonaws.com"


SERVICE_ROLE = "AmazonAppStreamServiceAccess"


def check_object(backend: AppStreamBackend, location: Json, *, icon: bool = False) -> None:
    """An object that is there, in a bucket of the region whose policy lets AppStream read it.

    An icon is read without the account that it is for: no condition of a policy on it is met
    (https://docs.aws.amazon.com/appstream2/latest/developerguide/example-s3-bucket.html).
    """
    bucket, key = location["S3Bucket"], location.get("S3Key", "")
    found = s3_backends[backend.account_id][backend.partition].buckets.get(bucket)
    if found is None:
        raise AppStreamError("ResourceNotFoundException", f"The S3 bucket {bucket} does not exist.")
    if found.region_name != backend.region_name:
        raise combination(f"The S3 bucket {bucket} is in {found.region_name}, not in {backend.region_name}.")
    if key not in found.keys:
        raise AppStreamError("ResourceNotFoundException", f"The S3 object s3://{bucket}/{key} does not exist.")
    if not _lets_read(found, f"arn:{backend.partition}:s3:::{bucket}/{key}", "" if icon else backend.account_id):
        raise AppStreamError(
            "OperationNotPermittedException", f"Access to the S3 object s3://{bucket}/{key} is denied."
        )


def _lets_read(bucket: Any, arn: str, account_id: str) -> bool:
    for statement in json.loads(bucket.policy or "{}").get("Statement", []):
        principal = statement.get("Principal")
        services = _listed(principal.get("Service", [])) if isinstance(principal, dict) else []
        conditions = [value for test in statement.get("Condition", {}).values() for value in test.items()]
        met = all(name != "aws:SourceAccount" or account_id in _listed(value) for name, value in conditions)
        allows = statement["Effect"] == "Allow" and PRINCIPAL in services and "s3:GetObject" in statement["Action"]
        if allows and met and any(_matches(each, arn) for each in _listed(statement["Resource"])):
            return True
    return False


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _matches(pattern: str, arn: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), arn) is not None


def check_vpc(backend: AppStreamBackend, config: Json | None, *, zones: int) -> None:
    """Subnets of at least so many zones, and groups of their VPC."""
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    config = config or {}
    subnets = {}
    for id_ in config.get("SubnetIds") or []:
        found = [subnet for by_zone in ec2.subnets.values() for subnet in by_zone.values() if subnet.id == id_]
        if not found:
            raise AppStreamError("ResourceNotFoundException", f"The subnet {id_} does not exist.")
        subnets[id_] = found[0]
    if len({subnet.availability_zone for subnet in subnets.values()}) < zones:
        raise combination(f"The VPC configuration needs subnets in {zones} different Availability Zones.")
    for id_ in config.get("SecurityGroupIds") or []:
        group = ec2.get_security_group_from_id(id_)
        if group is None:
            raise AppStreamError("ResourceNotFoundException", f"The security group {id_} does not exist.")
        if any(subnet.vpc_id != group.vpc_id for subnet in subnets.values()):
            raise combination(f"The security group {id_} is of another VPC than the subnets.")


def has_service_role(backend: AppStreamBackend) -> bool:
    """Whether the role is there by which AppStream makes network interfaces; its console makes it, its API does not."""
    roles = iam_backends[backend.account_id][backend.partition].roles.values()
    return any(each.name == SERVICE_ROLE and PRINCIPAL in str(each.assume_role_policy_document) for each in roles)


def check_role(backend: AppStreamBackend, arn: str | None) -> None:
    """A role that is there and trusts AppStream."""
    if not arn:
        return
    roles = iam_backends[backend.account_id][backend.partition].roles.values()
    role = next((each for each in roles if each.arn == arn), None)
    if role is None or PRINCIPAL not in str(role.assume_role_policy_document):
        raise AppStreamError("InvalidRoleException", f"The role {arn} does not exist, or does not trust {PRINCIPAL}.")


def role_allows(backend: AppStreamBackend, arn: str, *actions: str) -> bool:
    """Whether the role's own policies name the actions."""
    roles = iam_backends[backend.account_id][backend.partition].roles.values()
    role = next(each for each in roles if each.arn == arn)
    text = " ".join(str(each) for each in role.policies.values())
    return all(action in text for action in actions)

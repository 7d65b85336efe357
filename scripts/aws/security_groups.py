"""Security groups that scripts make, found again by their names in the VPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts import aws


def find(ec2: Any, name: str, *, vpc_id: str) -> Any:
    """The group as AWS describes it; None if there is none of that name."""
    filters = [{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": [vpc_id]}]
    return next(aws.rows(ec2, "describe_security_groups", "SecurityGroups", Filters=filters), None)


def tagged(ec2: Any, name: str, tags: Mapping[str, str]) -> list[str]:
    """The ids of the groups of that name, in any VPC, that a program made for a workspace, by its tags."""
    filters = [{"Name": "group-name", "Values": [name]}]
    filters += [{"Name": f"tag:{key}", "Values": [tags[key]]} for key in ("Workspace", "ManagedBy")]
    return [row["GroupId"] for row in aws.rows(ec2, "describe_security_groups", "SecurityGroups", Filters=filters)]


def create(ec2: Any, name: str, *, vpc_id: str, description: str, tags: dict[str, str]) -> Any:
    """Make a group and wait until EC2 knows of it everywhere; gives it as AWS describes it.

    It has no ingress rule, and one egress rule to everywhere (EC2 API reference, CreateSecurityGroup).
    """
    made = ec2.create_security_group(
        GroupName=name,
        VpcId=vpc_id,
        Description=description,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": aws.tag_list(tags)}],
    )
    ids = [made["GroupId"]]
    ec2.get_waiter("security_group_exists").wait(GroupIds=ids)
    return ec2.describe_security_groups(GroupIds=ids)["SecurityGroups"][0]

"""Security groups that scripts make, found again by their names in the VPC."""

from __future__ import annotations

from typing import Any

from scripts import aws


def find(ec2: Any, name: str, *, vpc_id: str) -> Any:
    """The group as AWS describes it; None if there is none of that name."""
    filters = [{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": [vpc_id]}]
    return next(aws.rows(ec2, "describe_security_groups", "SecurityGroups", Filters=filters), None)


def create(ec2: Any, name: str, *, vpc_id: str, description: str, tags: dict[str, str]) -> None:
    """Make a group, which has no ingress rule, and one egress rule to everywhere (EC2 API reference)."""
    ec2.create_security_group(
        GroupName=name,
        VpcId=vpc_id,
        Description=description,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": aws.tag_list(tags)}],
    )

"""Quotas of the account: what actions refuse to exceed, and what Service Quotas tells.

LOCAL_AWS_QUOTAS sets them by the names below, such as `vpc=5,fargate_vcpu=6`. The codes are those of Service Quotas.
The values are AWS's defaults (https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html and the pages of
the other services), but for vCPUs: AWS gives a new account 6 on Fargate and 5 of instances, and raises both with use.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

VARIABLE = "LOCAL_AWS_QUOTAS"


@dataclass(frozen=True, kw_only=True)
class Quota:
    """A quota, by its codes."""

    service: str
    code: str
    name: str
    value: int


QUOTAS = {
    "db_instance": Quota(service="rds", code="L-7B6409FD", name="DB instances", value=40),
    "ec2_vcpu": Quota(
        service="ec2",
        code="L-1216C47A",
        name="Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
        value=256,
    ),
    "eip": Quota(service="ec2", code="L-0263D0A3", name="EC2-VPC Elastic IPs", value=5),
    "fargate_vcpu": Quota(
        service="fargate", code="L-3032A538", name="Fargate On-Demand vCPU resource count", value=256
    ),
    "file_system": Quota(service="elasticfilesystem", code="L-848C634D", name="File systems per account", value=1000),
    "nat_gateway": Quota(service="vpc", code="L-FE5A380F", name="NAT gateways per Availability Zone", value=5),
    "rules": Quota(service="vpc", code="L-0EA8095F", name="Inbound or outbound rules per security group", value=60),
    "vpc": Quota(service="vpc", code="L-F678F1CE", name="VPCs per Region", value=5),
}


def read(given: str) -> dict[str, int]:
    """The value of each quota, with those that are given.

    Raises ValueError where the text says nonsense.
    """
    pairs = [each.strip().partition("=") for each in given.split(",") if each.strip()]
    if not all(name in QUOTAS and number.isdigit() for name, _, number in pairs):
        raise ValueError(f"{VARIABLE} is {given}; quotas such as vpc=5,eip=5 are allowed, of {', '.join(QUOTAS)}")
    return {name: quota.value for name, quota in QUOTAS.items()} | {name: int(number) for name, _, number in pairs}


VALUES = read(os.environ.get("LOCAL_AWS_QUOTAS", ""))
"""As they are in this process; a test may change them."""


def by_code(service: str, code: str) -> tuple[Quota, int] | None:
    """The quota of these codes and its value; None for one that is not kept here."""
    found = ((quota, VALUES[name]) for name, quota in QUOTAS.items() if (quota.service, quota.code) == (service, code))
    return next(found, None)

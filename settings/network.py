"""Section `network`: the VPC that everything lives in."""

from __future__ import annotations

import ipaddress
from typing import Literal, Self

from pydantic import Field, model_validator

from settings.fields import Cidr, RetentionDays, Settings

# AWS takes subnets from /16 to /28 (VPC User Guide, "Subnet CIDR blocks").
SMALLEST_SUBNET_PREFIX = 28
LARGEST_VPC_PREFIX = 16


class FlowLogs(Settings):
    """A record of the VPC's traffic in CloudWatch Logs."""

    traffic: Literal["ALL", "ACCEPT", "REJECT"] = "ALL"
    """Which traffic is recorded: everything, what was let through, or what was turned away."""
    retention_days: RetentionDays = 14
    """Days the records are kept; 14 as in the original solution."""


class Network(Settings):
    """A VPC with two public and two private subnets in two availability zones."""

    cidr: Cidr = "10.192.0.0/16"
    """Address range of the VPC; it must hold the four subnets."""
    public_subnets: tuple[Cidr, Cidr] = ("10.192.10.0/24", "10.192.11.0/24")
    """For the load balancer and the NAT gateways, one subnet a zone."""
    private_subnets: tuple[Cidr, Cidr] = ("10.192.20.0/24", "10.192.21.0/24")
    """For OMERO, its database and its file system, one subnet a zone."""
    availability_zones: tuple[str, str] | None = None
    """Names of the two zones; left out, the region's first two that are open to the account."""
    nat_gateways: Literal["one_per_zone", "single"] = "one_per_zone"
    """`one_per_zone` survives the loss of a zone; `single` costs half and does not."""
    flow_logs: FlowLogs | None = Field(default=None)
    """Left out, no traffic is recorded; `{}` records all of it for 14 days."""

    @model_validator(mode="after")
    def _subnets_fit(self) -> Self:
        vpc = ipaddress.IPv4Network(self.cidr)
        faults = []
        if not LARGEST_VPC_PREFIX <= vpc.prefixlen <= SMALLEST_SUBNET_PREFIX:
            faults.append(f"cidr {vpc} is not between /{LARGEST_VPC_PREFIX} and /{SMALLEST_SUBNET_PREFIX}")
        subnets = [ipaddress.IPv4Network(subnet) for subnet in self.public_subnets + self.private_subnets]
        for index, subnet in enumerate(subnets):
            if not subnet.subnet_of(vpc):
                faults.append(f"cidr {vpc} does not hold the subnet {subnet}; give a subnet inside it")
            if subnet.prefixlen > SMALLEST_SUBNET_PREFIX:
                faults.append(f"subnet {subnet} is smaller than /{SMALLEST_SUBNET_PREFIX}, the smallest of AWS")
            for other in subnets[index + 1 :]:
                if subnet.overlaps(other):
                    faults.append(f"subnets {subnet} and {other} overlap; give each its own range")
        zones = self.availability_zones
        if zones and zones[0] == zones[1]:
            faults.append(f"availability_zones are both {zones[0]}; give two different zones")
        if faults:
            raise ValueError("; ".join(faults))
        return self

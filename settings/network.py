"""Section `network`: the VPC that everything lives in."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from settings.fields import Cidr, RetentionDays, Settings

# AWS takes subnets from /16 to /28 (VPC User Guide, "Subnet CIDR blocks").
SMALLEST_SUBNET_PREFIX = 28
LARGEST_VPC_PREFIX = 16
# Addresses of each subnet that AWS keeps for itself (the same page).
RESERVED = 5
SUBNETS = 2
"""Private subnets, one a zone; and as many public ones."""


class FlowLogs(Settings):
    """A record of the VPC's traffic in CloudWatch Logs."""

    traffic: Literal["ALL", "ACCEPT", "REJECT"] = "ALL"
    """Which traffic is recorded: everything, what was let through, or what was turned away."""
    retention_days: RetentionDays = 14
    """Days the records are kept; 14 as in the original solution."""


SubnetId = Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")]


class ExistingVpc(Settings):
    """A VPC that is there already, with a way out from its private subnets (NAT, or endpoints and an own registry)."""

    vpc_id: Annotated[str, Field(pattern=r"^vpc-[0-9a-f]{8,17}$")]
    """The VPC; DNS names and DNS support have to be on."""
    public_subnet_ids: tuple[SubnetId, SubnetId]
    """For balancers that are reached from the internet, one subnet a zone. With `access.internal`, the private ones
    will do."""
    private_subnet_ids: tuple[SubnetId, SubnetId]
    """For OMERO, its database and its file system, one subnet a zone."""

    @model_validator(mode="after")
    def _two_of_each(self) -> Self:
        pairs = {"public_subnet_ids": self.public_subnet_ids, "private_subnet_ids": self.private_subnet_ids}
        for key, (first, second) in pairs.items():
            if first == second:
                raise ValueError(f"{key} are both {first}; give one of each of two zones")
        return self


class Network(Settings):
    """A VPC with two public and two private subnets in two availability zones."""

    existing: ExistingVpc | None = None
    """A VPC that is there already; left out, one is made, as the other keys say."""

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
    def _one_vpc(self) -> Self:
        others = sorted(self.model_fields_set - {"existing"})
        if self.existing and others:
            raise ValueError(
                f"existing says that the VPC is there already, and {', '.join(others)} would shape a new one; "
                "leave one of the two out"
            )
        return self

    @property
    def private_addresses(self) -> int | None:
        """How many addresses the two private subnets have to give; None if the subnets are there already."""
        if self.existing:
            return None
        return sum(ipaddress.IPv4Network(subnet).num_addresses - RESERVED for subnet in self.private_subnets)

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

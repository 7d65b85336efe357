"""Section `network`: the VPC that everything lives in."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from settings.fields import Cidr, Distinct, Fault, Like, RetentionDays, Settings, accepted, network_of, rule

# AWS takes subnets from /16 to /28 (VPC User Guide, "Subnet CIDR blocks").
SMALLEST_SUBNET_PREFIX = 28
LARGEST_VPC_PREFIX = 16
# Four of the smallest subnets.
SMALLEST_VPC_PREFIX = SMALLEST_SUBNET_PREFIX - 2
# Addresses of each subnet that AWS keeps for itself (the same page).
RESERVED = 5
SUBNETS = 2
"""Private subnets, one a zone; and as many public ones."""


USUAL_CIDR = "10.192.0.0/16"


class FlowLogs(Settings):
    """A record of the VPC's traffic in CloudWatch Logs."""

    traffic: Literal["ALL", "ACCEPT", "REJECT"] = "ALL"
    """Which traffic is recorded: all, what was accepted, or what was rejected."""
    retention_days: RetentionDays = 14
    """Days for which the records are kept; 14, as in the original solution. With `retain: true`, even after
    `network.flow_logs` is removed."""


SubnetId = Annotated[str, Like(r"subnet-[0-9a-f]{8,17}", "id of a subnet", "subnet-0a1b2c3d4e5f60718")]


class ExistingVpc(Settings):
    """An existing VPC whose private subnets have a route out (NAT, or VPC endpoints and a registry of your own)."""

    vpc_id: Annotated[str, Like(r"vpc-[0-9a-f]{8,17}", "id of a VPC", "vpc-0a1b2c3d4e5f60718")]
    """The VPC; its DNS hostnames and DNS support must be on."""
    public_subnet_ids: Annotated[tuple[SubnetId, SubnetId], Distinct()]
    """For internet-facing load balancers, one subnet in each zone. With `access.internal`, you may give the private
    ones."""
    private_subnet_ids: Annotated[tuple[SubnetId, SubnetId], Distinct()]
    """For OMERO, its database and its file system, one subnet in each zone."""


def _usual_subnets(cidr: str) -> tuple[ipaddress.IPv4Network, ...]:
    """Two public and two private ones: the 10th, 11th, 20th and 21st /24 as in the original solution, or the quarters
    of a VPC that is too small for those."""
    vpc = ipaddress.IPv4Network(cidr)
    if vpc.prefixlen > SMALLEST_VPC_PREFIX:
        return _usual_subnets(USUAL_CIDR)
    if vpc.prefixlen > 19:
        return tuple(vpc.subnets(prefixlen_diff=2))
    return tuple(ipaddress.IPv4Network((int(vpc.network_address) + 256 * number, 24)) for number in (10, 11, 20, 21))


def _public_subnets(given: dict[str, Any]) -> tuple[str, str]:
    first, second, *_ = _usual_subnets(given["cidr"])
    return str(first), str(second)


def _private_subnets(given: dict[str, Any]) -> tuple[str, str]:
    """The last two of the usual ones that the public subnets leave."""
    usual = _usual_subnets(given["cidr"])
    public = [ipaddress.IPv4Network(subnet) for _, subnet in accepted(given["public_subnets"])]
    free = [subnet for subnet in usual if not any(map(subnet.overlaps, public))]
    *_, first, second = free if len(free) > 1 else usual
    return str(first), str(second)


class Network(Settings):
    """A VPC with two public and two private subnets in two Availability Zones."""

    existing: ExistingVpc | None = None
    """An existing VPC; left out, one is created as the other keys describe."""

    cidr: Cidr = USUAL_CIDR
    """Address range of the VPC, /16 to /26; it must hold the four subnets."""
    public_subnets: Annotated[tuple[Cidr, Cidr], Distinct(network_of)] = Field(default_factory=_public_subnets)
    """For the load balancer and the NAT gateways, one subnet in each
    zone. Left out, the 10th and 11th /24 of `cidr`, or the
    first two quarters of one that is smaller than /19."""
    private_subnets: Annotated[tuple[Cidr, Cidr], Distinct(network_of)] = Field(default_factory=_private_subnets)
    """For OMERO, its database and its file system, one subnet in each zone. Left out, the 20th and 21st /24 of `cidr`,
    or the last two quarters of one that is smaller than /19; or others of these if the public subnets overlap them."""
    availability_zones: Annotated[tuple[str, str], Distinct()] | None = None
    """Names of two Availability Zones; left out, the first two of the region that are open to the account."""
    nat_gateways: Literal["one_per_zone", "single"] = "one_per_zone"
    """`one_per_zone` survives an outage of one zone; `single` costs half and does not."""
    flow_logs: FlowLogs | None = Field(default=None)
    """Left out, no traffic is recorded; `{}` records all of it for 14 days."""

    @property
    def private_addresses(self) -> int | None:
        """How many addresses the two private subnets have to give; None if the subnets are there already."""
        if self.existing:
            return None
        return sum(ipaddress.IPv4Network(subnet).num_addresses - RESERVED for subnet in self.private_subnets)

    @rule
    def _one_vpc(self) -> Iterator[Fault]:
        others = sorted(self.model_fields_set - {"existing"})
        if self.existing and others:
            yield (
                "existing",
                f"this VPC exists, and {', '.join(others)} would describe a new one; remove existing, or the others",
            )

    @rule
    def _cidr_holds_four_subnets(self) -> Iterator[Fault]:
        vpc = ipaddress.IPv4Network(self.cidr)
        if not LARGEST_VPC_PREFIX <= vpc.prefixlen <= SMALLEST_VPC_PREFIX:
            yield (
                "cidr",
                f"{vpc} cannot hold four subnets of a VPC; give a range from /{LARGEST_VPC_PREFIX} to "
                f"/{SMALLEST_VPC_PREFIX}",
            )

    @rule
    def _public_subnets_are_inside(self) -> Iterator[Fault]:
        yield from _outside(self.cidr, "public_subnets", self.public_subnets)

    @rule
    def _private_subnets_are_inside(self) -> Iterator[Fault]:
        yield from _outside(self.cidr, "private_subnets", self.private_subnets)

    @rule
    def _public_subnets_are_large_enough(self) -> Iterator[Fault]:
        yield from _too_small("public_subnets", self.public_subnets)

    @rule
    def _private_subnets_are_large_enough(self) -> Iterator[Fault]:
        yield from _too_small("private_subnets", self.private_subnets)

    @rule
    def _subnets_are_apart(self) -> Iterator[Fault]:
        subnets = [
            (f"{key}.{index}", ipaddress.IPv4Network(subnet))
            for key, pair in (("public_subnets", self.public_subnets), ("private_subnets", self.private_subnets))
            for index, subnet in accepted(pair)
        ]
        for number, (key, subnet) in enumerate(subnets):
            for other_key, other in subnets[:number]:
                if subnet.overlaps(other):
                    yield key, f"{subnet} overlaps {other} of {other_key}; give each its own range"


def _outside(cidr: str, key: str, subnets: tuple[str, ...]) -> Iterator[Fault]:
    for index, subnet in accepted(subnets):
        if not ipaddress.IPv4Network(subnet).subnet_of(ipaddress.IPv4Network(cidr)):
            yield f"{key}.{index}", f"{subnet} is not inside the VPC's {cidr}; give a range inside it, or change cidr"


def _too_small(key: str, subnets: tuple[str, ...]) -> Iterator[Fault]:
    for index, subnet in accepted(subnets):
        if ipaddress.IPv4Network(subnet).prefixlen > SMALLEST_SUBNET_PREFIX:
            yield (
                f"{key}.{index}",
                f"{subnet} is smaller than /{SMALLEST_SUBNET_PREFIX}, the smallest that AWS allows; give a larger one",
            )

"""Which connections security groups let through, over those of moto.

A TCP connection passes where one rule of the caller's groups lets it out, and one of the target's groups lets it in;
answers pass by themselves, as do queries to the VPC's DNS, the metadata of instances and tasks, and the clock
(https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html). A rule's peer is a range of addresses or a
group, which stands for the interfaces that have it; protocol -1 is all ports. An interface for which nobody named a
group has the VPC's default group.

Not looked at: routes, network ACLs, IPv6, prefix lists, interface endpoints (AWS's own addresses are beyond the VPC).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from moto.ec2.models import ec2_backends

NFS, HTTPS = 2049, 443


@dataclass(frozen=True, kw_only=True)
class Side:
    """One end of a connection: an interface, or anything else that has security groups.

    `groups` None are not looked at: what is outside of the VPC has none. `address` and `vpc` "" are not known.
    """

    name: str
    groups: tuple[str, ...] | None
    address: str = ""
    vpc: str = ""


# An address like those of AWS's endpoints, images and packages.
ELSEWHERE = Side(name="addresses outside of the VPC", groups=None, address="203.0.113.1")


def blocked(ec2: Any, source: Side, target: Side, port: int) -> str | None:
    """Which rule is missing for a connection from one side to the other, as a clause; None if it passes."""
    where = f"TCP port {port} of {target.name}"
    if source.groups is not None and not _passes(ec2, source.groups, "egress_rules", target, port):
        return f"no outbound rule of {', '.join(source.groups)} ({source.name}) admits {where}"
    if target.groups is not None and not _passes(ec2, target.groups, "ingress_rules", source, port):
        return f"no inbound rule of {', '.join(target.groups)} admits {source.name} to {where}"
    return None


def _passes(ec2: Any, groups: Iterable[str], direction: str, other: Side, port: int) -> bool:
    found = (ec2.get_security_group_from_id(group) for group in groups)
    return any(_admits(rule, other, port) for group in found if group for rule in getattr(group, direction))


def _admits(rule: Any, other: Side, port: int) -> bool:
    if rule.ip_protocol == "tcp":
        if not rule.from_port <= port <= rule.to_port:
            return False
    elif rule.ip_protocol != "-1":
        return False
    if peer := rule.source_group.get("GroupId"):
        return peer in (other.groups or ())
    cidr = rule.ip_range.get("CidrIp")
    return bool(cidr and other.address) and ipaddress.ip_address(other.address) in ipaddress.ip_network(cidr)


def ec2_of(account: str, region: str) -> Any:
    """moto's EC2."""
    return ec2_backends[account][region]


def with_default(ec2: Any, groups: Iterable[str] | None, vpc_id: str | None) -> tuple[str, ...]:
    """The groups, or the VPC's default one if there are none."""
    if named := tuple(groups or ()):
        return named
    default = ec2.get_default_security_group(vpc_id) if vpc_id in ec2.groups else None
    return (default.id,) if default else ()


def interface(ec2: Any, eni: Any, name: str) -> Side:
    """A network interface."""
    groups = [group.id for group in eni.group_set]
    return Side(
        name=name,
        groups=with_default(ec2, groups, eni.subnet.vpc_id),
        address=eni.private_ip_address or "",
        vpc=eni.subnet.vpc_id,
    )


def at(ec2: Any, address: str, vpc_id: str) -> Side | None:
    """The interface with a private address in a VPC, for another may have it too; None where there is none."""
    found = (eni for eni in ec2.enis.values() if (eni.private_ip_address, eni.subnet.vpc_id) == (address, vpc_id))
    eni = next(found, None)
    return interface(ec2, eni, address) if eni else None


def instance(ec2: Any, found: Any) -> Side:
    """An EC2 instance, with the groups of its launch template if Auto Scaling started it: moto forgets those."""
    return Side(
        name=f"instance {found.id}",
        groups=with_default(ec2, _template_groups(found) or [each.id for each in found.security_groups], found.vpc_id),
        address=found.private_ip or "",
        vpc=found.vpc_id or "",
    )


def _template_groups(found: Any) -> list[str]:
    group: Any = getattr(found, "autoscaling_group", None)
    template: Any = getattr(group, "ec2_launch_template", None)
    if template is None:
        return []
    data = template.get_version(group.launch_template_version).data
    interfaces = data.get("NetworkInterfaces") or data.get("NetworkInterface") or []
    named = data.get("SecurityGroupIds") or data.get("SecurityGroupId") or []
    return list(named) + [each for one in interfaces for each in one.get("Groups") or one.get("SecurityGroupId") or []]


def mount_target(ec2: Any, efs: Any, file_system: str, zone: str) -> Side | None:
    """The mount target of an EFS file system in a zone; None where there is none."""
    for target in efs.mount_targets_by_id.values():
        if (target.file_system_id, target.availability_zone_name) == (file_system, zone):
            return Side(
                name=f"{file_system} in {zone}",
                groups=with_default(ec2, target.security_groups, target.vpc_id),
                address=target.ip_address,
            )
    return None

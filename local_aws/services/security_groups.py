"""Security groups that are still in use, and the members of a VPC's default one, which reach each other.

moto deletes any group. EC2 refuses one that a rule of another group names, or a network interface has, with
DependencyViolation (EC2 API reference, DeleteSecurityGroup: "If you attempt to delete a security group that is
associated with an instance or network interface, is referenced by another security group in the same VPC, or has a VPC
association, the operation fails with DependencyViolation"). Not modelled: functions' interfaces, which Lambda keeps for
a while.

The default group of a VPC lets its own members in (VPC User Guide, "Default security groups for your VPCs"); moto's
lets nobody in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.elbv2.models import elbv2_backends


def install() -> None:
    """Put it into moto's EC2."""
    delete = SecurityGroupBackend.delete_security_group

    def delete_security_group(self: Any, name: str | None = None, group_id: str | None = None) -> None:
        if group_id and next(_users(self, group_id), None):
            raise DependencyViolationError(f"resource {group_id} has a dependent object")
        delete(self, name, group_id)

    SecurityGroupBackend.delete_security_group = delete_security_group
    create = SecurityGroupBackend.create_security_group

    def create_security_group(self: Any, *args: Any, is_default: bool | None = None, **more: Any) -> Any:
        group = create(self, *args, is_default=is_default, **more)
        if is_default:
            own = [{"GroupId": group.id}]
            self.authorize_security_group_ingress(
                group.id, "-1", None, None, [], source_groups=own, vpc_id=group.vpc_id
            )
        return group

    SecurityGroupBackend.create_security_group = create_security_group


def _users(backend: Any, group_id: str) -> Iterator[str]:
    """What still needs a group, each by its id."""
    for groups in backend.groups.values():
        for group in groups.values():
            rules = [*group.ingress_rules, *group.egress_rules]
            if group.id != group_id and any(group_id in _named(rule) for rule in rules):
                yield group.id
    for interface in backend.enis.values():
        if any(group.id == group_id for group in interface.group_set):
            yield interface.id
    for balancer in elbv2_backends[backend.account_id][backend.region_name].load_balancers.values():
        if group_id in (balancer.security_groups or []):
            yield balancer.arn


def _named(rule: Any) -> set[str]:
    """The groups that a rule names as its peer."""
    source = rule.source_group or {}
    return {source["GroupId"]} if source.get("GroupId") else set()

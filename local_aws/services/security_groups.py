"""Security groups that are still in use, the quota of their rules, and the members of a VPC's default one.

moto deletes any group. EC2 refuses one that a rule of another group names, or a network interface has, with
DependencyViolation (EC2 API reference, DeleteSecurityGroup: "If you attempt to delete a security group that is
associated with an instance or network interface, is referenced by another security group in the same VPC, or has a VPC
association, the operation fails with DependencyViolation"). Not modelled: functions' interfaces, which Lambda keeps for
a while.

The default group of a VPC lets its own members in (VPC User Guide, "Default security groups for your VPCs"); moto's
lets nobody in.

moto counts the rules of a group without prefix lists, IPv4 and IPv6 together, and adds the first of a request that is
refused for the rest. EC2 allows 60 inbound and 60 outbound ones (LOCAL_AWS_QUOTAS, `rules`), each for IPv4 and for
IPv6; a range of addresses with a range of ports is one, a group that a rule names is one of both, a prefix list as many
as it may have entries; and a request is refused as a whole (VPC User Guide, "Amazon VPC quotas", "Security groups"; EC2
API reference, RulesPerSecurityGroupLimitExceeded).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from moto.ec2.exceptions import DependencyViolationError, RulesPerSecurityGroupLimitExceededError
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.responses.security_groups import SecurityGroups, parse_sg_attributes_from_dict
from moto.elbv2.models import elbv2_backends

from local_aws import actions
from local_aws.quotas import VALUES

Json = dict[str, Any]
_FAMILIES = ("IPv4", "IPv6")


def install() -> None:
    """Put it into moto's EC2."""
    delete = SecurityGroupBackend.delete_security_group

    def delete_security_group(self: Any, name: str | None = None, group_id: str | None = None) -> None:
        if group_id and next(_users(self, group_id), None):
            raise DependencyViolationError(f"resource {group_id} has a dependent object")
        delete(self, name, group_id)

    def leave_the_count_to_us(self: Any, *arguments: Any, **named: Any) -> None:
        """moto's own."""

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
    SecurityGroupBackend._verify_group_will_respect_rule_count_limit = leave_the_count_to_us
    table: dict[str, actions.Wrapper] = {
        "AuthorizeSecurityGroupIngress": functools.partial(_authorize, "ingress_rules"),
        "AuthorizeSecurityGroupEgress": functools.partial(_authorize, "egress_rules"),
    }
    actions.wrap(SecurityGroups, "ec2_backend", table)


def _authorize(direction: str, backend: Any, asked: Json, moto: actions.Moto) -> Json:
    group = backend.get_security_group_by_name_or_id(asked.get("GroupId") or asked.get("GroupName"))
    if group is not None:
        peers: list[Json] = []
        for permission in asked.get("IpPermissions") or [asked]:
            _, _, _, ranges, groups, lists = parse_sg_attributes_from_dict(permission)
            peers += [*ranges, *groups, *lists]
        there = [{**rule.ip_range, **rule.source_group, **rule._prefix_list} for rule in getattr(group, direction)]
        for family in _FAMILIES:
            added = sum(_weight(backend, peer, family) for peer in peers)
            if added and added + sum(_weight(backend, peer, family) for peer in there) > VALUES["rules"]:
                raise RulesPerSecurityGroupLimitExceededError
    return moto()


def _weight(backend: Any, peer: Json, family: str) -> int:
    """As how many rules of the family a peer counts."""
    if prefix_list := peer.get("PrefixListId"):
        found = backend.managed_prefix_lists.get(prefix_list)
        same = found is not None and (found.address_family or "IPv4") == family
        return int(found.max_entries or 1) if same else 0
    if "CidrIp" in peer or "CidrIpv6" in peer:
        return int(("CidrIpv6" if family == "IPv6" else "CidrIp") in peer)
    return 1


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

"""EC2: security group rules that name another group or a prefix list, and NAT gateways that go whole.

moto 5.2.5 returns a rule's description only where its peer is a range of addresses, so that any other is a
difference at every plan; and ModifySecurityGroupRules changes the peer of a range of IPv4 addresses only, never
takes a description away, and refuses protocol -1 without ports, which AWS wants without. A NAT gateway that is
deleted leaves its network interface behind.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.security_groups import SecurityGroupBackend, SecurityGroupRule


def install() -> None:
    """Put all of it into moto's EC2."""
    _rules_with_any_peer()
    delete = NatGatewayBackend.delete_nat_gateway

    def delete_nat_gateway(self: Any, nat_gateway_id: str) -> Any:
        gateway = delete(self, nat_gateway_id)
        if gateway._eni.id in self.enis:
            self.delete_network_interface(gateway._eni.id)
        return gateway

    NatGatewayBackend.delete_nat_gateway = delete_nat_gateway


def _rules_with_any_peer() -> None:
    """Keep and change a rule's description and peer, whatever the peer is."""
    initialise, modify = SecurityGroupRule.__init__, SecurityGroupBackend.modify_security_group_rules

    def __init__(  # noqa: N807
        self: Any,
        ec2_backend: Any,
        ip_protocol: str,
        group_id: str,
        from_port: Any,
        to_port: Any,
        ip_range: Any,
        source_group: Any = None,
        prefix_list_id: Any = None,
        *more: Any,
        **named: Any,
    ) -> None:
        initialise(
            self,
            ec2_backend,
            ip_protocol,
            group_id,
            from_port,
            to_port,
            ip_range,
            source_group,
            prefix_list_id,
            *more,
            **named,
        )
        self._prefix_list = dict(prefix_list_id or {})

    def peers(rule: Any) -> list[dict[str, Any]]:
        return [rule.ip_range, rule.source_group, rule._prefix_list]

    def description(self: Any) -> str | None:
        return next((str(peer["Description"]) for peer in peers(self) if peer.get("Description")), None)

    def modify_security_group_rules(self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
        every = {"FromPort": -1, "ToPort": -1}
        asked = {name: {**(every if rule.get("IpProtocol") == "-1" else {}), **rule} for name, rule in rules.items()}
        modify(self, group_id, asked)
        group = self.get_security_group_by_name_or_id(group_id)
        for name, rule in rules.items():
            changed = group.get_rule(name)
            for peer in peers(changed):
                peer.pop("Description", None)
            if text := rule.get("Description"):
                next(peer for peer in peers(changed) if peer)["Description"] = text
            if changed.ip_protocol == "-1":
                changed.from_port = changed.to_port = None
            if peer_group := rule.get("ReferencedGroupId"):
                changed.source_group["GroupId"] = peer_group
            if prefix_list := rule.get("PrefixListId"):
                changed.prefix_list_id = prefix_list
            if addresses := rule.get("CidrIpv6"):
                changed.ip_range["CidrIpv6"] = addresses

    SecurityGroupRule.__init__ = __init__
    SecurityGroupRule.description = property(description)
    SecurityGroupBackend.modify_security_group_rules = modify_security_group_rules

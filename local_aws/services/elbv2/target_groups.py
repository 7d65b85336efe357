"""Target groups: the attributes of those of a network load balancer.

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html. moto gives every
target group the attributes of one for HTTP, and takes any name.
"""

from __future__ import annotations

from typing import Any

from moto.elbv2.exceptions import InvalidConfigurationRequest
from moto.elbv2.models import ELBv2Backend

_NETWORK = ("TCP", "TLS", "UDP", "TCP_UDP")
_ATTRIBUTES = {
    "deregistration_delay.connection_termination.enabled": "false",
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "preserve_client_ip.enabled": "true",
    "proxy_protocol_v2.enabled": "false",
    "stickiness.enabled": "false",
    "stickiness.type": "source_ip",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
    "target_health_state.unhealthy.connection_termination.enabled": "true",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
}


def install() -> None:
    """Put it into moto's target groups."""
    create, modify = ELBv2Backend.create_target_group, ELBv2Backend.modify_target_group_attributes

    def create_target_group(self: Any, name: str, **asked: Any) -> Any:
        group = create(self, name, **asked)
        if group.protocol in _NETWORK:
            group.attributes = dict(_ATTRIBUTES)
            if group.target_type == "ip" and group.protocol in ("TCP", "TLS"):
                group.attributes["preserve_client_ip.enabled"] = "false"
        return group

    def modify_target_group_attributes(self: Any, target_group_arn: str, attributes: dict[str, Any]) -> Any:
        group = self.target_groups.get(target_group_arn)
        foreign = set(attributes) - set(_ATTRIBUTES)
        if group is not None and group.protocol in _NETWORK and foreign:
            raise InvalidConfigurationRequest(
                f"Target group attribute key '{min(foreign)}' is not supported for target groups with the "
                f"{group.protocol} protocol"
            )
        return modify(self, target_group_arn, attributes)

    ELBv2Backend.create_target_group = create_target_group
    ELBv2Backend.modify_target_group_attributes = modify_target_group_attributes

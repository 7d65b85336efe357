"""A Network Load Balancer through which clients reach OMERO.server itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.lb import Lb
from cdktf_cdktf_provider_aws.lb_listener import LbListener, LbListenerDefaultAction
from cdktf_cdktf_provider_aws.lb_target_group import LbTargetGroup, LbTargetGroupHealthCheck
from constructs import Construct

from contract import names
from modules.addresses import MAIN
from modules.audit import skip
from modules.container import Target
from modules.security_group import SecurityGroup, SecurityGroupProps


@dataclass(frozen=True, kw_only=True)
class NetworkLoadBalancerProps:
    """`ports` maps a role (`ssl`, `tcp`, ...) to its port; `cidrs` are the address ranges that may connect."""

    name: str
    target_group_prefix: str
    vpc_id: str
    subnet_ids: Sequence[str]
    internal: bool
    cidrs: Sequence[str]
    ports: Mapping[str, int]
    retain: bool


class NetworkLoadBalancer(Construct):
    """`dns_name` and `zone_id`; a service registers with `targets`, after the `listeners`."""

    def __init__(self, scope: Construct, id_: str, props: NetworkLoadBalancerProps) -> None:
        super().__init__(scope, id_)
        group = SecurityGroup(
            self,
            "security_group",
            SecurityGroupProps(
                name=names.suffixed("security_group", props.name, "-balancer"),
                description="OMERO.server load balancer",
                vpc_id=props.vpc_id,
            ),
        )
        balancer = Lb(
            self,
            MAIN,
            name=props.name,
            load_balancer_type="network",
            internal=props.internal,
            subnets=list(props.subnet_ids),
            security_groups=[group.id],
            # One server, in one zone: the node of the other zone has to reach it too.
            enable_cross_zone_load_balancing=True,
            enable_deletion_protection=props.retain,
        )
        skip(
            balancer,
            CKV_AWS_91="a network balancer logs accesses of TLS listeners only, and OMERO's own TLS passes through",
        )
        if not props.retain:
            skip(balancer, CKV_AWS_150="the workspace says retain: false")
        self.listeners: list[LbListener] = []
        self.targets: list[Target] = []
        for role, port in props.ports.items():
            group.allow_in_from_cidrs(role, cidrs=props.cidrs, port=port, description=f"OMERO.server, {role}")
            self._forward(balancer, group, props, role, port)
        self.dns_name = balancer.dns_name
        self.zone_id = balancer.zone_id

    def _forward(
        self, balancer: Lb, group: SecurityGroup, props: NetworkLoadBalancerProps, role: str, port: int
    ) -> None:
        target_group = LbTargetGroup(
            self,
            f"{role}_target_group",
            name=names.suffixed("target_group", props.target_group_prefix, f"-{role}"),
            vpc_id=props.vpc_id,
            port=port,
            protocol="TCP",
            target_type="ip",
            # Seconds: an import in progress may end. The task itself has 120 to stop.
            deregistration_delay="120",
            health_check=LbTargetGroupHealthCheck(protocol="TCP", interval=30, healthy_threshold=2),
        )
        self.listeners.append(
            LbListener(
                self,
                role,
                load_balancer_arn=balancer.arn,
                port=port,
                protocol="TCP",
                default_action=[LbListenerDefaultAction(type="forward", target_group_arn=target_group.arn)],
            )
        )
        self.targets.append(
            Target(arn=target_group.arn, port=port, balancer=group, description=f"OMERO, {role}", role=role)
        )

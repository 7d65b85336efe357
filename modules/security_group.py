"""Security groups whose rules are resources of their own, each with a description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.security_group import SecurityGroup as AwsSecurityGroup
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule
from cdktf_cdktf_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule
from constructs import Construct

from modules.addresses import MAIN

if TYPE_CHECKING:
    from modules.connections import Endpoint

ANYWHERE = "0.0.0.0/0"
Rule = VpcSecurityGroupEgressRule | VpcSecurityGroupIngressRule


@dataclass(frozen=True, kw_only=True)
class SecurityGroupProps:
    """Who the group is for; it lets nothing in or out until a rule says so."""

    name: str
    description: str
    vpc_id: str


class SecurityGroup(Construct):
    """`id` is the group's, `resource` what has it. The `allow_...` methods add one rule each, over TCP.

    `rules` are those that members need to connect to something, and `reached` the endpoints that they connect to
    (`modules.connections`).
    """

    def __init__(self, scope: Construct, id_: str, props: SecurityGroupProps) -> None:
        super().__init__(scope, id_)
        group = AwsSecurityGroup(
            self,
            MAIN,
            name=props.name,
            description=props.description,
            vpc_id=props.vpc_id,
            tags={"Name": props.name},
        )
        self.id = group.id
        self.resource = group
        self.rules: list[Rule] = []
        self.reached: list[Endpoint] = []

    def allow_in_from_cidrs(self, id_: str, *, cidrs: Sequence[str], port: int, description: str) -> None:
        """Let address ranges in, one rule a range, keyed by the range so that order does not matter."""
        for cidr in cidrs:
            VpcSecurityGroupIngressRule(
                self,
                f"{id_}_{cidr.translate(str.maketrans('./', '__'))}",
                security_group_id=self.id,
                cidr_ipv4=cidr,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                description=description,
            )

    def allow_out_to_anywhere(self, id_: str, *, port: int, description: str) -> None:
        """Let connections out to any address on one port."""
        self.allow_out_to_cidr(id_, cidr=ANYWHERE, port=port, description=description)

    def allow_out_to_cidr(self, id_: str, *, cidr: str, port: int, description: str) -> None:
        """Let connections out to an address range on one port."""
        rule = VpcSecurityGroupEgressRule(
            self,
            id_,
            security_group_id=self.id,
            cidr_ipv4=cidr,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description=description,
        )
        self.rules.append(rule)

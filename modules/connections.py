"""Connections, derived: who mounts, calls or forwards to an endpoint gets the way to it, and nobody else does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule
from cdktf_cdktf_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule
from constructs import Construct

from modules.audit import skip
from modules.security_group import Rule, SecurityGroup

HTTP_PORT = 80


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where something answers over TCP.

    `id` is the rules' part of their Terraform addresses: `to_database` of `server` makes `server_to_database_out`.
    `host` is the name or address that clients are told. `security_group_id` guards it; None is for what has no group
    of ours, and `host` is its address then, or `cidrs` are the ranges in which it is.
    """

    id: str
    port: int
    description: str
    security_group_id: str | None
    host: str | None = None
    cidrs: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.security_group_id is None and self.host is None and not self.cidrs:
            raise ValueError(f"endpoint {self.id} has no security group, host or address ranges; give one of them")

    @property
    def known_host(self) -> str:
        """The host of an endpoint that clients connect to by name.

        Raises:
            ValueError: it has none; EFS's clients, for one, know the file system by its id.
        """
        if self.host is None:
            raise ValueError(f"endpoint {self.id} has no host; its clients know it by something else")
        return self.host

    def named(self, id_: str) -> Endpoint:
        """The same, with another id for the rules of one client."""
        return replace(self, id=id_)


def open_ways(scope: Construct, source: SecurityGroup, endpoints: Iterable[Endpoint]) -> list[Rule]:
    """Let members of `source` reach endpoints: the way out, and the way into each endpoint's group.

    Returns all rules that a client has to wait for, and that have to outlive it. They belong to `scope`, so that a
    stack can open a way to a group of another stack and take the way with it when it goes. What is open already is
    left as it is.
    """
    for endpoint in endpoints:
        if endpoint in source.reached:
            continue
        source.reached.append(endpoint)
        if endpoint.security_group_id is None:
            for cidr in endpoint.cidrs or (f"{endpoint.host}/32",):
                # Keyed by the range, so that order does not matter.
                id_ = f"{endpoint.id}_{cidr.translate(str.maketrans('./', '__'))}" if endpoint.cidrs else endpoint.id
                source.allow_out_to_cidr(id_, cidr=cidr, port=endpoint.port, description=endpoint.description)
        else:
            source.rules += _connect(scope, source, endpoint, endpoint.security_group_id)
    return list(source.rules)


def _connect(scope: Construct, source: SecurityGroup, endpoint: Endpoint, target_id: str) -> tuple[Rule, Rule]:
    pair = Construct(scope, endpoint.id)
    out = VpcSecurityGroupEgressRule(
        pair,
        "out",
        security_group_id=source.id,
        referenced_security_group_id=target_id,
        ip_protocol="tcp",
        from_port=endpoint.port,
        to_port=endpoint.port,
        description=endpoint.description,
    )
    into = VpcSecurityGroupIngressRule(
        pair,
        "in",
        security_group_id=target_id,
        referenced_security_group_id=source.id,
        ip_protocol="tcp",
        from_port=endpoint.port,
        to_port=endpoint.port,
        description=endpoint.description,
    )
    if endpoint.port == HTTP_PORT:
        skip(into, CKV_AWS_260="it lets in the members of one security group, and no address")
    return out, into

"""Quotas of the account that a deployment would meet half-way, as far as Service Quotas tells them. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from contract.omero import TRANSPORTS
from scripts import aws, console
from scripts.errors import Refused
from settings import Workspace, ec2

CPU_UNITS = 1024  # of a vCPU


@dataclass(frozen=True, kw_only=True)
class Quota:
    """A quota by the codes of Service Quotas; `usual` is AWS's default, None where accounts differ."""

    service: str
    code: str
    name: str
    usual: int | None = None


RULES = Quota(service="vpc", code="L-0EA8095F", name="Inbound or outbound rules per security group", usual=60)
VPCS = Quota(service="vpc", code="L-F678F1CE", name="VPCs per Region")
ADDRESSES = Quota(service="ec2", code="L-0263D0A3", name="EC2-VPC Elastic IPs")
INSTANCE_VCPUS = Quota(
    service="ec2", code="L-1216C47A", name="Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"
)
FARGATE_VCPUS = Quota(service="fargate", code="L-3032A538", name="Fargate On-Demand vCPU resource count")


def check(session: boto3.Session, workspace: Workspace, deployed: frozenset[str]) -> None:
    """Refuse a workspace that needs more than the account may have.

    Raises:
        Refused: it does; the sentence names the quota.
    """
    told = _Told(session)
    for key, rules in rules_of_groups(workspace).items():
        if rules > (most := told.value(RULES) or RULES.usual or 0):
            raise Refused(
                f"{key} makes {rules} rules in one security group, and AWS takes {most:.0f} ({_named(RULES)}): join "
                "ranges, or have the quota raised."
            )
    makes_network = "network" not in deployed and not workspace.network.existing
    client = session.client("ec2")
    if makes_network:
        rows = aws.rows(client, "describe_vpcs", "Vpcs")  # those that others share with the account are theirs
        vpcs = sum(row.get("OwnerId", workspace.account_id) == workspace.account_id for row in rows)
        _suffices(told, VPCS, vpcs + 1, f"{vpcs} are there, and the workspace makes another; use network.existing")
        gateways = 1 if workspace.network.nat_gateways == "single" else 2
        addresses = len(client.describe_addresses()["Addresses"])
        hint = f"{addresses} are there, and the NAT gateways take {gateways}; set network.nat_gateways: single"
        _suffices(told, ADDRESSES, addresses + gateways, hint)
    on_fargate, on_instances = vcpus(workspace)
    _suffices(told, FARGATE_VCPUS, on_fargate, "the services alone take them; lower cpu or count")
    _suffices(told, INSTANCE_VCPUS, on_instances, "the servers' instances take them; choose a smaller type")
    if told.unknown:
        console.say(f"not checked, because Service Quotas does not tell: {', '.join(told.unknown)}.")


def rules_of_groups(workspace: Workspace) -> dict[str, int]:
    """How many inbound rules the lists of address ranges make in one security group, by the setting's key."""
    access = workspace.access
    rules = {"access.cidrs": len(access.cidrs) * (2 if workspace.tls else 1)}
    if access.server:
        ports = ["ssl", *(["wss"] if access.server.websockets else [])]
        if access.server.unencrypted:
            ports += ["tcp", *(["ws"] if access.server.websockets else [])]
        assert set(ports) <= set(TRANSPORTS)  # noqa: S101 - the same table as the balancer's
        rules["access.server.cidrs"] = len(access.server.cidrs) * len(ports)
    for key, part in workspace.sections.items():
        if cidrs := getattr(part, "cidrs", ()):
            rules[f"{key}.cidrs"] = len(cidrs)
    return rules


def vcpus(workspace: Workspace) -> tuple[float, float]:
    """vCPUs that the services take all the time: on Fargate, and of instances."""
    omero = workspace.omero
    web = omero.web.cpu * omero.web.count
    readers = omero.read_only.count if omero.read_only else 0
    if omero.server.launch_type == "FARGATE":
        cpu = omero.server.cpu + (omero.read_only.cpu * readers if omero.read_only else 0)
        return (web + cpu) / CPU_UNITS, 0
    if omero.ec2 is None:
        return web / CPU_UNITS, 0
    offered = ec2.INSTANCE_TYPES[omero.ec2.instance_type]
    read_only = (omero.read_only.cpu, omero.read_only.memory_mib) if omero.read_only else None
    instances = ec2.instances_needed(offered, (omero.server.cpu, omero.server.memory_mib), read_only, readers)
    return web / CPU_UNITS, instances * offered.cpu / CPU_UNITS


def _suffices(told: _Told, quota: Quota, needed: float, hint: str) -> None:
    most = told.value(quota) if needed else None
    if most is not None and needed > most:
        raise Refused(
            f"the workspace needs {needed:g}, and the account may have {most:g} ({_named(quota)}): {hint}, or have the "
            "quota raised under Service Quotas."
        )


def _named(quota: Quota) -> str:
    return f"quota {quota.code} of {quota.service}, {quota.name}"


class _Told:
    """What Service Quotas tells; `unknown` names what it does not."""

    def __init__(self, session: boto3.Session) -> None:
        self._client = session.client("service-quotas")
        self._values: dict[str, float | None] = {}
        self.unknown: list[str] = []

    def value(self, quota: Quota) -> float | None:
        """The account's quota; None where AWS denies it, does not know it, or does not answer."""
        if quota.code not in self._values:
            self._values[quota.code] = self._ask(quota)
            if self._values[quota.code] is None:
                self.unknown.append(quota.name)
        return self._values[quota.code]

    def _ask(self, quota: Quota) -> float | None:
        try:
            answer: Mapping[str, Any] = self._client.get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)
        except aws.ERRORS:
            return None
        return next(_numbers(answer.get("Quota", {})), None)


def _numbers(row: Mapping[str, Any]) -> Iterator[float]:
    if isinstance(row.get("Value"), int | float):
        yield float(row["Value"])

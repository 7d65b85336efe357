"""Security groups, and what is behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from local_aws.testing.ecs import Client, Network


@dataclass
class Groups:
    """Makes security groups that let nothing in or out, and rules."""

    client: Client
    vpc: str

    def make(self) -> str:
        """A new group."""
        ec2 = self.client("ec2")
        group = str(ec2.create_security_group(GroupName=uuid4().hex, Description="x", VpcId=self.vpc)["GroupId"])
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[permission(None, "0.0.0.0/0")])
        return group

    def let_out(self, source: str, port: int | None, peer: str) -> None:
        """Port None is all of them; `peer` is a group or a range."""
        self.client("ec2").authorize_security_group_egress(GroupId=source, IpPermissions=[permission(port, peer)])

    def let_in(self, target: str, port: int | None, peer: str) -> None:
        """Port None is all of them; `peer` is a group or a range."""
        self.client("ec2").authorize_security_group_ingress(GroupId=target, IpPermissions=[permission(port, peer)])

    def connect(self, source: str, target: str, port: int) -> None:
        """Both rules."""
        self.let_out(source, port, target)
        self.let_in(target, port, source)


def permission(port: int | None, peer: str) -> dict[str, Any]:
    """A rule as the API has it."""
    named = {"UserIdGroupPairs": [{"GroupId": peer}]} if peer.startswith("sg-") else {"IpRanges": [{"CidrIp": peer}]}
    ports = {"IpProtocol": "-1"} if port is None else {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    return {**ports, **named}


@pytest.fixture
def groups(client: Client, network: Network) -> Groups:
    return Groups(client, network.vpc)


def file_system(client: Client, network: Network, group: str | None) -> str:
    """A file system with a mount target in each subnet, with a security group or the VPC's default one."""
    efs = client("efs")
    system = str(efs.create_file_system(CreationToken=uuid4().hex)["FileSystemId"])
    for subnet in network.subnets:
        efs.create_mount_target(FileSystemId=system, SubnetId=subnet, **({"SecurityGroups": [group]} if group else {}))
    return system

"""Whether an instance reaches what its user data names, by its security groups and those of what is named."""

from __future__ import annotations

import re
from typing import Any

from moto.efs.models import efs_backends

from local_aws import named_hosts, packets
from local_aws.services.ecs.instances import user_data

_FILE_SYSTEM = re.compile(r"\bfs-[0-9a-f]{8,17}\b")
_ADDRESS = re.compile(r"(?<![\d.])(?:10|172|192)(?:\.\d{1,3}){3}(?![\d.])")


def unreachable(instance: Any) -> str | None:
    """The first thing that it names and cannot reach, or AWS itself, as a clause; None if nothing is in the way.

    A private address that an interface has is one of an NFS server.
    """
    ec2 = instance.ec2_backend
    side = packets.instance(ec2, instance)
    text = user_data(instance)
    if not text:
        return None
    efs = efs_backends[ec2.account_id][ec2.region_name]
    zone = ec2.get_subnet(instance.subnet_id).availability_zone
    reasons = [packets.blocked(ec2, side, packets.ELSEWHERE, packets.HTTPS)]
    for name in sorted(set(_FILE_SYSTEM.findall(text))):
        if target := packets.mount_target(ec2, efs, name, zone):
            reasons.append(packets.blocked(ec2, side, target, packets.NFS))
    for address in sorted(set(_ADDRESS.findall(text))):
        if server := packets.at(ec2, address, instance.vpc_id):
            reasons.append(packets.blocked(ec2, side, server, packets.NFS))
    reasons.append(named_hosts.unreachable(ec2.account_id, ec2.region_name, side, [text]))
    return next(filter(None, reasons), None)

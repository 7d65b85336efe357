"""The hosts that a text names, for instance a variable of a container or the user data of an instance.

Known are databases (RDS), caches (ElastiCache), services in Cloud Map and machines by their private addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.ecs.models import ecs_backends
from moto.elasticache.models import elasticache_backends
from moto.rds.models import rds_backends
from moto.servicediscovery.models import servicediscovery_backends

from local_aws import packets
from local_aws.packets import Side
from local_aws.services.elasticache.replication import addresses
from local_aws.services.elasticache.state import state_of


@dataclass(frozen=True, kw_only=True)
class Host:
    """A name, what is behind it, and its ports; `sides` are several where a name has several addresses.

    A private name is of a `vpc`; "" is one that all know.
    """

    name: str
    sides: tuple[Side, ...]
    ports: tuple[int, ...]
    vpc: str = ""


def known(account: str, region: str) -> Iterator[Host]:
    """All hosts of an account in a region that have names."""
    yield from _databases(account, region)
    yield from _caches(account, region)
    yield from _services(account, region)


def named(text: str, host: Host) -> tuple[int, ...] | None:
    """The ports of a host that a text means: the one that follows its name, or all; None if it does not name it."""
    found = re.search(rf"(?<![\w.-]){re.escape(host.name)}(?![\w-]|\.\w)(?:\W{{1,4}}(\d{{2,5}})\b)?", text)
    if found is None:
        return None
    return (int(found[1]),) if found[1] else host.ports


def blocked(ec2: Any, source: Side, host: Host, ports: tuple[int, ...]) -> str | None:
    """Why `source` reaches the host on none of the ports, as a clause; None if it reaches it, or nothing is there."""
    missing = [packets.blocked(ec2, source, side, port) for side in host.sides for port in ports]
    return None if None in missing else next(iter(missing), None)


def unreachable(account: str, region: str, source: Side, texts: list[str]) -> str | None:
    """The first host that texts name and `source` does not reach, as a clause."""
    ec2 = packets.ec2_of(account, region)
    for host in known(account, region):
        if host.vpc and source.vpc and host.vpc != source.vpc:
            continue
        for text in texts:
            if (ports := named(text, host)) and (why := blocked(ec2, source, host, ports)):
                return f"{host.name} cannot be reached: {why}"
    return None


def _subnet_address(ec2: Any, subnet_ids: list[str]) -> str:
    """An address in one of the subnets, for what has no interface of its own here."""
    return str(ec2.get_subnet(subnet_ids[0]).cidr_block).partition("/")[0] if subnet_ids else ""


def _databases(account: str, region: str) -> Iterator[Host]:
    ec2 = packets.ec2_of(account, region)
    for database in rds_backends[account][region].databases.values():
        group = getattr(database, "db_subnet_group", None)
        subnets = [each["SubnetIdentifier"] for each in getattr(group, "subnets", None) or []]
        vpc = ec2.get_subnet(subnets[0]).vpc_id if subnets else None
        side = Side(
            name=database.db_instance_identifier,
            groups=packets.with_default(ec2, database.vpc_security_group_ids, vpc),
            address=_subnet_address(ec2, subnets),
        )
        yield Host(name=database.address, sides=(side,), ports=(int(database.port),))


def _caches(account: str, region: str) -> Iterator[Host]:
    ec2 = packets.ec2_of(account, region)
    backend = elasticache_backends[account][region]
    for group in state_of(backend).replication_groups.values():
        subnets = [member["_subnet"] for member in group["_members"]]
        side = Side(
            name=group["ReplicationGroupId"],
            groups=packets.with_default(
                ec2, group["_security_groups"], ec2.get_subnet(subnets[0]).vpc_id if subnets else None
            ),
            address=_subnet_address(ec2, subnets),
        )
        for name, port in addresses(backend, group):
            yield Host(name=name, sides=(side,), ports=(port,))


def _services(account: str, region: str) -> Iterator[Host]:
    """Of Cloud Map's services those that ECS registers tasks with, by the groups that the tasks have or will have."""
    cloud_map = servicediscovery_backends[account][region]
    ec2 = packets.ec2_of(account, region)
    for service in list(ecs_backends[account][region].services.values()):
        network = (service.spec.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
        subnets = network.get("subnets") or []
        ports = tuple(
            int(each["containerPort"])
            for container in service.definition.container_definitions
            for each in container.get("portMappings") or []
        )
        for registry in service.spec.get("serviceRegistries") or []:
            entry = cloud_map.services.get(registry["registryArn"].rpartition("/")[2])
            space = cloud_map.namespaces.get(entry.namespace_id) if entry else None
            if entry is None or space is None or not subnets:
                continue
            living = [task.address for task in service.living() if task.address]
            vpc = ec2.get_subnet(subnets[0]).vpc_id
            groups = packets.with_default(ec2, network.get("securityGroups"), vpc)
            sides = tuple(
                Side(name=f"service {service.name}", groups=groups, address=address)
                for address in living or [_subnet_address(ec2, subnets)]
            )
            yield Host(name=f"{entry.name}.{space.name}", sides=sides, ports=ports, vpc=vpc)

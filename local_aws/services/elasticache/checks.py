"""What ElastiCache refuses for a replication group; the codes are AWS's.

https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html
"""

from __future__ import annotations

import re
from typing import Any

from moto.ec2.models import ec2_backends

from local_aws.services.elasticache.state import Json, error

# A version as it may be asked for, and what it is then (the middle of 2025, when provider 5.100.0 came out).
_VERSIONS = {
    "valkey": {"7.2": "7.2.6", "8.0": "8.0.1", "8.1": "8.1.0"},
    "redis": {"6.0": "6.0.5", "6.2": "6.2.6", "7.0": "7.0.7", "7.1": "7.1.0"},
}
_COMBINATION = "InvalidParameterCombination"


def version(engine: str, asked: str | None, present: Json | None = None) -> str:
    """The full version. Raises InvalidParameterCombination for one that is unknown, or older than the present one."""
    known = _VERSIONS.get(engine)
    if known is None:
        raise error("InvalidParameterValue", f"{engine} is not a valid engine: valkey and redis are.")
    full = list(known.values())[-1] if not asked else known.get(asked, asked if asked in known.values() else None)
    if full is None:
        raise error(_COMBINATION, f"Cannot find version {asked} for {engine}")
    if present is not None:
        if present["Engine"] == "valkey" and engine == "redis":
            raise error(_COMBINATION, "A replication group cannot be changed from valkey to redis.")
        if present["Engine"] == engine and _numbers(full) < _numbers(present["_version"]):
            raise error(_COMBINATION, f"Downgrading from {present['_version']} to {full} is not supported.")
    return full


def newest_minor(engine: str, full: str) -> str:
    """What ElastiCache raises a version to by itself: the newest of the same major version."""
    major = full.partition(".")[0]
    return max((each for each in _VERSIONS[engine].values() if each.partition(".")[0] == major), key=_numbers)


def _numbers(full: str) -> list[int]:
    return [int(part) for part in full.split(".")]


def family(engine: str, full: str) -> str:
    """The family of parameter groups for that version."""
    major = full.partition(".")[0]
    return f"{engine}{major}.x" if (engine, major) == ("redis", "6") else f"{engine}{major}"


def check(backend: Any, group: Json, parameters: Json, subnets: Json, count: int) -> None:
    """Raises for a replication group of `count` members that AWS would not have."""
    name = group["ReplicationGroupId"]
    if not re.fullmatch(r"[a-z](?!.*--)[a-z0-9-]{0,39}", name) or name.endswith("-"):
        raise error("InvalidParameterValue", f"The replication group ID {name} is not valid.")
    if not re.fullmatch(r"cache\.[a-z0-9]+\.[a-z0-9]+", group["CacheNodeType"] or ""):
        raise error("InvalidParameterValue", f"The cache node type {group['CacheNodeType']} is not valid.")
    wanted = family(group["Engine"], group["_version"])
    if parameters["CacheParameterGroupFamily"] != wanted:
        raise error(
            _COMBINATION,
            f"Expected a parameter group of family {wanted} but found one of family "
            f"{parameters['CacheParameterGroupFamily']}",
        )
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    for each in group["_security_groups"]:
        found = ec2.get_security_group_from_id(each)
        if found is None or found.vpc_id != subnets["VpcId"]:
            raise error("InvalidParameterValue", f"Some security groups are not in the VPC of the cluster: {each}")
    check_count(group, count)
    zones = {subnet["SubnetAvailabilityZone"]["Name"] for subnet in subnets["Subnets"]}
    if group["MultiAZ"] == "enabled" and len(zones) < 2:
        raise error(_COMBINATION, "Multi-AZ needs a subnet group with subnets in at least two Availability Zones.")
    if group["KmsKeyId"] and not group["AtRestEncryptionEnabled"]:
        raise error(_COMBINATION, "A KMS key can be specified only when encryption at rest is enabled.")
    if group["TransitEncryptionMode"] and not group["TransitEncryptionEnabled"]:
        raise error(_COMBINATION, "A transit encryption mode can be used only when encryption in transit is enabled.")


def check_count(group: Json, count: int) -> None:
    """Raises for too few or too many members."""
    if not 1 <= count <= 6:
        raise error("InvalidParameterValue", f"The number of cache clusters must be between 1 and 6, not {count}.")
    if group["AutomaticFailover"] == "enabled" and count < 2:
        raise error(_COMBINATION, "Automatic failover needs a replication group with at least one replica.")
    if group["MultiAZ"] == "enabled" and group["AutomaticFailover"] != "enabled":
        raise error(_COMBINATION, "Multi-AZ can be enabled only when automatic failover is.")

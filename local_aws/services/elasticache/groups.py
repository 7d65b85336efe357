"""Groups of subnets, and AWS's own groups of parameters."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import ec2_backends

from local_aws.actions import Action
from local_aws.services.elasticache.state import Json, arn, error, find, several, state_of

FAMILIES = ("valkey8", "valkey7", "redis7", "redis6.x", "redis5.0", "redis4.0", "memcached1.6")
_SUBNETS = ("CacheSubnetGroupNotFoundFault", "Cache subnet group")


def subnet_group(backend: Any, name: str | None) -> Json:
    return find(state_of(backend).subnet_groups, name, *_SUBNETS)


def parameter_group(name: str) -> Json:
    """AWS's default parameter group of a family; there are no others here."""
    family = name.removeprefix("default.").removesuffix(".cluster.on")
    if name.startswith("default.") and family in FAMILIES:
        return {"CacheParameterGroupName": name, "CacheParameterGroupFamily": family, "IsGlobal": False}
    raise error("CacheParameterGroupNotFound", f"CacheParameterGroup {name} not found.")


def _subnets(backend: Any, asked: list[str]) -> Json:
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    found = []
    for subnet_id in asked:
        try:
            found.append(ec2.get_subnet(subnet_id))
        except Exception as problem:  # moto's error is an HTTPException
            raise error("InvalidSubnet", f"The requested subnet {subnet_id} is not valid.") from problem
    if len({subnet.vpc_id for subnet in found}) != 1:
        raise error("InvalidSubnet", "The subnets of a cache subnet group must be in one VPC.")
    return {
        "VpcId": found[0].vpc_id,
        "Subnets": [
            {
                "SubnetIdentifier": subnet.id,
                "SubnetAvailabilityZone": {"Name": subnet.availability_zone},
                "SupportedNetworkTypes": ["ipv4"],
            }
            for subnet in found
        ],
        "SupportedNetworkTypes": ["ipv4"],
    }


def create_cache_subnet_group(backend: Any, asked: Json) -> Json:
    name, groups = asked["CacheSubnetGroupName"].lower(), state_of(backend).subnet_groups
    if name in groups:
        raise error("CacheSubnetGroupAlreadyExists", f"Cache subnet group {name} already exists.")
    groups[name] = {
        "CacheSubnetGroupName": name,
        "CacheSubnetGroupDescription": asked["CacheSubnetGroupDescription"],
        "ARN": arn(backend, "subnetgroup", name),
        **_subnets(backend, asked["SubnetIds"]),
    }
    backend.tagging_service.tag_resource(groups[name]["ARN"], asked.get("Tags") or [])
    return {"CacheSubnetGroup": groups[name]}


def modify_cache_subnet_group(backend: Any, asked: Json) -> Json:
    group = subnet_group(backend, asked["CacheSubnetGroupName"])
    if asked.get("SubnetIds"):
        changed = _subnets(backend, asked["SubnetIds"])
        gone = {each["SubnetIdentifier"] for each in group["Subnets"]} - set(asked["SubnetIds"])
        if gone & {each["_subnet"] for used in _users_of(backend, group) for each in used["_members"]}:
            raise error("SubnetInUse", "The subnet ID that was specified is in use by one or more cache clusters.")
        group.update(changed)
    if asked.get("CacheSubnetGroupDescription") is not None:
        group["CacheSubnetGroupDescription"] = asked["CacheSubnetGroupDescription"]
    return {"CacheSubnetGroup": group}


def describe_cache_subnet_groups(backend: Any, asked: Json) -> Json:
    groups = state_of(backend).subnet_groups
    return {"CacheSubnetGroups": several(groups, asked.get("CacheSubnetGroupName"), *_SUBNETS)}


def delete_cache_subnet_group(backend: Any, asked: Json) -> None:
    group = subnet_group(backend, asked["CacheSubnetGroupName"])
    if _users_of(backend, group):
        raise error(
            "CacheSubnetGroupInUse",
            f"Cache subnet group {group['CacheSubnetGroupName']} is currently in use by a cache cluster.",
        )
    del state_of(backend).subnet_groups[group["CacheSubnetGroupName"]]
    backend.tagging_service.delete_all_tags_for_resource(group["ARN"])


def _users_of(backend: Any, group: Json) -> list[Json]:
    name = group["CacheSubnetGroupName"]
    return [each for each in state_of(backend).replication_groups.values() if each["_subnet_group"] == name]


def list_tags_for_resource(self: Any, arn: str) -> Any:
    """Instead of moto's, which knows fewer kinds of ARNs."""
    if f":elasticache:{self.region_name}:{self.account_id}:" not in arn:
        raise error("InvalidARN", f"The requested Amazon Resource Name (ARN) {arn} is not valid.")
    return self.tagging_service.list_tags_for_resource(arn)


ACTIONS: dict[str, Action] = {
    "CreateCacheSubnetGroup": create_cache_subnet_group,
    "ModifyCacheSubnetGroup": modify_cache_subnet_group,
    "DescribeCacheSubnetGroups": describe_cache_subnet_groups,
    "DeleteCacheSubnetGroup": delete_cache_subnet_group,
}

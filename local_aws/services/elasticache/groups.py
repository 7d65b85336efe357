"""Groups of subnets and of parameters."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import ec2_backends
from moto.elasticache.models import ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse

from local_aws.services.elasticache.state import Json, arn, error, find, several, shown, state_of

FAMILIES = ("valkey8", "valkey7", "redis7", "redis6.x", "redis5.0", "redis4.0", "memcached1.6")
_SUBNETS = ("CacheSubnetGroupNotFoundFault", "Cache subnet group")
_PARAMETERS = ("CacheParameterGroupNotFound", "CacheParameterGroup")


def subnet_group(backend: Any, name: str | None) -> Json:
    return find(state_of(backend).subnet_groups, name, *_SUBNETS)


def parameter_group(backend: Any, name: str) -> Json:
    """The parameter group of that name, or AWS's default one of a family."""
    family = name.removeprefix("default.").removesuffix(".cluster.on")
    if name.startswith("default.") and family in FAMILIES:
        return {"CacheParameterGroupName": name, "CacheParameterGroupFamily": family, "IsGlobal": False}
    return find(state_of(backend).parameter_groups, name, *_PARAMETERS)


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


def create_cache_subnet_group(self: Any) -> ActionResult:
    backend, asked = self.elasticache_backend, self.params
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
    return ActionResult({"CacheSubnetGroup": groups[name]})


def modify_cache_subnet_group(self: Any) -> ActionResult:
    backend, asked = self.elasticache_backend, self.params
    group = subnet_group(backend, asked["CacheSubnetGroupName"])
    if asked.get("SubnetIds"):
        changed = _subnets(backend, asked["SubnetIds"])
        gone = {each["SubnetIdentifier"] for each in group["Subnets"]} - set(asked["SubnetIds"])
        if gone & {each["_subnet"] for used in _users_of(backend, group) for each in used["_members"]}:
            raise error("SubnetInUse", "The subnet ID that was specified is in use by one or more cache clusters.")
        group.update(changed)
    if asked.get("CacheSubnetGroupDescription") is not None:
        group["CacheSubnetGroupDescription"] = asked["CacheSubnetGroupDescription"]
    return ActionResult({"CacheSubnetGroup": group})


def describe_cache_subnet_groups(self: Any) -> ActionResult:
    groups = state_of(self.elasticache_backend).subnet_groups
    return ActionResult({"CacheSubnetGroups": several(groups, self.params.get("CacheSubnetGroupName"), *_SUBNETS)})


def delete_cache_subnet_group(self: Any) -> ActionResult:
    backend = self.elasticache_backend
    group = subnet_group(backend, self.params["CacheSubnetGroupName"])
    if _users_of(backend, group):
        raise error(
            "CacheSubnetGroupInUse",
            f"Cache subnet group {group['CacheSubnetGroupName']} is currently in use by a cache cluster.",
        )
    _forget(backend, state_of(backend).subnet_groups, group["CacheSubnetGroupName"])
    return EmptyResult()


def _users_of(backend: Any, group: Json) -> list[Json]:
    name = group["CacheSubnetGroupName"]
    return [each for each in state_of(backend).replication_groups.values() if each["_subnet_group"] == name]


def _forget(backend: Any, things: dict[str, Json], name: str) -> None:
    backend.tagging_service.delete_all_tags_for_resource(things.pop(name)["ARN"])


def create_cache_parameter_group(self: Any) -> ActionResult:
    backend, asked = self.elasticache_backend, self.params
    name, groups = asked["CacheParameterGroupName"].lower(), state_of(backend).parameter_groups
    if name in groups:
        raise error("CacheParameterGroupAlreadyExists", f"Parameter group {name} already exists.")
    if asked["CacheParameterGroupFamily"] not in FAMILIES:
        raise error(
            "InvalidParameterValue",
            f"CacheParameterGroupFamily {asked['CacheParameterGroupFamily']} is not a valid parameter group family.",
        )
    groups[name] = {
        "CacheParameterGroupName": name,
        "CacheParameterGroupFamily": asked["CacheParameterGroupFamily"],
        "Description": asked["Description"],
        "IsGlobal": False,
        "ARN": arn(backend, "parametergroup", name),
        "_parameters": {},
    }
    backend.tagging_service.tag_resource(groups[name]["ARN"], asked.get("Tags") or [])
    return ActionResult({"CacheParameterGroup": shown(groups[name])})


def describe_cache_parameter_groups(self: Any) -> ActionResult:
    groups, name = state_of(self.elasticache_backend).parameter_groups, self.params.get("CacheParameterGroupName")
    found = several(groups, name, *_PARAMETERS)
    return ActionResult({"CacheParameterGroups": [shown(each) for each in found]})


def describe_cache_parameters(self: Any) -> ActionResult:
    group = parameter_group(self.elasticache_backend, self.params["CacheParameterGroupName"])
    parameters = [
        {"ParameterName": name, "ParameterValue": value, "Source": "user", "DataType": "string", "IsModifiable": True}
        for name, value in group.get("_parameters", {}).items()
    ]
    if self.params.get("Source") not in (None, "user"):
        parameters = []
    return ActionResult({"Parameters": parameters, "CacheNodeTypeSpecificParameters": []})


def modify_cache_parameter_group(self: Any) -> ActionResult:
    name = self.params["CacheParameterGroupName"]
    if name.startswith("default."):
        raise error("InvalidParameterValue", f"The parameter group {name} cannot be modified: it is a default one.")
    group = find(state_of(self.elasticache_backend).parameter_groups, name, *_PARAMETERS)
    for parameter in self.params.get("ParameterNameValues") or []:
        group["_parameters"][parameter["ParameterName"]] = parameter["ParameterValue"]
    return ActionResult({"CacheParameterGroupName": name})


def reset_cache_parameter_group(self: Any) -> ActionResult:
    name = self.params["CacheParameterGroupName"]
    group = find(state_of(self.elasticache_backend).parameter_groups, name, *_PARAMETERS)
    if self.params.get("ResetAllParameters"):
        group["_parameters"].clear()
    for parameter in self.params.get("ParameterNameValues") or []:
        group["_parameters"].pop(parameter["ParameterName"], None)
    return ActionResult({"CacheParameterGroupName": name})


def delete_cache_parameter_group(self: Any) -> ActionResult:
    backend, name = self.elasticache_backend, self.params["CacheParameterGroupName"].lower()
    state = state_of(backend)
    find(state.parameter_groups, name, *_PARAMETERS)
    if any(each["_parameter_group"] == name for each in state.replication_groups.values()):
        raise error(
            "InvalidCacheParameterGroupState",
            f"One or more cache clusters are still members of this parameter group {name}, so the group cannot be "
            "deleted.",
        )
    _forget(backend, state.parameter_groups, name)
    return EmptyResult()


def install() -> None:
    """Put the actions into moto's ElastiCache, and have every kind of ARN carry tags."""
    for action in (
        create_cache_subnet_group,
        modify_cache_subnet_group,
        describe_cache_subnet_groups,
        delete_cache_subnet_group,
        create_cache_parameter_group,
        describe_cache_parameter_groups,
        describe_cache_parameters,
        modify_cache_parameter_group,
        reset_cache_parameter_group,
        delete_cache_parameter_group,
    ):
        setattr(ElastiCacheResponse, action.__name__, action)

    def list_tags_for_resource(self: Any, arn: str) -> Any:
        if f":elasticache:{self.region_name}:{self.account_id}:" not in arn:
            raise error("InvalidARN", f"The requested Amazon Resource Name (ARN) {arn} is not valid.")
        return self.tagging_service.list_tags_for_resource(arn)

    ElastiCacheBackend.list_tags_for_resource = list_tags_for_resource

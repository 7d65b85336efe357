"""The actions on gateways, disks, caches and tags."""

from __future__ import annotations

from local_aws.actions import Action
from local_aws.services import ec2
from local_aws.services.storagegateway import activation, checks
from local_aws.services.storagegateway.models import (
    Gateway,
    GatewayError,
    Json,
    StorageGatewayBackend,
    invalid,
    page,
    tags_of,
)

_OTHER_TYPES = ("STORED", "CACHED", "VTL", "VTL_SNOW", "FILE_FSX_SMB")
_LEAST_CACHE = 150 << 30  # bytes
_MOST_CACHE = 64 << 40
_MOST_TAGS = 50


def _gateway(backend: StorageGatewayBackend, asked: Json, *, connected: bool = True) -> Gateway:
    return backend.gateway(asked["GatewayARN"], connected=connected)


def activate_gateway(backend: StorageGatewayBackend, asked: Json) -> Json:
    kind = asked.get("GatewayType") or "CACHED"
    if kind in _OTHER_TYPES:
        raise NotImplementedError(f"gateways of type {kind}")
    if kind != "FILE_S3":
        raise invalid(f"GatewayType {kind} is not valid.")
    if asked["GatewayRegion"] != backend.region_name:
        raise GatewayError("RegionInvalid", f"GatewayRegion {asked['GatewayRegion']} is not {backend.region_name}.")
    checks.check_name(asked["GatewayName"])
    checks.check_timezone(asked["GatewayTimezone"])
    key = _key(backend, asked["ActivationKey"])
    gateway = Gateway(
        backend.arn("gateway", "sgw"),
        backend,
        asked["GatewayName"],
        asked["GatewayTimezone"],
        kind,
        key.instance_id,
        key.address,
    )
    if gateway.instance is not None:
        gateway.address = gateway.instance.private_ip
    key.used = True
    backend.gateways[gateway.arn] = gateway
    backend.tags[gateway.arn] = {each["Key"]: each["Value"] for each in asked.get("Tags") or []}
    return {"GatewayARN": gateway.arn}


def _key(backend: StorageGatewayBackend, given: str) -> activation.Key:
    key = activation.find_key(given)
    if key is None or key.region != backend.region_name:
        raise GatewayError("ActivationKeyNotFound", "The specified activation key was not found.")
    if key.used:
        raise GatewayError("ActivationKeyInvalid", "The specified activation key is not valid.")
    if key.has_expired:
        raise GatewayError("ActivationKeyExpired", "The specified activation key has expired.")
    return key


def describe_gateway_information(backend: StorageGatewayBackend, asked: Json) -> Json:
    gateway = _gateway(backend, asked)
    answer = {
        **_listed(gateway),
        "GatewayTimezone": gateway.timezone,
        "GatewayState": "RUNNING",
        "GatewayNetworkInterfaces": [{"Ipv4Address": gateway.address}],
        "EndpointType": "STANDARD",
        "Tags": tags_of(backend, gateway.arn),
        "CloudWatchLogGroupARN": gateway.log_group,
        "GatewayCapacity": "Small",
        "SupportedGatewayCapacities": ["Small", "Medium", "Large"],
    }
    return {name: value for name, value in answer.items() if value is not None}


def list_gateways(backend: StorageGatewayBackend, asked: Json) -> Json:
    rows = [
        {**_listed(each), "GatewayOperationalState": "ACTIVE" if each.is_connected else "OFFLINE"}
        for each in backend.gateways.values()
    ]
    return page(asked, "Gateways", rows)


def update_gateway_information(backend: StorageGatewayBackend, asked: Json) -> Json:
    gateway = _gateway(backend, asked)
    if asked.get("GatewayName"):
        checks.check_name(asked["GatewayName"])
    if asked.get("GatewayTimezone"):
        checks.check_timezone(asked["GatewayTimezone"])
    if "CloudWatchLogGroupARN" in asked:
        checks.check_log_group(backend, asked["CloudWatchLogGroupARN"])
        gateway.log_group = asked["CloudWatchLogGroupARN"] or None
    gateway.name = asked.get("GatewayName") or gateway.name
    gateway.timezone = asked.get("GatewayTimezone") or gateway.timezone
    return {"GatewayARN": gateway.arn, "GatewayName": gateway.name}


def delete_gateway(backend: StorageGatewayBackend, asked: Json) -> Json:
    gateway = _gateway(backend, asked, connected=False)
    backend.forget(gateway)
    return {"GatewayARN": gateway.arn}


def list_local_disks(backend: StorageGatewayBackend, asked: Json) -> Json:
    gateway = _gateway(backend, asked)
    return {"GatewayARN": gateway.arn, "Disks": gateway.disks()}


def add_cache(backend: StorageGatewayBackend, asked: Json) -> Json:
    gateway, wanted = _gateway(backend, asked), asked["DiskIds"]
    disks = {disk["DiskId"]: disk for disk in gateway.disks()}
    for disk in wanted:
        if disk not in disks:
            raise GatewayError("DiskDoesNotExist", f"The specified disk {disk} does not exist.")
        if disk in gateway.cache:
            raise GatewayError("DiskAlreadyAllocated", f"The specified disk {disk} is already allocated.")
    size = sum(disks[disk]["DiskSizeInBytes"] for disk in {*wanted, *gateway.cache} if disk in disks)
    if not _LEAST_CACHE <= size <= _MOST_CACHE:
        raise invalid(f"The cache storage is 150 GiB to 64 TiB, not {size >> 30} GiB.")
    gateway.cache += dict.fromkeys(wanted)
    if gateway.instance is not None:
        ec2.uses_its_disks(gateway.instance)
    return {"GatewayARN": gateway.arn}


def describe_cache(backend: StorageGatewayBackend, asked: Json) -> Json:
    gateway = _gateway(backend, asked)
    sizes = [disk["DiskSizeInBytes"] for disk in gateway.disks() if disk["DiskId"] in gateway.cache]
    return {
        "GatewayARN": gateway.arn,
        "DiskIds": gateway.cache,
        "CacheAllocatedInBytes": sum(sizes),
        "CacheUsedPercentage": 0.0,
        "CacheDirtyPercentage": 0.0,
        "CacheHitPercentage": 0.0,
        "CacheMissPercentage": 0.0,
    }


def describe_maintenance_start_time(backend: StorageGatewayBackend, asked: Json) -> Json:
    gateway = _gateway(backend, asked)
    return {"GatewayARN": gateway.arn, "Timezone": gateway.timezone, **gateway.maintenance}


def describe_smb_settings(backend: StorageGatewayBackend, asked: Json) -> Json:
    gateway = _gateway(backend, asked)
    return {
        "GatewayARN": gateway.arn,
        "ActiveDirectoryStatus": "DETACHED",
        "SMBGuestPasswordSet": False,
        **gateway.smb,
    }


def _tagged(backend: StorageGatewayBackend, asked: Json) -> dict[str, str]:
    arn = asked["ResourceARN"]
    if arn in backend.shares:
        backend.share(arn)
    else:
        backend.gateway(arn, connected=False)
    return backend.tags.setdefault(arn, {})


def add_tags_to_resource(backend: StorageGatewayBackend, asked: Json) -> Json:
    tags = _tagged(backend, asked)
    added = {each["Key"]: each["Value"] for each in asked["Tags"]}
    if len(tags | added) > _MOST_TAGS:
        raise invalid(f"A resource has at most {_MOST_TAGS} tags.")
    tags.update(added)
    return {"ResourceARN": asked["ResourceARN"]}


def remove_tags_from_resource(backend: StorageGatewayBackend, asked: Json) -> Json:
    tags = _tagged(backend, asked)
    for key in asked["TagKeys"]:
        tags.pop(key, None)
    return {"ResourceARN": asked["ResourceARN"]}


def list_tags_for_resource(backend: StorageGatewayBackend, asked: Json) -> Json:
    _tagged(backend, asked)
    rows = tags_of(backend, asked["ResourceARN"])
    return {"ResourceARN": asked["ResourceARN"], **page(asked, "Tags", rows)}


def _listed(gateway: Gateway) -> Json:
    answer: Json = {
        "GatewayARN": gateway.arn,
        "GatewayId": gateway.id,
        "GatewayName": gateway.name,
        "GatewayType": gateway.kind,
        "HostEnvironment": "EC2" if gateway.instance_id else "OTHER",
        "SoftwareVersion": "2.0.0",
    }
    if gateway.instance_id:
        answer |= {
            "Ec2InstanceId": gateway.instance_id,
            "Ec2InstanceRegion": gateway.backend.region_name,
            "HostEnvironmentId": gateway.instance_id,
        }
    return answer


ACTIONS: dict[str, Action] = {
    "ActivateGateway": activate_gateway,
    "DescribeGatewayInformation": describe_gateway_information,
    "ListGateways": list_gateways,
    "UpdateGatewayInformation": update_gateway_information,
    "DeleteGateway": delete_gateway,
    "ListLocalDisks": list_local_disks,
    "AddCache": add_cache,
    "DescribeCache": describe_cache,
    "DescribeMaintenanceStartTime": describe_maintenance_start_time,
    "DescribeSMBSettings": describe_smb_settings,
    "AddTagsToResource": add_tags_to_resource,
    "RemoveTagsFromResource": remove_tags_from_resource,
    "ListTagsForResource": list_tags_for_resource,
}

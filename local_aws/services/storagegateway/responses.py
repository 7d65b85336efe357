"""The actions on gateways, disks, caches and tags."""

from __future__ import annotations

from moto.core.responses import ActionResult, BaseResponse

from local_aws.services.storagegateway import activation, checks
from local_aws.services.storagegateway.models import (
    Gateway,
    GatewayError,
    Json,
    invalid,
)
from local_aws.services.storagegateway.shares import ShareActions

_OTHER_TYPES = ("STORED", "CACHED", "VTL", "VTL_SNOW", "FILE_FSX_SMB")
_LEAST_CACHE = 150 << 30  # bytes
_MOST_CACHE = 64 << 40
_MOST_TAGS = 50


class StorageGatewayResponse(ShareActions, BaseResponse):  # type: ignore[misc]
    """One request."""

    def __init__(self) -> None:
        super().__init__(service_name="storagegateway")
        self.automated_parameter_parsing = True

    def _gateway(self, *, connected: bool = True) -> Gateway:
        return self.backend.gateway(self.params["GatewayARN"], connected=connected)

    def activate_gateway(self) -> ActionResult:
        backend, params = self.backend, self.params
        kind = params.get("GatewayType") or "CACHED"
        if kind in _OTHER_TYPES:
            raise NotImplementedError(f"gateways of type {kind}")
        if kind != "FILE_S3":
            raise invalid(f"GatewayType {kind} is not valid.")
        if params["GatewayRegion"] != backend.region_name:
            raise GatewayError(
                "RegionInvalid", f"GatewayRegion {params['GatewayRegion']} is not {backend.region_name}."
            )
        checks.check_name(params["GatewayName"])
        checks.check_timezone(params["GatewayTimezone"])
        key = self._key(params["ActivationKey"])
        gateway = Gateway(
            backend.arn("gateway", "sgw"),
            backend,
            params["GatewayName"],
            params["GatewayTimezone"],
            kind,
            key.instance_id,
            key.address,
        )
        if gateway.instance is not None:
            gateway.address = gateway.instance.private_ip
        key.used = True
        backend.gateways[gateway.arn] = gateway
        backend.tags[gateway.arn] = {each["Key"]: each["Value"] for each in params.get("Tags") or []}
        return ActionResult({"GatewayARN": gateway.arn})

    def _key(self, given: str) -> activation.Key:
        key = activation.find_key(given)
        if key is None or key.region != self.backend.region_name:
            raise GatewayError("ActivationKeyNotFound", "The specified activation key was not found.")
        if key.used:
            raise GatewayError("ActivationKeyInvalid", "The specified activation key is not valid.")
        if key.has_expired:
            raise GatewayError("ActivationKeyExpired", "The specified activation key has expired.")
        return key

    def describe_gateway_information(self) -> ActionResult:
        gateway = self._gateway()
        answer = {
            **_listed(gateway),
            "GatewayTimezone": gateway.timezone,
            "GatewayState": "RUNNING",
            "GatewayNetworkInterfaces": [{"Ipv4Address": gateway.address}],
            "EndpointType": "STANDARD",
            "Tags": self._tags(gateway.arn),
            "CloudWatchLogGroupARN": gateway.log_group,
            "GatewayCapacity": "Small",
            "SupportedGatewayCapacities": ["Small", "Medium", "Large"],
        }
        return ActionResult({name: value for name, value in answer.items() if value is not None})

    def list_gateways(self) -> ActionResult:
        rows = [
            {**_listed(each), "GatewayOperationalState": "ACTIVE" if each.is_connected else "OFFLINE"}
            for each in self.backend.gateways.values()
        ]
        return ActionResult(self.page("Gateways", rows))

    def update_gateway_information(self) -> ActionResult:
        gateway, params = self._gateway(), self.params
        if params.get("GatewayName"):
            checks.check_name(params["GatewayName"])
        if params.get("GatewayTimezone"):
            checks.check_timezone(params["GatewayTimezone"])
        if "CloudWatchLogGroupARN" in params:
            checks.check_log_group(self.backend, params["CloudWatchLogGroupARN"])
            gateway.log_group = params["CloudWatchLogGroupARN"] or None
        gateway.name = params.get("GatewayName") or gateway.name
        gateway.timezone = params.get("GatewayTimezone") or gateway.timezone
        return ActionResult({"GatewayARN": gateway.arn, "GatewayName": gateway.name})

    def delete_gateway(self) -> ActionResult:
        gateway = self._gateway(connected=False)
        self.backend.forget(gateway)
        return ActionResult({"GatewayARN": gateway.arn})

    def list_local_disks(self) -> ActionResult:
        gateway = self._gateway()
        return ActionResult({"GatewayARN": gateway.arn, "Disks": gateway.disks()})

    def add_cache(self) -> ActionResult:
        gateway, wanted = self._gateway(), self.params["DiskIds"]
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
        return ActionResult({"GatewayARN": gateway.arn})

    def describe_cache(self) -> ActionResult:
        gateway = self._gateway()
        sizes = [disk["DiskSizeInBytes"] for disk in gateway.disks() if disk["DiskId"] in gateway.cache]
        return ActionResult(
            {
                "GatewayARN": gateway.arn,
                "DiskIds": gateway.cache,
                "CacheAllocatedInBytes": sum(sizes),
                "CacheUsedPercentage": 0.0,
                "CacheDirtyPercentage": 0.0,
                "CacheHitPercentage": 0.0,
                "CacheMissPercentage": 0.0,
            }
        )

    def describe_maintenance_start_time(self) -> ActionResult:
        gateway = self._gateway()
        return ActionResult({"GatewayARN": gateway.arn, "Timezone": gateway.timezone, **gateway.maintenance})

    def update_maintenance_start_time(self) -> ActionResult:
        gateway, params = self._gateway(), self.params
        days = [name for name in ("DayOfWeek", "DayOfMonth") if params.get(name) is not None]
        if len(days) == 2:
            raise invalid("DayOfWeek and DayOfMonth cannot be used together.")
        limits = {"HourOfDay": (0, 23), "MinuteOfHour": (0, 59), "DayOfWeek": (0, 6), "DayOfMonth": (1, 28)}
        given = {name: params[name] for name in limits if params.get(name) is not None}
        for name, value in given.items():
            if not limits[name][0] <= value <= limits[name][1]:
                raise invalid(f"{name} is {limits[name][0]} to {limits[name][1]}, not {value}.")
        gateway.maintenance = {"HourOfDay": 0, "MinuteOfHour": 0, **given}
        return ActionResult({"GatewayARN": gateway.arn})

    def describe_smb_settings(self) -> ActionResult:
        gateway = self._gateway()
        return ActionResult(
            {
                "GatewayARN": gateway.arn,
                "ActiveDirectoryStatus": "DETACHED",
                "SMBGuestPasswordSet": False,
                **gateway.smb,
            }
        )

    def update_smb_security_strategy(self) -> ActionResult:
        gateway = self._gateway()
        gateway.smb["SMBSecurityStrategy"] = self.params["SMBSecurityStrategy"]
        return ActionResult({"GatewayARN": gateway.arn})

    def update_smb_file_share_visibility(self) -> ActionResult:
        gateway = self._gateway()
        gateway.smb["FileSharesVisible"] = bool(self.params["FileSharesVisible"])
        return ActionResult({"GatewayARN": gateway.arn})

    def _tags(self, arn: str) -> list[Json]:
        return [{"Key": key, "Value": value} for key, value in self.backend.tags.get(arn, {}).items()]

    def _tagged(self) -> dict[str, str]:
        arn, backend = self.params["ResourceARN"], self.backend
        if arn in backend.shares:
            backend.share(arn)
        else:
            backend.gateway(arn, connected=False)
        return backend.tags.setdefault(arn, {})

    def add_tags_to_resource(self) -> ActionResult:
        tags = self._tagged()
        added = {each["Key"]: each["Value"] for each in self.params["Tags"]}
        if len(tags | added) > _MOST_TAGS:
            raise invalid(f"A resource has at most {_MOST_TAGS} tags.")
        tags.update(added)
        return ActionResult({"ResourceARN": self.params["ResourceARN"]})

    def remove_tags_from_resource(self) -> ActionResult:
        tags = self._tagged()
        for key in self.params["TagKeys"]:
            tags.pop(key, None)
        return ActionResult({"ResourceARN": self.params["ResourceARN"]})

    def list_tags_for_resource(self) -> ActionResult:
        self._tagged()
        rows = self._tags(self.params["ResourceARN"])
        return ActionResult({"ResourceARN": self.params["ResourceARN"], **self.page("Tags", rows)})

    def page(self, name: str, rows: list[Json]) -> Json:
        """A page of at most Limit (100) rows, and the marker of the next one."""
        start, most = int(self.params.get("Marker") or 0), int(self.params.get("Limit") or 100)
        answer: Json = {name: rows[start : start + most]}
        if start + most < len(rows):
            answer["Marker"] = str(start + most)
        return answer


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

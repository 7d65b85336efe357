"""Gateways, their disks and file shares, for each account and region."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends

from local_aws.services.storagegateway import settings

Json = dict[str, Any]

_GIB = 1 << 30
# moto gives an instance a root device of this name, whatever its image calls it.
_ROOT_DEVICES = ("/dev/sda1", "/dev/xvda")


class GatewayError(ServiceException):  # type: ignore[misc]
    """InvalidGatewayRequestException with an error code of Storage Gateway's own.

    https://docs.aws.amazon.com/filegateway/latest/files3/AWSStorageGatewayAPI.html#APIErrorResponses
    """

    code = "InvalidGatewayRequestException"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.error = {"errorCode": code, "errorDetails": {}}


def invalid(message: str) -> GatewayError:
    return GatewayError("InvalidParameters", message)


@dataclass
class Share:
    """An NFS file share; `shown` as DescribeNFSFileShares answers it, without its status and tags."""

    arn: str
    gateway: Gateway
    token: str
    shown: Json
    status: str = "CREATING"
    until: float = field(default_factory=lambda: time.time() + settings.CHANGE_SECONDS)
    refreshes: list[float] = field(default_factory=list)  # when they were asked for

    def change(self, status: str) -> None:
        self.status, self.until = status, time.time() + settings.CHANGE_SECONDS


@dataclass
class Gateway:
    """A gateway of type FILE_S3."""

    arn: str
    backend: StorageGatewayBackend
    name: str
    timezone: str
    kind: str
    instance_id: str | None
    address: str
    log_group: str | None = None
    maintenance: Json = field(default_factory=lambda: {"HourOfDay": 3, "MinuteOfHour": 0, "DayOfWeek": 0})
    cache: list[str] = field(default_factory=list)  # the ids of disks
    connected_at: float = field(default_factory=lambda: time.time() + settings.CHANGE_SECONDS)
    smb: Json = field(default_factory=lambda: {"SMBSecurityStrategy": "ClientSpecified", "FileSharesVisible": False})

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def instance(self) -> Any:
        """moto's EC2 instance; None where there is none (any more)."""
        if not self.instance_id:
            return None
        ec2 = ec2_backends[self.backend.account_id][self.backend.region_name]
        found = [each for group in ec2.reservations.values() for each in group.instances if each.id == self.instance_id]
        return found[0] if found else None

    @property
    def is_connected(self) -> bool:
        """Not at once after the activation, and not while its instance does not run."""
        if time.time() < self.connected_at:
            return False
        return not self.instance_id or (self.instance is not None and self.instance.state == "running")

    def disks(self) -> list[Json]:
        """As ListLocalDisks shows them: the instance's volumes but its root device, or those of the settings."""
        if self.instance is None:
            sizes = {f"/dev/sd{chr(ord('b') + index)}": size for index, size in enumerate(settings.disks_gib())}
        else:
            mapping = self.instance.block_device_mapping
            sizes = {
                device: self.instance.ec2_backend.get_volume(block.volume_id).size
                for device, block in mapping.items()
                if device not in (*_ROOT_DEVICES, self.instance.root_device_name) and block.volume_id
            }
        rows = []
        for index, (device, size) in enumerate(sorted(sizes.items()), 1):
            disk = f"pci-0000:00:{0x1E - index:02x}.0-nvme-{index}"
            rows.append(
                {
                    "DiskId": disk,
                    "DiskPath": f"/dev/nvme{index}n1",
                    "DiskNode": device,
                    "DiskStatus": "present",
                    "DiskSizeInBytes": int(size) * _GIB,
                    "DiskAllocationType": "CACHE STORAGE" if disk in self.cache else "AVAILABLE",
                    "DiskAttributeList": [],
                }
            )
        return rows


class StorageGatewayBackend(BaseBackend):  # type: ignore[misc]
    """What one account has in one region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.gateways: dict[str, Gateway] = {}
        self.shares: dict[str, Share] = {}
        self.tags: dict[str, dict[str, str]] = {}

    def arn(self, kind: str, prefix: str) -> str:
        """A new ARN, such as arn:aws:storagegateway:<region>:<account>:gateway/sgw-12AB34CD."""
        where = f"{self.region_name}:{self.account_id}"
        return f"arn:{self.partition}:storagegateway:{where}:{kind}/{prefix}-{secrets.token_hex(4).upper()}"

    def gateway(self, arn: str, *, connected: bool = True) -> Gateway:
        """Raises GatewayError: GatewayNotFound, or GatewayNotConnected where it has to be connected."""
        found = self.gateways.get(arn)
        if found is None:
            raise GatewayError("GatewayNotFound", "The specified gateway was not found.")
        if connected and not found.is_connected:
            raise GatewayError("GatewayNotConnected", "The specified gateway is not connected.")
        return found

    def share(self, arn: str) -> Share:
        """Raises GatewayError (FileShareNotFound)."""
        self.settle()
        if arn not in self.shares:
            raise GatewayError("FileShareNotFound", "The specified file share was not found.")
        return self.shares[arn]

    def shares_of(self, gateway: Gateway | None) -> list[Share]:
        """All of them, or those of one gateway."""
        self.settle()
        return [each for each in self.shares.values() if gateway in (None, each.gateway)]

    def settle(self) -> None:
        """Let file shares arrive at where they were on the way to."""
        now = time.time()
        for arn, share in list(self.shares.items()):
            if now >= share.until:
                if share.status in ("DELETING", "FORCE_DELETING"):
                    del self.shares[arn]
                    self.tags.pop(arn, None)
                else:
                    share.status = "AVAILABLE"

    def forget(self, gateway: Gateway) -> None:
        """Delete a gateway with its file shares; what is in the buckets stays."""
        for share in self.shares_of(gateway):
            del self.shares[share.arn]
            self.tags.pop(share.arn, None)
        del self.gateways[gateway.arn]
        self.tags.pop(gateway.arn, None)


storagegateway_backends = BackendDict(StorageGatewayBackend, "storagegateway")


def tags_of(backend: StorageGatewayBackend, arn: str) -> list[Json]:
    return [{"Key": key, "Value": value} for key, value in backend.tags.get(arn, {}).items()]


def page(asked: Json, name: str, rows: list[Json]) -> Json:
    """A page of at most Limit (100) rows, and the marker of the next one."""
    start, most = int(asked.get("Marker") or 0), int(asked.get("Limit") or 100)
    answer: Json = {name: rows[start : start + most]}
    if start + most < len(rows):
        answer["Marker"] = str(start + most)
    return answer

"""Section `file_gateway`: an S3 File Gateway of our own, and the bucket that its share shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from settings.fields import (
    BucketName,
    Cidr,
    Distinct,
    Email,
    Fault,
    KeyArn,
    RetentionDays,
    listed,
    network_of,
    rule,
    world,
)
from settings.network import SUBNETS
from settings.section import ExistingBucket, Section
from settings.share import MountPoint

# AWS asks for 4 vCPUs, 16 GiB of memory and 150 GiB of cache (S3 File Gateway User Guide, "Requirements").
LEAST_VCPUS = 4
LEAST_MEMORY_GIB = 16
LEAST_CACHE_GIB = 150
# One gp3 volume (EBS User Guide); a gateway would take 64 TiB of several.
MOST_CACHE_GIB = 16_384
# Of those that AWS names for the gateway: x86 families that read their volumes as NVMe, to the GiB that come with one
# vCPU. Sizes to their vCPUs.
_GIB_PER_VCPU = {"c5": 2, "c6i": 2, "m5": 4, "m6i": 4, "r5": 8, "r6i": 8}
_VCPUS = {"large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32, "12xlarge": 48, "16xlarge": 64}


def _instance_type(value: str) -> str:
    family, _, size = value.partition(".")
    if family not in _GIB_PER_VCPU or size not in _VCPUS:
        raise ValueError(
            f"{value} is not an instance type for a File Gateway; allowed: {listed(_GIB_PER_VCPU)} with the size "
            f"{listed(list(_VCPUS)[1:])}"
        )
    vcpus, memory_gib = _VCPUS[size], _VCPUS[size] * _GIB_PER_VCPU[family]
    if vcpus < LEAST_VCPUS or memory_gib < LEAST_MEMORY_GIB:
        raise ValueError(
            f"{value} is too small for a File Gateway, with {vcpus} vCPUs and {memory_gib} GiB of memory; AWS requires "
            f"{LEAST_VCPUS} and {LEAST_MEMORY_GIB}: give m5.xlarge or larger"
        )
    return value


def _cache(value: int) -> int:
    if not LEAST_CACHE_GIB <= value <= MOST_CACHE_GIB:
        raise ValueError(
            f"{value} GiB of cache is not possible; give {LEAST_CACHE_GIB} (the gateway's minimum) to "
            f"{MOST_CACHE_GIB} (a volume's maximum)"
        )
    return value


def _stale_timeout(value: int) -> int:
    if value and not 300 <= value <= 2_592_000:
        raise ValueError(
            f"{value} s is not allowed by Storage Gateway; allowed: 300 to 2592000 (30 days), or 0 for never"
        )
    return value


class FileGateway(Section):
    """An S3 File Gateway and its bucket. Servers and upload hosts mount its share, read-only."""

    instance_type: Annotated[str, AfterValidator(_instance_type)] = "m5.xlarge"
    """EC2 instance type of the gateway, with 4 vCPUs and 16 GiB of memory or more; m5.xlarge has exactly that."""
    cache_gib: Annotated[
        int, AfterValidator(_cache), Field(json_schema_extra={"minimum": LEAST_CACHE_GIB, "maximum": MOST_CACHE_GIB})
    ] = LEAST_CACHE_GIB
    """Size of the gateway's cache in GiB (gp3), which holds what was read recently. It cannot be changed later."""
    bucket: BucketName | None = None
    """An existing bucket of this account and region; left out, one is created. An existing bucket's settings are not
    changed: turn on its notifications to EventBridge, or new objects appear only after `stale_timeout_seconds`. Its
    lifecycle rules may neither delete nor archive objects, because images stay in it."""
    bucket_key_arn: KeyArn | None = None
    """The customer managed KMS key of an existing bucket; left out, it has none."""
    versions_kept: Annotated[int, Field(ge=1, le=100)] = 3
    """Older versions of each object that the created bucket always keeps; further ones expire after 90 days."""
    stale_timeout_seconds: Annotated[
        int, AfterValidator(_stale_timeout), Field(json_schema_extra={"minimum": 0, "maximum": 2_592_000})
    ] = 3600
    """Seconds after which a folder is listed again when somebody opens it, 300 to 2,592,000; 0 means never. New
    objects appear within about 6 minutes in any case, because S3 reports them."""
    activation_cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1), Distinct(network_of)] | None = None
    """Networks from which Terraform itself connects to the gateway's port 80 to activate it, for instance over a VPN;
    left out, a function in the VPC gets the activation key, which works from anywhere."""
    mount_point: MountPoint = "/s3uploads"
    """Where servers and upload hosts see the share."""
    log_retention_days: RetentionDays = 365
    """Days for which the gateway's log and the share's audit log are kept; with `retain: true`, even after the stack is
    destroyed."""
    alarm_emails: Annotated[tuple[Email, ...], Field(max_length=20), Distinct(str.casefold)] = ()
    """Addresses that are notified when the share's cache cannot be refreshed. Each gets an e-mail from AWS to confirm
    first. Left out, nobody is notified: the topic's ARN is an output."""

    @rule
    def _no_world(self) -> Iterator[Fault]:
        for index, cidr in world(self.activation_cidrs or ()):
            yield (
                f"activation_cidrs.{index}",
                f"{cidr} is the whole internet; give the network that Terraform runs in",
            )

    @rule
    def _key_of_a_bucket(self) -> Iterator[Fault]:
        if self.bucket_key_arn and not self.bucket:
            yield (
                "bucket_key_arn",
                "the key of an existing bucket needs the bucket; set bucket, or remove bucket_key_arn",
            )

    @rule
    def _versions_of_a_bucket_that_is_made(self) -> Iterator[Fault]:
        if self.bucket and "versions_kept" in self.model_fields_set:
            yield (
                "versions_kept",
                f"only a new bucket keeps this number of versions, and {self.bucket} exists; remove versions_kept, "
                "or bucket",
            )

    def addresses(self) -> int:
        # Its own, and one a subnet for the function that activates it.
        return 1 + SUBNETS

    def arns(self) -> dict[str, str | None]:
        return {"bucket_key_arn": self.bucket_key_arn}

    def folders(self) -> dict[str, str]:
        return {}

    def buckets(self) -> dict[str, ExistingBucket]:
        return {"bucket": ExistingBucket(name=self.bucket, events=False, originals=True)} if self.bucket else {}

    def keeps_anything(self) -> bool:
        return self.bucket is None

    def share(self) -> str | None:
        return self.mount_point

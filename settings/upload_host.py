"""Section `upload_host`: EC2 instances that people import from by OMERO's command line."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from settings.fields import BucketName, Distinct, KeyArn, RetentionDays, Settings, Sha256, listed
from settings.pins import too_old
from settings.section import ExistingBucket, Section

# Sizes of AWS's page on EC2 instance types. All are x86: the Ice bindings are made for nothing else here. Fewer GiB
# than these have would not hold an importer (1 GiB of heap) for each of two people beside Java, Python and EFS's cache.
_SIZES = {
    **dict.fromkeys(("t3", "t3a"), ("large", "xlarge", "2xlarge")),
    **dict.fromkeys(
        ("c5", "c6a", "c6i", "c7a", "c7i"),
        ("xlarge", "2xlarge", "4xlarge"),
    ),
    **dict.fromkeys(
        ("m5", "m5a", "m6a", "m6i", "m7a", "m7i", "r5", "r5a", "r6a", "r6i", "r7a", "r7i"),
        ("large", "xlarge", "2xlarge", "4xlarge"),
    ),
}
INSTANCE_TYPES = tuple(f"{family}.{size}" for family, sizes in _SIZES.items() for size in sizes)

# What an S3 prefix may have here: characters without a meaning in a policy (`*`, `?` and `$` have one).
_PREFIX = r"[A-Za-z0-9!_.'() /+=@:,-]{1,900}"


def _instance_type(value: str) -> str:
    if value not in INSTANCE_TYPES:
        family = value.partition(".")[0]
        allowed = (
            f"{family} with the size {listed(_SIZES[family])}" if family in _SIZES else f"a size of {listed(_SIZES)}"
        )
        raise ValueError(f"{value} is not an instance type for an upload host; allowed: {allowed}")
    return value


def _prefix(value: str) -> str:
    if value.startswith("/") or not re.fullmatch(_PREFIX, value):
        raise ValueError(
            f"{value!r} is not allowed as a prefix in an IAM policy; give letters, digits and !_.'() /+=@:,- "
            "without a leading slash, for instance slides/2025/"
        )
    return value


def _release(value: str) -> str:
    if not re.fullmatch(r"5\.6\.\d{1,3}", value):
        raise ValueError(f"{value} is not a release of OMERO.server 5.6; give the server's, for instance 5.6.18")
    if fault := too_old(value):
        raise ValueError(fault)
    return value


class Source(Settings):
    """An S3 bucket of the workspace's account that the hosts may read, but not write."""

    bucket: BucketName
    """Its name."""
    prefixes: Annotated[tuple[Annotated[str, AfterValidator(_prefix)], ...], Field(max_length=20), Distinct()] = ()
    """Prefixes of the object keys that the hosts may read; left out, all keys."""
    key_arn: KeyArn | None = None
    """The KMS key that encrypts its objects; left out, they use S3-managed keys. The key policy must allow IAM
    policies to grant access."""


def _bucket(source: Any) -> str:
    """The bucket of a source, or of what was given as one."""
    return str(source.bucket if isinstance(source, Source) else source["bucket"])


class UploadHost(Section):
    """Hosts in the private subnets with OMERO's command line, the AWS CLI and `/OMERO`; log in by Session Manager."""

    instance_type: Annotated[str, AfterValidator(_instance_type)] = "m5.large"
    """EC2 instance type; m5.large has 2 vCPUs and 8 GiB, enough for three imports at a time."""
    count: Annotated[int, Field(ge=1, le=2)] = 1
    """Number of hosts, 1 or 2; two run in different Availability Zones."""
    volume_gib: Annotated[int, Field(ge=30, le=16384)] = 100
    """Size in GiB of a host's encrypted gp3 volume, which holds images before they are imported. It is deleted with
    the host."""
    sources: Annotated[tuple[Source, ...], Field(max_length=20), Distinct(_bucket)] = ()
    """Buckets that the hosts may read, each once with all of its prefixes; left out, none."""
    importer_version: Annotated[str, AfterValidator(_release)] = "5.6.18"
    """OMERO release of the importer to install; give that of the server, in `omero.server.image`."""
    importer_sha256: Sha256 | None = None
    """SHA-256 of that release's OMERO.java.zip; left out, only TLS vouches for the download."""
    ice_wheel_sha256: Sha256 | None = None
    """SHA-256 of the wheel of the Ice 3.6.5 bindings; left out, only TLS vouches for the download."""
    log_retention_days: RetentionDays = 365
    """Days for which the logs of set-up and of sessions are kept; with `retain: true`, even after the stack is
    destroyed."""

    def addresses(self) -> int:
        return self.count

    def arns(self) -> dict[str, str | None]:
        return {f"sources.{index}.key_arn": source.key_arn for index, source in enumerate(self.sources)}

    def folders(self) -> dict[str, str]:
        return {}

    def buckets(self) -> dict[str, ExistingBucket]:
        return {}

    def share(self) -> str | None:
        return None

"""Section `share`: the NFS share of an S3 File Gateway that images are imported from."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator

from settings.fields import BucketName, Settings
from settings.paths import DATA_DIR

# Where the server's image keeps its own files: a mount over one of these would hide them.
TAKEN = (DATA_DIR, "/opt", "/usr", "/etc", "/tmp", "/startup")  # noqa: S108 - in the container


def _address(value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise ValueError(f"{value} is not an IPv4 address; give the gateway's, for instance 10.192.20.15") from None


def _mount_point(value: str) -> str:
    parts = value.split("/")
    if not value.startswith("/") or len(parts) < 2 or any(part in ("", ".", "..") for part in parts[1:]):
        raise ValueError(f"{value} is not an absolute path; one looks like /s3uploads")
    if any(value == taken or value.startswith(f"{taken}/") for taken in TAKEN):
        raise ValueError(
            f"{value} would hide files of the server's container image; choose another path, for instance /s3uploads"
        )
    return value


MountPoint = Annotated[str, AfterValidator(_mount_point)]
"""An absolute path in the server's container that hides none of the image's files."""


class Share(Settings):
    """An existing File Gateway, in this VPC or reachable from it; the servers mount its share read-only. Images are
    imported in place: they stay in its bucket, and an object that is deleted or archived loses its image."""

    address: Annotated[str, AfterValidator(_address)]
    """The gateway's IPv4 address."""
    bucket: BucketName
    """The bucket behind the share; the share is exported as `/<bucket>`."""
    mount_point: MountPoint = "/s3uploads"
    """Where the server sees the share."""

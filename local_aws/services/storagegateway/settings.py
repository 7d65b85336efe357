"""Durations and sizes of the stand-in; read from the environment once, when the server starts."""

from __future__ import annotations

import os

from local_aws.clock import seconds

CHANGE_SECONDS = seconds("LOCAL_AWS_GATEWAY_SECONDS", 1)
REFRESH_SECONDS = seconds("LOCAL_AWS_GATEWAY_REFRESH_SECONDS", 5)
REFRESH_INTERVAL_SECONDS = seconds("LOCAL_AWS_GATEWAY_REFRESH_INTERVAL_SECONDS", 60)
KEY_SECONDS = seconds("LOCAL_AWS_GATEWAY_KEY_SECONDS", 1800)


def disks_gib() -> list[int]:
    """The disks of a gateway that is on no EC2 instance, in GiB. Raises ValueError where the variable says nonsense."""
    given = os.environ.get("LOCAL_AWS_GATEWAY_DISKS_GIB", "150")
    sizes = [int(each) for each in given.split(",") if each.strip()]
    if any(size < 1 for size in sizes):
        raise ValueError(f"LOCAL_AWS_GATEWAY_DISKS_GIB is {given}; sizes of 1 GiB or more, separated by commas, are")
    return sizes

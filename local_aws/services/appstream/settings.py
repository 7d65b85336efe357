"""Durations and limits of the stand-in; read from the environment once, when the server starts."""

from __future__ import annotations

import os

from local_aws.clock import seconds

FLEET_START_SECONDS = seconds("LOCAL_AWS_APPSTREAM_FLEET_START_SECONDS", 2)
FLEET_STOP_SECONDS = seconds("LOCAL_AWS_APPSTREAM_FLEET_STOP_SECONDS", 1)
IMAGE_SECONDS = seconds("LOCAL_AWS_APPSTREAM_IMAGE_SECONDS", 1)
BUILDER_SECONDS = seconds("LOCAL_AWS_APPSTREAM_BUILDER_SECONDS", 1)

# What AWS gives a new account, or nearly: https://docs.aws.amazon.com/appstream2/latest/developerguide/limits.html
_QUOTAS = {
    "app blocks": 50,
    "applications": 50,
    "fleets": 10,
    "stacks": 10,
    "images": 10,
    "image builders": 5,
    "users": 50,
}
OF_A_TYPE = 50


def quotas() -> dict[str, int]:
    """How many there may be of each thing, and instances of each type that is named.

    Raises ValueError where the variable says nonsense.
    """
    given = os.environ.get("LOCAL_AWS_APPSTREAM_QUOTAS", "")
    pairs = [each.rpartition("=") for each in given.split(",") if each.strip()]
    if not all(name and number.isdigit() for name, _, number in pairs):
        raise ValueError(f"LOCAL_AWS_APPSTREAM_QUOTAS is {given}; quotas such as stream.standard.large=0,users=10 are")
    return {**_QUOTAS, **{name.strip(): int(number) for name, _, number in pairs}}

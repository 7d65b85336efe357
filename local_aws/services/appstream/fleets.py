"""Fleets, and their states. https://docs.aws.amazon.com/appstream2/latest/APIReference/API_CreateFleet.html"""

from __future__ import annotations

import time
from typing import Any

from local_aws.services.appstream import checks, settings
from local_aws.services.appstream.models import (
    FAULTS,
    FLEET_ERRORS,
    AppStreamBackend,
    AppStreamError,
    Json,
    Thing,
    combination,
    in_use,
    not_permitted,
)

_RANGES = {
    "MaxUserDurationInSeconds": (600, 432_000),
    "DisconnectTimeoutInSeconds": (60, 36_000),
    "IdleDisconnectTimeoutInSeconds": (60, 36_000),
}
_COPIED = (
    "InstanceType",
    "DisplayName",
    "Description",
    "VpcConfig",
    "MaxUserDurationInSeconds",
    "DisconnectTimeoutInSeconds",
    "IdleDisconnectTimeoutInSeconds",
    "EnableDefaultInternetAccess",
    "StreamView",
    "IamRoleArn",
    "MaxConcurrentSessions",
    "DisableIMDSV1",
)
# What a fleet that runs can have changed (UpdateFleet's own documentation).
_WHILE_RUNNING = {
    "ELASTIC": {"DisplayName", "IdleDisconnectTimeoutInSeconds", "DisconnectTimeoutInSeconds", "MaxConcurrentSessions"},
    "OTHERS": {
        "DisplayName",
        "ComputeCapacity",
        "ImageArn",
        "ImageName",
        "IdleDisconnectTimeoutInSeconds",
        "DisconnectTimeoutInSeconds",
    },
}
# The list in the documentation of InstanceType (botocore's model, CreateFleet).
_ELASTIC_TYPES = tuple(f"stream.standard.{size}" for size in ("small", "medium", "large", "xlarge", "2xlarge"))
_TO_DELETE = {"VPC_CONFIGURATION": "VpcConfig", "IAM_ROLE_ARN": "IamRoleArn"}
_DEFAULTS: Json = {
    "MaxUserDurationInSeconds": 57_600,
    "DisconnectTimeoutInSeconds": 900,
    "IdleDisconnectTimeoutInSeconds": 0,
    "StreamView": "APP",
    "EnableDefaultInternetAccess": False,
}


def create_fleet(backend: AppStreamBackend, asked: Json) -> Json:
    kind = asked.get("FleetType") or "ALWAYS_ON"
    shown = {**_DEFAULTS, "FleetType": kind, **{name: asked[name] for name in _COPIED if asked.get(name) is not None}}
    _check(backend, kind, asked, shown)
    if kind == "ELASTIC":
        shown["Platform"] = asked["Platform"]
    else:
        shown |= _image(backend, asked, asked["InstanceType"])
    shown["instances"] = _instances(asked)
    backend.check_instances(asked["InstanceType"], shown["instances"])
    fleet = backend.add("fleet", asked, shown)
    fleet.state = "STOPPED"
    return {"Fleet": describe(backend, fleet)}


def _instances(asked: Json) -> int:
    """How many instances of the quota a fleet takes; an Elastic one as many as it may have sessions."""
    return int(asked.get("MaxConcurrentSessions") or (asked.get("ComputeCapacity") or {}).get("DesiredInstances") or 1)


def _check(backend: AppStreamBackend, kind: str, asked: Json, shown: Json) -> None:
    has_image = bool(asked.get("ImageName") or asked.get("ImageArn"))
    if kind == "ELASTIC":
        if has_image or asked.get("ComputeCapacity"):
            raise combination("ImageName, ImageArn and ComputeCapacity are not allowed for Elastic fleets.")
        if not asked.get("MaxConcurrentSessions") or not asked.get("VpcConfig"):
            raise combination("MaxConcurrentSessions and VpcConfig are required for Elastic fleets.")
        if asked.get("Platform") not in ("WINDOWS_SERVER_2019", "AMAZON_LINUX2", "UBUNTU_PRO_2404"):
            raise combination("Platform is WINDOWS_SERVER_2019, AMAZON_LINUX2 or UBUNTU_PRO_2404 for Elastic fleets.")
    else:
        if not has_image or not asked.get("ComputeCapacity"):
            raise combination("ImageName or ImageArn, and ComputeCapacity are required.")
        if asked.get("MaxConcurrentSessions") or asked.get("Platform"):
            raise combination("MaxConcurrentSessions and Platform are allowed for Elastic fleets only.")
    _check_values(backend, kind, shown)


def _check_values(backend: AppStreamBackend, kind: str, shown: Json) -> None:
    for name, (least, most) in _RANGES.items():
        value = shown[name]
        unset = name == "IdleDisconnectTimeoutInSeconds" and value == 0
        if not unset and (not least <= value <= most or (name.startswith("Idle") and value % 60)):
            raise combination(f"{name} is {value}; {least} to {most} are allowed.")
    if kind == "ELASTIC" and shown["InstanceType"] not in _ELASTIC_TYPES:
        raise combination(f"The instance type {shown['InstanceType']} is not available for Elastic fleets.")
    checks.check_vpc(backend, shown.get("VpcConfig"), zones=2 if kind == "ELASTIC" else 0)
    checks.check_role(backend, shown.get("IamRoleArn"))


def _image(backend: AppStreamBackend, asked: Json, instance_type: str) -> Json:
    name = asked.get("ImageName") or asked["ImageArn"].partition(":image/")[2]
    image = backend.thing("image", name)
    if image.state != "AVAILABLE":
        raise AppStreamError("ResourceNotAvailableException", f"The image {name} is {image.state}.")
    if (image.shown["ImageType"] == "CUSTOM") == instance_type.startswith("stream."):
        raise AppStreamError(
            "IncompatibleImageException", f"The image {name} cannot be used with instances of {instance_type}."
        )
    return {"ImageName": name, "ImageArn": image.arn, "Platform": image.shown["Platform"]}


def update_fleet(backend: AppStreamBackend, asked: Json) -> Json:
    fleet = backend.thing("fleet", asked.get("Name") or "")
    kind = fleet.shown["FleetType"]
    given = {name for name, value in asked.items() if value is not None} - {"Name"}
    if fleet.state in ("STARTING", "STOPPING"):
        raise in_use(f"The fleet {fleet.name} is {fleet.state}.")
    too_many = given - _WHILE_RUNNING["ELASTIC" if kind == "ELASTIC" else "OTHERS"]
    if fleet.state == "RUNNING" and too_many:
        raise in_use(
            f"The fleet {fleet.name} is RUNNING; {', '.join(sorted(too_many))} can only be updated when STOPPED."
        )
    shown = {**fleet.shown, **{name: asked[name] for name in _COPIED if asked.get(name) is not None}}
    for attribute in asked.get("AttributesToDelete") or []:
        shown.pop(_TO_DELETE.get(attribute, attribute), None)
    if kind == "ELASTIC" and given & {"ImageName", "ImageArn", "ComputeCapacity"}:
        raise combination("ImageName, ImageArn and ComputeCapacity are not allowed for Elastic fleets.")
    if kind != "ELASTIC" and given & {"MaxConcurrentSessions", "Platform"}:
        raise combination("MaxConcurrentSessions and Platform are allowed for Elastic fleets only.")
    _check_values(backend, kind, shown)
    if given & {"ImageName", "ImageArn"}:
        shown |= _image(backend, asked, shown["InstanceType"])
    if given & {"ComputeCapacity", "MaxConcurrentSessions"}:
        shown["instances"] = _instances(asked)
    backend.check_instances(shown["InstanceType"], shown["instances"], besides=fleet.name)
    fleet.shown = shown
    return {"Fleet": describe(backend, fleet)}


def describe(backend: AppStreamBackend, fleet: Thing) -> Json:
    shown = fleet.describe()
    instances, elastic = shown.pop("instances"), shown["FleetType"] == "ELASTIC"
    used = sum(1 for each in backend.sessions.values() if _uses(each, fleet))
    running = 0 if elastic or fleet.state != "RUNNING" else instances
    capacity = {"Desired": 0 if elastic else instances, "Running": running, "InUse": used}
    shown["ComputeCapacityStatus"] = {**capacity, "Available": max(0, running - used)}
    shown.setdefault("IdleDisconnectTimeoutInSeconds", 0)
    return shown


def _uses(session: Json, fleet: Thing) -> bool:
    return bool(session["FleetName"] == fleet.name and session["State"] == "ACTIVE")


def describe_fleets(backend: AppStreamBackend, asked: Json) -> Json:
    answer = backend.described("fleet", asked, "Fleets")
    answer["Fleets"] = [describe(backend, backend.thing("fleet", each["Name"])) for each in answer["Fleets"]]
    return answer


def delete_fleet(backend: AppStreamBackend, asked: Json) -> Json:
    fleet = backend.thing("fleet", asked["Name"])
    if fleet.state != "STOPPED":
        raise in_use(f"The fleet {fleet.name} is {fleet.state}; it can only be deleted when STOPPED.")
    if stacks := [stack for stack, associated in backend.fleets_of_stacks if associated == fleet.name]:
        raise in_use(f"The fleet {fleet.name} is associated with the stack {stacks[0]}.")
    if any(associated == fleet.name for _, associated in backend.fleets_of_applications):
        raise in_use(f"The fleet {fleet.name} is associated with an application.")
    backend.forget(fleet)
    return {}


def start_fleet(backend: AppStreamBackend, asked: Json) -> Json:
    fleet = backend.thing("fleet", asked["Name"])
    if fleet.state in ("RUNNING", "STARTING"):
        return {}
    if fleet.state == "STOPPING":
        raise not_permitted(f"The fleet {fleet.name} is STOPPING.")
    backend.check_instances(fleet.shown["InstanceType"], fleet.shown["instances"], besides=fleet.name)
    fleet.shown.pop("FleetErrors", None)
    end = FAULTS.take("StartFleet") or "RUNNING"
    if not checks.has_service_role(backend):
        end = "IAM_SERVICE_ROLE_IS_MISSING"
    on_end: dict[str, Any] = {}
    if end in FLEET_ERRORS:
        on_end["FleetErrors"] = [{"ErrorCode": end, "ErrorMessage": FLEET_ERRORS[end]}]
        end = "STOPPED"
    fleet.move(("STARTING", settings.FLEET_START_SECONDS), then=end, **on_end)
    return {}


def stop_fleet(backend: AppStreamBackend, asked: Json) -> Json:
    fleet = backend.thing("fleet", asked["Name"])
    if fleet.state in ("STOPPED", "STOPPING"):
        return {}
    for session in backend.sessions.values():
        if session["FleetName"] == fleet.name:
            session["State"] = "EXPIRED"
            session["MaxExpirationTime"] = time.time()
    fleet.move(("STOPPING", settings.FLEET_STOP_SECONDS), then="STOPPED")
    return {}

"""Images, those imported from AMIs, image builders, and Image Assistant on them."""

from __future__ import annotations

import re
import time
from typing import Any

from moto.ec2.models import ec2_backends

from local_aws.services.appstream import checks, settings
from local_aws.services.appstream.models import (
    BUILDER_ERRORS,
    FAULTS,
    GONE,
    IMAGE_ERRORS,
    AppStreamBackend,
    AppStreamError,
    Json,
    Thing,
    combination,
    in_use,
    not_permitted,
)

# Base images of AWS, of which there are more; released dates change.
BASE_IMAGES = (
    "AppStream-WinServer2019-06-17-2024",
    "AppStream-WinServer2022-06-17-2024",
    "AppStream-WinServer2022-11-10-2025",
)
_IMPORTED_TYPES = ("GeneralPurpose.", "MemoryOptimized.", "ComputeOptimized.", "Accelerated.")


def add_base_images(backend: AppStreamBackend) -> None:
    for name in BASE_IMAGES:
        if name not in backend.things["image"]:
            thing = Thing("image", name, f"arn:{backend.partition}:appstream:{backend.region_name}::image/{name}", {})
            platform = "WINDOWS_SERVER_" + name.partition("WinServer")[2][:4]
            month, day, year = name.split("-")[-3:]
            released = time.mktime(time.strptime(f"{year}-{month}-{day}", "%Y-%m-%d"))
            thing.shown = {
                "Visibility": "PUBLIC",
                "Platform": platform,
                "ImageType": "NATIVE",
                "ImageBuilderSupported": True,
                "PublicBaseImageReleasedDate": released,
                "CreatedTime": released,
            }
            thing.state = "AVAILABLE"
            backend.things["image"][name] = thing


def describe_images(backend: AppStreamBackend, asked: Json) -> Json:
    kept = backend.things["image"]
    if asked.get("Type"):
        backend.things["image"] = {
            name: each for name, each in kept.items() if each.shown["Visibility"] == asked["Type"]
        }
    try:
        return backend.described("image", asked, "Images", 25)
    finally:
        backend.things["image"] = kept


def delete_image(backend: AppStreamBackend, asked: Json) -> Json:
    image = backend.thing("image", asked["Name"])
    if image.shown["Visibility"] == "PUBLIC":
        raise not_permitted(f"The image {image.name} is not yours.")
    for kind in ("fleet", "image-builder"):
        for each in backend.things[kind].values():
            if each.shown.get("ImageName") == image.name:
                raise in_use(f"The image {image.name} is used by the {kind.replace('-', ' ')} {each.name}.")
    if image.state not in ("AVAILABLE", "FAILED"):
        raise not_permitted(f"The image {image.name} is {image.state}.")
    image.move(("DELETING", settings.IMAGE_SECONDS), then=GONE)
    return {"Image": image.describe()}


def create_imported_image(backend: AppStreamBackend, asked: Json) -> Json:
    ami, role = asked.get("SourceAmiId"), asked.get("IamRoleArn")
    if not ami or asked.get("WorkspaceImageId"):
        raise NotImplementedError("images imported from WorkSpaces")
    if not role:
        raise combination("IamRoleArn is required with SourceAmiId.")
    checks.check_role(backend, role)
    if not checks.role_allows(backend, role, "ec2:ModifyImageAttribute", "ec2:DescribeImages"):
        raise AppStreamError("InvalidRoleException", f"The role {role} may not share the AMI {ami}.")
    _check_ami(backend, ami)
    wanted = (asked.get("RuntimeValidationConfig") or {}).get("IntendedInstanceType", "")
    if wanted and not wanted.startswith(_IMPORTED_TYPES):
        raise AppStreamError("IncompatibleImageException", f"An imported image cannot be used with {wanted}.")
    if asked.get("DryRun"):
        raise AppStreamError("DryRunOperationException", "Request would have succeeded, but DryRun flag is set.")
    shown = _shown(asked, platform="WINDOWS_SERVER_2022", kind="CUSTOM")
    shown["Applications"] = [
        {"Name": each["Name"], "DisplayName": each.get("DisplayName"), "LaunchPath": each["AbsoluteAppPath"]}
        for each in asked.get("AppCatalogConfig") or []
    ]
    image = backend.add("image", asked, shown)
    end = FAULTS.take("CreateImportedImage") or "AVAILABLE"
    states = [(each, settings.IMAGE_SECONDS) for each in ("PENDING", "IMPORTING", "VALIDATING")]
    _to_end(image, states, end)
    return {"Image": image.describe()}


def _shown(asked: Json, *, platform: str, kind: str) -> Json:
    return {
        "DisplayName": asked.get("DisplayName"),
        "Description": asked.get("Description"),
        "Visibility": "PRIVATE",
        "Platform": platform,
        "ImageType": kind,
        "ImageBuilderSupported": True,
    }


def _to_end(image: Thing, states: list[tuple[str, float]], end: str) -> None:
    if end in IMAGE_ERRORS:
        reason = {"Code": end, "Message": IMAGE_ERRORS[end]}
        image.move(*states, then="FAILED", StateChangeReason=reason)
    else:
        image.move(*states, then=end)


def _check_ami(backend: AppStreamBackend, ami: str) -> None:
    """https://docs.aws.amazon.com/appstream2/latest/developerguide/import-image.html, "Required AMI Properties"."""
    found = ec2_backends[backend.account_id][backend.region_name].amis.get(ami)
    if found is None:
        raise AppStreamError("ResourceNotFoundException", f"The AMI {ami} does not exist.")
    wanted: dict[str, Any] = {
        "architecture": "x86_64",
        "virtualization_type": "hvm",
        "root_device_name": "/dev/sda1",
        "platform": "windows",
    }
    for name, value in wanted.items():
        if getattr(found, name, None) != value:
            raise AppStreamError("IncompatibleImageException", f"The AMI {ami} has {name} other than {value}.")


def create_image_builder(backend: AppStreamBackend, asked: Json) -> Json:
    if not asked.get("ImageName") and not asked.get("ImageArn"):
        raise combination("ImageName or ImageArn is required.")
    name = asked.get("ImageName") or asked["ImageArn"].partition("image/")[2]
    image = backend.thing("image", name)
    if image.state != "AVAILABLE":
        raise AppStreamError("ResourceNotAvailableException", f"The image {name} is {image.state}.")
    checks.check_vpc(backend, asked.get("VpcConfig"), zones=0)
    checks.check_role(backend, asked.get("IamRoleArn"))
    if len((asked.get("VpcConfig") or {}).get("SubnetIds") or []) > 1:
        raise combination("An image builder takes one subnet.")
    backend.check_instances(asked["InstanceType"], 1)
    names = ("InstanceType", "Description", "DisplayName", "VpcConfig", "IamRoleArn", "EnableDefaultInternetAccess")
    shown = {each: asked.get(each) for each in names}
    shown |= {"ImageArn": image.arn, "ImageName": name, "Platform": image.shown["Platform"], "catalog": []}
    builder = backend.add("image-builder", asked, shown)
    _start(builder, "CreateImageBuilder")
    return {"ImageBuilder": describe_builder(builder)}


def _start(builder: Thing, action: str) -> None:
    end = FAULTS.take(action) or "RUNNING"
    if end in BUILDER_ERRORS:
        reason = {"Code": end, "Message": BUILDER_ERRORS[end]}
        builder.move(("PENDING", settings.BUILDER_SECONDS), then="FAILED", StateChangeReason=reason)
    else:
        builder.move(("PENDING", settings.BUILDER_SECONDS), then="RUNNING")


def describe_builder(builder: Thing) -> Json:
    return {name: value for name, value in builder.describe().items() if name not in ("catalog", "ImageName")}


def describe_image_builders(backend: AppStreamBackend, asked: Json) -> Json:
    answer = backend.described("image-builder", asked, "ImageBuilders")
    named = backend.things["image-builder"]
    answer["ImageBuilders"] = [describe_builder(named[each["Name"]]) for each in answer["ImageBuilders"]]
    return answer


def start_image_builder(backend: AppStreamBackend, asked: Json) -> Json:
    builder = backend.thing("image-builder", asked["Name"])
    if builder.state == "STOPPED":
        _start(builder, "StartImageBuilder")
    elif builder.state not in ("RUNNING", "PENDING"):
        raise not_permitted(f"The image builder {builder.name} is {builder.state}.")
    return {"ImageBuilder": describe_builder(builder)}


def stop_image_builder(backend: AppStreamBackend, asked: Json) -> Json:
    builder = backend.thing("image-builder", asked["Name"])
    if builder.state == "RUNNING":
        builder.move(("STOPPING", settings.BUILDER_SECONDS), then="STOPPED")
    elif builder.state not in ("STOPPED", "STOPPING"):
        raise not_permitted(f"The image builder {builder.name} is {builder.state}.")
    return {"ImageBuilder": describe_builder(builder)}


def delete_image_builder(backend: AppStreamBackend, asked: Json) -> Json:
    builder = backend.thing("image-builder", asked["Name"])
    if builder.state not in ("STOPPED", "FAILED"):
        raise not_permitted(f"The image builder {builder.name} is {builder.state}; stop it first.")
    builder.move(("DELETING", settings.BUILDER_SECONDS), then=GONE)
    return {"ImageBuilder": describe_builder(builder)}


def paste(backend: AppStreamBackend, url: str, script: str) -> Json:
    """What happens when a person opens a builder's URL and pastes a script of Image Assistant's commands.

    Gives the image that is being made. Raises AppStreamError.
    """
    backend.settle()
    found = backend.streaming_urls.get(url)
    if found is None or found["expires"] < time.time() or "builder" not in found:
        raise not_permitted("The streaming URL is not valid, or has expired.")
    builder = backend.thing("image-builder", found["builder"])
    if builder.state != "RUNNING":
        raise not_permitted(f"The image builder {builder.name} is {builder.state}.")
    for command, rest in re.findall(r"^\s*Assistant\s+([a-z-]+)(.*)$", script, re.MULTILINE):
        options = _options(rest)
        if command == "add-application":
            added = {"Name": options["name"][0], "LaunchPath": options["absolute-app-path"][0]}
            builder.shown["catalog"].append(added)
        elif command == "create-image":
            tags = options.get("tags", [])
            return _snapshot(backend, builder, options["name"][0], dict(zip(tags[::2], tags[1::2], strict=True)))
    raise not_permitted("The script makes no image.")


def _options(text: str) -> dict[str, list[str]]:
    """The values of each `--option`, of which each is a literal of PowerShell's."""
    found: dict[str, list[str]] = {}
    values: list[str] = []
    for option, value in re.findall(r"--([a-z-]+)|'((?:[^']|'')*)'", text):
        if option:
            values = found.setdefault(option, [])
        else:
            values.append(value.replace("''", "'"))
    return found


def _snapshot(backend: AppStreamBackend, builder: Thing, name: str, tags: dict[str, str]) -> Json:
    if not builder.shown["catalog"]:
        raise not_permitted("Image Assistant has no application in its catalog.")
    shown = _shown({}, platform=builder.shown["Platform"], kind="NATIVE")
    shown |= {"Applications": list(builder.shown["catalog"]), "ImageBuilderName": builder.name}
    image = backend.add("image", {"Name": name, "Tags": tags}, shown)
    seconds = settings.IMAGE_SECONDS
    _to_end(image, [("PENDING", seconds), ("CREATING", seconds)], FAULTS.take("CreateImage") or "AVAILABLE")
    builder.move(("SNAPSHOTTING", 2 * seconds), then="STOPPED")
    return image.describe()

"""App blocks, and the applications in them that Elastic fleets show."""

from __future__ import annotations

from local_aws.services.appstream import checks
from local_aws.services.appstream.models import (
    AppStreamBackend,
    AppStreamError,
    Json,
    combination,
    in_use,
    missing,
    not_permitted,
    page,
)

_COPIED = ("DisplayName", "Description", "LaunchPath", "WorkingDirectory", "LaunchParameters")
_TO_DELETE = {"LAUNCH_PARAMETERS": "LaunchParameters", "WORKING_DIRECTORY": "WorkingDirectory"}
_PLATFORMS = ("WINDOWS_SERVER_2019", "AMAZON_LINUX2", "UBUNTU_PRO_2404")
_FAMILIES = ("GENERAL_PURPOSE", "GRAPHICS_G4")


def create_app_block(backend: AppStreamBackend, asked: Json) -> Json:
    packaging = asked.get("PackagingType") or "CUSTOM"
    if packaging != "CUSTOM":
        raise NotImplementedError("app blocks that an app block builder packs")
    if not asked.get("SetupScriptDetails"):
        raise combination("SetupScriptDetails is required for PackagingType CUSTOM.")
    if asked.get("PostSetupScriptDetails"):
        raise combination("PostSetupScriptDetails is not allowed for PackagingType CUSTOM.")
    if not asked["SourceS3Location"].get("S3Key"):
        raise combination("S3Key is required for PackagingType CUSTOM.")
    checks.check_object(backend, asked["SourceS3Location"])
    checks.check_object(backend, asked["SetupScriptDetails"]["ScriptS3Location"])
    names = ("Description", "DisplayName", "SourceS3Location", "SetupScriptDetails")
    block = backend.add("app-block", asked, {name: asked.get(name) for name in names} | {"PackagingType": packaging})
    block.state = "ACTIVE"
    return {"AppBlock": block.describe()}


def describe_app_blocks(backend: AppStreamBackend, asked: Json) -> Json:
    return backend.described("app-block", asked, "AppBlocks")


def delete_app_block(backend: AppStreamBackend, asked: Json) -> Json:
    block = backend.thing("app-block", asked["Name"])
    users = [each.name for each in backend.things["application"].values() if each.shown["AppBlockArn"] == block.arn]
    if users:
        raise in_use(f"The app block {block.name} is used by the application {users[0]}.")
    backend.forget(block)
    return {}


def create_application(backend: AppStreamBackend, asked: Json) -> Json:
    if wrong := [each for each in asked["Platforms"] if each not in _PLATFORMS]:
        raise not_permitted(f"The platform {wrong[0]} is not supported for applications.")
    if wrong := [each for each in asked["InstanceFamilies"] if each not in _FAMILIES]:
        raise not_permitted(f"The instance family {wrong[0]} is not supported for applications.")
    backend.by_arn(asked["AppBlockArn"])
    checks.check_object(backend, asked["IconS3Location"], icon=True)
    names = (*_COPIED, "IconS3Location", "AppBlockArn", "Platforms", "InstanceFamilies")
    icon = f"https://appstream2.local/icons/{asked['Name']}"
    application = backend.add(
        "application", asked, {name: asked.get(name) for name in names} | {"Enabled": True, "IconURL": icon}
    )
    return {"Application": application.describe()}


def update_application(backend: AppStreamBackend, asked: Json) -> Json:
    application = backend.thing("application", asked["Name"])
    if asked.get("AppBlockArn"):
        backend.by_arn(asked["AppBlockArn"])
    if asked.get("IconS3Location"):
        checks.check_object(backend, asked["IconS3Location"], icon=True)
    names = (*_COPIED, "IconS3Location", "AppBlockArn")
    application.shown.update({name: asked[name] for name in names if asked.get(name) is not None})
    for attribute in asked.get("AttributesToDelete") or []:
        application.shown.pop(_TO_DELETE[attribute], None)
    return {"Application": application.describe()}


def describe_applications(backend: AppStreamBackend, asked: Json) -> Json:
    return backend.described("application", asked, "Applications")


def delete_application(backend: AppStreamBackend, asked: Json) -> Json:
    application = backend.thing("application", asked["Name"])
    fleets = [fleet for arn, fleet in backend.fleets_of_applications if arn == application.arn]
    if fleets:
        raise in_use(f"The application {application.name} is associated with the fleet {fleets[0]}.")
    backend.forget(application)
    return {}


def associate_application_fleet(backend: AppStreamBackend, asked: Json) -> Json:
    fleet, application = backend.thing("fleet", asked["FleetName"]), backend.by_arn(asked["ApplicationArn"])
    if fleet.shown["FleetType"] != "ELASTIC":
        raise combination(f"The fleet {fleet.name} is not an Elastic fleet.")
    if fleet.shown["Platform"] not in application.shown["Platforms"]:
        raise combination(f"The application {application.name} does not support {fleet.shown['Platform']}.")
    backend.fleets_of_applications.add((application.arn, fleet.name))
    return {"ApplicationFleetAssociation": {"FleetName": fleet.name, "ApplicationArn": application.arn}}


def disassociate_application_fleet(backend: AppStreamBackend, asked: Json) -> Json:
    pair = (asked["ApplicationArn"], asked["FleetName"])
    if pair not in backend.fleets_of_applications:
        raise not_permitted("The application is not associated with the fleet.")
    backend.fleets_of_applications.remove(pair)
    return {}


def describe_application_fleet_associations(backend: AppStreamBackend, asked: Json) -> Json:
    wanted = (asked.get("ApplicationArn"), asked.get("FleetName"))
    if not any(wanted):
        raise combination("FleetName or ApplicationArn is required.")
    if asked.get("FleetName") and asked["FleetName"] not in backend.things["fleet"]:
        raise missing("fleet", asked["FleetName"])
    rows = [
        {"ApplicationArn": arn, "FleetName": fleet}
        for arn, fleet in sorted(backend.fleets_of_applications)
        if wanted[0] in (None, arn) and wanted[1] in (None, fleet)
    ]
    return page(rows, asked, "ApplicationFleetAssociations", 25)


def objects_of(backend: AppStreamBackend, fleet: str) -> list[Json]:
    """What an instance of an Elastic fleet downloads when a session begins.

    Raises AppStreamError for a fleet without an application.
    """
    found: list[Json] = []
    for arn, associated in backend.fleets_of_applications:
        if associated == fleet:
            block = backend.by_arn(backend.by_arn(arn).shown["AppBlockArn"])
            found += [block.shown["SourceS3Location"], block.shown["SetupScriptDetails"]["ScriptS3Location"]]
    if not found:
        raise AppStreamError("ResourceNotAvailableException", f"The fleet {fleet} has no applications.")
    return found

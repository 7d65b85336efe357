"""The app block and the application of an Elastic fleet."""

from __future__ import annotations

from scripts.ingest.appstream import files as s3_files
from scripts.ingest.appstream import package
from scripts.ingest.appstream.context import Json, Place
from scripts.ingest.appstream.files import ARCHIVE_NAME, ICON_NAME, SCRIPT_NAME, Files

POWERSHELL = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"
PLATFORM = "WINDOWS_SERVER_2019"  # the only Windows of Elastic fleets
SETUP_SECONDS = 300
# All that CreateApplication takes.
FAMILIES = ["GENERAL_PURPOSE", "GRAPHICS_G4"]


def ensure(place: Place) -> Files:
    """Have files, app block and application. An app block cannot be changed: another archive is another app block."""
    files = s3_files.ensure(place)
    block = _ensure_block(place, files)
    _ensure_application(place, files, block)
    return files


def block_name(place: Place, files: Files) -> str:
    """It carries the digest of what it is made of."""
    return f"{place.name}-{files.digest}"


def _ensure_block(place: Place, files: Files) -> str:
    """Its ARN."""
    name = block_name(place, files)
    arn = place.arn("app-block", name)
    if _find_block(place, name):
        return arn
    script = rf"C:\AppStream\AppBlocks\{name}\{SCRIPT_NAME}"
    asked: Json = {
        "Name": name,
        "DisplayName": "OMERO.insight",
        "Description": f"OMERO.insight for workspace {place.workspace}",
        "SourceS3Location": files.location(ARCHIVE_NAME),
        "SetupScriptDetails": {
            "ScriptS3Location": files.location(SCRIPT_NAME),
            "ExecutablePath": POWERSHELL,
            "ExecutableParameters": (
                f'-NoProfile -NonInteractive -ExecutionPolicy Bypass -File "{script}" -Sha256 {files.sha256}'
            ),
            "TimeoutInSeconds": SETUP_SECONDS,
        },
        "PackagingType": "CUSTOM",
        "Tags": place.tags,
    }
    place.changes.do(f"app block {name}: created", lambda: place.insist(place.client.create_app_block, **asked))
    return arn


def _find_block(place: Place, name: str) -> Json | None:
    arns = [place.arn("app-block", name)]
    return place.find(f"app block {name}", place.client.describe_app_blocks, "AppBlocks", Arns=arns)


def find(place: Place) -> Json | None:
    """The application. Raises Refused if it is not this workspace's."""
    arns = [place.arn("application", place.name)]
    return place.find(f"application {place.name}", place.client.describe_applications, "Applications", Arns=arns)


def _ensure_application(place: Place, files: Files, block: str) -> None:
    wanted: Json = {
        "DisplayName": "OMERO.insight",
        "IconS3Location": files.location(ICON_NAME),
        "LaunchPath": package.JAVA,
        "WorkingDirectory": package.WORKING_DIRECTORY,
        "LaunchParameters": package.PARAMETERS,
        "AppBlockArn": block,
    }
    found = find(place)
    if found is None:
        asked = {
            **wanted,
            "Name": place.name,
            "Platforms": [PLATFORM],
            "InstanceFamilies": FAMILIES,
            "Tags": place.tags,
        }
        place.changes.do(
            f"application {place.name}: created", lambda: place.insist(place.client.create_application, **asked)
        )
    elif changed := place.differences(found, wanted):
        place.changes.do(
            f"application {place.name}: {', '.join(changed)} set",
            lambda: place.insist(place.client.update_application, Name=place.name, **changed),
        )


def associate(place: Place) -> None:
    """Have the fleet show the application."""
    arn = place.arn("application", place.name)
    if arn not in associated(place):
        place.changes.do(
            f"application {place.name}: shown by the fleet {place.name}",
            lambda: place.insist(place.client.associate_application_fleet, FleetName=place.name, ApplicationArn=arn),
        )


def associated(place: Place) -> list[str]:
    """ARNs of the applications that the fleet shows."""
    fleets = place.pages(place.client.describe_fleets, "Fleets")
    if not any(each["Name"] == place.name for each in fleets):
        return []
    call = place.client.describe_application_fleet_associations
    rows = place.pages(call, "ApplicationFleetAssociations", FleetName=place.name)
    return [row["ApplicationArn"] for row in rows]


def remove_old(place: Place, files: Files) -> None:
    """Delete the app blocks and the files of earlier archives. Sessions that run have theirs already."""
    for name in blocks(place):
        if name != block_name(place, files):
            _delete_block(place, name)
    s3_files.remove_old(place, files)


def blocks(place: Place) -> list[str]:
    """The names of this workspace's app blocks."""
    rows = place.pages(place.client.describe_app_blocks, "AppBlocks")
    named = [row for row in rows if row["Name"].startswith(f"{place.name}-")]
    return [row["Name"] for row in named if place.owns(place.tags_of(row["Arn"]) or {})]


def _delete_block(place: Place, name: str) -> None:
    place.changes.do(f"app block {name}: deleted", lambda: place.insist(place.client.delete_app_block, Name=name))


def remove(place: Place) -> None:
    """Delete application and app blocks."""
    for arn in associated(place):
        place.changes.do(
            f"application {arn.rpartition('/')[2]}: no longer shown by the fleet {place.name}",
            lambda arn=arn: place.insist(  # type: ignore[misc]
                place.client.disassociate_application_fleet, FleetName=place.name, ApplicationArn=arn
            ),
        )
    if find(place):
        place.changes.do(
            f"application {place.name}: deleted",
            lambda: place.insist(place.client.delete_application, Name=place.name),
        )
    for name in blocks(place):
        _delete_block(place, name)

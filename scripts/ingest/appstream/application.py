"""The app block and the application of an Elastic fleet."""

from __future__ import annotations

from scripts.ingest.appstream import files as s3_files
from scripts.ingest.appstream import package
from scripts.ingest.appstream.context import AppStreamContext, Json
from scripts.ingest.appstream.files import ARCHIVE_NAME, ICON_NAME, SCRIPT_NAME, Files

POWERSHELL = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"
PLATFORM = "WINDOWS_SERVER_2019"  # the only Windows of Elastic fleets
SETUP_SECONDS = 300
# All that CreateApplication takes.
FAMILIES = ["GENERAL_PURPOSE", "GRAPHICS_G4"]


def ensure(context: AppStreamContext) -> Files:
    """Have files, app block and application. An app block cannot be changed: another archive is another app block."""
    files = s3_files.ensure(context)
    block = _ensure_block(context, files)
    _ensure_application(context, files, block)
    return files


def block_name(context: AppStreamContext, files: Files) -> str:
    """It carries the digest of what it is made of."""
    return f"{context.name}-{files.digest}"


def _ensure_block(context: AppStreamContext, files: Files) -> str:
    """Its ARN."""
    name = block_name(context, files)
    arn = context.arn("app-block", name)
    if _find_block(context, name):
        return arn
    script = rf"C:\AppStream\AppBlocks\{name}\{SCRIPT_NAME}"
    asked: Json = {
        "Name": name,
        "DisplayName": "OMERO.insight",
        "Description": f"OMERO.insight for workspace {context.workspace}",
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
        "Tags": context.tags,
    }
    context.changes.do(f"app block {name}: created", lambda: context.retry(context.client.create_app_block, **asked))
    return arn


def _find_block(context: AppStreamContext, name: str) -> Json | None:
    arns = [context.arn("app-block", name)]
    return context.find(f"app block {name}", context.client.describe_app_blocks, "AppBlocks", Arns=arns)


def find(context: AppStreamContext) -> Json | None:
    """The application. Raises Refused if it is not this workspace's."""
    arns = [context.arn("application", context.name)]
    return context.find(f"application {context.name}", context.client.describe_applications, "Applications", Arns=arns)


def _ensure_application(context: AppStreamContext, files: Files, block: str) -> None:
    wanted: Json = {
        "DisplayName": "OMERO.insight",
        "IconS3Location": files.location(ICON_NAME),
        "LaunchPath": package.JAVA,
        "WorkingDirectory": package.WORKING_DIRECTORY,
        "LaunchParameters": package.PARAMETERS,
        "AppBlockArn": block,
    }
    found = find(context)
    if found is None:
        asked = {
            **wanted,
            "Name": context.name,
            "Platforms": [PLATFORM],
            "InstanceFamilies": FAMILIES,
            "Tags": context.tags,
        }
        context.changes.do(
            f"application {context.name}: created", lambda: context.retry(context.client.create_application, **asked)
        )
    elif changed := context.differences(found, wanted):
        context.changes.do(
            f"application {context.name}: {', '.join(changed)} set",
            lambda: context.retry(context.client.update_application, Name=context.name, **changed),
        )


def associate(context: AppStreamContext) -> None:
    """Have the fleet show the application."""
    arn = context.arn("application", context.name)
    if arn not in associated(context):
        context.changes.do(
            f"application {context.name}: shown by the fleet {context.name}",
            lambda: context.retry(
                context.client.associate_application_fleet, FleetName=context.name, ApplicationArn=arn
            ),
        )


def associated(context: AppStreamContext) -> list[str]:
    """ARNs of the applications that the fleet shows."""
    fleets = context.rows("describe_fleets", "Fleets")
    if not any(each["Name"] == context.name for each in fleets):
        return []
    rows = context.rows(
        "describe_application_fleet_associations", "ApplicationFleetAssociations", FleetName=context.name
    )
    return [row["ApplicationArn"] for row in rows]


def remove_old(context: AppStreamContext, files: Files) -> None:
    """Delete the app blocks and the files of earlier archives. Sessions that run have theirs already."""
    for name in blocks(context):
        if name != block_name(context, files):
            _delete_block(context, name)
    s3_files.remove_old(context, files)


def blocks(context: AppStreamContext) -> list[str]:
    """The names of this workspace's app blocks."""
    rows = context.rows("describe_app_blocks", "AppBlocks")
    named = [row for row in rows if row["Name"].startswith(f"{context.name}-")]
    return [row["Name"] for row in named if context.owns(context.tags_of(row["Arn"]) or {})]


def _delete_block(context: AppStreamContext, name: str) -> None:
    context.changes.do(f"app block {name}: deleted", lambda: context.retry(context.client.delete_app_block, Name=name))


def remove(context: AppStreamContext) -> None:
    """Delete application and app blocks."""
    for arn in associated(context):
        context.changes.do(
            f"application {arn.rpartition('/')[2]}: no longer shown by the fleet {context.name}",
            lambda arn=arn: context.retry(  # type: ignore[misc]
                context.client.disassociate_application_fleet, FleetName=context.name, ApplicationArn=arn
            ),
        )
    if find(context):
        context.changes.do(
            f"application {context.name}: deleted",
            lambda: context.retry(context.client.delete_application, Name=context.name),
        )
    for name in blocks(context):
        _delete_block(context, name)

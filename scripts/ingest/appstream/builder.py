"""An image made on an image builder: all but the paste is done here."""

from __future__ import annotations

import time
from collections.abc import Callable

from scripts import console
from scripts.aws.waiting import wait_for
from scripts.errors import Failed
from scripts.ingest.appstream import files as s3_files
from scripts.ingest.appstream import images, network, package
from scripts.ingest.appstream.context import AppStreamContext, Json
from scripts.ingest.appstream.files import ARCHIVE_NAME, Files

BUILDER_SECONDS = 2 * 3600
PERSON_SECONDS = 8 * 3600
# AWS's most for a streaming URL of a builder is a week; what is printed must not outlive the work by much.
URL_SECONDS = 4 * 3600
ASSISTANT = r"C:\Program Files\Amazon\Photon\ConsoleImageBuilder\image-assistant.exe"


def name_of(context: AppStreamContext) -> str:
    """Of the image builder."""
    return f"{context.name}-builder"


def find(context: AppStreamContext) -> Json | None:
    """The image builder. Raises Refused if it is not this workspace's."""
    every = [each["Name"] for each in context.rows("describe_image_builders", "ImageBuilders")]
    if name_of(context) not in every:
        return None
    call = context.client.describe_image_builders
    return context.find(f"image builder {name_of(context)}", call, "ImageBuilders", Names=[name_of(context)])


def build(
    context: AppStreamContext,
    image: str,
    *,
    show: Callable[[str, str], None],
    base_image: str | None = None,
    instance_type: str = "stream.standard.large",
    wait: bool = True,
) -> None:
    """Have the image. Where a person has to act, `show` gets the streaming URL and the script to paste.

    Without `wait` it ends there; the same call continues waiting. The builder is deleted at the end.

    Raises:
        Failed: builder or image ended otherwise, with AppStream's reasons.
    """
    found = images.replace_failed(context, image)
    if found is None:
        network.check(context)
        files = s3_files.ensure(context)  # first, for it looks into archives
        network.ensure_service_role(context)
        group_id = network.ensure_group(context)
        _ensure_running(context, group_id=group_id, base_image=base_image, instance_type=instance_type)
        if context.dry_run:
            console.say(
                f"then somebody opens the builder and pastes a script, and the command waits for the image {image}."
            )
            remove(context)
            return
        show(_url(context), script(context, files, image))
        if not wait:
            console.say("paste the script; the same command then waits for the image and removes the builder.")
            return
        _wait_for_paste(context, image)
    if not context.dry_run:
        images.wait_available(context, image, BUILDER_SECONDS)
    remove(context)
    console.say(f"the image {image} is AVAILABLE; name it in appstream.fleet.image.")


def _ensure_running(context: AppStreamContext, *, group_id: str, base_image: str | None, instance_type: str) -> None:
    name, found = name_of(context), find(context)
    if found and found["State"] == "FAILED":
        console.say(f"the image builder {name} is FAILED: {images.reasons(found)}")
        remove(context)
        found = None
    if found is None:
        asked = {
            "Name": name,
            "ImageName": images.base_image(context, base_image),
            "InstanceType": instance_type,
            "DisplayName": "OMERO.insight",
            "VpcConfig": {"SubnetIds": network.subnet_ids(context)[:1], "SecurityGroupIds": [group_id]},
            "EnableDefaultInternetAccess": False,
            "Tags": context.tags,
        }
        context.changes.do(
            f"image builder {name}: created from {asked['ImageName']}; you pay for it until it is stopped",
            lambda: context.retry(context.client.create_image_builder, **asked),
        )
    elif found["State"] == "STOPPED":
        context.changes.do(
            f"image builder {name}: started; you pay for it until it is stopped",
            lambda: context.retry(context.client.start_image_builder, Name=name),
        )
    if context.dry_run:
        return

    def state() -> str:
        present = find(context) or {"State": "PENDING"}
        if present["State"] == "FAILED":
            raise Failed(
                f"the image builder {name} is FAILED: {images.reasons(present)}; fix that and run this again, which "
                "creates a new one."
            )
        return str(present["State"])

    wait_for(f"image builder {name}", state, until=("RUNNING", "SNAPSHOTTING"), seconds=BUILDER_SECONDS)


def _url(context: AppStreamContext) -> str:
    call = context.client.create_image_builder_streaming_url
    return str(context.retry(call, Name=name_of(context), Validity=URL_SECONDS)["StreamingURL"])


def _wait_for_paste(context: AppStreamContext, image: str) -> None:
    """Until the image is there, in whatever state."""
    wait_for(
        f"somebody to paste the script, and the image {image}",
        lambda: (images.find(context, image) or {"State": "not there yet"})["State"],
        until=("PENDING", "CREATING", "AVAILABLE", "FAILED"),
        seconds=PERSON_SECONDS,
    )


def script(context: AppStreamContext, files: Files, image: str) -> str:
    """PowerShell for the builder: fetch and unpack OMERO.insight, and have Image Assistant make the image.

    The URL in it lets whoever has it fetch OMERO.insight, with the server's name, for some hours, and nothing else.
    """
    s3 = context.deployment.client("s3")
    get = {"Bucket": files.bucket, "Key": files.key(ARCHIVE_NAME)}
    url = s3.generate_presigned_url("get_object", Params=get, ExpiresIn=URL_SECONDS)
    tags = " ".join(f"{_quoted(key)} {_quoted(value)}" for key, value in context.tags.items())
    return f"""$ErrorActionPreference = 'Stop'
$archive = Join-Path -Path $env:TEMP -ChildPath 'omero-insight.zip'
$ProgressPreference = 'SilentlyContinue'
Invoke-WebRequest -UseBasicParsing -OutFile $archive -Uri {_quoted(url)}
if ((Get-FileHash -LiteralPath $archive -Algorithm SHA256).Hash -ne {_quoted(files.sha256)}) {{
    throw 'The archive is incomplete; paste this again.'
}}
if (Test-Path -LiteralPath {_quoted(package.TARGET)}) {{
    Remove-Item -LiteralPath {_quoted(package.TARGET)} -Recurse -Force
}}
Add-Type -AssemblyName System.IO.Compression.FileSystem
[System.IO.Compression.ZipFile]::ExtractToDirectory($archive, {_quoted(package.TARGET)})
Remove-Item -LiteralPath $archive
function Assistant {{
    $said = & {_quoted(ASSISTANT)} @args | ConvertFrom-Json
    if ($said.status -ne 0) {{ throw "Image Assistant: $($said.message)" }}
}}
Assistant add-application --name 'OMERO.insight' --display-name 'OMERO.insight' \
--absolute-app-path {_quoted(package.JAVA)} --working-directory {_quoted(package.WORKING_DIRECTORY)} \
--launch-parameters {_quoted(package.PARAMETERS)}
Assistant create-image --name {_quoted(image)} --display-name 'OMERO.insight' --use-latest-agent-version --tags {tags}
"""


def _quoted(text: str) -> str:
    """As a literal of PowerShell's."""
    return "'" + text.replace("'", "''") + "'"


def remove(context: AppStreamContext) -> None:
    """Stop and delete the builder."""
    name = name_of(context)
    if find(context) is None:
        return

    def removing() -> None:
        begun = time.monotonic()
        while (found := find(context)) and time.monotonic() - begun < BUILDER_SECONDS:
            if found["State"] == "RUNNING":
                context.retry(context.client.stop_image_builder, Name=name)
            settled = ("STOPPED", "FAILED", "RUNNING", "GONE")
            state = wait_for(f"image builder {name}", lambda: _state(context), until=settled, seconds=BUILDER_SECONDS)
            if state in ("STOPPED", "FAILED"):
                context.retry(context.client.delete_image_builder, Name=name)
                wait_for(f"image builder {name}", lambda: _state(context), until=("GONE",), seconds=BUILDER_SECONDS)

    context.changes.do(f"image builder {name}: stopped and deleted", removing)


def _state(context: AppStreamContext) -> str:
    return str((find(context) or {"State": "GONE"})["State"])

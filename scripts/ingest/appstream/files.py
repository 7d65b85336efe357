"""The bucket that instances fetch OMERO.insight from, and what is in it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from contract.omero import SERVER_PORT
from contract.outputs import Omero
from contract.policy import Statement, deny_insecure_transport
from scripts import aws, console
from scripts.aws import buckets, desired
from scripts.errors import Refused
from scripts.ingest.appstream import download, package
from scripts.ingest.appstream.context import AppStreamContext, Json
from scripts.ingest.appstream.package import Preset
from settings.appstream import Insight

HERE = Path(__file__).resolve().parent
SCRIPT = (HERE / "setup.ps1").read_bytes()
ICON = HERE / "icon.png"
ARCHIVE_NAME, SCRIPT_NAME, ICON_NAME = "omero-insight.zip", "setup.ps1", "icon.png"
FOLDER = "insight/"
UPLOAD_DAYS = 1
_PRINCIPAL = "appstream.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class Files:
    """Where archive, script and icon are. `digest` tells them from those of another archive, server or release."""

    bucket: str
    digest: str
    sha256: str

    def key(self, name: str) -> str:
        """Of the archive, the script or the icon."""
        return f"{FOLDER}{self.digest}/{name}"

    def location(self, name: str) -> Json:
        """As AppStream takes it."""
        return {"S3Bucket": self.bucket, "S3Key": self.key(name)}


def preset_of(context: AppStreamContext) -> Preset:
    """The workspace's read-write server, by its name in the VPC.

    Raises:
        Refused: the stack `omero` is not deployed.
    """
    folder = package.HOME_FOLDER if context.settings.stack.home_folders else ""
    return Preset(host=context.deployment.parameter(Omero.server_host), port=SERVER_PORT, folder=folder)


def ensure(context: AppStreamContext) -> Files:
    """Have the bucket and, in it, what this workspace's archive is made of. Fetches and packs only what is not there.

    Raises:
        Refused: archive or runtime are not what they must be, or the bucket is somebody else's; nothing was changed.
        Failed: a download broke off.
    """
    insight = needed(context)
    s3 = context.deployment.client("s3")
    files = Files(bucket=context.bucket, digest=package.digest(insight, preset_of(context), SCRIPT), sha256="")
    exists = _exists(context, s3)
    sha256 = _sha256_of(s3, files) if exists else None
    with tempfile.TemporaryDirectory(prefix="omero-insight-") as folder:
        packed = Path(folder) / "packed.zip"
        if sha256 is None:
            files = replace(files, sha256=_pack(context, insight, packed))
        is_there = _ensure_bucket(context, s3, exists=exists)
        if sha256 is None:
            context.changes.do(
                f"s3://{files.bucket}/{files.key(ARCHIVE_NAME)}: OMERO.insight and Java uploaded",
                lambda: _upload_archive(s3, files, packed),
            )
        else:
            files = replace(files, sha256=sha256)
    present = {row["Key"] for row in buckets.objects(s3, files.bucket, prefix=files.key(""))} if is_there else set()
    for name, content, kind in ((SCRIPT_NAME, SCRIPT, "text/plain"), (ICON_NAME, ICON.read_bytes(), "image/png")):
        key = files.key(name)
        if key not in present:
            put = {"Bucket": files.bucket, "Key": key, "Body": content, "ContentType": kind}
            context.changes.do(f"s3://{files.bucket}/{key}: uploaded", lambda put=put: s3.put_object(**put))  # type: ignore[misc]
    return files


def needed(context: AppStreamContext) -> Insight:
    """The section `appstream.insight`. Raises Refused where it is left out."""
    if context.settings.insight is None:
        raise Refused(
            f"workspace {context.workspace} has no appstream.insight; give it with archive, runtime and their SHA-256."
        )
    return context.settings.insight


def _pack(context: AppStreamContext, insight: Insight, target: Path) -> str:
    """Its SHA-256."""
    archive = download.fetch(
        insight.archive, sha256=insight.archive_sha256, folder=target.parent, key="appstream.insight.archive"
    )
    runtime = download.fetch(
        insight.runtime, sha256=insight.runtime_sha256, folder=target.parent, key="appstream.insight.runtime"
    )
    return package.assemble(insight=archive, runtime=runtime, preset=preset_of(context), target=target)


def _upload_archive(s3: Any, files: Files, packed: Path) -> None:
    """Whole or not at all: S3 shows an object when its last part is there."""
    size, sent, key = packed.stat().st_size, [0], files.key(ARCHIVE_NAME)
    with console.status(f"uploading {key}") as show:

        def more(count: int) -> None:
            sent[0] += count
            show(f"uploading {key}: {sent[0] / 1e6:.0f} of {size / 1e6:.0f} MB")

        extra = {"Metadata": {"sha256": files.sha256}}
        s3.upload_file(str(packed), files.bucket, key, ExtraArgs=extra, Callback=more)


def _sha256_of(s3: Any, files: Files) -> str | None:
    """Of the archive in the bucket; None if it is not there."""
    found = aws.read(lambda: s3.head_object(Bucket=files.bucket, Key=files.key(ARCHIVE_NAME)), "404", "NoSuchKey")
    if found is None:
        return None
    # Names of metadata are HTTP headers: whoever is between may write them in another case.
    return {name.lower(): value for name, value in found["Metadata"].items()}.get("sha256")


def remove_old(context: AppStreamContext, keep: Files | None) -> None:
    """Delete the files of other archives than `keep`: software, and no images."""
    s3 = context.deployment.client("s3")
    for row in buckets.objects(s3, context.bucket, prefix=FOLDER):
        if keep is None or not row["Key"].startswith(keep.key("")):
            context.changes.do(
                f"s3://{context.bucket}/{row['Key']}: deleted",
                lambda key=row["Key"]: s3.delete_object(Bucket=context.bucket, Key=key),  # type: ignore[misc]
            )


def remove_bucket(context: AppStreamContext) -> None:
    """Delete the bucket with its files. Whatever else somebody has put there makes AWS refuse."""
    s3 = context.deployment.client("s3")
    remove_old(context, None)
    if _exists(context, s3):
        context.changes.do(f"bucket {context.bucket}: deleted", lambda: s3.delete_bucket(Bucket=context.bucket))


def _exists(context: AppStreamContext, s3: Any) -> bool:
    """Raises Refused if the name is another account's."""
    try:
        return buckets.region_of(s3, context.bucket, account_id=context.deployment.workspace.account_id) is not None
    except ClientError as error:
        if aws.denied(error):
            raise Refused(
                f"the bucket {context.bucket} is another account's, or these credentials lack s3:ListBucket on it; get "
                "the permission, or rename the workspace."
            ) from error
        raise


def _ensure_bucket(context: AppStreamContext, s3: Any, *, exists: bool) -> bool:
    """Whether it is there then, and not only planned."""
    name = context.bucket
    if not exists:
        context.changes.do(
            f"bucket {name}: created in {context.region}", lambda: buckets.create(s3, name, region=context.region)
        )
    is_there = exists or not context.dry_run
    rule = {"ID": "incomplete-uploads", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UPLOAD_DAYS}}
    properties = [
        buckets.public_access(s3, name),
        buckets.policy(s3, name, _statements(context), shown="read access for AppStream, only over TLS"),
        buckets.lifecycle(s3, name, rule, shown=f"unfinished uploads expire after {UPLOAD_DAYS} day"),
        buckets.tags(s3, name, context.tags),
    ]
    desired.ensure(properties, f"bucket {name}", context.changes, exists=is_there)
    return is_there


def _statements(context: AppStreamContext) -> list[Statement]:
    """AppStream reads archives and scripts on behalf of this account alone; icons it reads without saying for whom.

    https://docs.aws.amazon.com/appstream2/latest/developerguide/example-s3-bucket.html
    """
    root, reads = context.deployment.arn("s3", context.bucket), ("s3:GetObject",)
    appstream = {"Service": (_PRINCIPAL,)}
    return [
        Statement(
            sid="Software",
            actions=reads,
            resources=tuple(f"{root}/{FOLDER}*/{name}" for name in (ARCHIVE_NAME, SCRIPT_NAME)),
            principals=appstream,
            conditions={"StringEquals": {"aws:SourceAccount": context.deployment.workspace.account_id}},
        ),
        Statement(sid="Icons", actions=reads, resources=(f"{root}/{FOLDER}*/{ICON_NAME}",), principals=appstream),
        deny_insecure_transport(root, f"{root}/*"),
    ]

"""The bucket that instances fetch OMERO.insight from, and what is in it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from scripts import aws, console
from scripts.errors import Refused
from scripts.ingest.appstream import download, package
from scripts.ingest.appstream.context import Json, Place
from scripts.ingest.appstream.package import Preset
from settings.appstream import Insight

HERE = Path(__file__).resolve().parent
SCRIPT = (HERE / "setup.ps1").read_bytes()
ICON = HERE / "icon.png"
ARCHIVE_NAME, SCRIPT_NAME, ICON_NAME = "omero-insight.zip", "setup.ps1", "icon.png"
FOLDER = "insight/"
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


def preset_of(place: Place) -> Preset:
    """The workspace's read-write server, by its name in the VPC.

    Raises:
        Refused: the stack `omero` is not deployed.
    """
    folder = package.HOME_FOLDER if place.settings.stack.home_folders else ""
    return Preset(host=place.opened.parameter("omero/server_host"), port=4064, folder=folder)


def ensure(place: Place) -> Files:
    """Have the bucket and, in it, what this workspace's archive is made of. Fetches and packs only what is not there.

    Raises:
        Refused: archive or runtime are not what they shall be, or the bucket is somebody else's; nothing was changed.
        Failed: a download broke off.
    """
    insight = needed(place)
    s3 = place.opened.client("s3")
    files = Files(bucket=place.bucket, digest=package.digest(insight, preset_of(place), SCRIPT), sha256="")
    exists = _exists(place, s3)
    sha256 = _sha256_of(s3, files) if exists else None
    with tempfile.TemporaryDirectory(prefix="omero-insight-") as folder:
        packed = Path(folder) / "packed.zip"
        if sha256 is None:
            files = replace(files, sha256=_pack(place, insight, packed))
        is_there = _ensure_bucket(place, s3, exists=exists)
        if sha256 is None:
            place.changes.do(
                f"s3://{files.bucket}/{files.key(ARCHIVE_NAME)}: OMERO.insight and Java uploaded",
                lambda: _upload_archive(s3, files, packed),
            )
        else:
            files = replace(files, sha256=sha256)
    present = _keys(s3, files) if is_there else set()
    for name, content, kind in ((SCRIPT_NAME, SCRIPT, "text/plain"), (ICON_NAME, ICON.read_bytes(), "image/png")):
        key = files.key(name)
        if key not in present:
            put = {"Bucket": files.bucket, "Key": key, "Body": content, "ContentType": kind}
            place.changes.do(f"s3://{files.bucket}/{key}: uploaded", lambda put=put: s3.put_object(**put))  # type: ignore[misc]
    return files


def needed(place: Place) -> Insight:
    """The section `appstream.insight`. Raises Refused where it is left out."""
    if place.settings.insight is None:
        raise Refused(
            f"workspace {place.workspace} does not say what OMERO.insight is made of; give appstream.insight with "
            "archive, runtime and their SHA-256."
        )
    return place.settings.insight


def _pack(place: Place, insight: Insight, target: Path) -> str:
    """Its SHA-256."""
    archive = download.fetch(insight.archive, insight.archive_sha256, target.parent, "appstream.insight.archive")
    runtime = download.fetch(insight.runtime, insight.runtime_sha256, target.parent, "appstream.insight.runtime")
    return package.assemble(archive, runtime, preset_of(place), target)


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
    try:
        found = s3.head_object(Bucket=files.bucket, Key=files.key(ARCHIVE_NAME))
    except ClientError as error:
        if aws.code_of(error) in ("404", "NoSuchKey"):
            return None
        raise
    # Names of metadata are HTTP headers: whoever is between may write them in another case.
    return {name.lower(): value for name, value in found["Metadata"].items()}.get("sha256")


def _keys(s3: Any, files: Files) -> set[str]:
    rows = s3.list_objects_v2(Bucket=files.bucket, Prefix=files.key("")).get("Contents", [])
    return {row["Key"] for row in rows}


def remove_old(place: Place, keep: Files | None) -> None:
    """Delete the files of other archives than `keep`: software, and no images."""
    s3 = place.opened.client("s3")
    try:
        pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=FOLDER))
    except ClientError as error:
        if aws.code_of(error) == "NoSuchBucket":
            return
        raise
    for row in (row for each in pages for row in each.get("Contents", [])):
        key = row["Key"]
        if keep is None or not key.startswith(keep.key("")):
            delete = {"Bucket": place.bucket, "Key": key}
            place.changes.do(f"s3://{place.bucket}/{key}: deleted", lambda delete=delete: s3.delete_object(**delete))  # type: ignore[misc]


def remove_bucket(place: Place) -> None:
    """Delete the bucket with its files. Whatever else somebody has put there makes AWS refuse."""
    s3 = place.opened.client("s3")
    remove_old(place, None)
    if _exists(place, s3):
        place.changes.do(f"bucket {place.bucket}: deleted", lambda: s3.delete_bucket(Bucket=place.bucket))


def _exists(place: Place, s3: Any) -> bool:
    """Raises Refused if the name is another account's."""
    try:
        s3.head_bucket(Bucket=place.bucket, ExpectedBucketOwner=place.opened.workspace.account_id)
    except ClientError as error:
        if aws.code_of(error) in ("404", "NoSuchBucket"):
            return False
        if aws.code_of(error) == "403":
            raise Refused(
                f"the bucket {place.bucket} is another account's, or these credentials may not see it; they need "
                "s3:ListBucket on it."
            ) from error
        raise
    return True


def _ensure_bucket(place: Place, s3: Any, *, exists: bool) -> bool:
    """Whether it is there then, and not only planned."""
    name, is_there = place.bucket, exists
    if not is_there:
        where = {} if place.region == "us-east-1" else {"LocationConstraint": place.region}
        arguments: Json = {"Bucket": name, **({"CreateBucketConfiguration": where} if where else {})}
        place.changes.do(f"bucket {name}: created in {place.region}", lambda: s3.create_bucket(**arguments))
        is_there = not place.dry_run
    for what, read, wanted, write in _properties(place, s3):
        if not is_there or read() != wanted:
            place.changes.do(f"bucket {name}: {what}", write)
    return is_there


_Property = tuple[str, Callable[[], Any], Any, Callable[[], Any]]


def _properties(place: Place, s3: Any) -> list[_Property]:
    """What the bucket shall be like: a sentence, what it is, what it shall be, and how it becomes that."""
    bucket = {"Bucket": place.bucket}
    public = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    tags = place.tags
    policy = _policy(place)
    rule = {
        "ID": "incomplete-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }

    def read(call: Callable[..., Any], pick: Callable[[Any], Any]) -> Callable[[], Any]:
        def reading() -> Any:
            try:
                return pick(call(**bucket))
            except ClientError as error:
                if aws.code_of(error).startswith("NoSuch"):
                    return None
                raise

        return reading

    tagging = {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}
    return [
        (
            "closed to the public",
            read(s3.get_public_access_block, lambda found: found["PublicAccessBlockConfiguration"]),
            public,
            lambda: s3.put_public_access_block(**bucket, PublicAccessBlockConfiguration=public),
        ),
        (
            "open to AppStream, over TLS only",
            read(s3.get_bucket_policy, lambda found: json.loads(found["Policy"])),
            policy,
            lambda: s3.put_bucket_policy(**bucket, Policy=json.dumps(policy)),
        ),
        (
            "uploads that broke off are dropped after a day",
            read(
                s3.get_bucket_lifecycle_configuration,
                lambda found: [each["AbortIncompleteMultipartUpload"] for each in found["Rules"]],
            ),
            [rule["AbortIncompleteMultipartUpload"]],
            lambda: s3.put_bucket_lifecycle_configuration(**bucket, LifecycleConfiguration={"Rules": [rule]}),
        ),
        (
            "tagged",
            read(s3.get_bucket_tagging, lambda found: {each["Key"]: each["Value"] for each in found["TagSet"]}),
            tags,
            lambda: s3.put_bucket_tagging(**bucket, Tagging=tagging),
        ),
    ]


def _policy(place: Place) -> Json:
    """AppStream reads archives and scripts on behalf of this account alone; icons it reads without saying for whom.

    https://docs.aws.amazon.com/appstream2/latest/developerguide/example-s3-bucket.html
    """
    root = f"{place.opened.arn('s3', '').partition(':s3:')[0]}:s3:::{place.bucket}"
    reads = {"Effect": "Allow", "Principal": {"Service": _PRINCIPAL}, "Action": "s3:GetObject"}
    account = {"StringEquals": {"aws:SourceAccount": place.opened.workspace.account_id}}
    software = [f"{root}/{FOLDER}*/{name}" for name in (ARCHIVE_NAME, SCRIPT_NAME)]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Software", **reads, "Resource": software, "Condition": account},
            {"Sid": "Icons", **reads, "Resource": f"{root}/{FOLDER}*/{ICON_NAME}"},
            {
                "Sid": "OnlyOverTls",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [root, f"{root}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }

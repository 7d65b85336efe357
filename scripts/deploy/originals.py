"""Buckets that images stay in: what S3 may do with their objects by itself."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.exceptions import ClientError

from scripts import aws, console
from scripts.errors import Refused

# A File Gateway cannot read from these until somebody restores the object (S3 File Gateway User Guide, "Using storage
# classes"); GLACIER_IR is read at once.
ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")


def check(session: boto3.Session, key: str, bucket: str) -> None:
    """Refuse a bucket whose lifecycle rules delete or archive objects. `key` names it in the workspace.

    Rules for older versions, for delete markers and for uploads that nobody finished are left alone. A bucket that this
    account may not ask about, as another account's gateway may have one, is only warned of.

    Raises:
        Refused: there is no such bucket; or a rule that is enabled deletes or archives objects, be it those of one
            prefix only.
    """
    try:
        rules: Any = aws.read(
            lambda: session.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"],
            "NoSuchLifecycleConfiguration",
        )
    except ClientError as error:
        if aws.code_of(error) == "NoSuchBucket":
            raise Refused(f"{key} {bucket} does not exist; give the bucket that the share shows.") from None
        if not aws.denied(error):
            raise
        console.say(
            f"{key} {bucket} does not tell you its lifecycle rules; images stay in it, so ask its owner that none "
            "deletes or archives objects."
        )
        return
    for rule in rules or ():
        if rule["Status"] == "Enabled" and (what := _loses(rule)):
            raise Refused(
                f"{key} {bucket} has the lifecycle rule {rule.get('ID', 'without a name')}, which {what}, and an image "
                "whose object is gone or archived cannot be opened any more; disable that rule, or name another bucket."
            )


def _loses(rule: dict[str, Any]) -> str | None:
    """What the rule does to objects that images need; None if it leaves them alone."""
    expiration = rule.get("Expiration", {})
    if "Days" in expiration or "Date" in expiration:
        return "deletes objects"
    classes = {each.get("StorageClass") for each in rule.get("Transitions", ())}
    return next((f"archives objects in {archive}" for archive in ARCHIVES if archive in classes), None)

"""S3 buckets that scripts make: where they are, and what each is to be like."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from contract.policy import Statement
from scripts import aws
from scripts.aws.desired import Property

PUBLIC_ACCESS_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def region_of(s3: Any, bucket: str, *, account_id: str) -> str | None:
    """The region of a bucket of that account; None if there is no bucket of that name.

    Raises:
        botocore.exceptions.ClientError: `aws.denied`: it is another account's, or its policy keeps the caller out.
    """
    try:
        answer = s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account_id)
    except ClientError as error:
        answer = error.response
        # AWS sends a request for a bucket of another region away (301), without a look at its owner.
        match answer["ResponseMetadata"]["HTTPStatusCode"]:
            case 404:
                return None
            case 301:
                pass
            case _:
                raise
    headers = answer["ResponseMetadata"].get("HTTPHeaders", {})
    return str(headers.get("x-amz-bucket-region", s3.meta.region_name))


def create(s3: Any, bucket: str, *, region: str, **settings: Any) -> None:
    """Make a bucket."""
    if region != "us-east-1":  # the one region that S3 does not take by name
        settings["CreateBucketConfiguration"] = {"LocationConstraint": region}
    s3.create_bucket(Bucket=bucket, **settings)


def objects(s3: Any, bucket: str, *, prefix: str) -> list[Any]:
    """S3's rows (`Key`, `Size` in bytes, `LastModified`) of the objects below a prefix; none if there is no bucket."""
    return (
        aws.read(
            lambda: list(aws.rows(s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix=prefix)), "NoSuchBucket"
        )
        or []
    )


def public_access(s3: Any, bucket: str) -> Property:
    """Nobody outside of the account, whatever a policy or an ACL says."""
    return Property(
        name="public access",
        shown="all four blocks on",
        read=lambda: aws.read(
            lambda: s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
            "NoSuchPublicAccessBlockConfiguration",
        ),
        desired=lambda _: dict.fromkeys(PUBLIC_ACCESS_BLOCKS, True),
        write=lambda blocks: s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=blocks),
    )


def policy(s3: Any, bucket: str, statements: Sequence[Statement], *, shown: str) -> Property:
    """The policy with these statements in it, told by their `Sid`; the others stay as they are."""

    def desired(found: dict[str, Any] | None) -> dict[str, Any]:
        found = found or {"Version": "2012-10-17", "Statement": []}
        rows = found["Statement"] if isinstance(found["Statement"], list) else [found["Statement"]]
        for statement in statements:
            rows = _with(rows, statement.render(), key="Sid")
        return {**found, "Statement": rows}

    return Property(
        name="policy",
        shown=shown,
        read=lambda: aws.read(lambda: json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]), "NoSuchBucketPolicy"),
        desired=desired,
        write=lambda document: s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document)),
    )


def lifecycle(s3: Any, bucket: str, rule: dict[str, Any], *, shown: str) -> Property:
    """The lifecycle with this rule in it, which is for the whole bucket; the other rules stay as they are."""
    ours = {"Status": "Enabled", "Filter": {"Prefix": ""}, **rule}

    def current() -> dict[str, Any]:
        """The arguments that would set the lifecycle as it is."""
        answer = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
        found: dict[str, Any] = {"LifecycleConfiguration": {"Rules": answer["Rules"]}}
        if size := answer.get("TransitionDefaultMinimumObjectSize"):
            found["TransitionDefaultMinimumObjectSize"] = size
        return found

    def desired(found: dict[str, Any] | None) -> dict[str, Any]:
        found = found or {"LifecycleConfiguration": {"Rules": []}}
        rules = found["LifecycleConfiguration"]["Rules"]
        return {**found, "LifecycleConfiguration": {"Rules": _with(rules, ours, key="ID")}}

    return Property(
        name="lifecycle",
        shown=shown,
        read=lambda: aws.read(current, "NoSuchLifecycleConfiguration"),
        desired=desired,
        write=lambda found: s3.put_bucket_lifecycle_configuration(Bucket=bucket, **found),
    )


def tags(s3: Any, bucket: str, ours: dict[str, str]) -> Property:
    """These tags, beside those of others."""
    return Property(
        name="tags",
        shown=shown_tags(ours),
        read=lambda: aws.read(lambda: aws.tag_dict(s3.get_bucket_tagging(Bucket=bucket)["TagSet"]), "NoSuchTagSet"),
        desired=lambda found: {**(found or {}), **ours},
        write=lambda found: s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": aws.tag_list(found)}),
    )


def shown_tags(tags: dict[str, str]) -> str:
    """Tags for people."""
    return ", ".join(f"{key}={value}" for key, value in tags.items())


def _with(rows: list[dict[str, Any]], ours: dict[str, Any], *, key: str) -> list[dict[str, Any]]:
    """`rows` with `ours` instead of the row of the same `key`, at the end if there is none."""
    if any(row.get(key) == ours[key] for row in rows):
        return [ours if row.get(key) == ours[key] else row for row in rows]
    return [*rows, ours]

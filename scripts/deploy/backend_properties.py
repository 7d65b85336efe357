"""What the state bucket and the lock table shall be like: one row a property, read, compared and set alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contract import names
from scripts import aws
from scripts.deploy.backend import TAGS, Place, wait_until

POLICY_SID = "OmeroStateTlsOnly"
LIFECYCLE_ID = "omero-state"
# Two numbers make up how far back a state can be taken: the 10 newest old versions for ever, the rest for 90 days.
NONCURRENT_DAYS = 90
NEWEST_KEPT = 10
UPLOAD_DAYS = 7
PUBLIC_ACCESS_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property of the bucket or the table.

    `read` gives its value, None where it has none; `wanted` makes of that the value it shall have, which
    keeps what others put there; `write` sets a value.
    """

    name: str
    shown: str
    read: Callable[[], Any]
    wanted: Callable[[Any], Any]
    write: Callable[[Any], object]

    def needed(self, exists: bool = True) -> Any:
        """The value to set, or None where it is right already; `exists` is whether there is anything to read."""
        current = self.read() if exists else None
        wanted = self.wanted(current)
        return None if wanted == current else wanted


def bucket_properties(place: Place) -> list[Property]:
    """What the bucket shall be like, in the order in which it is set."""
    s3, bucket = place.s3, place.bucket
    return [
        Property(
            name="ownership",
            shown="BucketOwnerEnforced",
            read=lambda: aws.read(
                lambda: s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"],
                "OwnershipControlsNotFoundError",
            ),
            wanted=lambda _: [{"ObjectOwnership": "BucketOwnerEnforced"}],
            write=lambda rules: s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": rules}),
        ),
        Property(
            name="public access",
            shown="all four blocks on",
            read=lambda: aws.read(
                lambda: s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
                "NoSuchPublicAccessBlockConfiguration",
            ),
            wanted=lambda _: dict.fromkeys(PUBLIC_ACCESS_BLOCKS, True),
            write=lambda blocks: s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=blocks),
        ),
        Property(
            name="versioning",
            shown="Enabled",
            read=lambda: s3.get_bucket_versioning(Bucket=bucket).get("Status"),
            wanted=lambda _: "Enabled",
            write=lambda status: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status}),
        ),
        Property(
            name="encryption",
            shown="AES256, or KMS",
            read=lambda: aws.read(
                lambda: _algorithm(s3.get_bucket_encryption(Bucket=bucket)),
                "ServerSideEncryptionConfigurationNotFoundError",
            ),
            # S3's own key: the AWS managed KMS key admits whoever S3 admits, so it would lock nothing more and
            # bill each request. A key of your own does lock more: it stays.
            wanted=lambda algorithm: algorithm if algorithm and algorithm.startswith("aws:kms") else "AES256",
            write=lambda algorithm: s3.put_bucket_encryption(
                Bucket=bucket,
                ServerSideEncryptionConfiguration={
                    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}]
                },
            ),
        ),
        Property(
            name="policy",
            shown="TLS only",
            read=lambda: aws.read(
                lambda: json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]), "NoSuchBucketPolicy"
            ),
            wanted=lambda policy: _policy(policy, bucket, names.partition(place.region)),
            write=lambda policy: s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy)),
        ),
        Property(
            name="lifecycle",
            shown=f"old versions expire after {NONCURRENT_DAYS} days, save the newest {NEWEST_KEPT}; "
            f"unfinished uploads after {UPLOAD_DAYS}",
            read=lambda: aws.read(lambda: _lifecycle_of(place), "NoSuchLifecycleConfiguration"),
            wanted=_lifecycle,
            write=lambda settings: s3.put_bucket_lifecycle_configuration(Bucket=bucket, **settings),
        ),
        Property(
            name="tags",
            shown=_shown(TAGS),
            read=lambda: aws.read(lambda: _tags(s3.get_bucket_tagging(Bucket=bucket)["TagSet"]), "NoSuchTagSet"),
            wanted=lambda tags: {**(tags or {}), **TAGS},
            write=lambda tags: s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": aws.tag_list(tags)}),
        ),
    ]


def table_properties(place: Place) -> list[Property]:
    """What the table shall be like besides its key; each waits for the one before."""
    dynamodb, table = place.dynamodb, place.table

    def described() -> Any:
        return dynamodb.describe_table(TableName=table)["Table"]

    return [
        Property(
            name="billing",
            shown="PAY_PER_REQUEST",
            read=lambda: described().get("BillingModeSummary", {}).get("BillingMode"),
            wanted=lambda _: "PAY_PER_REQUEST",
            write=lambda mode: dynamodb.update_table(TableName=table, BillingMode=mode),
        ),
        Property(
            name="encryption",
            shown="AWS managed KMS key",
            read=lambda: described().get("SSEDescription", {}).get("Status") in ("ENABLED", "ENABLING"),
            wanted=lambda _: True,
            write=lambda enabled: dynamodb.update_table(TableName=table, SSESpecification={"Enabled": enabled}),
        ),
        Property(
            name="deletion protection",
            shown="on",
            read=lambda: described().get("DeletionProtectionEnabled"),
            wanted=lambda _: True,
            write=lambda enabled: dynamodb.update_table(TableName=table, DeletionProtectionEnabled=enabled),
        ),
        Property(
            name="point-in-time recovery",
            shown="ENABLED",
            read=lambda: aws.read(
                lambda: dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"][
                    "PointInTimeRecoveryDescription"
                ]["PointInTimeRecoveryStatus"],
                "TableNotFoundException",
            ),
            wanted=lambda _: "ENABLED",
            write=lambda _: _turn_recovery_on(place),
        ),
        Property(
            name="tags",
            shown=_shown(TAGS),
            read=lambda: _table_tags(place, described()["TableArn"]),
            wanted=lambda tags: {**(tags or {}), **TAGS},
            write=lambda _: dynamodb.tag_resource(ResourceArn=described()["TableArn"], Tags=aws.tag_list(TAGS)),
        ),
    ]


def _turn_recovery_on(place: Place) -> None:
    """Point-in-time recovery; DynamoDB refuses it for some seconds after a table has become ACTIVE."""
    wait_until(
        lambda: (
            aws.read(
                lambda: place.dynamodb.update_continuous_backups(
                    TableName=place.table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
                ),
                "ContinuousBackupsUnavailableException",
            )
            is not None
        ),
        f"the table {place.table} has no point-in-time recovery",
    )


def _algorithm(answer: Any) -> str:
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
    return str(rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"])


def _policy(policy: dict[str, Any] | None, bucket: str, partition: str) -> dict[str, Any]:
    """The policy with our statement in it; the others stay as they are."""
    ours = {
        "Sid": POLICY_SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:{partition}:s3:::{bucket}", f"arn:{partition}:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = policy or {"Version": "2012-10-17", "Statement": []}
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    return {**policy, "Statement": _replaced(statements, ours, "Sid")}


def _lifecycle_of(place: Place) -> dict[str, Any]:
    """The arguments that would set the lifecycle as it is."""
    answer = place.s3.get_bucket_lifecycle_configuration(Bucket=place.bucket)
    settings: dict[str, Any] = {"LifecycleConfiguration": {"Rules": answer["Rules"]}}
    if size := answer.get("TransitionDefaultMinimumObjectSize"):
        settings["TransitionDefaultMinimumObjectSize"] = size
    return settings


def _lifecycle(settings: dict[str, Any] | None) -> dict[str, Any]:
    """The lifecycle with our rule in it; the others stay as they are."""
    ours = {
        "ID": LIFECYCLE_ID,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": NONCURRENT_DAYS, "NewerNoncurrentVersions": NEWEST_KEPT},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UPLOAD_DAYS},
    }
    settings = settings or {"LifecycleConfiguration": {"Rules": []}}
    rules = settings["LifecycleConfiguration"]["Rules"]
    return {**settings, "LifecycleConfiguration": {"Rules": _replaced(rules, ours, "ID")}}


def _replaced(rows: list[dict[str, Any]], ours: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """`rows` with `ours` in the place of the row of that key, at the end if there is none."""
    if any(row.get(key) == ours[key] for row in rows):
        return [ours if row.get(key) == ours[key] else row for row in rows]
    return [*rows, ours]


def _tags(rows: Any) -> dict[str, str]:
    return {row["Key"]: row["Value"] for row in rows}


def _table_tags(place: Place, arn: str) -> dict[str, str]:
    pages = place.dynamodb.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
    return {key: value for page in pages for key, value in _tags(page["Tags"]).items()}


def _shown(tags: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in tags.items())

"""What the state bucket and the lock table are to be like."""

from __future__ import annotations

from typing import Any

from contract import names
from contract.policy import deny_insecure_transport
from scripts import aws
from scripts.aws import buckets
from scripts.aws.desired import Property
from scripts.deploy.backend import TAGS, StateBackend

LIFECYCLE_ID = "omero-state"
# Two numbers make up how far back a state can be taken: the 10 newest old versions for ever, the rest for 90 days.
NONCURRENT_DAYS = 90
NEWEST_KEPT = 10
UPLOAD_DAYS = 7
# DynamoDB refuses point-in-time recovery for some seconds after a table has become ACTIVE.
RECOVERY_SECONDS = 600.0


def bucket_properties(state: StateBackend) -> list[Property]:
    """What the bucket is to be like, in the order in which it is set."""
    s3, bucket = state.s3, state.bucket
    arn = f"arn:{names.partition(state.region)}:s3:::{bucket}"
    return [
        Property(
            name="ownership",
            shown="BucketOwnerEnforced",
            read=lambda: aws.read(
                lambda: s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"],
                "OwnershipControlsNotFoundError",
            ),
            desired=lambda _: [{"ObjectOwnership": "BucketOwnerEnforced"}],
            write=lambda rules: s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": rules}),
        ),
        buckets.public_access(s3, bucket),
        Property(
            name="versioning",
            shown="Enabled",
            read=lambda: s3.get_bucket_versioning(Bucket=bucket).get("Status"),
            desired=lambda _: "Enabled",
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
            desired=lambda algorithm: algorithm if algorithm and algorithm.startswith("aws:kms") else "AES256",
            write=lambda algorithm: s3.put_bucket_encryption(
                Bucket=bucket,
                ServerSideEncryptionConfiguration={
                    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}]
                },
            ),
        ),
        buckets.policy(s3, bucket, [deny_insecure_transport(arn, f"{arn}/*")], shown="TLS only"),
        buckets.lifecycle(
            s3,
            bucket,
            {
                "ID": LIFECYCLE_ID,
                "NoncurrentVersionExpiration": {
                    "NoncurrentDays": NONCURRENT_DAYS,
                    "NewerNoncurrentVersions": NEWEST_KEPT,
                },
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UPLOAD_DAYS},
            },
            shown=f"old versions expire after {NONCURRENT_DAYS} days, except the newest {NEWEST_KEPT}; unfinished "
            f"uploads after {UPLOAD_DAYS}",
        ),
        buckets.tags(s3, bucket, TAGS),
    ]


def table_properties(state: StateBackend) -> list[Property]:
    """What the table is to be like besides its key; each waits for the one before."""
    dynamodb, table = state.dynamodb, state.table

    def described() -> Any:
        return dynamodb.describe_table(TableName=table)["Table"]

    return [
        Property(
            name="billing",
            shown="PAY_PER_REQUEST",
            read=lambda: described().get("BillingModeSummary", {}).get("BillingMode"),
            desired=lambda _: "PAY_PER_REQUEST",
            write=lambda mode: dynamodb.update_table(TableName=table, BillingMode=mode),
        ),
        Property(
            name="encryption",
            shown="AWS managed KMS key",
            read=lambda: described().get("SSEDescription", {}).get("Status") in ("ENABLED", "ENABLING"),
            desired=lambda _: True,
            write=lambda enabled: dynamodb.update_table(TableName=table, SSESpecification={"Enabled": enabled}),
        ),
        Property(
            name="deletion protection",
            shown="on",
            read=lambda: described().get("DeletionProtectionEnabled"),
            desired=lambda _: True,
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
            desired=lambda _: "ENABLED",
            write=lambda _: _turn_recovery_on(state),
        ),
        Property(
            name="tags",
            shown=buckets.shown_tags(TAGS),
            read=lambda: aws.tag_dict(
                aws.rows(dynamodb, "list_tags_of_resource", "Tags", ResourceArn=described()["TableArn"])
            ),
            desired=lambda tags: {**(tags or {}), **TAGS},
            write=lambda _: dynamodb.tag_resource(ResourceArn=described()["TableArn"], Tags=aws.tag_list(TAGS)),
        ),
    ]


def _turn_recovery_on(state: StateBackend) -> None:
    aws.retry(
        lambda: state.dynamodb.update_continuous_backups(
            TableName=state.table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        ),
        ("ContinuousBackupsUnavailableException",),
        seconds=RECOVERY_SECONDS,
    )


def _algorithm(answer: Any) -> str:
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
    return str(rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"])

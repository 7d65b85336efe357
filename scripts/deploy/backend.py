"""Where Terraform keeps its state: the S3 bucket and the DynamoDB table of locks; what is in them.

`scripts.deploy.backend_properties` has what each shall be like. Both read and write AWS and print nothing:
`scripts.deploy.state` makes and shows the two, `scripts.deploy.preflight` only looks.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.exceptions import ClientError

from contract import names
from scripts import aws
from scripts.errors import Failed, Refused
from settings import Workspace
from settings.fields import REGION_PATTERN

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

TAGS = {"Project": "omero-on-aws", "ManagedBy": "omero-aws state"}
LOCK_KEY = [{"AttributeName": "LockID", "KeyType": "HASH"}]
LOCK_KEY_TYPE = [{"AttributeName": "LockID", "AttributeType": "S"}]
WAIT_SECONDS = 600.0
POLL_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """A workspace and the clients, in its state region, that reach its state."""

    workspace: Workspace
    session: boto3.Session
    s3: S3Client
    dynamodb: DynamoDBClient

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return names.state_bucket(self.workspace)

    @property
    def table(self) -> str:
        """Name of the table."""
        return names.state_table(self.workspace)

    @property
    def region(self) -> str:
        """Region of both."""
        return self.workspace.state_region


def place(workspace: Workspace) -> Place:
    """Clients in the region of the state, once AWS has said that the account is the workspace's.

    Raises:
        Refused: the credentials belong to another account.
    """
    session = aws.session(workspace, workspace.state_region)
    aws.check_account(session, workspace)
    return Place(workspace=workspace, session=session, s3=session.client("s3"), dynamodb=session.client("dynamodb"))


def found(place: Place) -> tuple[bool, bool]:
    """Whether bucket and table exist, each where it has to be.

    Raises:
        Refused: the workspace has resources in a state of another region; the bucket is another account's
            or in another region; the table is in another region, keyed otherwise, or being deleted.
    """
    _refuse_state_elsewhere(place)
    return _bucket_exists(place), _table_exists(place)


def create_bucket(place: Place) -> None:
    """Make the bucket and wait until it is there.

    Raises:
        Refused: another account has taken the name.
    """
    arguments: dict[str, Any] = {"Bucket": place.bucket, "ObjectOwnership": "BucketOwnerEnforced"}
    if place.region != "us-east-1":  # the one region that S3 does not take by name
        arguments["CreateBucketConfiguration"] = {"LocationConstraint": place.region}
    try:
        place.s3.create_bucket(**arguments)
    except ClientError as error:
        if aws.code_of(error) == "BucketAlreadyExists":
            raise _another_accounts(place) from error
        if aws.code_of(error) != "BucketAlreadyOwnedByYou":  # a second run was faster
            raise
    place.s3.get_waiter("bucket_exists").wait(Bucket=place.bucket, WaiterConfig={"Delay": 2, "MaxAttempts": 60})


def create_table(place: Place) -> None:
    """Start making the table, with all that can be said at once; `wait_for_table` waits for it."""
    try:
        place.dynamodb.create_table(
            TableName=place.table,
            AttributeDefinitions=cast(Any, LOCK_KEY_TYPE),
            KeySchema=cast(Any, LOCK_KEY),
            BillingMode="PAY_PER_REQUEST",
            SSESpecification={"Enabled": True},
            DeletionProtectionEnabled=True,
            Tags=aws.tag_list(TAGS),
        )
    except ClientError as error:
        if aws.code_of(error) != "ResourceInUseException":  # a second run was faster
            raise


def wait_for_table(place: Place) -> None:
    """Wait until the table is ACTIVE, so that it can be changed.

    Raises:
        Failed: it did not get there in time.
    """
    wait_until(
        lambda: (_describe(place.dynamodb, place.table) or {}).get("TableStatus") == "ACTIVE",
        f"the table {place.table} is not ACTIVE",
    )


def wait_until(ready: Callable[[], bool], still: str) -> None:
    """Ask `ready` every 2 s, for 10 minutes at most; `still` says what is the matter until then.

    Raises:
        Failed: the time is up.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise Failed(
                f"{still} after {WAIT_SECONDS:.0f} s; see the AWS console for the reason, then run the same "
                "command again."
            )
        time.sleep(POLL_SECONDS)


def state_objects(s3: S3Client, bucket: str, workspace: str) -> Iterator[dict[str, Any]]:
    """S3's rows (`Key`, `Size` in bytes, `LastModified`) of the workspace's state files."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=names.state_object_prefix(workspace))
    for page in pages:
        for row in page.get("Contents", []):
            if row["Key"].endswith(".tfstate"):
                yield dict(row)


def deployed(place: Place) -> frozenset[str]:
    """The stacks of the workspace that have resources, by their state in the bucket."""
    start = names.state_object_prefix(place.workspace.name)
    keys = _states_with_resources(place.s3, place.bucket, place.workspace.name)
    return frozenset(key.removeprefix(start).removesuffix(".tfstate") for key in keys)


def locks(place: Place) -> Iterator[dict[str, Any]]:
    """Locks of the workspace held right now: Terraform's record (`ID`, `Who`, `Created`, `Operation`) and `LockID`.

    Terraform also keeps a row `<object>-md5` with the digest of each state: that is no lock, and has no `Info`.
    """
    pages = place.dynamodb.get_paginator("scan").paginate(
        TableName=place.table,
        FilterExpression="begins_with(LockID, :start) AND attribute_exists(Info)",
        ExpressionAttributeValues={
            ":start": {"S": f"{place.bucket}/{names.state_object_prefix(place.workspace.name)}"}
        },
        ConsistentRead=True,
    )
    for page in pages:
        for item in page["Items"]:
            yield {**json.loads(item["Info"]["S"]), "LockID": item["LockID"]["S"]}


def _refuse_state_elsewhere(place: Place) -> None:
    """Refuse if a state bucket that this program named for another region lists resources of the workspace.

    Deploying then would make a second copy beside the first. A bucket given by name is the same in every
    region: there is nothing to mix up.
    """
    workspace = place.workspace
    if workspace.state.bucket:
        return
    start = names.state_prefix(workspace.account_id)
    for page in place.s3.get_paginator("list_buckets").paginate(Prefix=start):
        for bucket in (row["Name"] for row in page.get("Buckets", [])):
            region = bucket.removeprefix(start)
            if region == place.region or not re.fullmatch(REGION_PATTERN, region):
                continue
            s3 = aws.session(workspace, region).client("s3")
            for key in _states_with_resources(s3, bucket, workspace.name):
                raise Refused(
                    f"workspace {workspace.name} is deployed already with its state in {region} "
                    f"(s3://{bucket}/{key}), but its settings now put the state in {place.region}, which "
                    f"would make a second copy; set region back to {region}, or run `cdktf destroy` with it first."
                )


def _states_with_resources(s3: S3Client, bucket: str, workspace: str) -> Iterator[str]:
    """Keys of the workspace's state files that list resources, each read as it is asked for."""
    for row in state_objects(s3, bucket, workspace):
        if _lists_resources(s3.get_object(Bucket=bucket, Key=row["Key"])["Body"].read()):
            yield row["Key"]


def _lists_resources(text: bytes) -> bool:
    """Whether a state file has resources; after a destroy it remains, without any."""
    try:
        return bool(json.loads(text).get("resources"))
    except (ValueError, AttributeError):
        return True  # not readable: better to stop than to build a second copy


def _bucket_exists(place: Place) -> bool:
    try:
        answer = place.s3.head_bucket(Bucket=place.bucket, ExpectedBucketOwner=place.workspace.account_id)
    except ClientError as error:
        match aws.code_of(error):
            case "404" | "NoSuchBucket":
                return False
            case "403" | "AccessDenied":
                raise _another_accounts(place) from error
        raise
    region = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", place.region)
    if region != place.region:
        raise Refused(
            f"the state bucket {place.bucket} is in {region}, but workspace {place.workspace.name} has its state in "
            f"{place.region}; set state.region to {region}, or name another bucket in state.bucket."
        )
    return True


def _another_accounts(place: Place) -> Refused:
    return Refused(
        f"the state bucket {place.bucket} belongs to another account, or the IAM identity lacks s3:ListBucket on it; "
        "name another bucket in state.bucket of the workspace file, or have the action granted."
    )


def _table_exists(place: Place) -> bool:
    described = _describe(place.dynamodb, place.table)
    workspace = place.workspace
    if described is None:
        if workspace.region != place.region:
            elsewhere = aws.session(workspace).client("dynamodb")
            if _describe(elsewhere, place.table) is not None:
                raise Refused(
                    f"the lock table {place.table} is in {workspace.region}, but workspace {workspace.name} has its "
                    f"state in {place.region}; set state.region to {workspace.region}, or name another table in "
                    "state.table."
                )
        return False
    types = [row for row in described["AttributeDefinitions"] if row["AttributeName"] == "LockID"]
    if described["KeySchema"] != LOCK_KEY or types != LOCK_KEY_TYPE:
        keys = ", ".join(row["AttributeName"] for row in described["KeySchema"])
        raise Refused(
            f"the lock table {place.table} has the key {keys}, but Terraform needs the one key LockID of type S; "
            "name another table in state.table of the workspace file."
        )
    if described["TableStatus"] == "DELETING":
        raise Refused(f"the lock table {place.table} is being deleted; run this again once it is gone.")
    return True


def _describe(dynamodb: DynamoDBClient, table: str) -> Any:
    return aws.read(lambda: dynamodb.describe_table(TableName=table)["Table"], "ResourceNotFoundException")

"""Where Terraform keeps its state: the S3 bucket and the DynamoDB table of locks; what is in them.

`scripts.deploy.backend_properties` has what each is to be like. `scripts.deploy.state` makes and shows the two,
`scripts.deploy.preflight` only looks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.exceptions import ClientError

from contract import names
from scripts import aws
from scripts.aws import buckets
from scripts.aws.waiting import wait_for
from scripts.errors import Refused
from settings import Workspace
from settings.fields import REGION_PATTERN

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

TAGS = {"Project": "omero-on-aws", "ManagedBy": "omero-aws state"}
LOCK_KEY = [{"AttributeName": "LockID", "KeyType": "HASH"}]
LOCK_KEY_TYPE = [{"AttributeName": "LockID", "AttributeType": "S"}]
WAIT_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True)
class StateBackend:
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


def state_backend(workspace: Workspace) -> StateBackend:
    """Clients in the region of the state, once AWS has said that the account is the workspace's.

    Raises:
        Refused: the credentials belong to another account.
    """
    session = aws.session(workspace, workspace.state_region)
    aws.check_account(session, workspace)
    return StateBackend(
        workspace=workspace, session=session, s3=session.client("s3"), dynamodb=session.client("dynamodb")
    )


def exist(state: StateBackend) -> tuple[bool, bool]:
    """Whether bucket and table exist, each where it has to be.

    Raises:
        Refused: the workspace has resources in a state of another region; the bucket is another account's
            or in another region; the table is in another region, keyed otherwise, or being deleted.
    """
    _refuse_state_elsewhere(state)
    return _bucket_exists(state), _table_exists(state)


def create_bucket(state: StateBackend) -> None:
    """Make the bucket and wait until it is there.

    Raises:
        Refused: another account has taken the name.
    """
    try:
        buckets.create(state.s3, state.bucket, region=state.region, ObjectOwnership="BucketOwnerEnforced")
    except ClientError as error:
        if aws.code_of(error) == "BucketAlreadyExists":
            raise _another_accounts(state) from error
        if aws.code_of(error) != "BucketAlreadyOwnedByYou":  # a second run was faster
            raise
    state.s3.get_waiter("bucket_exists").wait(Bucket=state.bucket, WaiterConfig={"Delay": 2, "MaxAttempts": 60})


def create_table(state: StateBackend) -> None:
    """Start making the table, with all that can be said at once; `wait_for_table` waits for it."""
    aws.read(
        lambda: state.dynamodb.create_table(
            TableName=state.table,
            AttributeDefinitions=cast(Any, LOCK_KEY_TYPE),
            KeySchema=cast(Any, LOCK_KEY),
            BillingMode="PAY_PER_REQUEST",
            SSESpecification={"Enabled": True},
            DeletionProtectionEnabled=True,
            Tags=aws.tag_list(TAGS),
        ),
        "ResourceInUseException",  # a second run was faster
    )


def wait_for_table(state: StateBackend) -> None:
    """Wait until the table is ACTIVE, so that it can be changed.

    Raises:
        Failed: it did not get there in time.
    """
    wait_for(
        f"table {state.table}",
        lambda: str((_describe(state.dynamodb, state.table) or {}).get("TableStatus", "MISSING")),
        until=("ACTIVE",),
        seconds=WAIT_SECONDS,
    )


def state_objects(s3: S3Client, bucket: str, workspace: str) -> Iterator[dict[str, Any]]:
    """S3's rows (`Key`, `Size` in bytes, `LastModified`) of the workspace's state files."""
    rows = buckets.objects(s3, bucket, prefix=names.state_object_prefix(workspace))
    return (row for row in rows if row["Key"].endswith(".tfstate"))


def deployed_stacks(state: StateBackend) -> frozenset[str]:
    """The stacks of the workspace that have resources, by their state in the bucket."""
    start = names.state_object_prefix(state.workspace.name)
    keys = _states_with_resources(state.s3, state.bucket, state.workspace.name)
    return frozenset(key.removeprefix(start).removesuffix(".tfstate") for key in keys)


def states(state: StateBackend) -> dict[str, dict[str, Any]]:
    """The states of the workspace's stacks that have resources, by stack.

    Raises:
        Refused: one is not what Terraform writes.
    """
    start = names.state_object_prefix(state.workspace.name)
    found = {}
    for row in state_objects(state.s3, state.bucket, state.workspace.name):
        text = state.s3.get_object(Bucket=state.bucket, Key=row["Key"])["Body"].read()
        if not _lists_resources(text):
            continue
        try:
            found[row["Key"].removeprefix(start).removesuffix(".tfstate")] = dict(json.loads(text))
        except (ValueError, TypeError):
            raise Refused(
                f"the state s3://{state.bucket}/{row['Key']} is not JSON as Terraform writes it; put back its earlier "
                f"version (`aws s3api list-object-versions --bucket {state.bucket}`)."
            ) from None
    return found


def locks(state: StateBackend) -> Iterator[dict[str, Any]]:
    """Locks of the workspace held right now: Terraform's record (`ID`, `Who`, `Created`, `Operation`) and `LockID`.

    Terraform also keeps a row `<object>-md5` with the digest of each state: that is no lock, and has no `Info`.
    """
    items = aws.rows(
        state.dynamodb,
        "scan",
        "Items",
        TableName=state.table,
        FilterExpression="begins_with(LockID, :start) AND attribute_exists(Info)",
        ExpressionAttributeValues={
            ":start": {"S": f"{state.bucket}/{names.state_object_prefix(state.workspace.name)}"}
        },
        ConsistentRead=True,
    )
    for item in items:
        yield {**json.loads(item["Info"]["S"]), "LockID": item["LockID"]["S"]}


def _refuse_state_elsewhere(state: StateBackend) -> None:
    """Refuse if a state bucket that this program named for another region lists resources of the workspace.

    Deploying then would make a second copy beside the first. A bucket given by name is the same in every
    region: there is nothing to mix up.
    """
    workspace = state.workspace
    if workspace.state.bucket:
        return
    start = names.state_prefix(workspace.account_id)
    for bucket in [row["Name"] for row in aws.rows(state.s3, "list_buckets", "Buckets", Prefix=start)]:
        region = bucket.removeprefix(start)
        if region == state.region or not re.fullmatch(REGION_PATTERN, region):
            continue
        s3 = aws.session(workspace, region).client("s3")
        for key in _states_with_resources(s3, bucket, workspace.name):
            raise Refused(
                f"workspace {workspace.name} is already deployed with its state in {region} (s3://{bucket}/{key}), "
                f"but its settings now put the state in {state.region}, which would deploy a second copy; set "
                f"region back to {region}, or run `omero-aws destroy` there first."
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


def _bucket_exists(state: StateBackend) -> bool:
    try:
        region = buckets.region_of(state.s3, state.bucket, account_id=state.workspace.account_id)
    except ClientError as error:
        if aws.denied(error):
            raise _another_accounts(state) from error
        raise
    if region is None:
        return False
    if region != state.region:
        raise Refused(
            f"the state bucket {state.bucket} is in {region}, but workspace {state.workspace.name} has its state in "
            f"{state.region}; set state.region to {region}, or name another bucket in state.bucket."
        )
    return True


def _another_accounts(state: StateBackend) -> Refused:
    return Refused(
        f"the state bucket {state.bucket} belongs to another account, or the IAM identity lacks s3:ListBucket on it; "
        "name another bucket in state.bucket of the workspace file, or get the permission."
    )


def _table_exists(state: StateBackend) -> bool:
    described = _describe(state.dynamodb, state.table)
    workspace = state.workspace
    if described is None:
        if workspace.region != state.region:
            elsewhere = aws.session(workspace).client("dynamodb")
            if _describe(elsewhere, state.table) is not None:
                raise Refused(
                    f"the lock table {state.table} is in {workspace.region}, but workspace {workspace.name} has its "
                    f"state in {state.region}; set state.region to {workspace.region}, or name another table in "
                    "state.table."
                )
        return False
    types = [row for row in described["AttributeDefinitions"] if row["AttributeName"] == "LockID"]
    if described["KeySchema"] != LOCK_KEY or types != LOCK_KEY_TYPE:
        keys = ", ".join(row["AttributeName"] for row in described["KeySchema"])
        raise Refused(
            f"the lock table {state.table} has the key {keys}, but Terraform needs a single key, LockID of type S; "
            "name another table in state.table of the workspace file."
        )
    if described["TableStatus"] == "DELETING":
        raise Refused(f"the lock table {state.table} is being deleted; run this again when it is deleted.")
    return True


def _describe(dynamodb: DynamoDBClient, table: str) -> Any:
    return aws.read(lambda: dynamodb.describe_table(TableName=table)["Table"], "ResourceNotFoundException")

"""`state ensure` makes the bucket and the table, mends them, and goes on after a kill at any AWS call."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from scripts.deploy import backend, state
from scripts.deploy.backend import StateBackend
from scripts.errors import Failed
from tests.scripts.deploy.state_help import (
    ACCOUNT,
    NAME,
    all_properties,
    answer,
    dynamodb_error,
    s3_error,
    state_backend,
)

ARN = f"arn:aws:s3:::{NAME}"


pytestmark = pytest.mark.usefixtures("mocked_aws")


class Killed(BaseException):
    """The process ends here, as by a signal."""


class Calls:
    """Counts the AWS calls of a state backend, and kills at one of them, before or after it is done."""

    def __init__(self, state_backend: StateBackend) -> None:
        self.names: list[str] = []
        self.kill_at: int | None = None
        self.after = False
        for client in (state_backend.s3, state_backend.dynamodb):
            client.meta.events.register("before-call", self._before)
            client.meta.events.register("after-call", self._after)

    def _before(self, **event: Any) -> None:
        self.names.append(event["model"].name)
        if len(self.names) == self.kill_at and not self.after:
            raise Killed

    def _after(self, **_: Any) -> None:
        if len(self.names) == self.kill_at and self.after:
            raise Killed

    def start(self, kill_at: int | None = None, *, after: bool = False) -> None:
        self.names.clear()
        self.kill_at, self.after = kill_at, after


def test_makes_the_bucket() -> None:
    there = state_backend()
    state.ensure(there)
    found = all_properties(there)
    assert found["get_bucket_location"] == {"LocationConstraint": "eu-west-1"}
    assert found["get_bucket_ownership_controls"]["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]
    assert found["get_public_access_block"]["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
    assert found["get_bucket_versioning"]["Status"] == "Enabled"
    rules = found["get_bucket_encryption"]["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    (statement,) = json.loads(found["get_bucket_policy"]["Policy"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == [ARN, f"{ARN}/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    (rule,) = found["get_bucket_lifecycle_configuration"]["Rules"]
    assert (rule["Status"], rule["Filter"]) == ("Enabled", {"Prefix": ""})
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90, "NewerNoncurrentVersions": 10}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert {row["Key"] for row in found["get_bucket_tagging"]["TagSet"]} == {"Project", "ManagedBy"}


def test_makes_the_table() -> None:
    there = state_backend()
    state.ensure(there)
    found = all_properties(there)
    assert found["KeySchema"] == [{"AttributeName": "LockID", "KeyType": "HASH"}]
    assert found["AttributeDefinitions"] == [{"AttributeName": "LockID", "AttributeType": "S"}]
    assert found["billing"] == "PAY_PER_REQUEST"
    assert (found["sse"], found["recovery"], found["TableStatus"]) == ("ENABLED", "ENABLED", "ACTIVE")
    assert found["DeletionProtectionEnabled"] is True
    assert {row["Key"] for row in found["table tags"]["Tags"]} == {"Project", "ManagedBy"}


def test_second_run_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    there = state_backend()
    changes = state.ensure(there)
    assert capsys.readouterr().err.splitlines() == changes
    calls = Calls(there)
    assert state.ensure(there) == []
    assert capsys.readouterr().err.startswith("nothing to change")
    assert [name for name in calls.names if not name.startswith(("Get", "List", "Describe", "Head"))] == []


def test_dry_run_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    there = state_backend()
    before = all_properties(there)
    calls = Calls(there)
    assert len(state.ensure(there, dry_run=True)) >= 2
    assert [name for name in calls.names if not name.startswith(("Get", "List", "Describe", "Head"))] == []
    assert all_properties(there) == before
    assert all(line.startswith("would be done: ") for line in capsys.readouterr().err.splitlines())


@pytest.mark.parametrize(("region", "constraint"), [("us-east-1", None), ("ap-southeast-4", "ap-southeast-4")])
def test_location_constraint(region: str, constraint: str | None) -> None:
    there = state_backend(region=region)
    sent: list[dict[str, Any]] = []
    there.s3.meta.events.register(
        "before-parameter-build.s3.CreateBucket", lambda params, **_: sent.append(dict(params))
    )
    state.ensure(there)
    assert sent[0].get("CreateBucketConfiguration", {}).get("LocationConstraint") == constraint
    assert there.s3.get_bucket_location(Bucket=there.bucket)["LocationConstraint"] == constraint
    assert state.ensure(there) == []


def test_policy_uses_the_partition_of_the_region() -> None:
    there = state_backend(region="us-gov-west-1")
    state.ensure(there)
    assert f"arn:aws-us-gov:s3:::{there.bucket}/*" in there.s3.get_bucket_policy(Bucket=there.bucket)["Policy"]


@pytest.mark.parametrize("after", [False, pytest.param(True, marks=pytest.mark.nightly)], ids=["before", "after"])
def test_goes_on_after_a_kill_at_every_call(mocked_aws: Any, after: bool) -> None:
    there = state_backend()
    calls = Calls(there)
    state.ensure(there)
    total = len(calls.names)
    calls.start()
    undisturbed = all_properties(there)
    assert total > 20
    for number in range(1, total + 1):
        mocked_aws.stop()
        mocked_aws.start()  # with an empty AWS
        calls.start(number, after=after)
        with pytest.raises(Killed):
            state.ensure(there)
        killed_at = calls.names[-1]
        calls.start()
        state.ensure(there)
        assert all_properties(there) == undisturbed, f"killed at call {number}, {killed_at}"
        assert state.ensure(there) == []


SPOILT: dict[str, tuple[str, Callable[[StateBackend], object]]] = {
    "ownership": (
        "ownership",
        lambda there: there.s3.put_bucket_ownership_controls(
            Bucket=NAME, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        ),
    ),
    "no block": ("public access", lambda there: there.s3.delete_public_access_block(Bucket=NAME)),
    "one block off": (
        "public access",
        lambda there: there.s3.put_public_access_block(
            Bucket=NAME, PublicAccessBlockConfiguration={"BlockPublicAcls": False, "BlockPublicPolicy": True}
        ),
    ),
    "versioning": (
        "versioning",
        lambda there: there.s3.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Suspended"}),
    ),
    "encryption": ("encryption", lambda there: there.s3.delete_bucket_encryption(Bucket=NAME)),
    "no policy": ("policy", lambda there: there.s3.delete_bucket_policy(Bucket=NAME)),
    "weaker policy": (
        "policy",
        lambda there: there.s3.put_bucket_policy(
            Bucket=NAME, Policy=there.s3.get_bucket_policy(Bucket=NAME)["Policy"].replace("s3:*", "s3:PutObject")
        ),
    ),
    "no lifecycle": ("lifecycle", lambda there: there.s3.delete_bucket_lifecycle(Bucket=NAME)),
    "other lifecycle": (
        "lifecycle",
        lambda there: there.s3.put_bucket_lifecycle_configuration(
            Bucket=NAME,
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "omero-state",
                        "Status": "Enabled",
                        "Filter": {"Prefix": ""},
                        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
                    }
                ]
            },
        ),
    ),
    "no tags": ("tags", lambda there: there.s3.delete_bucket_tagging(Bucket=NAME)),
    "billing": (
        "billing",
        lambda there: there.dynamodb.update_table(
            TableName=NAME,
            BillingMode="PROVISIONED",
            ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        ),
    ),
    "table encryption": (
        "encryption",
        lambda there: there.dynamodb.update_table(TableName=NAME, SSESpecification={"Enabled": False}),
    ),
    "deletion protection": (
        "deletion protection",
        lambda there: there.dynamodb.update_table(TableName=NAME, DeletionProtectionEnabled=False),
    ),
    "recovery": (
        "point-in-time recovery",
        lambda there: there.dynamodb.update_continuous_backups(
            TableName=NAME, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
        ),
    ),
    "table tags": (
        "tags",
        lambda there: there.dynamodb.untag_resource(
            ResourceArn=there.dynamodb.describe_table(TableName=NAME)["Table"]["TableArn"], TagKeys=["Project"]
        ),
    ),
}


@pytest.mark.parametrize(("name", "spoil"), SPOILT.values(), ids=SPOILT)
def test_mends_what_was_changed(name: str, spoil: Callable[[StateBackend], object]) -> None:
    there = state_backend()
    state.ensure(there)
    right = all_properties(there)
    spoil(there)
    assert all_properties(there) != right
    report = state.status(there)
    differing = [row["name"] for row in report["bucket"]["properties"] + report["table"]["properties"] if not row["ok"]]
    assert (report["ok"], differing) == (False, [name])
    (change,) = state.ensure(there)
    assert f": {name} set to " in change
    found = all_properties(there)
    for tags in ("get_bucket_tagging", "table tags"):  # AWS keeps no order of tags
        for side in (found, right):
            side[tags] = {str(row) for rows in side[tags].values() for row in rows}
    assert found == right


def test_keeps_what_others_put_there() -> None:
    there = state_backend()
    there.s3.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    # A policy may hold one statement without a list.
    statement = {"Sid": "Audit", "Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "s3:Get*", "Resource": ARN}
    there.s3.put_bucket_policy(Bucket=NAME, Policy=json.dumps({"Version": "2012-10-17", "Statement": statement}))
    rule: Any = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 3}}
    there.s3.put_bucket_lifecycle_configuration(Bucket=NAME, LifecycleConfiguration={"Rules": [rule]})
    there.s3.put_bucket_tagging(Bucket=NAME, Tagging={"TagSet": [{"Key": "Cost", "Value": "1"}]})
    default: Any = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/ours"}
    there.s3.put_bucket_encryption(
        Bucket=NAME,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]},
    )
    state.ensure(there)
    found = all_properties(there)
    sids = [row["Sid"] for row in json.loads(found["get_bucket_policy"]["Policy"])["Statement"]]
    assert sids == ["Audit", "DenyInsecureTransport"]
    assert [row["ID"] for row in found["get_bucket_lifecycle_configuration"]["Rules"]] == ["old", "omero-state"]
    assert {"Key": "Cost", "Value": "1"} in found["get_bucket_tagging"]["TagSet"]
    rules = found["get_bucket_encryption"]["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == default
    assert state.ensure(there) == []


def test_retries_a_throttled_call() -> None:
    there = state_backend()
    answer(there.s3, "PutBucketVersioning", 503, s3_error("SlowDown"), times=3)
    state.ensure(there)
    assert state.status(there)["ok"]


def test_fails_after_changes_in_a_sentence_that_says_so() -> None:
    there = state_backend()
    answer(there.s3, "PutBucketPolicy", 403, s3_error("AccessDenied"))
    with pytest.raises(
        Failed, match=r"s3:PutBucketPolicy for .* Changes made before that: \d; run the same command again"
    ):
        state.ensure(there)


def test_fails_when_throttled_to_the_end() -> None:
    there = state_backend()
    answer(there.dynamodb, "CreateTable", 400, dynamodb_error("ThrottlingException"))
    with pytest.raises(Failed, match="AWS throttled dynamodb CreateTable at every attempt"):
        state.ensure(there)


def test_waits_until_recovery_can_be_turned_on() -> None:
    there = state_backend()
    answer(
        there.dynamodb,
        "UpdateContinuousBackups",
        400,
        dynamodb_error("ContinuousBackupsUnavailableException"),
        times=2,
    )
    state.ensure(there)
    assert all_properties(there)["recovery"] == "ENABLED"


def test_fails_when_the_table_does_not_get_active(monkeypatch: pytest.MonkeyPatch) -> None:
    there = state_backend()
    state.ensure(there)
    monkeypatch.setattr(backend, "WAIT_SECONDS", -1)
    described = {"Table": {**there.dynamodb.describe_table(TableName=NAME)["Table"], "TableStatus": "CREATING"}}
    answer(there.dynamodb, "DescribeTable", 200, json.dumps(described, default=lambda _: 0))
    with pytest.raises(Failed, match=rf"table {NAME} is still CREATING after"):
        state.ensure(there)

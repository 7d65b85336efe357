"""A bucket, a table or a state that is not where, whose or what it has to be: refused before any change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.deploy import state
from scripts.deploy.backend import StateBackend
from scripts.errors import Refused
from tests.scripts.deploy.state_help import NAME, all_properties, answer, s3_error, state_backend

pytestmark = pytest.mark.usefixtures("mocked_aws")


def test_refuses_a_bucket_of_another_account() -> None:
    there = state_backend()
    answer(there.s3, "HeadBucket", 403)
    with pytest.raises(Refused, match=rf"the state bucket {NAME} belongs to another account"):
        state.ensure(there)


def test_refuses_a_name_that_another_account_took_meanwhile() -> None:
    there = state_backend()
    answer(there.s3, "CreateBucket", 409, s3_error("BucketAlreadyExists"))
    with pytest.raises(Refused, match="belongs to another account"):
        state.ensure(there)


def test_refuses_a_bucket_in_another_region() -> None:
    there = state_backend("state: {bucket: our-state}\n")
    state_backend(region="us-west-2").s3.create_bucket(
        Bucket="our-state", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    with pytest.raises(Refused, match=r"our-state is in us-west-2, but .* in eu-west-1; set state.region to us-west-2"):
        state.ensure(there)
    assert all_properties(there)["KeySchema"] is None


def make_table(there: StateBackend, key: str = "LockID", kind: Any = "S") -> None:
    there.dynamodb.create_table(
        TableName=there.table,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.mark.parametrize(("key", "kind"), [("ID", "S"), ("LockID", "N")])
def test_refuses_a_table_with_another_key(key: str, kind: str) -> None:
    there = state_backend()
    make_table(there, key, kind)
    with pytest.raises(Refused, match=rf"{NAME} has the key {key}, but Terraform needs a single key, LockID of type S"):
        state.ensure(there)
    assert all_properties(there)["get_bucket_location"] is None


def test_refuses_a_table_in_the_region_of_the_workspace() -> None:
    make_table(state_backend("state: {table: locks}\n"))
    with pytest.raises(Refused, match=r"lock table locks is in eu-west-1, but .* in us-west-2"):
        state.ensure(state_backend("state: {table: locks, region: us-west-2}\n"))


def put_state(region: str, key: str, resources: list[object]) -> str:
    """A state object in the bucket that this program names for `region`."""
    there = state_backend(region=region)
    state.ensure(there)
    there.s3.put_object(Bucket=there.bucket, Key=key, Body=json.dumps({"version": 4, "resources": resources}).encode())
    return there.bucket


def test_refuses_a_second_copy_in_another_region() -> None:
    bucket = put_state("us-west-2", "omero/demo/network.tfstate", [{"type": "aws_vpc"}])
    with pytest.raises(Refused, match=rf"s3://{bucket}/omero/demo/network.tfstate.*set region back to us-west-2"):
        state.ensure(state_backend())


@pytest.mark.parametrize(
    ("key", "resources", "more"),
    [
        ("omero/demo/network.tfstate", [], ""),  # destroyed
        ("omero/other/network.tfstate", [{}], ""),  # another workspace's
        ("omero/demo/network.tfstate", [{}], "state: {bucket: our-state}\n"),  # one state, wherever the workspace is
    ],
)
def test_takes_no_copy_for_one_that_is_none(key: str, resources: list[object], more: str) -> None:
    put_state("us-west-2", key, resources)
    assert state.ensure(state_backend(more)) != []

"""A VPC and a key that were there before us."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from tests.conftest import Stacks, of_type, only, workspace
from tests.stacks.test_every_stack import VARIANTS

CHANGES: dict[str, Any] = VARIANTS["existing"]
VPC: dict[str, Any] = CHANGES["network"]["existing"]
PUBLIC, PRIVATE = VPC["public_subnet_ids"], VPC["private_subnet_ids"]
KEY: str = CHANGES["data"]["key_arn"]


@pytest.fixture
def stacks(synthesise: Callable[..., Stacks]) -> Stacks:
    return synthesise(**CHANGES)


def test_no_network_is_made(stacks: Stacks) -> None:
    assert set(stacks["network"]["resource"]) == {"aws_kms_alias", "aws_kms_key", "aws_ssm_parameter"}
    assert stacks["network"]["output"]["vpc_id"]["value"] == VPC["vpc_id"]


def test_everything_lives_in_the_subnets_given(stacks: Stacks) -> None:
    groups = [group for name in ("data", "omero") for group in of_type(stacks[name], "aws_security_group").values()]
    assert {group["vpc_id"] for group in groups} == {VPC["vpc_id"]}
    found = stacks["network"]["data"]["aws_subnet"]
    for kind, ids in (("private", PRIVATE), ("public", PUBLIC)):
        assert [found[f"vpc_{kind}_{zone}"]["id"] for zone in ("first", "second")] == ids


@pytest.mark.parametrize("kind", ["public", "private"])
def test_a_plan_refuses_subnets_of_another_vpc_or_of_one_zone(stacks: Stacks, kind: str) -> None:
    found = stacks["network"]["data"]["aws_subnet"]
    for zone in ("first", "second"):
        conditions = [check["condition"] for check in found[f"vpc_{kind}_{zone}"]["lifecycle"]["postcondition"]]
        assert conditions[0] == f'${{self.vpc_id == "{VPC["vpc_id"]}"}}'
    assert conditions[1] == f"${{self.availability_zone != data.aws_subnet.vpc_{kind}_first.availability_zone}}"


def test_the_key_given_encrypts_all_data(stacks: Stacks) -> None:
    data = stacks["data"]
    assert only(data, "aws_efs_file_system")["kms_key_id"] == KEY
    assert only(data, "aws_db_instance")["kms_key_id"] == KEY
    assert only(data, "aws_backup_vault")["kms_key_arn"] == KEY
    assert {secret["kms_key_id"] for secret in of_type(data, "aws_secretsmanager_secret").values()} == {KEY}
    for role in ("server", "web"):
        assert KEY in of_type(stacks["omero"], "aws_iam_role_policy")[f"{role}_execution_policy"]["policy"]


def test_an_own_key_is_published_and_so_is_the_one_given(stacks: Stacks, synthesise: Callable[..., Stacks]) -> None:
    assert stacks["data"]["output"]["key_arn"]["value"] == KEY
    assert synthesise()["data"]["output"]["key_arn"]["value"] == "${aws_kms_key.key.arn}"


def test_server_and_file_system_survive_the_loss_of_a_zone(synthesise: Callable[..., Stacks]) -> None:
    stacks = synthesise()
    targets = of_type(stacks["data"], "aws_efs_mount_target").values()
    assert len({target["subnet_id"] for target in targets}) == 2
    for service in of_type(stacks["omero"], "aws_ecs_service").values():
        assert len(set(service["network_configuration"]["subnets"])) == 2
    subnets = of_type(stacks["network"], "aws_subnet")
    assert len({subnets[f"vpc_private_{zone}"]["availability_zone"] for zone in ("first", "second")}) == 2
    assert "availability_zone_name" not in json.dumps(only(stacks["data"], "aws_efs_file_system")), "One Zone storage"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": {"existing": VPC, "cidr": "10.0.0.0/16"}}, "this VPC exists, and cidr would describe a new one"),
        ({"network": {"existing": VPC, "flow_logs": {}}}, "this VPC exists, and flow_logs would describe"),
        ({"network": {"existing": {**VPC, "public_subnet_ids": PUBLIC[:1]}}}, "Field required"),
        ({"network": {"existing": {**VPC, "private_subnet_ids": PRIVATE[:1] * 2}}}, "is already in the list"),
        ({"data": {"key_arn": "alias/mine"}}, "is not a valid ARN of a KMS key"),
        ({"data": {"key_arn": KEY.replace("eu-central-1", "eu-west-1")}}, "is in region eu-west-1"),
    ],
)
def test_refuses_what_does_not_fit(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        workspace(**changes)
    assert said in str(caught.value)

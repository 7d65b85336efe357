"""The drop area of senders: one function is root there and nowhere else; the endpoint is no matter of Terraform."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import main
from tests.conftest import Stacks, of_type, only, ways_to, workspace
from tests.stacks import test_every_stack as every
from tests.stacks.test_validate import _terraform

# What holds for every stack holds for this one: these take the fixture `stacks` from here.
test_addresses_are_roles_without_a_hash = every.test_addresses_are_roles_without_a_hash
test_allows_everyone_nothing = every.test_allows_everyone_nothing
test_allows_no_wildcard_action = every.test_allows_no_wildcard_action
test_each_skip_has_a_reason = every.test_each_skip_has_a_reason
test_keys_are_rotated = every.test_keys_are_rotated
test_log_groups_have_retention_and_key = every.test_log_groups_have_retention_and_key
test_publishes_for_scripts_under_one_path = every.test_publishes_for_scripts_under_one_path
test_refuses_to_plan_in_another_workspace = every.test_refuses_to_plan_in_another_workspace
test_roles_of_the_account_have_names_of_their_own = every.test_roles_of_the_account_have_names_of_their_own
test_security_groups_have_names_of_their_own = every.test_security_groups_of_the_vpc_have_names_of_their_own
test_state_is_in_s3_with_the_lock_table = every.test_state_is_in_s3_with_the_lock_table
test_touches_no_other_account = every.test_touches_no_other_account

SECTION: dict[str, Any] = {
    "cidrs": ["192.0.2.0/24"],
    "folder": "/OMERO/incoming/sftp",
    "log_retention_days": 30,
    "alarm_emails": ["imaging@example.org"],
}


@pytest.fixture
def stacks(synthesise: Callable[..., Stacks]) -> Stacks:
    return synthesise(sftp=SECTION)


@pytest.fixture
def stack(stacks: Stacks) -> dict[str, Any]:
    return stacks["sftp"]


def test_is_there_only_when_asked_for(synthesise: Callable[..., Stacks], stacks: Stacks) -> None:
    assert set(stacks) == {"network", "data", "frontend", "omero", "sftp"}
    assert set(synthesise()) == {"network", "data", "frontend", "omero"}


def test_comes_after_the_server_that_makes_omeros_folder(tmp_path: Path) -> None:
    main.build(workspace(sftp=SECTION), outdir=str(tmp_path))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert set(manifest["stacks"]["sftp"]["dependencies"]) == {"network", "data", "omero"}


def test_leaves_the_other_stacks_as_they_are(synthesise: Callable[..., Stacks], stacks: Stacks) -> None:
    """The file system's policy lets Transfer Family in as it is: nothing of it is this stack's."""
    without = synthesise()
    for name in ("network", "data", "frontend", "omero"):
        assert stacks[name]["resource"] == without[name]["resource"]
    policy = json.loads(only(without["data"], "aws_efs_file_system_policy")["policy"])
    assert "AccessedViaMountTarget" not in json.dumps(policy)
    (allow,) = [each for each in policy["Statement"] if each["Effect"] == "Allow"]
    assert set(allow["Action"]) == {"elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"}


def test_endpoint_users_and_keys_are_in_no_state(stack: dict[str, Any]) -> None:
    assert not [kind for kind in stack["resource"] if kind.startswith(("aws_transfer", "aws_secretsmanager", "tls_"))]


def test_the_function_is_root_in_the_drop_area_and_nowhere_else(stack: dict[str, Any]) -> None:
    point, function = only(stack, "aws_efs_access_point"), only(stack, "aws_lambda_function")
    assert point["posix_user"] == {"uid": 0, "gid": 0}
    assert point["root_directory"] == {
        "path": "/OMERO/incoming/sftp",
        "creation_info": {"owner_uid": 1000, "owner_gid": 1000, "permissions": "0755"},
    }
    arn = "${aws_efs_access_point.drop_area_access_point.arn}"
    assert function["file_system_config"] == {"arn": arn, "local_mount_path": "/mnt/drop"}
    assert function["environment"] == {"variables": {"FOLDER": "/mnt/drop"}}
    policy = json.loads(only(stack, "aws_iam_role_policy")["policy"])
    (files,) = [each for each in policy["Statement"] if "elasticfilesystem" in json.dumps(each["Action"])]
    assert files["Condition"] == {"StringEquals": {"elasticfilesystem:AccessPointArn": arn}}
    assert "elasticfilesystem:ClientRootAccess" in files["Action"]


def test_only_the_function_gets_a_way_to_the_file_system(stacks: Stacks) -> None:
    rules = of_type(stacks["sftp"], "aws_vpc_security_group_ingress_rule").values()
    assert [(rule["from_port"], rule["to_port"]) for rule in rules] == [(2049, 2049)]
    assert ways_to(stacks["sftp"], "file_system") == {("drop_area_folders_security_group", 2049)}


def test_says_what_the_script_needs(stack: dict[str, Any]) -> None:
    published = {row["name"]: row["value"] for row in of_type(stack, "aws_ssm_parameter").values()}
    assert published["/omero/lab/sftp/folder"] == "/OMERO/incoming/sftp"
    assert published["/omero/lab/sftp/log_group_name"] == "/omero/lab/sftp"
    assert set(published) == {
        f"/omero/lab/sftp/{key}" for key in ("folder", "folders_function_name", "log_group_name", "alarm_topic_arn")
    }


def test_the_key_lets_alarms_in(stack: dict[str, Any]) -> None:
    assert "cloudwatch.amazonaws.com" in only(stack, "aws_kms_key")["policy"]
    assert [each["endpoint"] for each in of_type(stack, "aws_sns_topic_subscription").values()] == [
        "imaging@example.org"
    ]


@pytest.mark.nightly
def test_terraform_finds_it_valid(tmp_path: Path) -> None:
    main.build(workspace(sftp=SECTION), outdir=str(tmp_path))
    folder = tmp_path / "stacks" / "sftp"
    init = _terraform(folder, "init", "-backend=false", "-input=false", "-no-color")
    assert init.returncode == 0, init.stderr
    validate = json.loads(_terraform(folder, "validate", "-json").stdout)
    assert validate["valid"], validate["diagnostics"]

"""Hosts with OMERO's command line: reached by Session Manager only, with the least rights, and in service if set up."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hosts
import main
from modules import upload_host as module
from tests.conftest import Stacks, of_type, only, workspace
from tests.stacks.test_validate import _terraform

KEY = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
SECTION: dict[str, Any] = {
    "count": 2,
    "sources": [
        {"bucket": "lab-slides", "prefixes": ["slides/", "old/"], "key_arn": KEY},
        {"bucket": "lab-scanner"},
    ],
}


@pytest.fixture
def stacks(synthesise: Callable[..., Stacks]) -> Stacks:
    return synthesise(upload_host=SECTION, tags={"CostCentre": "4711"})


@pytest.fixture
def stack(stacks: Stacks) -> dict[str, Any]:
    return stacks["upload_host"]


def _statements(stack: dict[str, Any]) -> dict[str, dict[str, Any]]:
    policy = of_type(stack, "aws_iam_role_policy")["host_policy"]["policy"]
    return {statement["Sid"]: statement for statement in json.loads(policy)["Statement"]}


def test_is_there_only_if_asked_for_and_changes_no_other_stack(
    synthesise: Callable[..., Stacks], stacks: Stacks
) -> None:
    without = synthesise(tags={"CostCentre": "4711"})
    assert set(stacks) == {*without, "upload_host"}
    for name, stack in without.items():
        assert stack["resource"] == stacks[name]["resource"]


@pytest.mark.nightly
def test_terraform_finds_it_valid(tmp_path: Path) -> None:
    main.build(workspace(upload_host=SECTION), outdir=str(tmp_path))
    folder = tmp_path / "stacks" / "upload_host"
    init = _terraform(folder, "init", "-backend=false", "-input=false", "-no-color")
    assert init.returncode == 0, init.stderr
    validate = json.loads(_terraform(folder, "validate", "-json").stdout)
    assert validate["valid"], validate["diagnostics"]


def test_hosts_are_in_both_zones_without_a_key_or_an_address(stack: dict[str, Any]) -> None:
    group, template = only(stack, "aws_autoscaling_group"), only(stack, "aws_launch_template")
    assert (group["min_size"], group["desired_capacity"], group["max_size"]) == (2, 2, 2)
    assert ["private_first" in subnet for subnet in group["vpc_zone_identifier"]] == [True, False]
    assert ["private_second" in subnet for subnet in group["vpc_zone_identifier"]] == [False, True]
    assert "key_name" not in template
    assert "associate_public_ip_address" not in json.dumps(template)
    assert template["metadata_options"]["http_tokens"] == "required"
    assert template["metadata_options"]["http_put_response_hop_limit"] == 1
    (disk,) = template["block_device_mappings"]
    assert (disk["ebs"]["volume_type"], disk["ebs"]["encrypted"], disk["ebs"]["volume_size"]) == ("gp3", "true", 100)
    name = stack["data"]["aws_ssm_parameter"]["host_image"]["name"]
    assert name == "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


def test_a_host_that_is_not_set_up_never_goes_into_service(stack: dict[str, Any]) -> None:
    group = only(stack, "aws_autoscaling_group")
    (hook,) = group["initial_lifecycle_hook"]
    assert hook["lifecycle_transition"] == "autoscaling:EC2_INSTANCE_LAUNCHING"
    assert hook["default_result"] == "ABANDON", "also if the host says nothing"
    minutes = int(group["wait_for_capacity_timeout"].removesuffix("m"))
    assert hook["heartbeat_timeout"] < minutes * 60, "Terraform sees at least one end"
    assert not of_type(stack, "aws_autoscaling_lifecycle_hook"), "it would come after the first host"
    assert {"aws_iam_role_policy.host_policy", "aws_cloudwatch_log_group.host_logs"} <= set(group["depends_on"])


def test_an_apply_replaces_no_host_that_runs(stack: dict[str, Any]) -> None:
    assert "instance_refresh" not in only(stack, "aws_autoscaling_group")


def test_hosts_reach_https_the_file_system_and_the_server_and_nobody_reaches_them(stack: dict[str, Any]) -> None:
    own = "${aws_security_group.host_security_group.id}"
    out = of_type(stack, "aws_vpc_security_group_egress_rule").values()
    assert all(rule["security_group_id"] == own for rule in out)
    ways = {(rule["from_port"], rule["to_port"], rule.get("cidr_ipv4")) for rule in out}
    assert ways == {(443, 443, "0.0.0.0/0"), (2049, 2049, None), (4064, 4064, None)}
    into = of_type(stack, "aws_vpc_security_group_ingress_rule").values()
    assert all(rule["referenced_security_group_id"] == own for rule in into)
    targets = {rule["from_port"]: rule["security_group_id"] for rule in into}
    assert set(targets) == {2049, 4064}
    assert "file_system_security_group" in targets[2049]
    assert "server_security_group" in targets[4064]


def test_the_role_has_no_more_than_it_needs(stack: dict[str, Any]) -> None:
    statements = _statements(stack)
    assert {sid: statement["Action"] for sid, statement in statements.items() if sid != "SessionManager"} == {
        "MountOmero": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
        "EndOwnSetUp": "autoscaling:CompleteLifecycleAction",
        "WriteOwnLogGroup": ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        "FindLogGroups": "logs:DescribeLogGroups",
        "DecryptSessions": "kms:Decrypt",
        "ListBucket0": "s3:ListBucket",
        "ReadBucket0": "s3:GetObject",
        "DecryptBucket0": "kms:Decrypt",
        "ListBucket1": "s3:ListBucket",
        "ReadBucket1": "s3:GetObject",
    }
    session = statements["SessionManager"]["Action"]
    assert {action.partition(":")[0] for action in session} == {"ssm", "ssmmessages"}
    assert "ssm:GetParameter" not in session
    anywhere = {sid for sid, statement in statements.items() if statement["Resource"] == "*"}
    assert anywhere == {"SessionManager", "FindLogGroups"}
    assert not of_type(stack, "aws_iam_role_policy_attachment")
    assert set(of_type(stack, "aws_iam_role_policy")) == {"host_policy"}


def test_mounts_by_the_access_point_only(stack: dict[str, Any]) -> None:
    mount = _statements(stack)["MountOmero"]
    (condition,) = mount["Condition"]["StringEquals"].items()
    assert condition[0] == "elasticfilesystem:AccessPointArn"
    assert "aws_efs_access_point" in condition[1]
    assert "aws_efs_file_system" in mount["Resource"]


def test_reads_named_buckets_of_this_account_only(stack: dict[str, Any]) -> None:
    statements = _statements(stack)
    assert statements["ListBucket0"]["Resource"] == "arn:aws:s3:::lab-slides"
    assert statements["ListBucket0"]["Condition"]["StringLike"] == {"s3:prefix": ["slides/*", "old/*"]}
    assert statements["ReadBucket0"]["Resource"] == [
        "arn:aws:s3:::lab-slides/slides/*",
        "arn:aws:s3:::lab-slides/old/*",
    ]
    assert "StringLike" not in statements["ListBucket1"]["Condition"]
    assert statements["ReadBucket1"]["Resource"] == "arn:aws:s3:::lab-scanner/*"
    for sid in ("ListBucket0", "ReadBucket0", "ListBucket1", "ReadBucket1"):
        assert statements[sid]["Condition"]["StringEquals"] == {"aws:ResourceAccount": "111122223333"}
    assert statements["DecryptBucket0"]["Resource"] == KEY
    assert statements["DecryptBucket0"]["Condition"]["StringEquals"] == {
        "kms:ViaService": "s3.eu-central-1.amazonaws.com"
    }


def test_without_sources_no_bucket_is_named(synthesise: Callable[..., Stacks]) -> None:
    stack = synthesise(upload_host={})["upload_host"]
    assert "s3:" not in json.dumps([statement["Action"] for statement in _statements(stack).values()])


def test_sessions_are_of_uid_1000_encrypted_and_recorded(stack: dict[str, Any]) -> None:
    document = only(stack, "aws_ssm_document")
    assert document["document_type"] == "Session"
    inputs = json.loads(document["content"])["inputs"]
    assert (inputs["runAsEnabled"], inputs["runAsDefaultUser"]) == (True, "ec2-user")
    assert inputs["kmsKeyId"] == "${aws_kms_key.key.arn}"
    assert inputs["cloudWatchLogGroupName"] == only(stack, "aws_cloudwatch_log_group")["name"]
    assert inputs["cloudWatchEncryptionEnabled"] is True
    assert inputs["shellProfile"]["linux"].endswith("bash -l"), "it reads /etc/profile.d, where OMERO_HOST is"


def test_says_how_to_open_a_session(stack: dict[str, Any]) -> None:
    command = stack["output"]["open_session"]["value"]
    assert command.startswith("aws ssm start-session --region eu-central-1 --document-name ")
    assert "--auto-scaling-group-names omero-lab-upload-host " in command
    assert stack["output"]["autoscaling_group_name"]["value"] == "omero-lab-upload-host"


def test_hosts_and_volumes_carry_the_workspaces_tags(stack: dict[str, Any]) -> None:
    specifications = only(stack, "aws_launch_template")["tag_specifications"]
    assert {specification["resource_type"] for specification in specifications} == {"instance", "volume"}
    for specification in specifications:
        assert specification["tags"].items() >= {"CostCentre": "4711", "Workspace": "lab"}.items()
    assert {tag["key"] for tag in only(stack, "aws_autoscaling_group")["tag"]} >= {"CostCentre", "Workspace"}


@pytest.fixture
def user_data(stack: dict[str, Any], tmp_path: Path) -> str:
    """What a host gets: Terraform itself reads the expression, with ids in place of the other stacks' outputs."""
    expression = only(stack, "aws_launch_template")["user_data"]
    for kind, id_ in {"file_system": "fs-0123456789abcdef0", "access_point": "fsap-0123456789abcdef0"}.items():
        expression, replaced = re.subn(
            rf"data\.terraform_remote_state\.[\w.-]*aws_efs_{kind}\w*", f'"{id_}"', expression
        )
        assert replaced == 1
    (tmp_path / "main.tf.json").write_text(json.dumps({"output": {"it": {"value": expression}}}))
    assert _terraform(tmp_path, "init", "-input=false").returncode == 0
    applied = _terraform(tmp_path, "apply", "-auto-approve", "-no-color")
    assert applied.returncode == 0, applied.stderr
    return base64.b64decode(_terraform(tmp_path, "output", "-raw", "it").stdout).decode()


def test_a_host_gets_the_script_as_it_is_written(user_data: str) -> None:
    assert user_data.startswith("#!/bin/bash\n")
    assert user_data.endswith(hosts.script("upload_host.sh"))
    assert len(user_data.encode()) < module.USER_DATA_BYTES
    for line in (
        "REGION='eu-central-1'",
        "GROUP_NAME='omero-lab-upload-host'",
        "SERVER_HOST='server.lab.omero.internal'",
        "FILE_SYSTEM_ID='fs-0123456789abcdef0'",
        "ACCESS_POINT_ID='fsap-0123456789abcdef0'",
        "IMPORTER_URL='https://downloads.openmicroscopy.org/omero/5.6.18/OMERO.java.zip'",
    ):
        assert line in user_data.splitlines()


def test_its_variables_are_all_that_the_script_reads(user_data: str) -> None:
    header = user_data.removesuffix(hosts.script("upload_host.sh"))
    given = set(re.findall(r"^([A-Z_0-9]+)='", header, re.MULTILINE))
    script = hosts.script("upload_host.sh")
    own = set(re.findall(r"^([A-Z_]+)=", script, re.MULTILINE)) | {"OMERO_HOST"}
    assert set(re.findall(r"\$([A-Z][A-Z_0-9]+)", script)) - own == given


def test_nothing_secret_is_in_the_user_data(stack: dict[str, Any], user_data: str) -> None:
    assert "secret" not in user_data.lower()
    assert "secret" not in only(stack, "aws_launch_template")["user_data"]
    assert "password" not in user_data.lower()


def test_a_checksum_that_is_given_is_checked(synthesise: Callable[..., Stacks]) -> None:
    sums = {"ice_wheel_sha256": "a" * 64, "importer_sha256": "b" * 64}
    expression = only(synthesise(upload_host=sums)["upload_host"], "aws_launch_template")["user_data"]
    assert f".whl#sha256={'a' * 64}'" in expression
    assert f"IMPORTER_SHA256='{'b' * 64}'" in expression


def test_refuses_user_data_that_ec2_would_not_take(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "USER_DATA_BYTES", 4096)
    with pytest.raises(
        ValueError, match=r"the user data has \d+ bytes and EC2 takes 4096; shorten hosts/upload_host.sh"
    ):
        main.build(workspace(upload_host={}), outdir=str(tmp_path))

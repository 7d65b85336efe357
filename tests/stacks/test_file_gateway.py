"""The gateway that a workspace makes: its bucket, its machine, its activation, its share and its refreshes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import main
from functions import FOLDER
from modules.cache_refresh import DELAY_SECONDS
from tests.conftest import Stacks, container, of_type, only, ways_to, workspace
from tests.settings.test_file_gateway import KEY, SHARED, made
from tests.settings.test_topology import SHARE, sections
from tests.stacks import test_every_stack as every
from tests.stacks.test_validate import _terraform

Synthesise = Callable[..., Stacks]
ROUTES: dict[str, dict[str, Any]] = {
    "function": {},
    "direct": {"activation_cidrs": ["10.0.0.0/24"]},
    "existing bucket": {"bucket": "lab-slides", "bucket_key_arn": KEY},
}
OF_EVERY_STACK: list[Callable[[Stacks], None]] = [
    every.test_refuses_to_plan_in_another_workspace,
    every.test_state_is_in_s3_with_the_lock_table,
    every.test_touches_no_other_account,
    every.test_addresses_are_roles_without_a_hash,
    every.test_allows_no_wildcard_action,
    every.test_allows_everyone_nothing,
    every.test_log_groups_have_retention_and_key,
    every.test_keys_are_rotated,
    every.test_publishes_for_scripts_under_one_path,
    every.test_each_skip_has_a_reason,
    every.test_security_groups_of_the_vpc_have_names_of_their_own,
    every.test_roles_of_the_account_have_names_of_their_own,
]
STACK = "file_gateway"
KEPT = "file_gateway_bucket"
REMOTE = f"${{data.terraform_remote_state.cross-stack-reference-input-{KEPT}.outputs.cross-stack-output-"


@pytest.fixture
def gateway(synthesise: Synthesise) -> dict[str, Any]:
    return synthesise(**made())[STACK]


@pytest.fixture
def kept(synthesise: Synthesise) -> dict[str, Any]:
    return synthesise(**made())[KEPT]


def _statements(policy: str) -> dict[str, dict[str, Any]]:
    return {statement["Sid"]: statement for statement in json.loads(policy)["Statement"]}


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_is_made_only_if_asked_for(synthesise: Synthesise) -> None:
    assert set(synthesise(**made())) == {"network", "data", "frontend", "omero", KEPT, STACK}
    assert STACK not in synthesise()


@pytest.mark.parametrize("holds", OF_EVERY_STACK)
@pytest.mark.parametrize("route", ROUTES)
def test_what_holds_for_every_stack_holds(synthesise: Synthesise, route: str, holds: Callable[[Stacks], None]) -> None:
    holds(synthesise(**made(**ROUTES[route])))


@pytest.mark.nightly
@pytest.mark.parametrize("route", ROUTES)
def test_terraform_finds_it_valid(tmp_path: Path, route: str) -> None:
    main.build(workspace(**made(**ROUTES[route])), outdir=str(tmp_path))
    folder = tmp_path / "stacks" / STACK
    init = _terraform(folder, "init", "-backend=false", "-input=false", "-no-color")
    assert init.returncode == 0, init.stderr
    found = json.loads(_terraform(folder, "validate", "-json").stdout)
    assert found["valid"], found["diagnostics"]


def test_needs_the_network_only_and_omero_needs_it(synthesise: Synthesise) -> None:
    stacks = synthesise(**made())
    for name, needs in {STACK: {"network", KEPT}, "omero": {"network", "data", "frontend", KEPT, STACK}}.items():
        remote = stacks[name]["data"]["terraform_remote_state"]
        assert {state.rpartition("-")[2] for state in remote} == needs


def test_bucket_is_private_versioned_encrypted_and_over_tls_only(kept: dict[str, Any]) -> None:
    block = only(kept, "aws_s3_bucket_public_access_block")
    assert all(
        block[key]
        for key in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    )
    assert only(kept, "aws_s3_bucket_versioning")["versioning_configuration"] == {"status": "Enabled"}
    (rule,) = only(kept, "aws_s3_bucket_server_side_encryption_configuration")["rule"]
    default = rule["apply_server_side_encryption_by_default"]
    assert default == {"kms_master_key_id": "${aws_kms_key.key.arn}", "sse_algorithm": "aws:kms"}
    assert rule["bucket_key_enabled"] is True
    deny = _statements(only(kept, "aws_s3_bucket_policy")["policy"])["DenyInsecureTransport"]
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "s3:*")
    ownership = only(kept, "aws_s3_bucket_ownership_controls")["rule"]
    assert ownership["object_ownership"] == "BucketOwnerEnforced", "or some objects would not be ours to read"


def test_bucket_and_key_are_kept_unless_the_workspace_says_otherwise(synthesise: Synthesise) -> None:
    for retain in (True, False):
        stacks = synthesise(**made(), retain=retain)
        # Nothing is kept in the gateway's own stack, so that it can go.
        assert 'prevent_destroy": true' not in json.dumps(stacks[STACK])
        stack = stacks[KEPT]
        bucket = only(stack, "aws_s3_bucket")
        assert bucket["force_destroy"] is not retain
        assert bucket["lifecycle"]["prevent_destroy"] is retain
        assert of_type(stack, "aws_kms_key")["key"]["lifecycle"]["prevent_destroy"] is retain


def test_older_versions_are_kept_as_many_as_asked(synthesise: Synthesise) -> None:
    stack = synthesise(**made(versions_kept=7))[KEPT]
    (rule,) = only(stack, "aws_s3_bucket_lifecycle_configuration")["rule"]
    (expiration,) = rule["noncurrent_version_expiration"]
    assert expiration == {"newer_noncurrent_versions": 7, "noncurrent_days": 90}
    assert [list(each) for each in rule["expiration"]] == [["expired_object_delete_marker"]], "no object goes by itself"
    assert "transition" not in rule, "nor into an archive"


def test_an_existing_bucket_is_left_alone_and_read_with_its_key(synthesise: Synthesise) -> None:
    stack = synthesise(**made(bucket="lab-slides", bucket_key_arn=KEY))[STACK]
    assert not [type_ for type_ in stack["resource"] if type_.startswith("aws_s3_bucket")]
    share = only(stack, "aws_storagegateway_nfs_file_share")
    assert share["location_arn"] == "arn:aws:s3:::lab-slides"
    rights = _statements(of_type(stack, "aws_iam_role_policy")["share_policy"]["policy"])
    assert rights["ReadObjects"]["Resource"] == "arn:aws:s3:::lab-slides/*"
    assert rights["DecryptObjects"]["Resource"] == KEY
    without = synthesise(**made(bucket="lab-slides"))[STACK]
    assert "DecryptObjects" not in of_type(without, "aws_iam_role_policy")["share_policy"]["policy"]


def test_machine_runs_awss_newest_image_and_keeps_it(gateway: dict[str, Any]) -> None:
    (image,) = gateway["data"]["aws_ssm_parameter"].values()
    assert image["name"] == "/aws/service/storagegateway/ami/FILE_S3/latest"
    machine = only(gateway, "aws_instance")
    assert machine["ami"] == "${data.aws_ssm_parameter.gateway_image.insecure_value}"
    assert machine["lifecycle"]["ignore_changes"] == ["ami"]
    assert machine["instance_type"] == "m5.xlarge"


def test_machine_is_closed(gateway: dict[str, Any]) -> None:
    machine = only(gateway, "aws_instance")
    assert machine["metadata_options"]["http_tokens"] == "required"
    assert not {"key_name", "iam_instance_profile", "user_data", "associate_public_ip_address"} & set(machine)
    assert "subnet_vpc_private_first" in machine["subnet_id"]
    assert machine["root_block_device"]["encrypted"] is True
    assert machine["root_block_device"]["volume_size"] == 80


def test_cache_is_an_encrypted_volume_of_its_own(synthesise: Synthesise) -> None:
    stack = synthesise(**made(cache_gib=500))[STACK]
    volume = only(stack, "aws_ebs_volume")
    assert (volume["size"], volume["type"], volume["encrypted"]) == (500, "gp3", True)
    attachment = only(stack, "aws_volume_attachment")
    (disk,) = stack["data"]["aws_storagegateway_local_disk"].values()
    assert attachment["device_name"] == "/dev/sdb"
    assert disk["disk_node"] == "${aws_volume_attachment.gateway_cache_attachment.device_name}"


def test_later_applies_never_replace_an_activated_gateway_or_its_cache(gateway: dict[str, Any]) -> None:
    activated = only(gateway, "aws_storagegateway_gateway")
    assert activated["gateway_type"] == "FILE_S3"
    assert set(activated["lifecycle"]["ignore_changes"]) == {"activation_key", "gateway_ip_address"}
    assert activated["lifecycle"]["replace_triggered_by"] == ["aws_instance.gateway_machine.id"]
    assert only(gateway, "aws_storagegateway_cache")["lifecycle"]["ignore_changes"] == ["disk_id"]


def test_key_is_fetched_inside_the_vpc_once_the_disk_is_there(gateway: dict[str, Any]) -> None:
    activated = only(gateway, "aws_storagegateway_gateway")
    assert activated["activation_key"] == "${jsondecode(aws_lambda_invocation.gateway_activation_key.result)}"
    assert "gateway_ip_address" not in activated
    invocation = only(gateway, "aws_lambda_invocation")
    assert json.loads(invocation["input"]) == {
        "address": "${aws_instance.gateway_machine.private_ip}",
        "region": "eu-central-1",
    }
    assert invocation["triggers"] == {"instance": "${aws_instance.gateway_machine.id}"}
    assert set(invocation["depends_on"]) == {
        "aws_volume_attachment.gateway_cache_attachment",
        "aws_vpc_security_group_egress_rule.gateway_activation_to_gateway_out",
        "aws_vpc_security_group_ingress_rule.gateway_activation_to_gateway_in",
    }
    function = of_type(gateway, "aws_lambda_function")["gateway_activation_function"]
    assert len(function["vpc_config"]["subnet_ids"]) == 2


def test_function_that_fetches_the_key_may_do_nothing_in_aws(gateway: dict[str, Any]) -> None:
    rights = _statements(of_type(gateway, "aws_iam_role_policy")["gateway_activation_function_policy"]["policy"])
    assert set(rights) == {"WriteOwnLog", "BeInTheVpc"}
    services = {action.partition(":")[0] for right in rights.values() for action in _listed(right["Action"])}
    assert services == {"logs", "ec2"}


def test_terraform_reaches_the_gateway_itself_where_it_can(synthesise: Synthesise) -> None:
    stack = synthesise(**made(activation_cidrs=["10.0.0.0/24", "10.9.0.0/24"]))[STACK]
    activated = only(stack, "aws_storagegateway_gateway")
    assert activated["gateway_ip_address"] == "${aws_instance.gateway_machine.private_ip}"
    assert "activation_key" not in activated
    assert "aws_lambda_invocation" not in stack["resource"]
    assert ways_to(stack, "gateway") == {("10.0.0.0/24", 80), ("10.9.0.0/24", 80)}


def test_gateway_lets_in_the_activation_and_the_servers_instances_only(synthesise: Synthesise) -> None:
    stacks = synthesise(**made())
    assert ways_to(stacks[STACK], "gateway") == {("gateway_activation_function_security_group", 80)}
    rules = of_type(stacks["omero"], "aws_vpc_security_group_ingress_rule")
    (rule,) = [rule for rule in rules.values() if "file_gateway" in rule["security_group_id"]]
    assert rule["from_port"] == rule["to_port"] == 2049
    assert rule["referenced_security_group_id"] == "${aws_security_group.instances_security_group.id}"


def test_share_is_omeros_and_cannot_be_written(synthesise: Synthesise) -> None:
    stack = synthesise(**made(stale_timeout_seconds=600))[STACK]
    share = only(stack, "aws_storagegateway_nfs_file_share")
    assert share["read_only"] is True
    assert share["nfs_file_share_defaults"] == {
        "directory_mode": "0755",
        "file_mode": "0644",
        "group_id": "1000",
        "owner_id": "1000",
    }
    assert share["cache_attributes"] == {"cache_stale_timeout_in_seconds": 600}
    assert share["audit_destination_arn"] == "${aws_cloudwatch_log_group.audit_log.arn}"
    assert share["gateway_arn"] == "${aws_storagegateway_cache.gateway_cache.gateway_arn}", "it needs the cache"
    actions = {
        action
        for right in _statements(of_type(stack, "aws_iam_role_policy")["share_policy"]["policy"]).values()
        for action in _listed(right["Action"])
    }
    assert not [action for action in actions if action.partition(":")[2].startswith(("Put", "Delete", "Abort"))]


def test_share_is_for_the_private_subnets(gateway: dict[str, Any]) -> None:
    share = only(gateway, "aws_storagegateway_nfs_file_share")
    assert share["client_list"] == [f"${{data.aws_subnet.private_{zone}.cidr_block}}" for zone in ("first", "second")]


def test_role_of_the_share_is_for_this_gateway(gateway: dict[str, Any]) -> None:
    (trust,) = json.loads(of_type(gateway, "aws_iam_role")["share_role"]["assume_role_policy"])["Statement"]
    assert trust["Principal"] == {"Service": "storagegateway.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": "111122223333"}
    assert "aws:SourceArn" in trust["Condition"]["ArnLike"]


def test_changes_of_the_bucket_become_one_message_in_five_minutes(
    gateway: dict[str, Any], kept: dict[str, Any]
) -> None:
    assert only(kept, "aws_s3_bucket_notification")["eventbridge"] is True
    pattern = json.loads(only(gateway, "aws_cloudwatch_event_rule")["event_pattern"])
    assert "Object Created" in pattern["detail-type"]
    assert pattern["detail"]["bucket"]["name"] == [f"{REMOTE}aws_s3_bucket_policy_bucket_policy_bucket}}"]
    target = only(gateway, "aws_cloudwatch_event_target")
    assert json.loads(target["input"]) == {"file_share_arn": "${aws_storagegateway_nfs_file_share.share.arn}"}
    assert target["sqs_target"] == {"message_group_id": "refresh"}
    queue = of_type(gateway, "aws_sqs_queue")["refresh_queue"]
    assert queue["fifo_queue"] is queue["content_based_deduplication"] is True
    assert queue["delay_seconds"] == DELAY_SECONDS > 300, "or a change could fall between message and refresh"


def test_a_refused_refresh_is_tried_again_and_then_kept(gateway: dict[str, Any]) -> None:
    queue = of_type(gateway, "aws_sqs_queue")["refresh_queue"]
    assert json.loads(queue["redrive_policy"]) == {
        "deadLetterTargetArn": "${aws_sqs_queue.refresh_dead_letters.arn}",
        "maxReceiveCount": 10,
    }
    function = of_type(gateway, "aws_lambda_function")["refresh_function"]
    assert queue["visibility_timeout_seconds"] >= 6 * function["timeout"]
    rights = _statements(of_type(gateway, "aws_iam_role_policy")["refresh_function_policy"]["policy"])
    assert rights["RefreshTheShare"]["Resource"] == "${aws_storagegateway_nfs_file_share.share.arn}"
    assert "vpc_config" not in function


def test_only_the_rule_may_send(gateway: dict[str, Any]) -> None:
    (statement,) = json.loads(only(gateway, "aws_sqs_queue_policy")["policy"])["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": "${aws_cloudwatch_event_rule.refresh_rule.arn}"}}


def test_functions_are_the_files_of_the_repository_the_same_every_time(tmp_path: Path) -> None:
    for out in (tmp_path / "first", tmp_path / "second"):
        main.build(workspace(**made()), outdir=str(out))
    first, second = (
        (out / "stacks" / STACK / "cdk.tf.json").read_text() for out in (tmp_path / "first", tmp_path / "second")
    )
    assert first == second
    folder = tmp_path / "first" / "stacks" / STACK
    for function in json.loads(first)["resource"]["aws_lambda_function"].values():
        code = function["handler"].removesuffix(".handler")
        archive = folder / function["filename"]
        digest = base64.b64encode(hashlib.sha256(archive.read_bytes()).digest()).decode()
        assert function["source_code_hash"] == digest
        with zipfile.ZipFile(archive) as opened:
            assert opened.namelist() == [f"{code}.py"]
            assert opened.read(f"{code}.py") == (FOLDER / f"{code}.py").read_bytes()


@pytest.mark.parametrize("topology", SHARED)
def test_server_mounts_the_gateways_share(synthesise: Synthesise, topology: str) -> None:
    omero = synthesise(**made(topology, mount_point="/slides"))["omero"]
    mounts = {mount["containerPath"]: mount["readOnly"] for mount in container(omero, "server")["mountPoints"]}
    assert mounts == {"/OMERO": False, "/slides": True}
    volumes = of_type(omero, "aws_ecs_task_definition")["server_task_definition"]["volume"]
    (share,) = [volume["docker_volume_configuration"] for volume in volumes if volume["name"] == "share"]
    remote = "data.terraform_remote_state.cross-stack-reference-input-file_gateway"
    assert f"addr=${{{remote}." in share["driver_opts"]["o"]
    assert "ro" in share["driver_opts"]["o"].split(",")
    assert share["driver_opts"]["device"].startswith(f":/{REMOTE}")


def test_instances_reach_the_gateway_by_its_group_and_not_by_an_address(synthesise: Synthesise) -> None:
    omero = synthesise(**made())["omero"]
    out = of_type(omero, "aws_vpc_security_group_egress_rule")
    rule = out["instances_to_share_out"]
    assert rule["security_group_id"] == "${aws_security_group.instances_security_group.id}"
    assert "file_gateway" in rule["referenced_security_group_id"]
    assert not [name for name, rule in out.items() if rule["from_port"] == 2049 and rule.get("cidr_ipv4")]


def test_upload_hosts_mount_the_share_in_a_topology_without_one(synthesise: Synthesise) -> None:
    stacks = synthesise(file_gateway={"mount_point": "/slides"}, upload_host={})
    user_data = only(stacks["upload_host"], "aws_launch_template")["user_data"]
    assert "SHARE_PATH='/slides'" in user_data
    assert len(re.findall(r"cross-stack-reference-input-file_gateway", user_data)) == 2
    assert "TfToken" not in user_data
    out = of_type(stacks["upload_host"], "aws_vpc_security_group_egress_rule")["host_to_share_out"]
    assert (out["from_port"], out["to_port"]) == (2049, 2049)
    assert "file_gateway" in out["referenced_security_group_id"]
    assert "file_gateway" not in json.dumps(stacks["omero"])


def test_upload_hosts_reach_a_gateway_that_is_there_already(synthesise: Synthesise) -> None:
    stack = synthesise(**sections("rw-http-s3fg"), upload_host={})["upload_host"]
    assert f"SHARE_PATH='{SHARE.get('mount_point', '/s3uploads')}'" in only(stack, "aws_launch_template")["user_data"]
    out = of_type(stack, "aws_vpc_security_group_egress_rule").values()
    assert [rule["from_port"] for rule in out if rule.get("cidr_ipv4") == f"{SHARE['address']}/32"] == [2049]


def test_keys_of_somebody_else_encrypt_images_and_ours_the_logs(synthesise: Synthesise) -> None:
    stack = synthesise(**made(), data={"key_arn": KEY})[STACK]
    assert only(stack, "aws_ebs_volume")["kms_key_id"] == KEY
    groups = of_type(stack, "aws_cloudwatch_log_group").values()
    assert len({group["kms_key_id"] for group in groups} - {KEY}) == 1
    assert set(of_type(stack, "aws_kms_key")) == {"alarm_key"}

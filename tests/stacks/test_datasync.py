"""A bucket whose objects become files below /OMERO: nothing is deleted, nothing is open, failures are heard of."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import main
from functions import FOLDER
from scripts.deploy import toolchain
from settings.datasync import DataSync
from tests.conftest import Stacks, of_type, only, ways_to, workspace
from tests.stacks import test_every_stack as every

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

KEPT = "${data.terraform_remote_state.cross-stack-reference-input-datasync_buckets.outputs.cross-stack-output-"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
VARIANTS: dict[str, dict[str, Any]] = {
    "least": {"datasync": {}},
    "existing bucket": {"datasync": {"bucket": "lab-slides", "key_arn": KEY}},
    "everything": {
        "retain": False,
        "datasync": {
            "prefix": "scanner-1/in",
            "folder": "/OMERO/incoming/slides",
            "schedule": "rate(1 day)",
            "start_on_arrival": False,
            "replace_changed_files": True,
            "log_level": "BASIC",
            "log_retention_days": 30,
            "alarm_emails": ["imaging@example.org", "it@example.org"],
        },
    },
}


@pytest.fixture(params=list(VARIANTS.values()), ids=list(VARIANTS))
def stacks(request: pytest.FixtureRequest, synthesise: Callable[..., Stacks]) -> Stacks:
    return synthesise(**request.param)


@pytest.fixture
def least(synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise(**VARIANTS["least"])["datasync"]


@pytest.fixture
def everything(synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise(**VARIANTS["everything"])["datasync"]


def _statements(stack: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    policy = json.loads(of_type(stack, "aws_iam_role_policy")[name]["policy"])
    return {statement["Sid"]: statement for statement in policy["Statement"]}


def test_is_there_only_when_asked_for(synthesise: Callable[..., Stacks], stacks: Stacks) -> None:
    assert set(stacks) == {"network", "data", "frontend", "omero", "datasync_buckets", "datasync"}
    assert set(synthesise()) == {"network", "data", "frontend", "omero"}


def test_comes_after_the_server_that_makes_omeros_folder(tmp_path: Path) -> None:
    main.build(workspace(datasync={}), outdir=str(tmp_path))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert set(manifest["stacks"]["datasync"]["dependencies"]) == {"network", "data", "omero", "datasync_buckets"}


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_nothing_is_ever_deleted_at_the_destination(changes: dict[str, Any], synthesise: Callable[..., Stacks]) -> None:
    options = only(synthesise(**changes)["datasync"], "aws_datasync_task")["options"]
    assert options["preserve_deleted_files"] == "PRESERVE"
    assert options["verify_mode"] == "ONLY_FILES_TRANSFERRED"
    assert (options["uid"], options["gid"], options["object_tags"]) == ("NONE", "NONE", "NONE")


def test_a_file_that_is_there_is_replaced_only_if_the_workspace_says_so(
    least: dict[str, Any], everything: dict[str, Any]
) -> None:
    assert only(least, "aws_datasync_task")["options"]["overwrite_mode"] == "NEVER"
    assert only(everything, "aws_datasync_task")["options"]["overwrite_mode"] == "ALWAYS"


def test_task_is_the_originals_in_the_mode_that_s3_to_efs_takes(
    least: dict[str, Any], everything: dict[str, Any]
) -> None:
    task = only(least, "aws_datasync_task")
    assert task["task_mode"] == "BASIC"
    assert task["schedule"] == {"schedule_expression": "cron(0 * * * ? *)"}
    assert task["options"]["log_level"] == "TRANSFER"
    changed = only(everything, "aws_datasync_task")
    assert changed["schedule"] == {"schedule_expression": "rate(1 day)"}
    assert changed["options"]["log_level"] == "BASIC"


def test_files_are_omeros_through_an_access_point_of_their_own(everything: dict[str, Any]) -> None:
    point, location = only(everything, "aws_efs_access_point"), only(everything, "aws_datasync_location_efs")
    assert point["posix_user"] == {"uid": 1000, "gid": 1000}
    assert point["root_directory"]["path"] == "/OMERO/incoming/slides"
    assert point["root_directory"]["creation_info"] == {"owner_uid": 1000, "owner_gid": 1000, "permissions": "0755"}
    assert location["access_point_arn"] == "${aws_efs_access_point.task_access_point.arn}"
    assert location["in_transit_encryption"] == "TLS1_2"


def test_datasync_alone_reaches_the_file_system(least: dict[str, Any]) -> None:
    (way,) = of_type(least, "aws_vpc_security_group_ingress_rule").values()
    assert way["from_port"] == way["to_port"] == 2049
    assert way["referenced_security_group_id"] == "${aws_security_group.task_security_group.id}"
    assert not ways_to(least, "task_security_group")
    (out,) = of_type(least, "aws_vpc_security_group_egress_rule").values()
    assert out["from_port"] == out["to_port"] == 2049
    assert "cidr_ipv4" not in out


def test_roles_are_taken_by_datasync_for_this_account_only(least: dict[str, Any]) -> None:
    roles = [role for name, role in of_type(least, "aws_iam_role").items() if name.startswith("task_")]
    assert len(roles) == 3
    for role in roles:
        (trust,) = json.loads(role["assume_role_policy"])["Statement"]
        assert trust["Principal"] == {"Service": "datasync.amazonaws.com"}
        assert trust["Condition"] == {
            "StringEquals": {"aws:SourceAccount": "111122223333"},
            "ArnLike": {"aws:SourceArn": "arn:aws:datasync:eu-central-1:111122223333:*"},
        }


def test_the_bucket_is_read_and_never_written(everything: dict[str, Any]) -> None:
    source = _statements(everything, "task_source_policy")
    actions = {action for statement in source.values() for action in every._listed(statement["Action"])}
    assert not [action for action in actions if any(word in action for word in ("Put", "Delete", "Abort"))]
    assert source["Read"]["Resource"] == f"{KEPT}aws_s3_bucket_bucket_arn}}/scanner-1/in/*"
    assert source["Decrypt"]["Action"] == "kms:Decrypt"
    reports = _statements(everything, "task_reports_policy")
    assert reports["Write"]["Resource"] == f"{KEPT}aws_s3_bucket_reports_arn}}/*"
    files = _statements(everything, "task_destination_policy")["WriteThroughTheAccessPoint"]
    assert files["Action"] == ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    assert files["Condition"]["StringEquals"] == {
        "elasticfilesystem:AccessPointArn": "${aws_efs_access_point.task_access_point.arn}"
    }


def test_an_existing_bucket_is_left_as_it_is(synthesise: Callable[..., Stacks]) -> None:
    stacks = synthesise(**VARIANTS["existing bucket"])
    stack, kept = stacks["datasync"], stacks["datasync_buckets"]
    assert set(of_type(kept, "aws_s3_bucket")) == {"reports"}
    assert not of_type(kept, "aws_s3_bucket_notification")
    assert only(stack, "aws_datasync_location_s3")["s3_bucket_arn"] == "arn:aws:s3:::lab-slides"
    assert _statements(stack, "task_source_policy")["Decrypt"]["Resource"] == KEY
    without_key = synthesise(datasync={"bucket": "lab-slides"})["datasync"]
    assert "Decrypt" not in _statements(without_key, "task_source_policy")


def test_buckets_are_private_versioned_and_encrypted(stacks: Stacks) -> None:
    stack = stacks["datasync_buckets"]
    assert of_type(stack, "aws_s3_bucket")
    for name in of_type(stack, "aws_s3_bucket"):
        block = of_type(stack, "aws_s3_bucket_public_access_block")[f"{name}_public_access_block"]
        closed = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
        assert all(block[key] is True for key in closed)
        versioning = of_type(stack, "aws_s3_bucket_versioning")[f"{name}_versioning"]
        assert versioning["versioning_configuration"]["status"] == "Enabled"
        (rule,) = of_type(stack, "aws_s3_bucket_server_side_encryption_configuration")[f"{name}_encryption"]["rule"]
        assert rule["apply_server_side_encryption_by_default"]["sse_algorithm"] == "aws:kms"
        (deny,) = json.loads(of_type(stack, "aws_s3_bucket_policy")[f"{name}_policy"]["policy"])["Statement"]
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_images_and_reports_outlive_the_stack(synthesise: Callable[..., Stacks], stacks: Stacks) -> None:
    """`retain: true` would refuse to destroy all of a stack with a bucket in it."""
    assert not of_type(stacks["datasync"], "aws_s3_bucket")
    kinds = {type_ for type_ in stacks["datasync_buckets"]["resource"] if not type_.startswith("aws_s3_bucket")}
    assert kinds == {"aws_kms_alias", "aws_kms_key", "aws_ssm_parameter"}
    least, everything = (synthesise(**VARIANTS[name])["datasync_buckets"] for name in ("least", "everything"))
    images, reports = (of_type(least, "aws_s3_bucket")[name] for name in ("bucket", "reports"))
    assert only(least, "aws_kms_key")["lifecycle"]["prevent_destroy"] is True
    assert (images["lifecycle"]["prevent_destroy"], images["force_destroy"]) == (True, False)
    assert (reports["lifecycle"]["prevent_destroy"], reports["force_destroy"]) == (False, False)
    rules = of_type(least, "aws_s3_bucket_lifecycle_configuration")
    assert not {"expiration", "noncurrent_version_expiration"} & set(rules["bucket_lifecycle"]["rule"][0])
    assert rules["reports_lifecycle"]["rule"][0]["expiration"] == [{"days": 365}]
    let_go = of_type(everything, "aws_s3_bucket")["bucket"]
    assert (let_go["lifecycle"]["prevent_destroy"], let_go["force_destroy"]) == (False, True)


def test_datasync_may_write_its_log_and_nobody_else(least: dict[str, Any]) -> None:
    policy = only(least, "aws_cloudwatch_log_resource_policy")
    (statement,) = json.loads(policy["policy_document"])["Statement"]
    assert statement["Principal"] == {"Service": "datasync.amazonaws.com"}
    assert statement["Resource"] == "${aws_cloudwatch_log_group.task_logs.arn}:*"
    assert statement["Condition"]["ArnLike"] == {"aws:SourceArn": "arn:aws:datasync:eu-central-1:111122223333:task/*"}
    task = only(least, "aws_datasync_task")
    assert task["cloudwatch_log_group_arn"] == "${aws_cloudwatch_log_group.task_logs.arn}:*"
    assert "aws_cloudwatch_log_resource_policy.task_logs_policy" in task["depends_on"]


def test_each_execution_leaves_a_report_apart_from_the_images(least: dict[str, Any]) -> None:
    report = only(least, "aws_datasync_task")["task_report_config"]
    assert report["report_level"] == "SUCCESSES_AND_ERRORS"
    assert report["s3_destination"]["s3_bucket_arn"] == f"{KEPT}aws_s3_bucket_reports_arn}}"


def test_an_arrival_waits_in_a_queue_that_loses_nothing(synthesise: Callable[..., Stacks]) -> None:
    stacks = synthesise(datasync={"prefix": "in"})
    stack = stacks["datasync"]
    rule = of_type(stack, "aws_cloudwatch_event_rule")["arrivals"]
    pattern = json.loads(rule["event_pattern"])
    assert (pattern["source"], pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
    assert pattern["detail"]["object"] == {"key": [{"prefix": "in/"}]}
    notification = of_type(stacks["datasync_buckets"], "aws_s3_bucket_notification")["bucket_notification"]
    assert notification["eventbridge"] is True
    queues = of_type(stack, "aws_sqs_queue")
    assert {queue["message_retention_seconds"] for queue in queues.values()} == {14 * 86_400}
    assert all(queue["sqs_managed_sse_enabled"] for queue in queues.values())
    redrive = json.loads(queues["arrivals_queue"]["redrive_policy"])
    assert redrive["deadLetterTargetArn"] == "${aws_sqs_queue.arrivals_dead_letters.arn}"
    target = of_type(stack, "aws_cloudwatch_event_target")["arrivals_target"]
    assert target["dead_letter_config"] == {"arn": "${aws_sqs_queue.arrivals_dead_letters.arn}"}
    for policy in of_type(stack, "aws_sqs_queue_policy").values():
        (statement,) = json.loads(policy["policy"])["Statement"]
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": "${aws_cloudwatch_event_rule.arrivals.arn}"}}


def test_the_starter_may_start_this_task_and_read_this_queue(least: dict[str, Any]) -> None:
    may = _statements(least, "starter_policy")
    assert may["StartTheTask"]["Resource"] == "${aws_datasync_task.task.arn}"
    assert may["TakeFromTheQueue"]["Resource"] == "${aws_sqs_queue.arrivals_queue.arn}"
    assert set(may) == {"StartTheTask", "TakeFromTheQueue", "WriteOwnLog"}
    function = only(least, "aws_lambda_function")
    hidden = of_type(least, "aws_sqs_queue")["arrivals_queue"]["visibility_timeout_seconds"]
    assert function["timeout"] < 60 < hidden
    assert function["logging_config"]["log_group"] == "${aws_cloudwatch_log_group.starter_log_group.name}"
    assert of_type(least, "aws_cloudwatch_event_rule")["starter_rule"]["schedule_expression"] == "rate(1 minute)"


def test_the_schedule_alone_starts_it_if_the_workspace_says_so(everything: dict[str, Any]) -> None:
    for type_ in ("aws_lambda_function", "aws_sqs_queue", "aws_s3_bucket_notification", "aws_cloudwatch_metric_alarm"):
        assert not of_type(everything, type_)


def test_failures_reach_people(least: dict[str, Any], everything: dict[str, Any]) -> None:
    failed = json.loads(of_type(least, "aws_cloudwatch_event_rule")["failed"]["event_pattern"])
    assert failed["detail"] == {"State": ["ERROR"]}
    assert failed["resources"] == [{"prefix": "${aws_datasync_task.task.arn}/execution/"}]
    alarms = of_type(least, "aws_cloudwatch_metric_alarm")
    assert set(alarms) == {"alarms_dead_letters", "alarms_starter_errors"}
    for alarm in alarms.values():
        assert alarm["alarm_actions"] == ["${aws_sns_topic_policy.alarms_policy.arn}"]
    assert only(least, "aws_sns_topic")["kms_master_key_id"] == "${aws_kms_key.key.arn}"
    key = json.loads(only(least, "aws_kms_key")["policy"])["Statement"]
    (services,) = [statement for statement in key if statement["Sid"] == "ServicesWrite"]
    assert set(services["Principal"]["Service"]) == {"events.amazonaws.com", "cloudwatch.amazonaws.com"}
    subscribed = of_type(everything, "aws_sns_topic_subscription").values()
    assert {each["endpoint"] for each in subscribed} == {"imaging@example.org", "it@example.org"}


def test_the_functions_archive_is_its_source_and_always_the_same(tmp_path: Path) -> None:
    outs = [tmp_path / "first", tmp_path / "second"]
    for out in outs:
        main.build(workspace(datasync={}), outdir=str(out))
    first, second = ((out / "stacks/datasync/datasync_starter.zip").read_bytes() for out in outs)
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.namelist() == ["datasync_starter.py"]
        assert archive.read("datasync_starter.py") == (FOLDER / "datasync_starter.py").read_bytes()
    texts = [(out / "stacks/datasync/cdk.tf.json").read_text() for out in outs]
    assert texts[0] == texts[1]
    function = only(json.loads(texts[0]), "aws_lambda_function")
    assert function["filename"] == "datasync_starter.zip"
    assert function["source_code_hash"] == base64.b64encode(hashlib.sha256(first).digest()).decode()


def test_longest_names_fit(tmp_path: Path) -> None:
    longest = workspace(name="a" * 16, region="ap-southeast-3", datasync={})
    assert longest.datasync == DataSync()
    main.build(longest, outdir=str(tmp_path))


@pytest.mark.nightly
@pytest.mark.parametrize("variant", VARIANTS)
def test_terraform_finds_the_stack_valid(tmp_path: Path, variant: str) -> None:
    main.build(workspace(**VARIANTS[variant]), outdir=str(tmp_path))
    environ = {**toolchain.environment(), "TF_WORKSPACE": "lab"}

    def terraform(*words: str) -> str:
        done = subprocess.run(
            ["terraform", *words],
            cwd=tmp_path / "stacks" / "datasync",
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    terraform("init", "-backend=false", "-input=false", "-no-color")
    validate = json.loads(terraform("validate", "-json"))
    faults = [fault for fault in validate["diagnostics"] if fault["severity"] == "error"]
    assert validate["valid"], faults

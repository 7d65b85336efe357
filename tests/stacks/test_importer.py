"""The importer beside OMERO.server: on its mount, within its own limits, with a program that replaces no server."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from pydantic import ValidationError

import containers as programs
import main
from containers import package
from containers.importer import attempts
from containers.importer.arrivals import TROUBLE
from containers.importer.figures import Figures
from modules.container import RESTART_SECONDS
from stacks.services.importer import ALIVE, ARRIVALS, FIGURES, REFUSED
from tests.conftest import Stacks, containers, of_type, only, read_stacks, ways_to, workspace
from tests.settings.test_topology import sections

# ECS takes no more in one task definition (its API reference, "Task definition size").
TASK_DEFINITION_BYTES = 64 * 1024
SECRET = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:importer-AbCdEf"


@pytest.fixture
def omero(synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise()["omero"]


def _importer(stack: dict[str, Any]) -> dict[str, Any]:
    return containers(stack, "server")["importer"]


def _variables(stack: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in _importer(stack)["environment"]}


def _statements(stack: dict[str, Any], role: str = "server", kind: str = "task") -> dict[str, dict[str, Any]]:
    policy = of_type(stack, "aws_iam_role_policy")[f"{role}_{kind}_policy"]["policy"]
    return {statement["Sid"]: statement for statement in json.loads(policy)["Statement"]}


@pytest.mark.parametrize("topology", ["rw-http", "rw-ro-tls", "rw-tls-s3fg"])
def test_is_in_the_servers_task_on_the_same_volumes_and_in_no_other(
    synthesise: Callable[..., Stacks], topology: str
) -> None:
    omero = synthesise(**sections(topology))["omero"]
    found = containers(omero, "server")
    assert found["importer"]["mountPoints"] == found["server"]["mountPoints"]
    assert found["importer"]["image"] == found["server"]["image"]
    others = set(of_type(omero, "aws_ecs_task_definition")) - {"server_task_definition"}
    assert others
    assert not [each for each in others if "importer" in containers(omero, each.removesuffix("_task_definition"))]


def test_starts_after_the_server_without_waiting_for_its_health(synthesise: Callable[..., Stacks]) -> None:
    found = containers(synthesise(**sections("rw-ro-tls"))["omero"], "server")
    assert found["importer"]["dependsOn"] == [{"containerName": "server", "condition": "START"}]
    assert found["server"]["dependsOn"] == [{"containerName": "read-only-role", "condition": "SUCCESS"}]


def test_its_end_is_not_the_servers_and_it_starts_again(omero: dict[str, Any]) -> None:
    importer = _importer(omero)
    assert importer["essential"] is False
    assert "healthCheck" not in importer, "ECS ignores it"
    assert importer["stopTimeout"] == 120
    assert importer["restartPolicy"] == {"enabled": True, "restartAttemptPeriod": RESTART_SECONDS}


def test_ecs_takes_the_definition(omero: dict[str, Any]) -> None:
    """By AWS's own model: an unknown key would be dropped by Terraform's provider without a word."""
    known = Session().get_service_model("ecs").shape_for("ContainerDefinition").members  # type: ignore[attr-defined]
    assert set(_importer(omero)) <= set(known)
    assert set(_importer(omero)["restartPolicy"]) <= set(known["restartPolicy"].members)
    assert "minimum <code>restartAttemptPeriod</code> of 60 seconds" in (
        known["restartPolicy"].members["restartAttemptPeriod"].documentation
    )
    assert RESTART_SECONDS == 60
    definition = of_type(omero, "aws_ecs_task_definition")["server_task_definition"]
    assert len(definition["container_definitions"]) < TASK_DEFINITION_BYTES / 2


def test_runs_as_root_what_the_image_would_not_start(omero: dict[str, Any]) -> None:
    importer = _importer(omero)
    assert importer["user"] == "0"
    assert importer["entryPoint"][0] == "/opt/omero/server/venv3/bin/python"
    assert importer["entryPoint"][-1] == "supervisor"
    assert "60-database" not in json.dumps(importer), "it would make a database"


def test_knows_what_the_record_says_and_nothing_else(synthesise: Callable[..., Stacks]) -> None:
    omero = synthesise(**sections("rw-tls-s3fg"), omero={"importer": {"memory_mib": 3072}})["omero"]
    found = _variables(omero)
    assert "root_password" in found.pop("OMERO_PASSWORD_SECRET")
    assert found.pop("PROGRAM") == package("supervisor")
    assert "ledger" in found.pop("LEDGER_TABLE")
    assert "import_requests" in found.pop("REQUESTS_TABLE")
    assert found == {
        "ARRIVALS_PARAMETER": "${aws_ssm_parameter.published_arrivals.name}",
        "IMPORT_ROOTS": '["/OMERO", "/s3uploads"]',
        "JAVA_OPTS": "-Xmx2560m -XX:+ExitOnOutOfMemoryError",
        "OMERO_ADMIN": "root",
        "PARALLEL_FILESETS": "4",
        "PROGRAM_BUCKET": "${aws_s3_bucket_policy.importer_program_bucket_policy.bucket}",
        "PROGRAM_PARAMETER": "${aws_ssm_parameter.published_importer_digest.name}",
        "WORKER_REGION": "eu-central-1",
    }


def test_no_container_is_given_the_importers_password(synthesise: Callable[..., Stacks]) -> None:
    """The server's is for making the database; a lost secret of the importer's must not keep OMERO from starting."""
    named = synthesise(omero={"importer": {"admin": "importer", "password_arn": SECRET}})["omero"]
    found = containers(named, "server")
    assert found["importer"]["secrets"] == []
    assert SECRET not in json.dumps([each["secrets"] for each in found.values()])
    assert _variables(named)["OMERO_PASSWORD_SECRET"] == SECRET
    assert _variables(named)["OMERO_ADMIN"] == "importer"
    assert _statements(named)["ReadPassword"]["Resource"] == SECRET
    assert SECRET not in json.dumps(_statements(named, kind="execution"))


def test_another_program_leaves_the_servers_definition_as_it_is(
    omero: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modules.program.package", lambda name: base64.b64encode(name.encode()).decode())
    main.build(workspace(), outdir=str(tmp_path))
    other = read_stacks(tmp_path)["omero"]
    for type_ in ("aws_ecs_task_definition", "aws_ecs_service", "aws_iam_role_policy", "aws_s3_bucket"):
        assert of_type(other, type_) == of_type(omero, type_)
    digest = hashlib.sha256(b"importer").hexdigest()
    assert only(other, "aws_s3_object")["key"] == f"importer/{digest}"
    assert only(omero, "aws_s3_object")["key"] != f"importer/{digest}"


def test_the_supervisor_is_the_only_program_in_a_definition(omero: dict[str, Any]) -> None:
    definition = of_type(omero, "aws_ecs_task_definition")["server_task_definition"]
    assert package("importer") not in definition["container_definitions"]


def test_its_program_is_an_object_by_digest_that_goes_after_its_successor_is_named(omero: dict[str, Any]) -> None:
    program = only(omero, "aws_s3_object")
    content = base64.b64decode(package("importer"))
    assert program["key"] == f"importer/{hashlib.sha256(content).hexdigest()}"
    assert base64.b64decode(program["content_base64"]) == content
    assert program["lifecycle"] == {"create_before_destroy": True}
    assert not program["override_provider"]["default_tags"].get("tags"), (
        "S3 takes 10 tags, and a workspace has up to 40"
    )
    parameter = of_type(omero, "aws_ssm_parameter")["published_importer_digest"]
    assert parameter["value"] == '${trimprefix(aws_s3_object.importer_program.key, "importer/")}'
    assert parameter["name"] == "/omero/lab/omero/importer_digest"


def test_its_program_is_the_same_whenever_it_is_packed() -> None:
    assert package("importer") == package("importer")
    assert (Path(programs.__file__).parent / "importer" / "__main__.py").is_file()


def test_its_bucket_is_private_and_goes_with_the_stack(omero: dict[str, Any]) -> None:
    bucket = of_type(omero, "aws_s3_bucket")["importer_program_bucket"]
    assert bucket["force_destroy"] is True
    assert bucket["lifecycle"] == {"prevent_destroy": False}
    assert only(omero, "aws_s3_bucket_public_access_block")["restrict_public_buckets"] is True
    assert only(omero, "aws_s3_object")["kms_key_id"] == "${aws_kms_key.key.arn}"


def test_its_rights(omero: dict[str, Any]) -> None:
    found = _statements(omero)
    assert (found["FindProgram"]["Action"], found["FindProgram"]["Resource"]) == (
        "ssm:GetParameter",
        "${aws_ssm_parameter.published_importer_digest.arn}",
    )
    assert (found["ReadProgram"]["Action"], found["ReadProgram"]["Resource"]) == (
        "s3:GetObject",
        "${aws_s3_bucket.importer_program_bucket.arn}/importer/*",
    )
    assert found["ReadPassword"]["Action"] == "secretsmanager:GetSecretValue"
    assert found["UseLedger"]["Action"] == [
        f"dynamodb:{each}" for each in ("BatchGetItem", "GetItem", "PutItem", "Query", "UpdateItem")
    ]
    assert found["UseLedger"]["Resource"][1].endswith("/index/*")
    assert found["UseRequests"]["Action"] == [
        f"dynamodb:{each}"
        for each in ("BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
    ]
    vias = {
        sid: found[sid]["Condition"]["StringEquals"]["kms:ViaService"] for sid in ("DecryptTables", "DecryptPassword")
    }
    assert vias == {
        "DecryptTables": "dynamodb.eu-central-1.amazonaws.com",
        "DecryptPassword": "secretsmanager.eu-central-1.amazonaws.com",
    }
    # Its program is encrypted with the key of ECS Exec's sessions.
    assert (found["ExecKey"]["Action"], found["ExecKey"]["Resource"]) == ("kms:Decrypt", "${aws_kms_key.key.arn}")


def test_nobody_else_has_them(synthesise: Callable[..., Stacks]) -> None:
    omero = synthesise(**sections("rw-ro-tls"))["omero"]
    ours = {
        "FindProgram",
        "ReadProgram",
        "UseLedger",
        "UseRequests",
        "ReadPassword",
        "DecryptTables",
        "DecryptPassword",
    }
    assert ours <= set(_statements(omero))
    for role in ("web", "read_only_1"):
        assert not ours & set(_statements(omero, role))


def test_no_task_is_run_for_an_import(synthesise: Callable[..., Stacks]) -> None:
    omero = synthesise(**sections("rw-tls-s3fg"))["omero"]
    assert set(of_type(omero, "aws_ecs_task_definition")) == {"server_task_definition", "web_task_definition"}
    assert "importer" not in " ".join(of_type(omero, "aws_security_group"))
    assert ("importer_security_group", 4064) not in ways_to(omero, "server")
    gone = {"importer_task_family", "importer_security_group_id", "importer_max_tasks", "importer_capacity_provider"}
    assert not gone & set(omero["output"])
    assert {"importer_log_group_name", "importer_parallel_filesets", "importer_digest"} <= set(omero["output"])


def test_writes_to_a_log_of_its_own(omero: dict[str, Any]) -> None:
    options = _importer(omero)["logConfiguration"]["options"]
    assert options["awslogs-group"] == "${aws_cloudwatch_log_group.importer_log_group.name}"
    assert of_type(omero, "aws_cloudwatch_log_group")["importer_log_group"]["name"] == "/omero/lab/importer"
    written = _statements(omero, kind="execution")["WriteOwnLog"]["Resource"]
    assert "${aws_cloudwatch_log_group.importer_log_group.arn}:*" in written


def test_somebody_hears_of_an_importer_that_says_nothing(synthesise: Callable[..., Stacks]) -> None:
    omero = synthesise(omero={"importer": {"alarm_emails": ["lab@example.org"]}})["omero"]
    lines = of_type(omero, "aws_cloudwatch_log_metric_filter")["importer_alarms_silent_lines"]
    assert lines["pattern"] == '"importer alive"'
    assert lines["log_group_name"] == "${aws_cloudwatch_log_group.importer_log_group.name}"
    alarm = of_type(omero, "aws_cloudwatch_metric_alarm")["importer_alarms_silent"]
    assert (alarm["namespace"], alarm["alarm_name"]) == ("omero-lab", "omero-lab-importer-silent")
    assert lines["metric_transformation"]["namespace"] == "omero-lab"
    assert (alarm["period"], alarm["evaluation_periods"], alarm["statistic"]) == (300, 1, "Sum")
    assert (alarm["comparison_operator"], alarm["threshold"]) == ("LessThanThreshold", 1)
    assert alarm["treat_missing_data"] == "breaching"
    assert alarm["alarm_actions"] == ["${aws_sns_topic_policy.importer_alarms_policy.arn}"]
    assert only(omero, "aws_sns_topic_subscription")["endpoint"] == "lab@example.org"
    assert "cloudwatch.amazonaws.com" in only(omero, "aws_kms_key")["policy"], "or it could not publish"


def test_somebody_hears_of_a_file_that_reached_out_of_its_folder(omero: dict[str, Any]) -> None:
    lines = of_type(omero, "aws_cloudwatch_log_metric_filter")["importer_alarms_refused_lines"]
    assert lines["pattern"] == f'"{REFUSED}"'
    assert REFUSED == attempts.REFUSED
    alarm = of_type(omero, "aws_cloudwatch_metric_alarm")["importer_alarms_refused"]
    assert "importer_alarms_refused_lines.metric_transformation" in alarm["metric_name"]
    assert lines["metric_transformation"]["namespace"] == alarm["namespace"] == "omero-lab"
    assert (alarm["comparison_operator"], alarm["threshold"]) == ("GreaterThanThreshold", 0)
    assert alarm["treat_missing_data"] == "notBreaching"


@pytest.mark.parametrize(
    ("importer", "rule"),
    [
        ({"cpu": 2048}, r"importer\.cpu\n"),
        ({"max_tasks": 2}, r"importer\.max_tasks\n"),
        ({"memory_mib": 1023}, "greater than or equal to 1024"),
        ({"admin": "importer"}, "admin importer needs a password"),
        ({"parallel_filesets": 0}, "greater than or equal to 1"),
    ],
)
def test_refuses_importers_that_could_not_run(importer: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        workspace(omero={"importer": importer})


def test_the_alarm_listens_to_what_the_worker_prints() -> None:
    printed = (Path(programs.__file__).parent / "importer" / "worker.py").read_text(encoding="utf-8")
    assert f'sys.stdout.write("{ALIVE}\\n")' in printed


def test_other_watched_folders_leave_the_servers_definition_as_it_is(synthesise: Callable[..., Stacks]) -> None:
    without = synthesise()["omero"]
    watching = synthesise(arrivals={"folders": [{"path": "/OMERO/in"}]})["omero"]
    for type_ in ("aws_ecs_task_definition", "aws_ecs_service"):
        assert of_type(watching, type_) == of_type(without, type_)
    assert not of_type(watching, "aws_sqs_queue"), "nothing sends hints"
    heard = of_type(watching, "aws_cloudwatch_log_metric_filter").keys()
    more = heard - of_type(without, "aws_cloudwatch_log_metric_filter").keys()
    assert more == {"importer_alarms_arrivals_lines", *(f"importer_figures_{field}" for field in FIGURES)}
    parameter = of_type(watching, "aws_ssm_parameter")["published_arrivals"]
    assert (parameter["name"], json.loads(parameter["value"])["folders"][0]["path"]) == (
        "/omero/lab/omero/arrivals",
        "/OMERO/in",
    )
    read = _statements(watching)["ReadArrivals"]
    assert (read["Action"], read["Resource"]) == ("ssm:GetParameter", "${aws_ssm_parameter.published_arrivals.arn}")


def test_somebody_hears_of_an_arrival_that_needs_a_person(synthesise: Callable[..., Stacks]) -> None:
    omero = synthesise(arrivals={"folders": [{"path": "/OMERO/in"}]})["omero"]
    lines = of_type(omero, "aws_cloudwatch_log_metric_filter")["importer_alarms_arrivals_lines"]
    assert lines["pattern"] == f'"{TROUBLE}"'
    assert lines["log_group_name"] == "${aws_cloudwatch_log_group.importer_log_group.name}"
    alarm = of_type(omero, "aws_cloudwatch_metric_alarm")["importer_alarms_arrivals"]
    assert "importer_alarms_arrivals_lines.metric_transformation" in alarm["metric_name"]
    assert (alarm["statistic"], alarm["comparison_operator"], alarm["threshold"]) == ("Sum", "GreaterThanThreshold", 0)
    assert alarm["treat_missing_data"] == "notBreaching", "nothing has failed"
    assert alarm["alarm_actions"] == ["${aws_sns_topic_policy.importer_alarms_policy.arn}"]


def test_somebody_hears_of_what_waits_too_long_and_of_a_worker_that_does_not_look(
    synthesise: Callable[..., Stacks], capsys: pytest.CaptureFixture[str]
) -> None:
    arrivals = {"folders": [{"path": "/OMERO/in"}], "alarm_minutes": 90}
    omero = synthesise(arrivals=arrivals)["omero"]
    Figures(waiting=2, failed=1, since=time.time() - 5400).say(arriving=3, imported=4)
    said = json.loads(capsys.readouterr().out)
    assert set(said[ARRIVALS]) == set(FIGURES)
    assert 5395 < said[ARRIVALS]["oldest_seconds"] < 5500
    filters = of_type(omero, "aws_cloudwatch_log_metric_filter")
    for field in FIGURES:
        made = filters[f"importer_figures_{field}"]
        assert made["pattern"] == f"{{ $.arrivals.{field} = * }}"
        assert made["metric_transformation"]["value"] == f"$.arrivals.{field}"
        assert made["log_group_name"] == "${aws_cloudwatch_log_group.importer_log_group.name}"
    alarm = of_type(omero, "aws_cloudwatch_metric_alarm")["importer_alarms_oldest_arrival"]
    assert "importer_figures_oldest_seconds.metric_transformation" in alarm["metric_name"]
    namespace = filters["importer_figures_oldest_seconds"]["metric_transformation"]["namespace"]
    assert namespace == alarm["namespace"] == "omero-lab"
    assert (alarm["statistic"], alarm["comparison_operator"], alarm["threshold"]) == (
        "Maximum",
        "GreaterThanThreshold",
        5400,
    )
    assert (alarm["period"], alarm["evaluation_periods"]) == (300, 3)
    assert alarm["treat_missing_data"] == "breaching", "a worker that is stuck says nothing"
    assert alarm["alarm_actions"] == ["${aws_sns_topic_policy.importer_alarms_policy.arn}"]
    assert "importer_alarms_oldest_arrival" not in of_type(synthesise()["omero"], "aws_cloudwatch_metric_alarm")


def test_only_the_worker_sends_messages_of_what_arrived_and_people_may_get_them(
    synthesise: Callable[..., Stacks],
) -> None:
    without = synthesise()["omero"]
    omero = synthesise(arrivals={"folders": [{"path": "/OMERO/in"}], "report_emails": ["lab@example.org"]})["omero"]
    topic = of_type(omero, "aws_sns_topic")["importer_reports"]
    assert (topic["name"], topic["kms_master_key_id"]) == ("omero-lab-arrivals", "${aws_kms_key.key.arn}")
    (subscription,) = of_type(omero, "aws_sns_topic_subscription").values()
    arn = "${aws_sns_topic.importer_reports.arn}"
    assert (subscription["topic_arn"], subscription["endpoint"]) == (arn, "lab@example.org")
    assert arn not in json.dumps(of_type(omero, "aws_sns_topic_policy")), "or alarms and rules could write there"
    found = _statements(omero)
    assert set(found) - set(_statements(without)) == {"SendReports", "EncryptReports"}
    assert (found["SendReports"]["Action"], found["SendReports"]["Resource"]) == ("sns:Publish", arn)
    encrypt = found["EncryptReports"]
    assert (encrypt["Action"], encrypt["Resource"]) == (
        ["kms:Decrypt", "kms:GenerateDataKey"],
        topic["kms_master_key_id"],
    )
    assert encrypt["Condition"]["StringEquals"] == {"kms:ViaService": "sns.eu-central-1.amazonaws.com"}
    said = json.loads(of_type(omero, "aws_ssm_parameter")["published_arrivals"]["value"])
    assert (said["reports_topic"], said["workspace"]) == (arn, "lab")
    assert said["web_url"] == of_type(omero, "aws_ssm_parameter")["published_web_url"]["value"]
    assert "report_emails" not in json.dumps(said)
    assert {"importer_reports"}.isdisjoint(of_type(without, "aws_sns_topic"))


def test_ways_in_that_are_watched_send_hints(synthesise: Callable[..., Stacks]) -> None:
    ways_in: dict[str, Any] = {"sftp": {"cidrs": ["192.0.2.0/24"]}, "datasync": {}}
    omero = synthesise(**ways_in, arrivals={})["omero"]
    assert of_type(omero, "aws_ecs_task_definition") == of_type(synthesise()["omero"], "aws_ecs_task_definition")
    queue = only(omero, "aws_sqs_queue")
    assert (queue["sqs_managed_sse_enabled"], queue["message_retention_seconds"]) == (True, 3600)
    rule = of_type(omero, "aws_cloudwatch_event_rule")["importer_hints"]
    patterns = json.loads(rule["event_pattern"])["$or"]
    assert [each["source"] for each in patterns] == [["aws.transfer"], ["aws.transfer"], ["aws.datasync"]]
    assert patterns[1]["detail-type"] == ["SFTP Server File Rename Completed"]
    assert patterns[1]["detail"]["renamed-file-path"][0]["prefix"].startswith("/${")
    assert patterns[2]["detail"] == {"State": ["SUCCESS", "ERROR"]}
    parameter = json.loads(of_type(omero, "aws_ssm_parameter")["published_arrivals"]["value"])
    assert parameter["hints_url"] == "${aws_sqs_queue.importer_hints_queue.url}"
    (policy,) = json.loads(only(omero, "aws_sqs_queue_policy")["policy"])["Statement"]
    assert policy["Principal"] == {"Service": "events.amazonaws.com"}
    assert policy["Condition"] == {"ArnEquals": {"aws:SourceArn": "${aws_cloudwatch_event_rule.importer_hints.arn}"}}
    target = only(omero, "aws_cloudwatch_event_target")
    assert (target["rule"], target["arn"]) == (
        "${aws_cloudwatch_event_rule.importer_hints.name}",
        "${aws_sqs_queue.importer_hints_queue.arn}",
    )
    take = _statements(omero)["TakeHints"]
    assert (take["Action"], take["Resource"]) == (
        ["sqs:DeleteMessage", "sqs:ReceiveMessage"],
        "${aws_sqs_queue.importer_hints_queue.arn}",
    )
    assert not of_type(synthesise(**ways_in)["omero"], "aws_sqs_queue"), "nobody looks"
    gateway = {"file_gateway": {}, "arrivals": {"folders": [{"path": "/OMERO/in"}]}}
    assert not of_type(synthesise(**gateway)["omero"], "aws_sqs_queue"), "servers do not mount its share"

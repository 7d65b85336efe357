"""Containers that really run their command."""

from __future__ import annotations

import json
import time
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.ecs import Client, until
from local_aws.testing.programs import IMAGE, Programs, programs

__all__ = ["programs"]


def test_command_sees_its_mounts_and_nothing_else_of_this_machine(programs: Programs) -> None:
    (programs.folder / "in.txt").write_text("from outside\n")
    task = programs.run("/bin/sh", "-c", "cat /data/in.txt; id -u; echo hi > /data/out.txt; ls /work /tmp; exit 7")
    assert task["containers"][0]["exitCode"] == 7
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert (programs.folder / "out.txt").read_text() == "hi\n"
    log = programs.log(task)
    assert log[:2] == ["from outside", "1000"]
    assert "ls: cannot access '/work': No such file or directory" in log
    assert not [line for line in log if "pytest" in line]


def test_environment_is_the_definitions_with_its_secrets_and_overrides(programs: Programs, client: Client) -> None:
    name = f"programs-{uuid4().hex[:6]}"
    secret = client("secretsmanager").create_secret(Name=name, SecretString=json.dumps({"password": "s3cret $(x)"}))
    client("ssm").put_parameter(Name=f"/{name}", Value="from ssm", Type="SecureString")
    definition = programs.definition(
        entryPoint=["/bin/sh", "-c"],
        command=["env"],
        environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        secrets=[
            {"name": "PASSWORD", "valueFrom": f"{secret['ARN']}:password::"},
            {"name": "PARAMETER", "valueFrom": f"arn:aws:ssm:eu-west-1:123456789012:parameter/{name}"},
        ],
    )
    overrides = {"containerOverrides": [{"name": "main", "environment": [{"name": "B", "value": "3"}]}]}
    task = programs.until(programs.start(definition, overrides=overrides), "STOPPED")
    log = programs.log(task)
    assert {"A=1", "B=3", "PASSWORD=s3cret $(x)", "PARAMETER=from ssm", "AWS_REGION=eu-west-1"} <= set(log)
    assert not [line for line in log if line.startswith(("LOCAL_AWS", "PYTHON", "HOME=/root"))]


def test_stop_sends_sigterm_and_kills_after_the_timeout(programs: Programs) -> None:
    polite = programs.definition(
        entryPoint=["/bin/sh", "-c", "trap 'echo bye; exit 5' TERM; while :; do sleep 0.1; done"]
    )
    deaf = programs.definition(entryPoint=["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], stopTimeout=2)
    tasks = [programs.start(each) for each in (polite, deaf)]
    for arn in tasks:
        programs.until(arn, "RUNNING")
        programs.ecs.client.stop_task(cluster=programs.ecs.cluster, task=arn, reason="enough")
    stopped = [programs.until(arn, "STOPPED") for arn in tasks]
    assert [task["containers"][0]["exitCode"] for task in stopped] == [5, 137]
    assert all((task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough") for task in stopped)
    assert "bye" in programs.log(stopped[0])
    assert (stopped[1]["stoppedAt"] - stopped[1]["stoppingAt"]).total_seconds() >= 2


def test_init_process_passes_signals_on(programs: Programs) -> None:
    definition = programs.definition(entryPoint=["sleep", "100"], linuxParameters={"initProcessEnabled": True})
    arn = programs.start(definition)
    programs.until(arn, "RUNNING")
    programs.ecs.client.stop_task(cluster=programs.ecs.cluster, task=arn)
    assert programs.until(arn, "STOPPED")["containers"][0]["exitCode"] == 143


@pytest.mark.parametrize(
    ("fault", "reason", "code"),
    [
        ("CannotPullContainerError", "CannotPullContainerError: pull image", "TaskFailedToStart"),
        ("ResourceInitializationError", "ResourceInitializationError: unable to pull secrets", "TaskFailedToStart"),
        ("OutOfMemory:0.1", "OutOfMemoryError: Container killed due to memory usage", "EssentialContainerExited"),
        ("kill:0.1", "Essential container in task exited", "EssentialContainerExited"),
        ("spot:0.1", "Your Spot Task was interrupted.", "SpotInterruption"),
    ],
)
def test_task_meets_a_fault(programs: Programs, fault: str, reason: str, code: str) -> None:
    programs.fault(task=[fault])
    task = programs.run("/bin/sh", "-c", "sleep 20", linuxParameters={"initProcessEnabled": True})
    assert task["stoppedReason"].startswith(reason)
    assert task["stopCode"] == code
    assert task["containers"][0].get("exitCode") == {"Out": 137, "kil": 137, "spo": 143}.get(fault[:3])
    assert programs.run("true")["containers"][0]["exitCode"] == 0


def test_refuses_to_start_what_is_not_there(programs: Programs) -> None:
    task = programs.run("/no/such/program")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith('CannotStartContainerError: OCI runtime create failed: exec: "/no/such')


def test_actions_meet_faults_and_a_lost_answer_has_started_the_task(programs: Programs) -> None:
    definition = programs.definition(entryPoint=["sleep", "60"])
    # boto3 asks again by itself after an error of the server's own.
    programs.fault(RunTask=["lost", "AccessDeniedException"])
    with pytest.raises(ClientError) as refused:
        programs.start(definition, startedBy="me", clientToken="once")
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    arns = [programs.start(definition, startedBy="me", clientToken="once") for _ in range(2)]
    listed = programs.ecs.client.list_tasks(cluster=programs.ecs.cluster, startedBy="me")["taskArns"]
    assert set(arns) == set(listed)
    assert len(listed) == 1
    programs.ecs.client.stop_task(cluster=programs.ecs.cluster, task=arns[0])


def test_refuses_overrides_that_are_too_long(programs: Programs) -> None:
    definition = programs.definition(entryPoint=["true"])
    override = {"name": "main", "environment": [{"name": "A", "value": "x" * 8192}]}
    with pytest.raises(ClientError, match="at most 8192"):
        programs.start(definition, overrides={"containerOverrides": [override]})


def test_what_a_container_leaves_behind_ends_with_its_process_1(programs: Programs) -> None:
    beat = programs.folder / "beat"
    definition = programs.definition(
        entryPoint=["/bin/sh", "-c", "(while :; do date > /data/beat; sleep 0.1; done) & sleep 0.5"]
    )
    programs.until(programs.start(definition), "STOPPED")
    until(beat.exists)
    time.sleep(0.3)
    last = beat.stat().st_mtime_ns
    time.sleep(0.4)
    assert beat.stat().st_mtime_ns == last


@pytest.mark.parametrize(("code", "reached"), [(0, True), (3, False)])
def test_container_waits_for_the_success_of_another(programs: Programs, code: int, reached: bool) -> None:
    first = {
        "name": "first",
        "image": IMAGE,
        "essential": False,
        "entryPoint": ["/bin/sh", "-c", f"sleep 0.3; exit {code}"],
    }
    arn = programs.start(
        programs.definition(
            entryPoint=["/bin/sh", "-c", "exit 9"],
            dependsOn=[{"containerName": "first", "condition": "SUCCESS"}],
            others=[first],
        )
    )
    task = programs.until(arn, "STOPPED")
    codes = {each["name"]: each.get("exitCode") for each in task["containers"]}
    assert codes == {"main": 9 if reached else None, "first": code}
    assert (task["stopCode"] == "TaskFailedToStart") is not reached


def test_container_reaches_this_aws_and_knows_itself(programs: Programs) -> None:
    task = programs.run(
        "/bin/sh", "-c", "curl -s $ECS_CONTAINER_METADATA_URI_V4; echo; curl -s $AWS_ENDPOINT_URL/nowhere"
    )
    told = json.loads(programs.log(task)[0])
    assert told["Labels"]["com.amazonaws.ecs.task-arn"] == task["taskArn"]
    assert told["LogOptions"]["awslogs-stream"] == f"it/main/{task['taskArn'].rpartition('/')[2]}"
    assert len(programs.log(task)) > 1

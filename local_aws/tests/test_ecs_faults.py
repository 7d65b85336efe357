"""What AWS refuses or cannot start is refused or not started here."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.ecs import Client, Ecs, target_group, until

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
ROLLBACK = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
MISSING = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:missing-AbCdEf"


def _reasons(ecs: Ecs) -> set[str]:
    return {task["stoppedReason"] for task in ecs.tasks("STOPPED")}


def test_missing_secret_stops_tasks_and_breaks_the_deployment(ecs: Ecs) -> None:
    definition = ecs.definition(secrets=[{"name": "PASSWORD", "valueFrom": MISSING}])
    ecs.create(definition, deploymentConfiguration=BREAKER)
    until(lambda: ecs.service()["deployments"][0]["rolloutState"] == "FAILED")

    deployment = ecs.service()["deployments"][0]
    assert deployment["failedTasks"] >= 3
    assert deployment["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    (reason,) = _reasons(ecs)
    assert reason.startswith("ResourceInitializationError: unable to pull secrets")
    assert "ResourceNotFoundException" in reason
    assert {task["stopCode"] for task in ecs.tasks("STOPPED")} == {"TaskFailedToStart"}
    assert any("deployment failed" in message for message in ecs.messages())


def test_without_breaker_it_goes_on_failing(ecs: Ecs) -> None:
    ecs.create(ecs.definition(group="/missing"), desiredCount=1)
    until(lambda: any("unable to consistently start" in message for message in ecs.messages()))
    assert ecs.service()["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    (reason,) = _reasons(ecs)
    assert "The specified log group does not exist" in reason


def test_breaker_rolls_back_to_the_last_completed_deployment(ecs: Ecs) -> None:
    good = ecs.definition()
    ecs.create(good, desiredCount=1, deploymentConfiguration=ROLLBACK)
    until(ecs.is_steady)
    bad = ecs.definition(secrets=[{"name": "PASSWORD", "valueFrom": MISSING}])

    ecs.client.update_service(cluster=ecs.cluster, service="web", taskDefinition=bad)

    until(lambda: ecs.service()["taskDefinition"] == good and ecs.is_steady())
    assert "rolling back to deploymentId" in " ".join(ecs.messages()) or any(
        "rolling back to deployment" in message for message in ecs.messages()
    )


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ('{"password": "x"}', "password", None),
        ('{"password": "x"}', "user", "did not contain json key user"),
        (None, "", "AWSCURRENT"),
    ],
)
def test_secret_needs_its_value_and_key(
    ecs: Ecs, client: Client, text: str | None, key: str, expected: str | None
) -> None:
    more = {"SecretString": text} if text else {}
    arn = client("secretsmanager").create_secret(Name=f"secret-{uuid4().hex}", **more)["ARN"]
    ecs.create(ecs.definition(secrets=[{"name": "PASSWORD", "valueFrom": f"{arn}:{key}::"}]), desiredCount=1)
    if expected is None:
        until(ecs.is_steady)
    else:
        until(lambda: any(expected in reason for reason in _reasons(ecs)))


def test_files_need_a_mount_target_in_the_zone_and_their_access_point(ecs: Ecs, client: Client) -> None:
    efs = client("efs")
    system = efs.create_file_system(CreationToken=uuid4().hex)["FileSystemId"]
    efs.create_mount_target(FileSystemId=system, SubnetId=ecs.network.subnets[0])
    volume = {
        "name": "data",
        "efsVolumeConfiguration": {
            "fileSystemId": system,
            "transitEncryption": "ENABLED",
            "authorizationConfig": {"accessPointId": "fsap-0123456789abcdef0", "iam": "ENABLED"},
        },
    }
    definition = ecs.definition(volumes=[volume])
    ecs.create(definition, networkConfiguration=ecs.vpc)
    until(lambda: len(_reasons(ecs)) == 2)
    reasons = " ".join(_reasons(ecs))
    assert "Failed to resolve" in reasons
    assert "access denied by server" in reasons


def test_target_group_deleted_under_a_service_stops_its_new_tasks(ecs: Ecs, client: Client) -> None:
    group, balancer = target_group(client, ecs.network)
    connection = {"targetGroupArn": group, "containerName": "web", "containerPort": 4080}
    ecs.create(ecs.definition(), desiredCount=0, loadBalancers=[connection])
    client("elbv2").delete_load_balancer(LoadBalancerArn=balancer)
    client("elbv2").delete_target_group(TargetGroupArn=group)
    # Scaling does not check it again: neither does AWS, before a task is to be registered.
    client("ecs").update_service(cluster=ecs.cluster, service="web", desiredCount=1)
    until(lambda: any(f"(target-group {group}): not found" in reason for reason in _reasons(ecs)))


def test_missing_role_stops_tasks(ecs: Ecs) -> None:
    arn = "arn:aws:iam::123456789012:role/missing"
    ecs.create(ecs.definition(executionRoleArn=arn), desiredCount=1)
    until(lambda: any("ECS was unable to assume the role" in reason for reason in _reasons(ecs)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"taskDefinition": "missing"}, "TaskDefinition not found"),
        ({"cluster": "missing"}, "ClusterNotFoundException"),
        ({"networkConfiguration": {}}, "Network Configuration must be provided"),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-12345678"]}}},
            "InvalidSubnetID.NotFound",
        ),
        (
            {"loadBalancers": [{"targetGroupArn": "arn:x", "containerName": "web", "containerPort": 4080}]},
            "Unable to assume role and validate the specified targetGroupArn",
        ),
        (
            {"deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 100}},
            "as this will block deployments",
        ),
        (
            {
                "deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100},
                "availabilityZoneRebalancing": "ENABLED",
            },
            "greater than 100",
        ),
        ({"serviceRegistries": [{"registryArn": "arn:aws:servicediscovery:::service/srv-x"}]}, "does not exist"),
    ],
)
def test_refuses_a_service(ecs: Ecs, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        ecs.create(**{"definition": ecs.definition(), **_renamed(change)})


def _renamed(change: dict[str, Any]) -> dict[str, Any]:
    return {"definition" if name == "taskDefinition" else name: value for name, value in change.items()}


def test_refuses_a_second_service_of_the_same_name(ecs: Ecs) -> None:
    ecs.create(ecs.definition(), desiredCount=0)
    with pytest.raises(ClientError, match="not idempotent"):
        ecs.create(ecs.definition(), desiredCount=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cpu": "512", "memory": "512"}, "No Fargate configuration exists"),
        ({"networkMode": "bridge"}, "Fargate only supports network mode"),
        (
            {
                "containerDefinitions": [
                    {"name": "web", "image": "x", "healthCheck": {"command": ["CMD", "x"], "startPeriod": 301}}
                ]
            },
            "startPeriod is 301",
        ),
        ({"executionRoleArn": ""}, "execution role ARN to support log driver awslogs"),
        (
            {
                "volumes": [
                    {
                        "name": "data",
                        "efsVolumeConfiguration": {
                            "fileSystemId": "fs-1",
                            "authorizationConfig": {"iam": "ENABLED"},
                        },
                    }
                ]
            },
            "transit encryption",
        ),
    ],
)
def test_refuses_a_task_definition(ecs: Ecs, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=f"ClientException.*{message}"):
        ecs.definition(**change)


def test_execute_command_needs_a_task_that_allows_it(ecs: Ecs) -> None:
    ecs.create(ecs.definition(), desiredCount=1)
    until(ecs.is_steady)
    request = {"cluster": ecs.cluster, "command": "/bin/sh", "interactive": True}
    with pytest.raises(ClientError, match="execute command was not enabled"):
        ecs.client.execute_command(task=ecs.tasks()[0]["taskArn"], **request)

    ecs.client.update_service(cluster=ecs.cluster, service="web", enableExecuteCommand=True, forceNewDeployment=True)
    until(ecs.is_steady)
    session = ecs.client.execute_command(task=ecs.tasks()[0]["taskArn"], **request)["session"]
    assert session["streamUrl"].startswith("wss://ssmmessages.eu-west-1.amazonaws.com/")
    assert json.dumps(session).count("ecs-execute-command-") == 2


def test_run_task_runs_and_exits(ecs: Ecs) -> None:
    task = ecs.client.run_task(
        cluster=ecs.cluster,
        taskDefinition=ecs.definition(),
        launchType="FARGATE",
        networkConfiguration=ecs.vpc,
        startedBy="importer",
    )["tasks"][0]
    assert task["lastStatus"] == "PROVISIONING"
    found = until(lambda: [each for each in ecs.tasks() if each["lastStatus"] == "RUNNING"])
    assert found[0]["startedBy"] == "importer"
    until(lambda: ecs.tasks() == [])
    ended = ecs.client.describe_tasks(cluster=ecs.cluster, tasks=[task["taskArn"], "missing"])
    assert (ended["tasks"][0]["stopCode"], ended["tasks"][0]["containers"][0]["exitCode"]) == (
        "EssentialContainerExited",
        0,
    )
    assert ended["failures"][0]["reason"] == "MISSING"

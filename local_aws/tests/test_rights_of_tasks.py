"""Tasks, functions and hosts have the rights of their roles, and fail in AWS's words without them."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from local_aws.testing.ecs import Client, Ecs, Network, until
from local_aws.testing.functions import invoke, make
from local_aws.testing.instances import instances_group
from local_aws.testing.programs import Programs, programs
from local_aws.testing.rights import grant, make_role, statement, usage

__all__ = ["programs"]

TASKS, LAMBDA = "ecs-tasks.amazonaws.com", "lambda.amazonaws.com"
LOGS = statement("logs:CreateLogStream", "logs:PutLogEvents")
CHANNELS = statement(
    *(f"ssmmessages:{each}{what}Channel" for each in ("Create", "Open") for what in ("Control", "Data"))
)


def stopped(ecs: Ecs, definition: str, **more: Any) -> str:
    """The reason for which a task of a definition stops."""
    arn = ecs.client.run_task(
        cluster=ecs.cluster, taskDefinition=definition, launchType="FARGATE", networkConfiguration=ecs.vpc, **more
    )["tasks"][0]["taskArn"]
    task = until(lambda: next((each for each in ecs.tasks("STOPPED") if each["taskArn"] == arn), None))
    return str(task["stoppedReason"])


@pytest.mark.parametrize(
    ("granted", "expected"),
    [
        ((), "is not authorized to perform: secretsmanager:GetSecretValue on resource: {secret} because"),
        (("secretsmanager:GetSecretValue",), "secrets manager: AccessDeniedException: Access to KMS is not allowed"),
        (
            ("secretsmanager:GetSecretValue", "kms:Decrypt"),
            "failed to create Cloudwatch log stream: AccessDeniedException: User: arn:aws:sts::",
        ),
        (
            ("secretsmanager:GetSecretValue", "kms:Decrypt", "logs:CreateLogStream", "logs:PutLogEvents"),
            "Essential container in task exited",
        ),
    ],
)
def test_a_task_starts_by_its_execution_role(ecs: Ecs, client: Client, granted: tuple[str, ...], expected: str) -> None:
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    secret = client("secretsmanager").create_secret(Name=uuid4().hex, SecretString="x", KmsKeyId=key)["ARN"]
    role = make_role(client, *([statement(*granted)] if granted else ()), service=TASKS)
    definition = ecs.definition(secrets=[{"name": "PASSWORD", "valueFrom": secret}], executionRoleArn=role)
    reason = stopped(ecs, definition)
    assert expected.format(secret=secret) in reason
    if expected.startswith("is not"):
        assert reason.startswith("ResourceInitializationError: unable to pull secrets or registry auth: ")


def test_a_parameter_and_an_image_of_ecr_need_rights(ecs: Ecs, client: Client) -> None:
    client("ssm").put_parameter(Name="/rights/a", Value="x", Type="String")
    role = make_role(client, LOGS, service=TASKS)
    parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/rights/a"
    secrets = [{"name": "A", "valueFrom": parameter}]
    reason = stopped(ecs, ecs.definition(secrets=secrets, executionRoleArn=role))
    assert f"perform: ssm:GetParameters on resource: {parameter} because" in reason
    container = {"name": "web", "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:1", "essential": True}
    definition = ecs.definition(executionRoleArn=role, containerDefinitions=[container])
    assert "unable to retrieve ecr registry auth" in stopped(ecs, definition)
    grant(client, role, LOGS, statement("ecr:GetAuthorizationToken"))
    assert stopped(ecs, definition).startswith("CannotPullContainerError")


def test_ecs_has_to_be_trusted(ecs: Ecs, client: Client) -> None:
    role = make_role(client, LOGS, service=LAMBDA)
    assert f"ECS was unable to assume the role '{role}'" in stopped(ecs, ecs.definition(taskRoleArn=role))


def test_efs_is_mounted_with_the_task_role(programs: Programs, client: Client) -> None:
    role = make_role(client, service=TASKS)
    found = programs.ecs.client.describe_task_definition(
        taskDefinition=programs.definition(entryPoint=["/bin/sh", "-c"], command=["touch /data/here"])
    )["taskDefinition"]
    volume = {
        "name": "files",
        "efsVolumeConfiguration": {
            "fileSystemId": programs.file_system,
            "transitEncryption": "ENABLED",
            "authorizationConfig": {"iam": "ENABLED"},
        },
    }
    kept = {key: found[key] for key in ("family", "networkMode", "cpu", "memory", "executionRoleArn")}
    definition = programs.ecs.client.register_task_definition(
        **kept,
        requiresCompatibilities=["FARGATE"],
        containerDefinitions=found["containerDefinitions"],
        volumes=[volume],
        taskRoleArn=role,
    )["taskDefinition"]["taskDefinitionArn"]
    assert "access denied by server while mounting" in stopped(programs.ecs, definition)
    system = f"arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/{programs.file_system}"
    grant(client, role, statement("elasticfilesystem:ClientMount", on=system))
    task = programs.until(programs.start(definition), "STOPPED")
    assert "Read-only file system" in " ".join(programs.log(task))
    grant(client, role, statement("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite", on=system))
    programs.until(programs.start(definition), "STOPPED")
    assert (programs.folder / "here").exists()


def test_programs_have_the_credentials_of_the_task_role(programs: Programs) -> None:
    log = programs.log(programs.run("env"))
    found = dict(line.partition("=")[::2] for line in log)
    assert found["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert found["AWS_SESSION_TOKEN"]


def test_a_session_needs_the_channels_of_the_task_role(ecs: Ecs, client: Client) -> None:
    role = make_role(client, service=TASKS)
    ecs.create(ecs.definition(taskRoleArn=role), desiredCount=1, enableExecuteCommand=True)
    until(ecs.is_steady)
    task = ecs.tasks()[0]
    assert task["containers"][0]["managedAgents"][0]["lastStatus"] == "PENDING"
    asked = {"cluster": ecs.cluster, "task": task["taskArn"], "command": "true", "interactive": True}
    with pytest.raises(ClientError, match="TargetNotConnectedException"):
        ecs.client.execute_command(**asked)
    grant(client, role, CHANNELS)
    assert ecs.client.execute_command(**asked)["session"]


FIND = """
import boto3
def handler(event, context):
    print("a line")
    return boto3.client("sqs").receive_message(QueueUrl=event["queue"]).get("Messages", [])
"""


def test_a_function_calls_with_its_role_and_logs_if_it_may(aws: LocalAws, client: Client) -> None:
    queue = client("sqs").create_queue(QueueName=uuid4().hex)["QueueUrl"]
    role = make_role(client, service=LAMBDA)
    name = make(client, FIND, "find", Role=role)
    answer, failed = invoke(client, name, {"queue": queue})
    assert failed
    assert f"assumed-role/{role.rpartition('/')[2]}/{name} is not authorized to perform: sqs:ReceiveMessage" in str(
        answer
    )
    groups = client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
    assert groups == []
    assert {"logs:CreateLogGroup", "sqs:ReceiveMessage"} <= {
        each["message"].partition("perform: ")[2].split()[0] for each in usage(aws, role)["refused"]
    }
    grant(client, role, statement("sqs:ReceiveMessage"), statement("logs:*"))
    assert invoke(client, name, {"queue": queue}) == ([], False)
    events = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    assert "a line" in json.dumps([each["message"] for each in events])


def test_lambda_refuses_a_role_that_lacks_what_lambda_needs(client: Client, network: Network) -> None:
    place = {"SubnetIds": network.subnets, "SecurityGroupIds": [network.group]}
    role = make_role(client, service=LAMBDA)
    with pytest.raises(ClientError, match="does not have permissions to call CreateNetworkInterface on EC2"):
        make(client, FIND, "find", Role=role, VpcConfig=place)
    with pytest.raises(ClientError, match="cannot be assumed by Lambda"):
        make(client, FIND, "find", Role=make_role(client, service=TASKS))
    queue = client("sqs").create_queue(QueueName=uuid4().hex)["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    name = make(client, FIND, "find", Role=role)
    with pytest.raises(ClientError, match="does not have permissions to call ReceiveMessage on SQS"):
        client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=name)


def test_an_instance_joins_its_cluster_by_its_role(client: Client, network: Network, ecs: Ecs) -> None:
    def joined() -> bool:
        return bool(ecs.client.list_container_instances(cluster=ecs.cluster)["containerInstanceArns"])

    without = statement("ecs:DiscoverPollEndpoint", "ecs:Poll", "ecs:StartTelemetrySession")
    instances_group(client, network, ecs.cluster, size=1, statements=[without])
    iam = client("iam")
    role = next(
        each["RoleName"]
        for each in iam.list_roles()["Roles"]
        if "own" in iam.list_role_policies(RoleName=each["RoleName"])["PolicyNames"]
        and "StartTelemetrySession" in str(iam.get_role_policy(RoleName=each["RoleName"], PolicyName="own"))
    )
    client("ec2").describe_instances()
    with pytest.raises(AssertionError):
        until(joined, seconds=1.5)
    grant(client, role, statement("ecs:*"))
    until(joined)

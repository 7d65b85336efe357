"""What the two roles of a task let it do: the execution role for ECS itself, the task role for its programs.

The execution role reads secrets, logs in to a registry of ECR and writes logs; with the task role EFS is mounted where
the volume's `authorizationConfig` says `iam`, and the agent of ECS Exec opens its channels. The reasons are AWS's, in
the words of public reports: secrets of Secrets Manager (GiamPy5/terraform-aws-directus issue 10) and of Parameter Store
(aws/copilot-cli issue 4504), logs (terraform-aws-modules/terraform-aws-ecs issue 313), EFS (issue 920 of
aws-samples/aws-cdk-examples). An instance's agent and Docker word some of them otherwise, which is not imitated.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from moto.efs.models import efs_backends
from moto.logs.models import logs_backends

from local_aws import efs_access, host_roles
from local_aws.rights import acting
from local_aws.rights.needs import Call, Need, key_arn
from local_aws.rights.needs_ways import log_group
from local_aws.services.ecs import ways
from local_aws.services.ecs.startup import secret_arn

SERVICE = "ecs-tasks.amazonaws.com"

_FAILED = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
_RETRIED = "service call has been retried 1 time(s): "
_ECR = re.compile(r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[\w-]+)\.amazonaws\.com[\w.]*/(?P<name>[^:@]+)")
_CHANNELS = ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel")


def task_role(task: Any) -> str | None:
    """The ARN of the role that the task's programs have."""
    return (task.overrides or {}).get("taskRoleArn") or getattr(task.definition, "task_role_arn", None) or None


def execution_role(task: Any) -> str | None:
    """The ARN of the role in which ECS starts the task."""
    given = (task.overrides or {}).get("executionRoleArn")
    return given or getattr(task.definition, "execution_role_arn", None) or None


def sent_along(task: Any) -> dict[str, str]:
    """The keys that ECS sends when it takes a role (ECS Developer Guide, "Task IAM role", confused deputy)."""
    return {"aws:sourceaccount": task.backend.account_id, "aws:sourcearn": task.task_arn}


def reason_not_to_start(task: Any) -> str | None:
    """The first thing that a role lacks, as `stoppedReason`; None if nothing is missing."""
    return next(_reasons(task), None)


def _reasons(task: Any) -> Iterator[str]:
    region = task.backend.region_name
    for role in (execution_role(task), task_role(task)):
        if role and acting.untrusted(role, SERVICE, region, sent_along(task)):
            yield (
                f"ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the "
                "role being passed has the proper trust relationship and permissions and that your IAM user has "
                "permissions to pass this role."
            )
    if role := execution_role(task):
        for container in task.definition.container_definitions:
            yield from _secrets(task, role, container)
            yield from _image(task, role, container["image"])
        for container in task.definition.container_definitions:
            yield from _logs(task, role, container)
    for volume in task.definition.volumes:
        if (efs := volume.get("efsVolumeConfiguration")) and not mounted(task, efs).mount:
            yield _not_mounted(task, volume)


def _secrets(task: Any, role: str, container: dict[str, Any]) -> Iterator[str]:
    region = task.backend.region_name
    for secret in container.get("secrets") or []:
        name = secret["valueFrom"]
        if arn := secret_arn(name):
            if refused := acting.call(role, task.id, region, "secretsmanager", "GetSecretValue", SecretId=arn):
                why = "Access to KMS is not allowed" if refused.need.action.startswith("kms:") else refused.message
                yield (
                    f"{_FAILED}unable to retrieve secret from asm: {_RETRIED}failed to fetch secret {arn} from secrets "
                    f"manager: AccessDeniedException: {why}"
                )
        elif refused := acting.call(role, task.id, region, "ssm", "GetParameters", Names=[name], WithDecryption=True):
            yield f"{_FAILED}unable to retrieve secrets from ssm: {_RETRIED}AccessDeniedException: {refused.message}"


def _image(task: Any, role: str, image: str) -> Iterator[str]:
    found = _ECR.match(image)
    if found is None:
        return
    region = task.backend.region_name
    if refused := acting.refusal(role, task.id, region, [Need("ecr:GetAuthorizationToken", "*")]):
        yield f"{_FAILED}unable to retrieve ecr registry auth: {_RETRIED}AccessDeniedException: {refused.message}"
    repository = f"arn:{task.backend.partition}:ecr:{found['region']}:{found['account']}:repository/{found['name']}"
    actions = ("BatchGetImage", "BatchCheckLayerAvailability", "GetDownloadUrlForLayer")
    if refused := acting.refusal(role, task.id, region, [Need(f"ecr:{each}", repository) for each in actions]):
        yield (
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
            f"{image}: unexpected status from HEAD request: 403 Forbidden ({refused.message})"
        )


def _logs(task: Any, role: str, container: dict[str, Any]) -> Iterator[str]:
    log = container.get("logConfiguration") or {}
    options = log.get("options") or {}
    if log.get("logDriver") != "awslogs":
        return
    region, group = options.get("awslogs-region") or task.backend.region_name, options.get("awslogs-group", "")
    stream = f"{options.get('awslogs-stream-prefix', '')}/{container['name']}/{task.id}"
    operations = [("stream", "CreateLogStream"), ("stream", "PutLogEvents")]
    if group not in logs_backends[task.backend.account_id][region].groups:
        operations.insert(0, ("group", "CreateLogGroup"))
    for what, operation in operations:
        refused = acting.call(role, task.id, region, "logs", operation, logGroupName=group, logStreamName=stream)
        if refused and operation != "PutLogEvents":  # without that, the task runs, and its lines are lost
            yield (
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
                f"failed to create Cloudwatch log {what}: AccessDeniedException: {refused.message} : exit status 1"
            )


def may_log(task: Any, options: dict[str, str]) -> bool:
    """Whether what a container writes comes to its log."""
    role = execution_role(task)
    if role is None:
        return True
    region = options.get("awslogs-region") or task.backend.region_name
    call = Call("logs", "PutLogEvents", {}, task.backend.account_id, region, task.backend.partition)
    need = Need("logs:PutLogEvents", log_group(call, options.get("awslogs-group", "")) + task.id)
    return acting.refusal(role, task.id, region, [need], noted=False) is None


def mounted(task: Any, efs: dict[str, Any]) -> efs_access.Grants:
    """What the task may do with the file system of a volume; nothing to say of one that is not there."""
    backend, authorisation = task.backend, efs.get("authorizationConfig") or {}
    system = efs_backends[backend.account_id][backend.region_name].file_systems_by_id.get(efs["fileSystemId"])
    if system is None:
        return efs_access.EVERYTHING
    role = task_role(task)
    if authorisation.get("iam") != "ENABLED" or role is None:
        return efs_access.anonymous(backend.account_id, backend.region_name, backend.partition, system)
    keys = {**sent_along(task), "elasticfilesystem:accessedviamounttarget": "true"}
    points = efs_backends[backend.account_id][backend.region_name].access_points
    if point := points.get(authorisation.get("accessPointId")):
        keys["elasticfilesystem:accesspointarn"] = point.access_point_arn
    request = efs_access.Request(
        backend.account_id, backend.partition, backend.region_name, SERVICE, role, keys, task.id
    )
    return efs_access.grants(request, system)


def _not_mounted(task: Any, volume: dict[str, Any]) -> str:
    why = "b'mount.nfs4: access denied by server while mounting 127.0.0.1:/'"
    if task.launch_type == "FARGATE":
        return (
            f"ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: {why} : "
            "unsuccessful EFS utils command execution; code: 32"
        )
    name = f"ecs-{task.definition.family}-{task.definition.revision}-{volume['name']}-{task.id[:20]}"
    return (
        f"CannotCreateVolumeError: Error response from daemon: create {name}: VolumeDriver.Create: mounting volume "
        f"failed: {why}"
    )


def is_untold(task: Any) -> bool:
    """Whether the instance's agent may not tell ECS how the task fares."""
    instance = ways.instance_of(task)
    own_interface = task.eni is not None
    return (
        instance is not None and host_roles.tells(instance, task.cluster.name, own_interface=own_interface) is not None
    )


def agent_connects(task: Any, *, noted: bool = False) -> bool:
    """Whether the agent of ECS Exec opens its channels: it acts in the task role. `noted`: as a right's use."""
    role = task_role(task)
    if role is None:
        return False
    needs = [Need(f"ssmmessages:{each}", "*") for each in _CHANNELS]
    return acting.refusal(role, task.id, task.backend.region_name, needs, noted=noted) is None


def session_refused(task: Any) -> str | None:
    """Why the agent cannot begin a session: its key or its log is out of the task role's reach; None if it can.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html#ecs-exec-logging
    """
    configuration = (task.cluster.configuration or {}).get("executeCommandConfiguration") or {}
    backend, role = task.backend, task_role(task) or ""
    call = Call("logs", "", {}, backend.account_id, backend.region_name, backend.partition)
    needs = []
    if (key := key_arn(call, configuration.get("kmsKeyId"))) is not None:
        needs.append(Need("kms:Decrypt", key))
    logged = (configuration.get("logConfiguration") or {}).get("cloudWatchLogGroupName")
    if configuration.get("logging") == "OVERRIDE" and logged:
        needs.append(Need("logs:DescribeLogGroups", call.arn("logs:log-group::log-stream:")))
        needs.append(Need("logs:DescribeLogStreams", log_group(call, logged)))
        needs += [
            Need(f"logs:{each}", f"{log_group(call, logged)}{task.id}") for each in ("CreateLogStream", "PutLogEvents")
        ]
    refused = acting.refusal(role, task.id, backend.region_name, needs)
    return refused.message if refused else None

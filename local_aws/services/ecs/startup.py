"""Why a task cannot start: what the Fargate agent looks up before the first container runs.

The reasons are the ones AWS gives as `stoppedReason`, with `stopCode` `TaskFailedToStart`:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from moto.efs.models import efs_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

_SECRET = re.compile(r"^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:[^:]+")
_PREFIX = "ResourceInitializationError: "


def reason_not_to_start(definition: Any, account: str, region: str, zone: str) -> str | None:
    """The first thing that is missing for a task of `definition` in availability zone `zone`, or None."""
    for reason in _reasons(definition, account, region, zone):
        return reason
    return None


def _reasons(definition: Any, account: str, region: str, zone: str) -> Iterator[str]:
    for field in ("execution_role_arn", "task_role_arn"):
        role = getattr(definition, field, None)
        if role and not _role_exists(role, account):
            yield (
                f"ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the "
                "role being passed has the proper trust relationship and permissions and that your IAM user has "
                "permissions to pass this role."
            )
    for container in definition.container_definitions:
        for secret in container.get("secrets") or []:
            if reason := _secret(secret["valueFrom"], account, region):
                yield reason
        log = container.get("logConfiguration") or {}
        if log.get("logDriver") == "awslogs" and (reason := _log_group(log.get("options") or {}, account, region)):
            yield reason
    for volume in definition.volumes:
        if (files := volume.get("efsVolumeConfiguration")) and (reason := _files(files, account, region, zone)):
            yield reason


def _role_exists(arn: str, account: str) -> bool:
    return any(role.arn == arn for role in iam_backends[account]["aws"].roles.values())


def secret_arn(value_from: str) -> str | None:
    """The ARN of a secret of Secrets Manager, without what may follow it; None for a parameter."""
    match = _SECRET.match(value_from)
    return match[0] if match else None


def secret_value(value_from: str, account: str, region: str) -> str:
    """What a container gets for a secret that `reason_not_to_start` found nothing wrong with."""
    if not (match := _SECRET.match(value_from)):
        parameter = _parameter(value_from, account, region)
        return str(
            parameter.decrypt(parameter.value) if parameter.parameter_type == "SecureString" else parameter.value
        )
    key, stage, version_id = _parts(value_from, match.end())
    text = _version(match[0], stage, version_id, account, region).get("secret_string") or ""
    return str(json.loads(text)[key]) if key else str(text)


def _parameter(value_from: str, account: str, region: str) -> Any:
    name = value_from.partition(":parameter")[2] or value_from
    parameters = ssm_backends[account][region]
    # An ARN has a slash before a name that has none of its own.
    return parameters.get_parameter(name) or parameters.get_parameter(name.removeprefix("/"))


def _parts(value_from: str, end: int) -> tuple[str, str, str]:
    """The JSON key, the staging label and the version that follow a secret's ARN."""
    key, stage, version_id = [*value_from[end:].split(":")[1:], "", "", ""][:3]
    return key, stage, version_id


def _version(arn: str, stage: str, version_id: str, account: str, region: str) -> Any:
    secret = secretsmanager_backends[account][region].secrets[arn]
    for version in (secret.versions or {}).values():
        if (version_id or version["version_id"]) == version["version_id"] and (
            (stage or "AWSCURRENT") in version["version_stages"] or version_id
        ):
            return version
    return None


def _secret(value_from: str, account: str, region: str) -> str | None:
    failed = "unable to pull secrets or registry auth: execution resource retrieval failed: "
    if not (match := _SECRET.match(value_from)):
        if _parameter(value_from, account, region) is None:
            return (
                f"{_PREFIX}{failed}unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
                f"invalid parameters: {value_from}"
            )
        return None
    failed += "unable to retrieve secret from asm: "
    retried = f"service call has been retried 1 time(s): failed to fetch secret {match[0]} from secrets manager: "
    secret = secretsmanager_backends[account][region].secrets.get(match[0])
    if secret is None or secret.is_deleted():
        problem = "ResourceNotFoundException: Secrets Manager can't find the specified secret."
        return _PREFIX + failed + retried + problem
    key, stage, version_id = _parts(value_from, match.end())
    if version := _version(match[0], stage, version_id, account, region):
        return _json_key(version.get("secret_string"), key, failed)
    problem = (
        "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: "
        f"{stage or 'AWSCURRENT'}"
    )
    return _PREFIX + failed + retried + problem


def _json_key(text: str | None, key: str, failed: str) -> str | None:
    if not key:
        return None
    try:
        content = json.loads(text or "")
    except ValueError:
        return f"{_PREFIX}{failed}invalid character in the secret's value: it is not JSON, and key {key} is asked for"
    if not isinstance(content, dict) or key not in content:
        return f"{_PREFIX}{failed}retrieved secret from Secrets Manager did not contain json key {key}"
    return None


def _log_group(options: dict[str, str], account: str, region: str) -> str | None:
    group = options.get("awslogs-group", "")
    groups = logs_backends[account][options.get("awslogs-region") or region].groups
    if group in groups or options.get("awslogs-create-group") == "true":
        return None
    return (
        f"{_PREFIX}failed to validate logger args: create stream has been retried 1 times: failed to create "
        "Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1"
    )


def _files(volume: dict[str, Any], account: str, region: str, zone: str) -> str | None:
    backend = efs_backends[account][region]
    system = volume["fileSystemId"]
    failed = f"{_PREFIX}failed to invoke EFS utils commands to set up EFS volumes: stderr: "
    zones = [
        target.availability_zone_name
        for target in backend.mount_targets_by_id.values()
        if target.file_system_id == system
    ]
    if system not in backend.file_systems_by_id or zone not in zones:
        return (
            f'{failed}Failed to resolve "{system}.efs.{region}.amazonaws.com" - check that your file system ID is '
            f"correct, and ensure that the VPC has an EFS mount target for this file system ID. (zone {zone})"
        )
    point = (volume.get("authorizationConfig") or {}).get("accessPointId")
    if point and getattr(backend.access_points.get(point), "file_system_id", None) != system:
        return f"{failed}b'mount.nfs4: access denied by server while mounting 127.0.0.1:/' (access point {point})"
    return None

"""Projects of CodeBuild: all that was given is kept, and read back with AWS's defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.codebuild.exceptions import InvalidInputException, ResourceNotFoundException
from moto.codebuild.responses import CodeBuildResponse as Response
from moto.core.utils import unix_time

from local_aws import actions
from local_aws.rights import acting

Json = dict[str, Any]

SERVICE = "codebuild.amazonaws.com"
# botocore's model of CreateProject: the members of a project that moto forgets.
_KEPT = (
    "description",
    "source",
    "sourceVersion",
    "artifacts",
    "cache",
    "environment",
    "serviceRole",
    "timeoutInMinutes",
    "queuedTimeoutInMinutes",
    "encryptionKey",
    "tags",
    "vpcConfig",
    "logsConfig",
    "concurrentBuildLimit",
)
# API reference of ProjectEnvironment, LogsConfig, S3LogsConfig and CreateProject.
_DEFAULTS: Mapping[str, Any] = {"timeoutInMinutes": 60, "queuedTimeoutInMinutes": 480}
_OWN_BUCKET = re.compile(r"[^/]+/.+")


def install() -> None:
    """Put them into moto's CodeBuild."""
    actions.wrap(Response, "codebuild_backend", {"CreateProject": create_project})
    actions.add(Response, "codebuild_backend", {"UpdateProject": update_project, "DeleteProject": delete_project})


def project_of(backend: Any, name: str) -> Json:
    """A project by name or ARN, as it is shown."""
    found = backend.codebuild_projects.get(name.rpartition(":project/")[2])
    if found is None:
        arn = f"arn:{backend.partition}:codebuild:{backend.region_name}:{backend.account_id}:project/{name}"
        raise ResourceNotFoundException(f"Project cannot be found: {arn}")
    return found.project_metadata  # type: ignore[no-any-return]


def sent_along(backend: Any, name: str) -> Json:
    """What CodeBuild says of itself as it takes a role (User Guide, "Cross-service confused deputy prevention")."""
    arn = f"arn:{backend.partition}:codebuild:{backend.region_name}:{backend.account_id}:project/{name}"
    return {"aws:sourceaccount": backend.account_id, "aws:sourcearn": arn}


def create_project(backend: Any, asked: Json, moto: actions.Moto) -> Json:
    _check(backend, asked["name"], asked)
    answer = moto()
    _keep(answer["project"], asked)
    return answer


def update_project(backend: Any, asked: Json) -> Json:
    project = project_of(backend, asked["name"])
    _check(backend, asked["name"], {**project, **asked})
    _keep(project, asked)
    project["lastModifiedDate"] = unix_time()
    return {"project": project}


def delete_project(backend: Any, asked: Json) -> None:
    """By name or, as Terraform's provider does, by ARN; one that is not there is no error."""
    backend.codebuild_projects.pop(asked["name"].rpartition(":project/")[2], None)


def _check(backend: Any, name: str, asked: Json) -> None:
    role = str(asked["serviceRole"])
    if acting.untrusted(role, SERVICE, backend.region_name, sent_along(backend, name)):
        raise InvalidInputException(f"CodeBuild is not authorized to perform: sts:AssumeRole on {role}")
    source = asked["source"]
    if source["type"] == "S3" and not _OWN_BUCKET.fullmatch(source.get("location", "")):
        raise InvalidInputException("Invalid project source: location must be a valid S3 source")


def _keep(project: Json, asked: Json) -> None:
    for key in _KEPT:
        if asked.get(key) is not None:
            project[key] = asked[key]
    for key, value in _DEFAULTS.items():
        project[key] = project.get(key) or value
    logs = project.setdefault("logsConfig", {})
    logs.setdefault("cloudWatchLogs", {"status": "ENABLED"})
    logs.setdefault("s3Logs", {"status": "DISABLED", "encryptionDisabled": False})
    project["environment"].setdefault("imagePullCredentialsType", "CODEBUILD")
    project.setdefault("projectVisibility", "PRIVATE")

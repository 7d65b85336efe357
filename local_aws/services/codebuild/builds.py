"""Builds of CodeBuild, which go on as time does."""

from __future__ import annotations

import itertools
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from moto.codebuild.exceptions import InvalidInputException, ResourceNotFoundException
from moto.codebuild.models import codebuild_backends
from moto.codebuild.responses import CodeBuildResponse as Response
from moto.logs.models import logs_backends

from local_aws import actions, clock
from local_aws.faults import Faults
from local_aws.services.codebuild import commands
from local_aws.services.codebuild.projects import project_of

Json = dict[str, Any]

SECONDS = clock.seconds("LOCAL_AWS_BUILD_SECONDS", 1)
PHASES = (
    "SUBMITTED",
    "QUEUED",
    "PROVISIONING",
    "DOWNLOAD_SOURCE",
    "INSTALL",
    "PRE_BUILD",
    "BUILD",
    "POST_BUILD",
    "UPLOAD_ARTIFACTS",
    "FINALIZING",
    "COMPLETED",
)
FAULTS = Faults("codebuild", words={"build": rf"fail:({'|'.join(PHASES[2:-2])})|slow:\d+"})
_numbers = itertools.count(1)


@dataclass
class Build:
    """A build: `shown` is what the API shows of it, `workspace` what its commands know."""

    backend: Any
    shown: Json
    workspace: commands.Workspace
    fault: str
    begun: float
    done: int = 0
    failed: bool = False
    logs_open: bool = False
    log: list[str] = field(default_factory=list)

    @property
    def running(self) -> bool:
        return bool(self.shown["buildStatus"] == "IN_PROGRESS")

    def advance(self, now: float) -> None:
        """Pass the phases that are due by now."""
        longer = float(self.fault.partition("slow:")[2] or 0)
        while self.running and now >= self.begun + (SECONDS + longer) * self.done / len(PHASES):
            self._pass(PHASES[self.done], now)
            self.done += 1

    def stop(self) -> None:
        self._end("STOPPED", time.time())

    def _pass(self, phase: str, now: float) -> None:
        self.shown["currentPhase"] = phase
        if self.failed and phase not in ("POST_BUILD", "FINALIZING", "COMPLETED"):
            return
        if phase == "COMPLETED":
            self._end("FAILED" if self.failed else "SUCCEEDED", now)
            return
        row: Json = {"phaseType": phase, "phaseStatus": "SUCCEEDED", "startTime": now, "endTime": now}
        row["durationInSeconds"] = 0
        try:
            self._run(phase)
        except commands.Failure as failure:
            self.failed = True
            row["phaseStatus"] = "FAILED"
            row["contexts"] = [{"statusCode": failure.code, "message": failure.message}]
            if phase not in ("BUILD", "POST_BUILD"):
                self.done = PHASES.index("FINALIZING") - 1
        self.shown["phases"].append(row)
        if self.logs_open:
            context = "".join(f" {each['statusCode']}: {each['message']}" for each in row.get("contexts", []))
            self.log.append(f"[Container] Phase complete: {phase} State: {row['phaseStatus']}{context}")
            self._write_log()

    def _run(self, phase: str) -> None:
        if phase == "PROVISIONING":
            self._open_log()
        elif phase == "DOWNLOAD_SOURCE":
            self.workspace.download()
        if self.fault == f"fail:{phase}":
            raise commands.command_failed("injected", "1")
        self.workspace.run(phase, self.log)

    def _end(self, status: str, now: float) -> None:
        self.shown.update(buildStatus=status, currentPhase="COMPLETED", endTime=now, buildComplete=True)
        self.shown["phases"].append({"phaseType": "COMPLETED", "startTime": now})

    def _open_log(self) -> None:
        logs = self.shown["logs"]
        asked = {"logGroupName": logs["groupName"], "logStreamName": logs["streamName"]}
        for operation in ("CreateLogStream", "PutLogEvents"):
            if refused := self.workspace.refused("logs", operation, **asked):
                raise commands.Failure(
                    "ACCESS_DENIED",
                    f"Service role {self.shown['serviceRole']} does not allow AWS CodeBuild to create Amazon "
                    f"CloudWatch Logs log streams for build {self.shown['arn']}. Error message: {refused}",
                )
        self.logs_open = True

    def _write_log(self) -> None:
        backend = logs_backends[self.backend.account_id][self.backend.region_name]
        group, stream = self.shown["logs"]["groupName"], self.shown["logs"]["streamName"]
        if group in backend.groups:
            now = int(time.time() * 1000)
            backend.ensure_log_stream(group, stream)
            backend.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in self.log])
        self.log.clear()


def install() -> None:
    """Put them into moto's CodeBuild."""
    table: dict[str, actions.Action] = {
        "StartBuild": start_build,
        "BatchGetBuilds": batch_get_builds,
        "ListBuildsForProject": list_builds_for_project,
        "StopBuild": stop_build,
    }
    actions.add(Response, "codebuild_backend", table)
    clock.every_request(tick)


def tick(now: float) -> None:
    for regions in list(codebuild_backends.values()):
        for backend in list(regions.values()):
            for build in _builds(backend).values():
                build.advance(now)


def _builds(backend: Any) -> dict[str, Build]:
    """On moto's backend, so that a reset of moto empties it too."""
    return backend.__dict__.setdefault("local_builds", {})  # type: ignore[no-any-return]


def start_build(backend: Any, asked: Json) -> Json:
    project = project_of(backend, asked["projectName"])
    id_ = str(uuid.uuid4())
    now = time.time()
    place = f"{backend.partition}:codebuild:{backend.region_name}:{backend.account_id}"
    logs = project["logsConfig"]["cloudWatchLogs"]
    group = logs.get("groupName") or f"/aws/codebuild/{project['name']}"
    stream = f"{logs['streamName']}/{id_}" if logs.get("streamName") else id_
    shown = {
        "id": f"{project['name']}:{id_}",
        "arn": f"arn:{place}:build/{project['name']}:{id_}",
        "buildNumber": next(_numbers),
        "startTime": now,
        "currentPhase": "SUBMITTED",
        "buildStatus": "IN_PROGRESS",
        "buildComplete": False,
        "projectName": project["name"],
        "phases": [],
        "source": project["source"],
        "artifacts": {"location": ""},
        "environment": project["environment"],
        "serviceRole": project["serviceRole"],
        "encryptionKey": project["encryptionKey"],
        "logs": {"groupName": group, "streamName": stream, "cloudWatchLogs": logs},
        "timeoutInMinutes": project["timeoutInMinutes"],
        "queuedTimeoutInMinutes": project["queuedTimeoutInMinutes"],
    }
    build = Build(backend, shown, commands.Workspace(backend, project, id_), FAULTS.take("build") or "", now)
    _builds(backend)[shown["id"]] = build
    build.advance(now)
    return {"build": shown}


def batch_get_builds(backend: Any, asked: Json) -> Json:
    for id_ in asked["ids"]:
        if ":" not in id_:
            raise InvalidInputException("Invalid build ID provided")
    there = _builds(backend)
    return {
        "builds": [there[id_].shown for id_ in asked["ids"] if id_ in there],
        "buildsNotFound": [id_ for id_ in asked["ids"] if id_ not in there],
    }


def list_builds_for_project(backend: Any, asked: Json) -> Json:
    project_of(backend, asked["projectName"])
    ids = [id_ for id_, build in _builds(backend).items() if build.shown["projectName"] == asked["projectName"]]
    return {"ids": ids if asked.get("sortOrder") == "ASCENDING" else ids[::-1]}


def stop_build(backend: Any, asked: Json) -> Json:
    build = _builds(backend).get(asked["id"])
    if build is None:
        raise ResourceNotFoundException(f"Build {asked['id']} does not exist")
    if build.running:
        build.stop()
    return {"build": build.shown}

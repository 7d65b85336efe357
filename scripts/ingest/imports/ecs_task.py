"""The transport `task`: a task of ECS for each job, from the task definition of the stack `omero`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import ClientError

from contract.outputs import Network, Omero
from scripts import aws
from scripts.aws.errors import THROTTLED_CODES
from scripts.errors import Failed
from scripts.ingest.deployment import DeployedWorkspace
from scripts.ingest.imports.ledger import JobItem

# ECS lists a task some seconds after it has answered RunTask (API reference: eventual consistency).
LISTED_SECONDS = 90.0
# How a task ends that its program has no part in: its filesets are not to blame.
NOT_ITS_FAULT = {
    "SpotInterruption",
    "TerminationNotice",
    "UserInitiated",
    "TaskFailedToStart",
    "ServiceSchedulerInitiated",
}
# Reasons of RunTask that pass: there is no room now, and there may be some in a minute.
NO_ROOM = ("RESOURCE:", "AGENT", "Capacity is unavailable", "You\u2019ve reached the limit", "You've reached the limit")


class NotStarted(Exception):
    """The job's program was not started; `passing` if it may be in a while. The message is what AWS said."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


@dataclass(frozen=True)
class Ended:
    """A job's program certainly does not run any more. `counted`: what it was doing may be to blame."""

    reason: str
    counted: bool
    started: bool = True


class Transport(Protocol):
    """How the program of a job is started, seen and stopped; `log` is where its output goes, for people."""

    name: str
    log: str

    def start(self, key: str, batch: str) -> str:
        """Start it; the ARN of the task that it runs in. Raises NotStarted."""

    def ended(self, job: JobItem) -> Ended | None:
        """How it ended; None while it may run, or may still begin."""

    def stop(self, job: JobItem, reason: str) -> None:
        """Have it end soon."""


class TaskTransport:
    """A task of ECS for each job. ECS is asked for its tasks by the job's token, so nothing of them has to be kept."""

    name = "task"

    def __init__(self, deployment: DeployedWorkspace) -> None:
        self._ecs = deployment.client("ecs", patient=True)
        self._cluster = deployment.parameter(Omero.cluster_name)
        self._family = deployment.parameter(Omero.importer_task_family)
        self.log = deployment.parameter(Omero.importer_log_group_name)
        self._network = {
            "awsvpcConfiguration": {
                "subnets": deployment.listed(Network.private_subnet_ids),
                "securityGroups": [deployment.parameter(Omero.importer_security_group_id)],
                "assignPublicIp": "DISABLED",
            }
        }
        provider = deployment.published(Omero.importer_capacity_provider)
        self._where: dict[str, Any] = (
            {"capacityProviderStrategy": [{"capacityProvider": provider, "weight": 1}]}
            if provider
            else {"launchType": "FARGATE", "platformVersion": "LATEST"}
        )

    def start(self, key: str, batch: str) -> str:
        """Start a task; asked again for the same job, ECS starts no second one.

        Raises:
            NotStarted: ECS has no room, or does not take the task.
        """
        environment = [{"name": "LEDGER_JOB", "value": key}, {"name": "LEDGER_BATCH", "value": batch}]
        try:
            answer = self._ecs.run_task(
                cluster=self._cluster,
                taskDefinition=self._family,
                count=1,
                networkConfiguration=self._network,
                overrides={"containerOverrides": [{"name": "importer", "environment": environment}]},
                startedBy=batch,
                clientToken=batch,
                propagateTags="TASK_DEFINITION",
                enableECSManagedTags=True,
                **self._where,
            )
        except ClientError as error:
            raise NotStarted(aws.sentence(error), passing=aws.code_of(error) in PASSING_CODES) from error
        if failures := answer.get("failures"):
            reason = failures[0].get("reason", "no reason")
            detail = failures[0].get("detail") or ""
            raise NotStarted(
                f"ECS did not start a task of {self._family}: {reason} {detail}".strip(),
                passing=reason.startswith(NO_ROOM),
            )
        return str(answer["tasks"][0]["taskArn"])

    def ended(self, job: JobItem) -> Ended | None:
        """How its task ended."""
        tasks = self._tasks(job)
        if not tasks:
            if time.time() - job.claimed < LISTED_SECONDS:
                return None
            # ECS forgets a stopped task after an hour; a running one it always lists.
            return Ended("its task no longer exists", counted=False)
        if any(task["lastStatus"] != "STOPPED" for task in tasks):
            return None
        task = tasks[0]
        code = task.get("stopCode", "")
        said = " ".join(str(task.get("stoppedReason", "no reason")).split())
        codes = [container.get("exitCode") for container in task["containers"]]
        reasons = [container["reason"] for container in task["containers"] if container.get("reason")]
        reason = "; ".join([f"the task stopped: {said}", *reasons])
        if codes and codes[0] is not None:
            reason += f" (exit code {codes[0]})"
        return Ended(reason, counted=code not in NOT_ITS_FAULT, started="startedAt" in task)

    def stop(self, job: JobItem, reason: str) -> None:
        """Stop its tasks."""
        for task in self._tasks(job):
            if task["desiredStatus"] != "STOPPED":
                self._ecs.stop_task(cluster=self._cluster, task=task["taskArn"], reason=reason[:255])

    def _tasks(self, job: JobItem) -> list[dict[str, Any]]:
        """The tasks of a job; at most one, unless ECS has forgotten it."""
        if job.task:
            return self._described([job.task])
        # The runner was killed between ECS's answer and its own note. `startedBy` may be the only filter.
        if arns := self._ecs.list_tasks(cluster=self._cluster, startedBy=job.batch)["taskArns"]:
            return self._described(arns)
        pages = aws.pages(self._ecs, "list_tasks", cluster=self._cluster, family=self._family, desiredStatus="STOPPED")
        stopped = (task for page in pages if page["taskArns"] for task in self._described(page["taskArns"]))
        return [task for task in stopped if task.get("startedBy") == job.batch]

    def _described(self, arns: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ecs.describe_tasks(cluster=self._cluster, tasks=arns)["tasks"]
        return found


PASSING_CODES = {*THROTTLED_CODES, "ServerException", "InternalFailure", "ServiceUnavailableException"}


def never_started(what: str, reason: str) -> Failed:
    """The sentence for a job whose program did not begin."""
    return Failed(
        f"{what} did not start: {reason.rstrip('.')}; fix that and run this again; nothing is lost or done twice."
    )

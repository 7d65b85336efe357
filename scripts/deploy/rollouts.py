"""How ECS gets on with what was deployed: whether each service's tasks are healthy, and ECS's reason if not.

Terraform's own wait does not tell. That of provider 5.100.0 ends when a service has one deployment with as many RUNNING
tasks as are desired (terraform-provider-aws, issues 19519 and 20858): before their health checks have passed, and after
ECS has rolled back too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3

from contract import names
from contract.outputs import Omero
from scripts import aws, console
from scripts.aws import waiting
from scripts.deploy import runner
from scripts.errors import Failed
from settings import load

EXTRA_SECONDS = 900
"""What is waited beyond the longest grace period for health checks: as long as Terraform's own (`modules.service`)."""

# Words of ECS's events (ECS Developer Guide, "Service event messages").
FAILED = re.compile(r"\(deployment (?P<id>ecs-svc/\d+)\) deployment failed: (?P<why>.+)")
TROUBLE = re.compile(r"unable to|failed|unhealthy")

_DEPLOYS = {"cdktf": {"deploy", "apply"}, "terraform": {"apply"}}
_WELL = "well"
_MOST_ENDED = 3  # tasks of a completed deployment: as many as ECS's circuit breaker takes at least
_MOST_SERVICES, _MOST_TASKS = 10, 100  # of one DescribeServices, and of one DescribeTasks


class Rollouts:
    """The services of an ECS cluster, from a moment before they are deployed on."""

    def __init__(self, session: boto3.Session, cluster: str) -> None:
        self._ecs: Any = session.client("ecs")
        self._cluster = cluster
        services = self._services()
        self._old_events = {event["id"] for service in services for event in service["events"]}
        self._old_tasks = {
            task["taskArn"] for service in services for task in self._tasks(service["serviceName"], "STOPPED")
        }

    def wait(self) -> None:
        """Wait until every service runs what was asked for, and all its tasks are healthy.

        Raises:
            Failed: ECS gave up a deployment, or it took longer than the grace period and `EXTRA_SECONDS`.
        """
        grace = [service.get("healthCheckGracePeriodSeconds", 0) for service in self._services()]
        waiting.wait_for("the rollout", self._state, until={_WELL}, seconds=max(grace, default=0) + EXTRA_SECONDS)

    def failures(self) -> Iterator[str]:
        """A sentence for each service whose deployment ECS gave up since the beginning."""
        for service in self._services():
            if sentence := self._failure(service):
                yield sentence

    def troubles(self) -> Iterator[str]:
        """What is the matter with each service that is not well yet."""
        return (state for service in self._services() if (state := self._progress(service)))

    def _services(self) -> list[dict[str, Any]]:
        arns = aws.read(
            lambda: list(aws.rows(self._ecs, "list_services", "serviceArns", cluster=self._cluster)),
            "ClusterNotFoundException",
        )
        found: list[dict[str, Any]] = []
        for part in _parts(sorted(arns or ()), _MOST_SERVICES):
            found += self._ecs.describe_services(cluster=self._cluster, services=part)["services"]
        return [service for service in found if service["status"] == "ACTIVE"]

    def _tasks(self, service: str, status: str) -> list[dict[str, Any]]:
        arns = aws.rows(
            self._ecs, "list_tasks", "taskArns", cluster=self._cluster, serviceName=service, desiredStatus=status
        )
        found: list[dict[str, Any]] = []
        for part in _parts(list(arns), _MOST_TASKS):
            found += self._ecs.describe_tasks(cluster=self._cluster, tasks=part)["tasks"]
        return found

    def _state(self) -> str:
        if failures := list(self.failures()):
            raise Failed("\n".join(failures))
        return "; ".join(self.troubles()) or _WELL

    def _failure(self, service: dict[str, Any]) -> str | None:
        name = service["serviceName"]
        for event in self._new_events(service):
            match = FAILED.search(event["message"])
            # The first deployment of a service stays, for there is none to go back to.
            if match and match["id"] != _primary(service)["id"]:
                why = self._reason(name, match["id"]) or match["why"].rstrip(".")
                return _sentence("ECS rolled back the deployment of", service, why)
        primary = _primary(service)
        if primary.get("rolloutState") == "FAILED":
            why = self._reason(name, primary["id"]) or primary.get("rolloutStateReason", "")
            return _sentence("ECS gave up the deployment of", service, why)
        # ECS completes a deployment once its tasks run, and starts those that end again for ever.
        ended = [task for task in self._ended(name, primary["id"]) if task["taskArn"] not in self._old_tasks]
        if primary.get("rolloutState") == "COMPLETED" and len(ended) >= _MOST_ENDED and self._progress(service):
            return _sentence("ECS keeps restarting the tasks of", service, self._reason(name, primary["id"]) or "")
        return None

    def _progress(self, service: dict[str, Any]) -> str | None:
        """How far it is; None where it runs one completed deployment, with healthy tasks only.

        Every service's tasks have a health check (`modules.service`): UNKNOWN is not healthy yet.
        """
        tasks = [task for task in self._tasks(service["serviceName"], "RUNNING") if task["lastStatus"] == "RUNNING"]
        healthy = sum(task["healthStatus"] == "HEALTHY" for task in tasks)
        state = _primary(service).get("rolloutState", "COMPLETED")
        desired, several = service["desiredCount"], len(service["deployments"]) > 1
        if state == "COMPLETED" and not several and healthy == len(tasks) == desired:
            return None
        line = f"{service['serviceName']} {state}, {healthy} of {desired} tasks healthy"
        said = next((each["message"] for each in self._new_events(service) if TROUBLE.search(each["message"])), None)
        return f"{line} ({said.partition(') ')[2].rstrip('.')})" if said else line

    def _new_events(self, service: dict[str, Any]) -> list[dict[str, Any]]:
        return [event for event in service["events"] if event["id"] not in self._old_events]

    def _ended(self, service: str, deployment: str) -> list[dict[str, Any]]:
        """The tasks of a deployment that ended, but for those that scaling ended. ECS keeps them for an hour."""
        stopped = [task for task in self._tasks(service, "STOPPED") if task.get("startedBy") == deployment]
        return [task for task in stopped if not task.get("stoppedReason", "").startswith("Scaling activity")]

    def _reason(self, service: str, deployment: str) -> str | None:
        """Why the last task of a deployment stopped."""
        found = self._ended(service, deployment)
        if not found:
            return None
        last = max(found, key=lambda task: task["createdAt"])
        ended = [
            f"container {each['name']} ended with exit code {each['exitCode']}"
            for each in last["containers"]
            if each.get("exitCode") is not None and last.get("stopCode") == "EssentialContainerExited"
        ]
        return ", ".join([last.get("stoppedReason", "").rstrip("."), *ended])


def follow(tools: runner.Tools, argv: Sequence[str], *, workspace: str | None, folder: Path, to_stderr: bool) -> None:
    """Run the tool on a command line that deploys, then wait for the services that it deployed.

    Raises:
        Failed: ECS gave up a deployment, or a service is not well in time.
        SystemExit: the tool failed; its exit code, after what ECS says.
    """
    settings = load(workspace)
    rollouts = Rollouts(aws.session(settings), names.cluster(settings.name))
    if code := tools.run(argv, folder=folder, to_stderr=to_stderr):
        _explain(rollouts)
        raise SystemExit(code)
    rollouts.wait()


def concern(argv: Sequence[str]) -> bool:
    """Whether a command line such as `["cdktf", "deploy", "*"]` may deploy ECS services."""
    words = [word for word in argv[1:] if not word.startswith("-")]
    if runner.asks_for_help(argv) or not words or words[0] not in _DEPLOYS[argv[0]]:
        return False
    if argv[0] == "terraform":
        return "-destroy" not in argv
    return len(words) == 1 or any(fnmatchcase(Omero.stack, word) for word in words[1:])


def _explain(rollouts: Rollouts) -> None:
    """Say what ECS says of a deployment that failed; that AWS does not answer is not worth hiding the failure for."""
    try:
        failures = list(rollouts.failures())
        for line in failures or rollouts.troubles():
            console.say(line)
    except aws.ERRORS as error:
        console.say(aws.sentence(error))


def _primary(service: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in service["deployments"] if each["status"] == "PRIMARY")
    return found


def _sentence(what: str, service: dict[str, Any], why: str) -> str:
    return (
        f"{what} service {service['serviceName']}, whose tasks failed: {why}; correct that in the workspace file and "
        "deploy again."
    )


def _parts(ids: list[str], size: int) -> Iterator[list[str]]:
    return (ids[first : first + size] for first in range(0, len(ids), size))

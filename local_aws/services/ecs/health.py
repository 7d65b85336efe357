"""How the health checks of a task end; nothing is executed, an image's mark says it (`faults`).

By the API's reference (botocore's HealthCheck, and healthCheckGracePeriodSeconds of CreateService): a container is
UNKNOWN until its checks pass or have failed for `startPeriod` and `retries` times `interval`; one that is UNHEALTHY may
pass later; the scheduler of a service ignores unhealthy checks, of containers and of target groups, in the grace
period, and stops the task after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local_aws.services.ecs.faults import of_image
from local_aws.services.ecs.settings import DURATIONS

# What the API's reference gives where a definition is silent.
_INTERVAL, _RETRIES = 30, 3


@dataclass(frozen=True, kw_only=True)
class Course:
    """Seconds from a task's start until its checks pass, have failed, and the scheduler stops it; None for never."""

    passes: float | None
    fails: float | None = None
    stops: float | None = None

    def after(self, seconds: float) -> float | None:
        """The next moment of the course after this one."""
        later = [each for each in (self.passes, self.fails, self.stops) if each is not None and each > seconds]
        return min(later, default=None)


def course(task: Any) -> Course:
    """What lies before a task that has just started."""
    faults = [of_image(container.definition["image"]) for container in task.containers]
    kind, _, slow = next((each for each in faults if each), "").partition(":")
    checks = [each.definition["healthCheck"] for each in task.containers if each.definition.get("healthCheck")]
    if kind not in ("unhealthy", "slow") or not (checks or task.load_balancers):
        return Course(passes=DURATIONS.health)
    window = max((_window(check) for check in checks), default=0)
    grace = int(task.service.spec.get("healthCheckGracePeriodSeconds") or 0) if task.service else 0
    passes = _at(float(slow)) if slow else None
    fails, stops = _at(window), _at(max(window, grace)) if task.service else None
    if passes is None or passes > (stops or passes):
        return Course(passes=None, fails=fails, stops=stops)
    return Course(passes=passes, fails=fails if fails < passes else None)


def _window(check: dict[str, Any]) -> int:
    retries = int(check.get("interval") or _INTERVAL) * int(check.get("retries") or _RETRIES)
    return int(check.get("startPeriod") or 0) + retries


def _at(seconds: float) -> float:
    return DURATIONS.health + seconds * DURATIONS.scale


def status(task: Any) -> str:
    """The health of a task, which is that of its essential containers."""
    found = {each.health for each in task.containers if each.definition.get("essential", True)}
    return next((each for each in ("UNHEALTHY", "UNKNOWN") if each in found), "HEALTHY")

"""Durations of the stand-in, in seconds; read from the environment once, when the server starts."""

from __future__ import annotations

from dataclasses import dataclass

from local_aws.clock import seconds


@dataclass(frozen=True, kw_only=True)
class Durations:
    """See the package's docstring for what each one is."""

    start: float
    health: float
    stop: float
    retry: float
    run: float
    scale: float


DURATIONS = Durations(
    start=seconds("LOCAL_AWS_TASK_START_SECONDS", 2),
    health=seconds("LOCAL_AWS_TASK_HEALTH_SECONDS", 1),
    stop=seconds("LOCAL_AWS_TASK_STOP_SECONDS", 1),
    retry=seconds("LOCAL_AWS_TASK_RETRY_SECONDS", 1),
    run=seconds("LOCAL_AWS_RUN_TASK_SECONDS", 5),
    scale=seconds("LOCAL_AWS_TASK_CHECK_SCALE", 0.001),
)

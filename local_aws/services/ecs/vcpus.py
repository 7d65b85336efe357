"""The quota of vCPUs that tasks on Fargate share (LOCAL_AWS_QUOTAS, `fargate_vcpu`).

A service says in its events that it "was unable to place a task", with the reason below (ECS Developer Guide, "Service
event messages", whose apostrophe is the typographic one), and the deployment has a task that failed. RunTask answers
200 with the reason as a failure, where public programs look for it that try again. Tasks on Fargate Spot have a quota
of their own, which is not kept.
"""

from __future__ import annotations

from typing import Any

from local_aws.quotas import VALUES

LIMIT = "You\u2019ve reached the limit on the number of vCPUs you can run concurrently"
_UNITS = 1024  # of a vCPU


def refusal(backend: Any, definition: Any, where: str, overrides: dict[str, Any] | None = None) -> str | None:
    """Why a task cannot run on Fargate beside those that do; None if it can. `where`: launch type or provider."""
    if where != "FARGATE":
        return None
    running = sum(
        int(task.overrides.get("cpu") or task.definition.cpu or 0)
        for tasks in backend.tasks.values()
        for task in tasks.values()
        if (task.capacity_provider or task.launch_type) == "FARGATE" and task.last_status != "STOPPED"
    )
    wanted = int((overrides or {}).get("cpu") or definition.cpu or 0)
    return LIMIT if running + wanted > VALUES["fargate_vcpu"] * _UNITS else None

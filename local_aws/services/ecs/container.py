"""A container of a task, as ECS describes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from local_aws.services.ecs import images, roles, ways

Json = dict[str, Any]


def moment(seconds: float | None) -> datetime | None:
    """Seconds since 1970 as the time that responses carry."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@dataclass(eq=False, kw_only=True)
class Container:
    """`task` is a `task.Task`; `program` its processes, if its image has stand-in programs and it has begun."""

    task: Any
    definition: Json
    exit_code: int | None = None
    reason: str | None = None
    begun: bool = False
    program: Any = None

    def __post_init__(self) -> None:
        self.image = images.find(self.definition["image"])
        self.arn = f"{self.task.task_arn.replace(':task/', ':container/')}/{uuid4()}"
        self.runtime_id = f"{self.task.id}-{uuid4().int % 10**10}"

    @property
    def last_status(self) -> str:
        if self.task.last_status in ("RUNNING", "DEACTIVATING", "STOPPING"):
            return "RUNNING" if self.exit_code is None else "STOPPED"
        return "STOPPED" if self.task.desired_status == "STOPPED" else "PENDING"

    @property
    def health(self) -> str:
        if not self.definition.get("healthCheck") or not (self.task.healthy or self.task.unhealthy):
            return "UNKNOWN"
        return "HEALTHY" if self.task.healthy else "UNHEALTHY"

    @property
    def has_agent(self) -> bool:
        """Whether ECS Exec's agent runs; it needs a root file system that it can write to, a way to AWS, and rights."""
        runs = self.last_status == "RUNNING" and self.task.healthy and not self.definition.get("readonlyRootFilesystem")
        return runs and ways.reaches_aws(self.task) and roles.agent_connects(self.task)

    def describe(self) -> Json:
        definition, task = self.definition, self.task
        stopped = task.stopped or definition.get("readonlyRootFilesystem")
        agent = {
            "name": "ExecuteCommandAgent",
            "lastStatus": "RUNNING" if self.has_agent else ("STOPPED" if stopped else "PENDING"),
            "lastStartedAt": moment(task.started),
        }
        described = {
            "containerArn": self.arn,
            "taskArn": task.task_arn,
            "name": definition["name"],
            "image": definition["image"],
            "runtimeId": self.runtime_id if task.started else None,
            "lastStatus": self.last_status,
            "exitCode": self.exit_code,
            "reason": self.reason,
            "healthStatus": self.health,
            "networkInterfaces": [{"attachmentId": task.attachment_id, "privateIpv4Address": task.address}]
            if task.address
            else [],
            "networkBindings": [],
            "managedAgents": [{key: value for key, value in agent.items() if value}] if task.enable_exec else None,
            "cpu": str(definition.get("cpu", 0)),
            "memory": str(definition["memory"]) if definition.get("memory") else None,
        }
        return {name: value for name, value in described.items() if value is not None}

"""Containers of ECS tasks as values: what they run, what they mount, when they are well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdktf_cdktf_provider_aws.ecs_task_definition import (
    EcsTaskDefinitionVolume,
    EcsTaskDefinitionVolumeDockerVolumeConfiguration,
    EcsTaskDefinitionVolumeEfsVolumeConfiguration,
    EcsTaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfig,
)

from modules.connections import Endpoint
from modules.security_group import SecurityGroup

MAX_START_PERIOD = 300
"""Seconds, of ECS's HealthCheck."""

RESTART_SECONDS = 60
"""What ECS restarts has run for at least so long; ECS takes 60 to 1,800 (API reference, ContainerRestartPolicy)."""


@dataclass(frozen=True, kw_only=True)
class Mount:
    """An EFS access point in the container, over TLS and with the task's own role.

    A task in network mode awsvpc mounts it from its own network interface, on EC2 as on Fargate: the agent gives the
    volume plugin the task's network namespace (aws/amazon-ecs-agent, agent/taskresource/volume, `getDriverOpts`).
    """

    volume: str
    path: str
    file_system_id: str
    file_system_arn: str
    access_point_id: str
    access_point_arn: str
    endpoint: Endpoint
    read_only: bool = False

    def render(self) -> EcsTaskDefinitionVolume:
        """The task's volume."""
        return EcsTaskDefinitionVolume(
            name=self.volume,
            efs_volume_configuration=EcsTaskDefinitionVolumeEfsVolumeConfiguration(
                file_system_id=self.file_system_id,
                transit_encryption="ENABLED",
                authorization_config=EcsTaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfig(
                    access_point_id=self.access_point_id, iam="ENABLED"
                ),
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Share:
    """An NFS share of `bucket` by the File Gateway at `endpoint`; the instance mounts it read-only (Fargate never)."""

    volume: str
    path: str
    endpoint: Endpoint
    bucket: str
    read_only: bool = True

    def render(self) -> EcsTaskDefinitionVolume:
        """The task's volume: Docker's own driver mounts it, in the instance's network."""
        return EcsTaskDefinitionVolume(
            name=self.volume,
            docker_volume_configuration=EcsTaskDefinitionVolumeDockerVolumeConfiguration(
                driver="local",
                scope="task",
                driver_opts={
                    "type": "nfs",
                    # `nolock,hard` are what AWS asks of clients of a File Gateway (its user guide, "Mounting").
                    "o": f"addr={self.endpoint.known_host},nfsvers=4.1,nolock,hard,ro",
                    "device": f":/{self.bucket}",
                },
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Health:
    """A shell command that says whether the container is well; times in seconds.

    `start_period` is 300 at most (ECS's HealthCheck). `grace` is how long the service's scheduler ignores failed
    checks, of the container and of its balancer, once a task has started.
    """

    command: str
    interval: int = 30
    timeout: int = 15
    retries: int = 5
    start_period: int = 300
    grace: int = 300

    def __post_init__(self) -> None:
        if self.start_period > MAX_START_PERIOD:
            raise ValueError(
                f"a start period of {self.start_period} s is longer than ECS takes, {MAX_START_PERIOD} s; give the "
                "health check a grace period"
            )

    def render(self) -> dict[str, Any]:
        """The container's health check."""
        return {
            "command": ["CMD-SHELL", self.command],
            "interval": self.interval,
            "timeout": self.timeout,
            "retries": self.retries,
            "startPeriod": self.start_period,
        }


@dataclass(frozen=True, kw_only=True)
class Container:
    """`secrets` maps a variable's name to the ARN of the secret that holds its value.

    `entry_point` replaces the image's own. `health` None is for containers that run to their end.
    `calls` are the endpoints that it connects to, besides what it mounts.
    `essential` None: what has no health check may end before the rest of its task, and what has one may not.
    `stop_timeout` is the seconds from SIGTERM to SIGKILL, at most 120 on Fargate.
    `memory_mib` is a hard limit; None leaves it all that the task has. `user` None is the image's own.
    `restarts`: ECS starts it again when it ends.
    """

    name: str
    image: str
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    health: Health | None
    ports: Sequence[int] = ()
    mounts: Sequence[Mount | Share] = ()
    calls: Sequence[Endpoint] = ()
    entry_point: Sequence[str] = ()
    stop_timeout: int = 120
    essential: bool | None = None
    memory_mib: int | None = None
    user: str | None = None
    restarts: bool = False

    def render(self, log: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
        """The container's definition. `log` are options of the log driver; `after` has the condition of each container
        that it starts after."""
        definition: dict[str, Any] = {
            "name": self.name,
            "image": self.image,
            "essential": self.health is not None if self.essential is None else self.essential,
            "portMappings": [{"containerPort": port, "hostPort": port, "protocol": "tcp"} for port in self.ports],
            "environment": [{"name": name, "value": value} for name, value in sorted(self.environment.items())],
            "secrets": [{"name": name, "valueFrom": arn} for name, arn in sorted(self.secrets.items())],
            "mountPoints": [
                {"sourceVolume": mount.volume, "containerPath": mount.path, "readOnly": mount.read_only}
                for mount in self.mounts
            ],
            # An init process reaps what ECS Exec sessions leave behind.
            "linuxParameters": {"initProcessEnabled": True},
            "stopTimeout": self.stop_timeout,
            "logConfiguration": {"logDriver": "awslogs", "options": dict(log)},
        }
        if self.entry_point:
            definition["entryPoint"] = list(self.entry_point)
        if self.health:
            definition["healthCheck"] = self.health.render()
        if self.memory_mib is not None:
            definition["memory"] = self.memory_mib
        if self.user is not None:
            definition["user"] = self.user
        if self.restarts:
            definition["restartPolicy"] = {"enabled": True, "restartAttemptPeriod": RESTART_SECONDS}
        if after:
            definition["dependsOn"] = [{"containerName": name, "condition": how} for name, how in after.items()]
        return definition


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A container in another one's task, which starts after that one has started and stops before it.

    `log_group_name` and `log_group_arn` are those of a log of its own.
    """

    container: Container
    log_group_name: str
    log_group_arn: str

    def __post_init__(self) -> None:
        if self.container.health or self.container.essential:
            raise ValueError(f"{self.container.name} must not end the task that it is beside; it is not essential")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A balancer's target group, and the container's port that it forwards to.

    `balancer` is the security group it forwards from; `role` tells several targets of one balancer apart.
    """

    arn: str
    port: int
    balancer: SecurityGroup
    description: str
    role: str | None = None


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """How many tasks run, and how many may run during a deployment, in percent of `count`.

    `scaled` leaves the number to autoscaling once the service is there.
    """

    count: int
    minimum_percent: int
    maximum_percent: int
    scaled: bool = False

    def __post_init__(self) -> None:
        if self.maximum_percent <= self.minimum_percent:
            raise ValueError(
                f"a deployment between {self.minimum_percent} % and {self.maximum_percent} % can never start; the "
                "maximum must be above the minimum"
            )

"""One service: its deployments, and the scheduler that brings its tasks to the desired count."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from local_aws.services.ecs import clusters, instances, vcpus
from local_aws.services.ecs.container import moment
from local_aws.services.ecs.settings import DURATIONS
from local_aws.services.ecs.task import Json, Task

_FARGATE = ("FARGATE", "FARGATE_SPOT")
# Fields of UpdateService whose change starts a deployment, by the API's reference.
STARTS_DEPLOYMENT = (
    "taskDefinition",
    "networkConfiguration",
    "platformVersion",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
)
_DEFAULT_CONFIGURATION = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "minimumHealthyPercent": 100,
    "maximumPercent": 200,
    "strategy": "ROLLING",
}


@dataclass(eq=False, kw_only=True)
class Deployment:
    """A task definition on its way to `desired` tasks; `spec` is the service's when it began."""

    definition: Any
    spec: Json
    created: float
    status: str = "PRIMARY"
    failed: int = 0
    rollout: str = "IN_PROGRESS"
    reason: str = ""
    not_before: float = 0
    unstable: bool = False

    def __post_init__(self) -> None:
        self.id = f"ecs-svc/{random.randint(10**18, 10**19 - 1)}"  # noqa: S311 (an identifier, no secret)
        self.updated = self.created
        self.reason = self.reason or f"ECS deployment {self.id} in progress."


@dataclass(eq=False, kw_only=True)
class Service:
    """A service; the attributes in snake case are those that other parts of moto read."""

    backend: Any
    cluster: Any
    spec: Json
    definition: Any
    created: float
    tags: list[dict[str, str]] = field(default_factory=list)
    status: str = "ACTIVE"
    events: list[Json] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    last_completed: Deployment | None = None
    reconciled: float = 0

    def __post_init__(self) -> None:
        self.name = str(self.spec["serviceName"])
        self.cluster_name, self.cluster_arn = self.cluster.name, self.cluster.arn
        where = f"{self.backend.region_name}:{self.backend.account_id}"
        self.arn = f"arn:{self.backend.partition}:ecs:{where}:service/{self.cluster.name}/{self.name}"
        self.physical_resource_id = self.arn
        self.desired_count = int(self.spec.get("desiredCount") or 0)
        self.task_sets: list[Any] = []
        self.deploy(self.created)

    @property
    def primary(self) -> Deployment:
        return self.deployments[0]

    @property
    def launch_type(self) -> str | None:
        return None if self.spec.get("capacityProviderStrategy") else str(self.spec.get("launchType") or "EC2")

    @property
    def scheduling_strategy(self) -> str:
        return str(self.spec.get("schedulingStrategy") or "REPLICA")

    @property
    def configuration(self) -> Json:
        return {**_DEFAULT_CONFIGURATION, **(self.spec.get("deploymentConfiguration") or {})}

    def living(self, deployment: Deployment | None = None) -> list[Task]:
        """Tasks that are not yet stopped, of all deployments or of one."""
        return [
            task
            for task in self.tasks
            if task.last_status != "STOPPED" and (deployment is None or task.deployment is deployment)
        ]

    @property
    def running_count(self) -> int:
        return sum(task.last_status == "RUNNING" for task in self.tasks)

    @property
    def pending_count(self) -> int:
        return sum(task.is_starting for task in self.tasks)

    def event(self, message: str, now: float) -> None:
        self.events.insert(
            0, {"id": str(uuid4()), "createdAt": moment(now), "message": f"(service {self.name}) {message}"}
        )
        del self.events[100:]

    def deploy(self, now: float, *, reason: str = "") -> None:
        """Start a deployment of the present definition and settings."""
        for deployment in self.deployments:
            deployment.status = "ACTIVE"
        self.deployments.insert(
            0, Deployment(definition=self.definition, spec=dict(self.spec), created=now, reason=reason)
        )

    def drain(self, now: float) -> None:
        self.status = "DRAINING"
        self.desired_count = 0
        self.reconcile(now)

    def on_task_change(self, task: Task, now: float) -> None:
        """Account for a task that has just changed by itself."""
        deployment: Deployment = task.deployment
        if task.healthy:
            deployment.failed = 0  # as with resetOnHealthyTask, which is the default
        if task.last_status != "STOPPED":
            return
        self.tasks.remove(task)
        if task.failed:
            self._count_failure(deployment, now, str(task.stopped_reason), started=not task.failed_to_start)

    def _count_failure(self, deployment: Deployment, now: float, reason: str, *, started: bool) -> None:
        """Account for a task that failed, or that could not be launched (botocore's Deployment, `failedTasks`)."""
        deployment.failed += 1
        deployment.updated = now
        if not started:
            # What has run is not throttled (ECS Developer Guide, "Service throttle logic").
            deployment.not_before = now + DURATIONS.retry * min(deployment.failed, 30)
            self.event(f"was unable to place a task. Reason: {reason}.", now)
        if deployment.failed >= self._threshold and not deployment.unstable:
            deployment.unstable = True
            self.event(
                "was unable to consistently start tasks successfully. For more information, see the Troubleshooting "
                f"section of the Amazon ECS Developer Guide. ({reason})",
                now,
            )
        breaker = self.configuration["deploymentCircuitBreaker"]
        if breaker["enable"] and deployment.failed >= self._threshold and deployment.rollout == "IN_PROGRESS":
            self._break(deployment, now, rollback=breaker["rollback"])

    @property
    def _threshold(self) -> int:
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
        return min(max(math.ceil(self.desired_count / 2), 3), 200)

    def _break(self, deployment: Deployment, now: float, *, rollback: bool) -> None:
        deployment.rollout = "FAILED"
        deployment.reason = "ECS deployment circuit breaker: tasks failed to start."
        self.event(f"(deployment {deployment.id}) deployment failed: tasks failed to start.", now)
        previous = self.last_completed
        if rollback and previous is not None and deployment is self.primary:
            self.event(f"rolling back to deployment {previous.id}.", now)
            self.definition = previous.definition
            self.spec.update({name: previous.spec.get(name) for name in STARTS_DEPLOYMENT})
            self.deploy(now, reason=f"ECS deployment circuit breaker: rolling back to deploymentId {previous.id}.")

    @property
    def next_due(self) -> float | None:
        """When the scheduler has to look again although no task changes."""
        waits = self.status == "ACTIVE" and self.primary.not_before > self.reconciled
        return self.primary.not_before if waits else None

    def _wanted(self) -> list[Task]:
        return [task for task in self.living(self.primary) if task.desired_status == "RUNNING"]

    def reconcile(self, now: float) -> None:
        """Stop and start what the desired count and the deployment's limits ask for.

        A task counts against the maximum until it has stopped, so that with 100/0 percent the old task is
        gone before the new one starts.
        """
        self.reconciled = now
        scaling_in = "Scaling activity initiated by deployment " + self.primary.id
        if self.status == "DRAINING":
            for task in self.living():
                task.stop(now, scaling_in, "ServiceSchedulerInitiated")
            if not self.living():
                self.status = "INACTIVE"
        if self.status != "ACTIVE":
            return
        wanted = self._wanted()
        for task in wanted[self.desired_count :]:
            self._stop(task, now, scaling_in)
        self._stop_old(now, scaling_in)
        self._start_new(now)
        self._complete(now)

    def _stop(self, task: Task, now: float, reason: str) -> None:
        task.stop(now, reason, "ServiceSchedulerInitiated")
        self.event(f"has stopped 1 running tasks: (task {task.id}).", now)

    def _stop_old(self, now: float, reason: str) -> None:
        if self.primary.rollout == "FAILED":
            return
        minimum = math.ceil(self.desired_count * self.configuration["minimumHealthyPercent"] / 100)
        old = [
            task for task in self.living() if task.deployment is not self.primary and task.desired_status == "RUNNING"
        ]
        healthy = sum(task.healthy for task in self.living())
        for task in sorted(old, key=lambda task: task.healthy):
            if not task.healthy:
                self._stop(task, now, reason)
            elif healthy > minimum:
                healthy -= 1
                self._stop(task, now, reason)

    def _start_new(self, now: float) -> None:
        if self.primary.rollout == "FAILED" or now < self.primary.not_before:
            return
        maximum = self.desired_count * self.configuration["maximumPercent"] // 100
        missing = min(self.desired_count - len(self._wanted()), maximum - len(self.living()))
        started, primary = [], self.primary
        for _ in range(missing):
            if (task := self._start_one(now)) is None:
                break
            started.append(task)
        if started:
            listed = " ".join(f"(task {task.id})" for task in started)
            self.event(f"has started {len(started)} tasks: {listed}.", now)
        if self.primary is not primary:  # rolled back
            self.reconcile(now)

    def _start_one(self, now: float) -> Task | None:
        spec = self.primary.spec
        network = (spec.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
        provider = self._capacity_provider()
        launch_type = "FARGATE" if (provider or self.launch_type) in _FARGATE else "EC2"
        instance, subnets = None, network.get("subnets") or []
        if refusal := vcpus.refusal(self.backend, self.primary.definition, provider or launch_type):
            self._count_failure(self.primary, now, refusal, started=False)
            return None
        if launch_type == "EC2":
            definition = self.primary.definition
            place = instances.place(self.backend, self.cluster.name, definition, provider, subnets)
            if place is None:
                self._report_no_room(provider, now)
                return None
            instance, subnets = place[0], [place[1]] if place[1] else []
        # Spread over the subnets, and so over the zones.
        subnets = sorted(subnets, key=lambda subnet: sum(subnet in task.subnets[:1] for task in self._wanted()))
        task = Task(
            backend=self.backend,
            cluster=self.cluster,
            definition=self.primary.definition,
            created=now,
            group=f"service:{self.name}",
            launch_type=launch_type,
            capacity_provider=provider,
            container_instance_arn=instance,
            subnets=subnets,
            security_groups=network.get("securityGroups") or [],
            enable_exec=bool(self.spec.get("enableExecuteCommand")),
            started_by=self.primary.id,
            tags=self._task_tags(),
            load_balancers=spec.get("loadBalancers") or [],
            registries=spec.get("serviceRegistries") or [],
            service=self,
            deployment=self.primary,
        )
        self.tasks.append(task)
        self.backend.tasks.setdefault(self.cluster.name, {})[task.task_arn] = task
        return task

    def _capacity_provider(self) -> str | None:
        strategy = self.spec.get("capacityProviderStrategy")
        if not strategy:
            return None
        running = [task.capacity_provider for task in self._wanted()]
        for item in strategy:
            if running.count(item["capacityProvider"]) < (item.get("base") or 0):
                return str(item["capacityProvider"])
        weighed = [item for item in strategy if item.get("weight")] or strategy
        best = min(weighed, key=lambda item: running.count(item["capacityProvider"]) / (item.get("weight") or 1))
        return str(best["capacityProvider"])

    def _report_no_room(self, provider: str | None, now: float) -> None:
        """Ask the capacity provider for an instance, and say in the events why no task starts."""
        if provider is not None:
            clusters.scale_out(self.backend, provider, self.cluster.name)
        if self.events and "unable to place a task because" in self.events[0]["message"]:
            return
        reason = "No Container Instances were found in your cluster."
        if self.backend.container_instances.get(self.cluster.name):
            reason = (
                "The instances have not enough CPU, memory or network interfaces, or none is in the subnets' zones."
            )
        self.event(
            f"was unable to place a task because no container instance met all of its requirements. Reason: {reason}",
            now,
        )

    def _task_tags(self) -> list[dict[str, str]]:
        sources = {"SERVICE": self.tags, "TASK_DEFINITION": self.primary.definition.tags}
        tags = list(sources.get(self.spec.get("propagateTags") or "NONE") or [])
        if self.spec.get("enableECSManagedTags"):
            tags += [
                {"key": "aws:ecs:clusterName", "value": self.cluster.name},
                {"key": "aws:ecs:serviceName", "value": self.name},
            ]
        return tags

    def _complete(self, now: float) -> None:
        primary = self.primary
        wanted = self._wanted()
        done = len(wanted) == self.desired_count and all(task.healthy for task in wanted)
        if primary.rollout != "IN_PROGRESS" or not done or len(self.living()) != len(wanted):
            return
        primary.rollout, primary.updated = "COMPLETED", now
        primary.reason = f"ECS deployment {primary.id} completed."
        self.deployments = [primary]
        self.last_completed = primary
        self.event(f"(deployment {primary.id}) deployment completed.", now)
        self.event("has reached a steady state.", now)

    def describe(self) -> Json:
        """As in a response, without tags."""
        spec = self.spec
        fargate = self._is_fargate(spec)
        described = {
            "serviceArn": self.arn,
            "serviceName": self.name,
            "clusterArn": self.cluster.arn,
            "status": self.status,
            "taskDefinition": self.definition.arn,
            "desiredCount": self.desired_count,
            "runningCount": self.running_count,
            "pendingCount": self.pending_count,
            "launchType": self.launch_type,
            "capacityProviderStrategy": spec.get("capacityProviderStrategy") or None,
            "platformVersion": (spec.get("platformVersion") or "LATEST") if fargate else None,
            "platformFamily": "Linux" if fargate else None,
            "deploymentConfiguration": self.configuration,
            "deploymentController": spec.get("deploymentController") or {"type": "ECS"},
            "deployments": [self._describe_deployment(each) for each in self.deployments],
            "events": self.events,
            "createdAt": moment(self.created),
            "createdBy": f"arn:{self.backend.partition}:iam::{self.backend.account_id}:root",
            "loadBalancers": spec.get("loadBalancers") or [],
            "serviceRegistries": spec.get("serviceRegistries") or [],
            "networkConfiguration": spec.get("networkConfiguration"),
            "healthCheckGracePeriodSeconds": spec.get("healthCheckGracePeriodSeconds") or 0,
            "placementConstraints": spec.get("placementConstraints") or [],
            "placementStrategy": spec.get("placementStrategy") or [],
            "schedulingStrategy": self.scheduling_strategy,
            "enableECSManagedTags": bool(spec.get("enableECSManagedTags")),
            "enableExecuteCommand": bool(spec.get("enableExecuteCommand")),
            "propagateTags": spec.get("propagateTags") or "NONE",
            "availabilityZoneRebalancing": spec.get("availabilityZoneRebalancing") or "DISABLED",
            "roleArn": f"arn:{self.backend.partition}:iam::{self.backend.account_id}:role/aws-service-role/"
            "ecs.amazonaws.com/AWSServiceRoleForECS",
        }
        return {name: value for name, value in described.items() if value is not None}

    def _is_fargate(self, spec: Json) -> bool:
        strategy = spec.get("capacityProviderStrategy") or []
        return self.launch_type == "FARGATE" or any(item["capacityProvider"] in _FARGATE for item in strategy)

    def _describe_deployment(self, deployment: Deployment) -> Json:
        tasks, fargate = self.living(deployment), self._is_fargate(deployment.spec)
        described = {
            "id": deployment.id,
            "status": deployment.status,
            "taskDefinition": deployment.definition.arn,
            "desiredCount": self.desired_count if deployment is self.primary else 0,
            "runningCount": sum(task.last_status == "RUNNING" for task in tasks),
            "pendingCount": sum(task.is_starting for task in tasks),
            "failedTasks": deployment.failed,
            "createdAt": moment(deployment.created),
            "updatedAt": moment(deployment.updated),
            "launchType": self.launch_type,
            "capacityProviderStrategy": deployment.spec.get("capacityProviderStrategy") or None,
            "networkConfiguration": deployment.spec.get("networkConfiguration"),
            "platformVersion": "1.4.0" if fargate else None,
            "platformFamily": "Linux" if fargate else None,
            "rolloutState": deployment.rollout,
            "rolloutStateReason": deployment.reason,
        }
        return {name: value for name, value in described.items() if value is not None}

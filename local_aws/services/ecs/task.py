"""One task: its life cycle, and what exists around it while it runs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.logs.models import logs_backends
from moto.servicediscovery.models import servicediscovery_backends
from werkzeug.exceptions import HTTPException

from local_aws.services.ecs import execution, health, logs, roles, ways
from local_aws.services.ecs.container import Container, moment
from local_aws.services.ecs.faults import of_image
from local_aws.services.ecs.programs import NotStarted
from local_aws.services.ecs.settings import DURATIONS
from local_aws.services.ecs.startup import reason_not_to_start

Json = dict[str, Any]

# The states on the way up and down, and the share of the start or the stop that each of them takes:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
_UP = {"PROVISIONING": 0.25, "PENDING": 0.5, "ACTIVATING": 0.25}
_DOWN = {"DEACTIVATING": 0.2, "STOPPING": 0.6, "DEPROVISIONING": 0.2}


@dataclass(eq=False, kw_only=True)
class Task:
    """A task; `due` is when it next changes by itself (seconds since 1970), None for never."""

    backend: Any
    cluster: Any
    definition: Any
    created: float
    group: str
    launch_type: str
    subnets: list[str] = field(default_factory=list)
    security_groups: list[str] = field(default_factory=list)
    capacity_provider: str | None = None
    container_instance_arn: str | None = None
    enable_exec: bool = False
    started_by: str = ""
    overrides: Json = field(default_factory=dict)
    tags: list[dict[str, str]] = field(default_factory=list)
    load_balancers: list[Json] = field(default_factory=list)
    registries: list[Json] = field(default_factory=list)
    service: Any = None
    deployment: Any = None
    runs_for: float | None = None

    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    due: float | None = None
    started: float | None = None
    stopping: float | None = None
    stopped: float | None = None
    stopped_reason: str | None = None
    stop_code: str | None = None
    healthy: bool = False
    unhealthy: bool = False
    was_healthy: bool = False
    fault: str | None = None  # of `faults`, that this task meets

    def __post_init__(self) -> None:
        self.id = uuid4().hex
        where = f"{self.backend.region_name}:{self.backend.account_id}"
        self.task_arn = f"arn:{self.backend.partition}:ecs:{where}:task/{self.cluster.name}/{self.id}"
        self.cluster_arn = self.cluster.arn
        self.attachment_id = str(uuid4())
        self.containers = [Container(task=self, definition=each) for each in self.definition.container_definitions]
        # Whether containers have stand-in programs, and whether the task ends when one of them does.
        self.executes = any(each.image for each in self.containers)
        if any(each.image and each.definition.get("essential", True) for each in self.containers):
            self.runs_for = None
        self._began = False
        self._refused = False  # by the network, so that it counts as one that failed to start
        self.ec2 = ec2_backends[self.backend.account_id][self.backend.region_name]
        self.eni = self._network_interface() if self.subnets else None
        self.due = self.created + _UP["PROVISIONING"] * DURATIONS.start

    @property
    def address(self) -> str | None:
        return self.eni.private_ip_address if self.eni else None

    @property
    def zone(self) -> str:
        return str(self.eni.subnet.availability_zone) if self.eni else f"{self.backend.region_name}a"

    @property
    def is_starting(self) -> bool:
        return self.last_status in _UP and self.desired_status == "RUNNING"

    @property
    def failed_to_start(self) -> bool:
        return self.stop_code == "TaskFailedToStart" or self._refused

    @property
    def failed(self) -> bool:
        """Whether it counts as failed in its deployment (botocore's Deployment, `failedTasks`)."""
        failed_checks = (self.stopped_reason or "").startswith("Task failed ")
        return self.failed_to_start or (
            not self.was_healthy and (failed_checks or self.stop_code == "EssentialContainerExited")
        )

    def _network_interface(self) -> Any:
        subnet = self.ec2.get_subnet(self.subnets[0])
        interface = self.ec2.create_network_interface(
            subnet,
            subnet.get_available_subnet_ip(self),
            group_ids=self.security_groups,
            description=self.task_arn.replace(":task/", ":attachment/"),
        )
        interface.status = "in-use"
        interface.requester_managed = True
        return interface

    def step(self, now: float) -> None:
        """Do what is due at `now`."""
        self.due = None
        if self.last_status == "PROVISIONING":
            self._enter_up("PENDING", now)
        elif self.last_status == "PENDING":
            self._after_pending(now)
        elif self.last_status == "ACTIVATING":
            if reason := self._unconnectable():
                self._end(now, reason, "TaskFailedToStart")
            else:
                self._run(now)
        elif self.last_status == "RUNNING":
            self._after_running(now)
        elif self.last_status == "DEACTIVATING":
            self._enter_down("STOPPING", now)
        elif self.last_status == "STOPPING":
            if execution.all_ended(self):
                self._enter_down("DEPROVISIONING", now)
            else:
                self.due = execution.next_look(now)
        elif self.last_status == "DEPROVISIONING":
            self._end(now, self.stopped_reason or "", self.stop_code or "")

    def _after_pending(self, now: float) -> None:
        if not self.executes or not self._began:
            account, region = self.backend.account_id, self.backend.region_name
            reason = execution.reason_of_fault(self)
            reason = reason or reason_not_to_start(self.definition, account, region, self.zone)
            reason = reason or ways.reason_not_to_start(self) or roles.reason_not_to_start(self)
            if reason:
                self._end(now, reason, "TaskFailedToStart")
                return
            if roles.is_untold(self):
                return  # it stays in PENDING, and ECS hears no more of it
            if (self.fault or "").startswith("pending:"):
                self.due, self.fault = now + float((self.fault or "").partition(":")[2]), None
                return
            self._create_log_streams()
            self._began = True
            if self._cannot_connect(now):
                return
        try:
            if self.executes and not execution.begin(self):
                self.due = execution.next_look(now)
                return
        except NotStarted as error:
            self._end(now, str(error), "TaskFailedToStart")
            return
        if self.load_balancers or self.registries:
            self._enter_up("ACTIVATING", now)
        else:
            self._run(now)

    def _cannot_connect(self, now: float) -> bool:
        """End it if a host that its variables name is out of reach."""
        found = ways.unreachable(self)
        if found is None:
            return False
        container, why = found
        container.exit_code, self._refused = 1, True
        logs.say(execution.stream(self, container.definition), why)
        reason, code = "Essential container in task exited", "EssentialContainerExited"
        if self.started is None:
            self._end(now, reason, code)
        else:
            self.stop(now, reason, code)
        return True

    def follow(self, now: float) -> bool:
        """Stop it if an essential program has ended, or what interrupts it is due; whether it changed."""
        if self.desired_status == "STOPPED" or self.started is None:
            return False
        kind, _, seconds = (self.fault or "").partition(":")
        if kind == "spot" and now >= self.started + float(seconds):
            self.stop(now, "Your Spot Task was interrupted.", "SpotInterruption")
        elif execution.ended(self):
            reasons = [each.reason for each in self.containers if each.reason]
            reason = reasons[0] if reasons else "Essential container in task exited"
            self.stop(now, reason, "EssentialContainerExited")
        else:
            return False
        return True

    def stop(self, now: float, reason: str, code: str) -> None:
        """Begin to stop it; nothing happens to a task that already stops."""
        if self.desired_status == "STOPPED":
            return
        self.desired_status, self.stopped_reason, self.stop_code, self.stopping = "STOPPED", reason, code, now
        self.healthy = self.unhealthy = False
        self._disconnect()
        if self.last_status == "PROVISIONING":
            self._enter_down("DEPROVISIONING", now)
        else:
            self._enter_down("DEACTIVATING", now)

    def _enter_up(self, status: str, now: float) -> None:
        self.last_status, self.due = status, now + _UP[status] * DURATIONS.start

    def _enter_down(self, status: str, now: float) -> None:
        self.last_status, self.due = status, now + _DOWN[status] * DURATIONS.stop
        if status == "STOPPING":
            execution.stop(self)

    def _run(self, now: float) -> None:
        self.last_status, self.started = "RUNNING", now
        self._course = health.course(self)
        if self.enable_exec:
            roles.agent_connects(self, noted=True)
        self.due = now + (0 if self._exits else self._course.after(0) or 0)
        for balancer in self.load_balancers:
            group = self._target_groups[balancer["targetGroupArn"]]
            group.register([{"Id": self.address, "Port": balancer["containerPort"]}])
            group.targets[self.address]["State"] = "initial"
        for registry in self.registries:
            self._register(registry)

    @property
    def _exits(self) -> bool:
        return any(of_image(each.definition["image"]) == "exit" for each in self.containers)

    def _after_running(self, now: float) -> None:
        course, started = self._course, self.started or now
        if self._exits:
            self._exit(now, 1)
        elif self.healthy:
            self._exit(now, 0)
        elif course.passes is not None and now >= started + course.passes:
            # By now there may be services that were not there when it started.
            if self._cannot_connect(now):
                return
            if reason := ways.failing_target_group(self):
                self._refused = True
                self.stop(now, reason, "ServiceSchedulerInitiated")
                return
            self._pass_checks(now)
        elif course.stops is not None and now >= started + course.stops:
            self._fail_checks(now)
        else:
            self.unhealthy = True
            self._set_targets("unhealthy")
            later = course.after(course.fails or 0)
            self.due = None if later is None else started + later

    def _exit(self, now: float, code: int) -> None:
        for container in self.containers:
            container.exit_code = code
        self.stop(now, "Essential container in task exited", "EssentialContainerExited")

    def _pass_checks(self, now: float) -> None:
        self.healthy, self.unhealthy, self.was_healthy = True, False, True
        self._set_targets("healthy")
        for registry in self.registries:
            with contextlib.suppress(HTTPException):  # deregistered by somebody else
                self._cloud_map.update_instance_custom_health_status(_registry_id(registry), self.id, "HEALTHY")
        if self.runs_for is not None:
            self.due = max(now, (self.started or now) + self.runs_for)

    def _fail_checks(self, now: float) -> None:
        """What the scheduler does at the end of the grace period (ECS Developer Guide, "Service event messages")."""
        if any(each.definition.get("healthCheck") for each in self.containers):
            reason, event = "Task failed container health checks", "failed container health checks."
        else:
            group = f"(target-group {self.load_balancers[0]['targetGroupArn']})"
            port = self.load_balancers[0]["containerPort"]
            reason = f"Task failed ELB health checks in {group}"
            event = f"(port {port}) is unhealthy in {group} due to (reason Health checks failed)."
        self.service.event(f"(task {self.id}) {event}", now)
        self.service.event(f"has stopped 1 running tasks: (task {self.id}).", now)
        self.stop(now, reason, "ServiceSchedulerInitiated")

    def _set_targets(self, state: str) -> None:
        for balancer in self.load_balancers:
            group = self._target_groups.get(balancer["targetGroupArn"])
            if group and self.address in group.targets:
                group.targets[self.address]["State"] = state

    def _end(self, now: float, reason: str, code: str) -> None:
        self.desired_status = self.last_status = "STOPPED"
        self.stopping = self.stopping or now
        self.stopped, self.stopped_reason, self.stop_code = now, reason, code
        self._disconnect()
        execution.remove(self)
        for container in self.containers:
            if self.started is not None and container.exit_code is None:
                container.exit_code = 143  # 128 + SIGTERM, for a program that does not catch it
        if self.eni is not None:
            with contextlib.suppress(ServiceException):
                self.eni.delete()

    def _create_log_streams(self) -> None:
        for each in self.definition.container_definitions:
            log = each.get("logConfiguration") or {}
            options = log.get("options") or {}
            if log.get("logDriver") != "awslogs" or "awslogs-stream-prefix" not in options:
                continue
            region = options.get("awslogs-region") or self.backend.region_name
            backend = logs_backends[self.backend.account_id][region]
            if options["awslogs-group"] not in backend.groups:
                backend.create_log_group(options["awslogs-group"], {})
            stream = f"{options['awslogs-stream-prefix']}/{each['name']}/{self.id}"
            backend.create_log_stream(options["awslogs-group"], stream)

    @property
    def _target_groups(self) -> dict[str, Any]:
        groups: dict[str, Any] = elbv2_backends[self.backend.account_id][self.backend.region_name].target_groups
        return groups

    @property
    def _cloud_map(self) -> Any:
        return servicediscovery_backends[self.backend.account_id][self.backend.region_name]

    def _unconnectable(self) -> str | None:
        """Why it cannot be reached: a target group or a registry was deleted after the service had been made."""
        for balancer in self.load_balancers:
            if balancer["targetGroupArn"] not in self._target_groups:
                return f"Task failed to register targets in (target-group {balancer['targetGroupArn']}): not found"
        for registry in self.registries:
            if _registry_id(registry) not in self._cloud_map.services:
                return f"Task failed to register with (registry {registry['registryArn']}): not found"
        return None

    def _register(self, registry: Json) -> None:
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-discovery.html
        attributes = {
            "AWS_INSTANCE_IPV4": self.address,
            "AVAILABILITY_ZONE": self.zone,
            "REGION": self.backend.region_name,
            "ECS_CLUSTER_NAME": self.cluster.name,
            "ECS_SERVICE_NAME": self.service.name,
            "ECS_TASK_DEFINITION_FAMILY": self.definition.family,
        }
        if port := registry.get("port") or registry.get("containerPort"):
            attributes["AWS_INSTANCE_PORT"] = str(port)
        cloud_map, service = self._cloud_map, _registry_id(registry)
        cloud_map.register_instance(service, self.id, self.id, attributes)
        cloud_map.update_instance_custom_health_status(service, self.id, "UNHEALTHY")

    def _disconnect(self) -> None:
        """Out of target groups and Cloud Map; what is gone already is no error."""
        for balancer in self.load_balancers:
            if group := self._target_groups.get(balancer["targetGroupArn"]):
                group.targets.pop(self.address, None)
        for registry in self.registries:
            with contextlib.suppress(HTTPException):
                self._cloud_map.deregister_instance(_registry_id(registry), self.id)

    def describe(self) -> Json:
        """As in a response, without tags."""
        attachments = []
        if self.eni is not None:
            names = {
                "subnetId": self.eni.subnet.id,
                "networkInterfaceId": self.eni.id,
                "macAddress": self.eni.mac_address,
                "privateDnsName": getattr(self.eni, "private_dns_name", "") or "",
                "privateIPv4Address": self.address,
            }
            attachments.append(
                {
                    "id": self.attachment_id,
                    "type": "ElasticNetworkInterface",
                    "status": "DELETED" if self.last_status == "STOPPED" else "ATTACHED",
                    "details": [{"name": name, "value": value} for name, value in names.items()],
                }
            )
        fargate = self.launch_type == "FARGATE"
        described = {
            "taskArn": self.task_arn,
            "clusterArn": self.cluster.arn,
            "taskDefinitionArn": self.definition.arn,
            "group": self.group,
            "startedBy": self.started_by or None,
            "lastStatus": self.last_status,
            "desiredStatus": self.desired_status,
            "healthStatus": health.status(self),
            "availabilityZone": self.zone,
            "launchType": self.launch_type,
            "capacityProviderName": self.capacity_provider,
            "containerInstanceArn": self.container_instance_arn,
            "platformVersion": "1.4.0" if fargate else None,
            "platformFamily": "Linux" if fargate else None,
            "cpu": self.definition.cpu,
            "memory": self.definition.memory,
            "ephemeralStorage": self.definition.ephemeral_storage or ({"sizeInGiB": 20} if fargate else None),
            "enableExecuteCommand": self.enable_exec,
            "connectivity": "CONNECTED" if self.started and not self.stopped else None,
            "createdAt": moment(self.created),
            "startedAt": moment(self.started),
            "stoppingAt": moment(self.stopping),
            "stoppedAt": moment(self.stopped),
            "stoppedReason": self.stopped_reason,
            "stopCode": self.stop_code,
            "overrides": self.overrides or {"containerOverrides": []},
            "attachments": attachments,
            "containers": [container.describe() for container in self.containers],
            "version": 1,
        }
        return {name: value for name, value in described.items() if value is not None}


def _registry_id(registry: Json) -> str:
    return str(registry["registryArn"].rpartition("/")[2])

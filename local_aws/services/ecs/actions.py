"""The actions of ECS that this stand-in answers instead of moto.

Terraform (provider 5.100.0) adds fixed waits of its own: see `local_aws.services`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from subprocess import Popen
from typing import Any
from uuid import uuid4

from moto.ecs.exceptions import ECSException, InvalidParameterException, ServiceNotFoundException
from moto.ecs.models import ecs_backends
from moto.ecs.responses import EC2ContainerServiceResponse as Response
from moto.kms.models import kms_backends

from local_aws import actions, clock
from local_aws.services.ecs import clusters, data_channels, instances, logs, roles, validation, vcpus
from local_aws.services.ecs.exec_session import Session
from local_aws.services.ecs.faults import FAULTS
from local_aws.services.ecs.service import STARTS_DEPLOYMENT, Service
from local_aws.services.ecs.settings import DURATIONS
from local_aws.services.ecs.task import Json, Task

_STEPS = 100_000  # more than any rehearsal needs: a fault here must not hang the server


def _tick(now: float) -> None:
    for regions in list(ecs_backends.values()):
        for backend in list(regions.values()):
            clusters.follow_instances(backend)
            _follow_programs(backend, now)
            advance(backend, now)
    logs.deliver()


def _follow_programs(backend: Any, now: float) -> None:
    for tasks in list(backend.tasks.values()):
        for task in list(tasks.values()):
            if task.executes and task.follow(now) and task.service is not None:
                task.service.on_task_change(task, now)
                task.service.reconcile(now)


def advance(backend: Any, now: float) -> None:
    """Let everything that is due by `now` happen, in the order and at the time at which it was due."""
    for _ in range(_STEPS):
        things: list[Any] = [service for service in backend.services.values() if service.next_due is not None]
        due = [(service.next_due, service) for service in things]
        due += [(task.due, task) for tasks in backend.tasks.values() for task in tasks.values() if task.due is not None]
        if not due:
            return
        at, thing = min(due, key=lambda each: each[0])
        if at > now:
            return
        if isinstance(thing, Task):
            thing.step(at)
            if thing.service is not None:
                thing.service.on_task_change(thing, at)
                thing.service.reconcile(at)
        else:
            thing.reconcile(at)


def _tagged(described: Json, thing: Any, request: Json) -> Json:
    return {**described, "tags": thing.tags} if "TAGS" in (request.get("include") or []) else described


def _find_service(backend: Any, cluster: Any, name: str) -> Service:
    service = backend.services.get(f"{cluster.name}:{name.rpartition('/')[2]}")
    if service is None:
        raise ServiceNotFoundException
    return service  # type: ignore[no-any-return]


def create_service(backend: Any, request: Json) -> Json:
    cluster = validation.active_cluster(backend, request)
    if (request.get("deploymentController") or {}).get("type", "ECS") != "ECS":
        raise NotImplementedError("a deployment controller other than ECS")
    definition = validation.existing_definition(backend, request.get("taskDefinition") or "")
    key = f"{cluster.name}:{request['serviceName']}"
    if (present := backend.services.get(key)) and present.status == "ACTIVE":
        raise InvalidParameterException("Creation of service was not idempotent.")
    if present and present.status == "DRAINING":
        raise InvalidParameterException("Unable to Start a service that is still Draining.")
    if not request.get("launchType") and not request.get("capacityProviderStrategy"):
        request["capacityProviderStrategy"] = cluster.default_capacity_provider_strategy
    validation.check_launch(cluster, definition, request)
    validation.check_network(backend, definition, request.get("networkConfiguration"))
    validation.check_connections(backend, definition, request)
    validation.check_percents(request)
    tags = request.pop("tags", None) or []
    now = time.time()
    service = Service(backend=backend, cluster=cluster, spec=request, definition=definition, created=now, tags=tags)
    backend.services[key] = service
    service.reconcile(now)
    return {"service": {**service.describe(), "tags": tags}}


def update_service(backend: Any, request: Json) -> Json:
    cluster = validation.active_cluster(backend, request)
    service = _find_service(backend, cluster, request["service"])
    if service.status != "ACTIVE":
        raise ECSException("ServiceNotActiveException", "Service was not ACTIVE.")
    changes = {
        name: value for name, value in request.items() if name not in ("cluster", "service", "forceNewDeployment")
    }
    definition = service.definition
    if name := changes.pop("taskDefinition", None):
        definition = validation.existing_definition(backend, name)
    spec = {**service.spec, **changes}
    if "capacityProviderStrategy" in changes:
        spec.pop("launchType", None)
    validation.check_launch(cluster, definition, spec)
    validation.check_network(backend, definition, spec.get("networkConfiguration"))
    validation.check_percents(spec)
    deploys = request.get("forceNewDeployment") or definition is not service.definition
    deploys = deploys or any(spec.get(name) != service.spec.get(name) for name in STARTS_DEPLOYMENT)
    if deploys:
        validation.check_connections(backend, definition, spec)
    service.spec, service.definition = spec, definition
    now = time.time()
    if changes.get("desiredCount") is not None:
        service.desired_count = int(changes["desiredCount"])
    if deploys:
        service.deploy(now)
    service.reconcile(now)
    return {"service": {**service.describe(), "tags": service.tags}}


def delete_service(backend: Any, request: Json) -> Json:
    service = _find_service(backend, validation.active_cluster(backend, request), request["service"])
    if service.status == "INACTIVE":
        raise ServiceNotFoundException
    if service.desired_count > 0 and not request.get("force"):
        raise InvalidParameterException("The service cannot be stopped while it is scaled above 0.")
    service.drain(time.time())
    return {"service": service.describe()}


def describe_services(backend: Any, request: Json) -> Json:
    cluster = backend._get_cluster(request.get("cluster") or "default")
    found, failures = [], []
    for name in request.get("services") or []:
        if service := backend.services.get(f"{cluster.name}:{name.rpartition('/')[2]}"):
            found.append(_tagged(service.describe(), service, request))
        else:
            arn = (
                f"arn:{backend.partition}:ecs:{backend.region_name}:{backend.account_id}:service/{cluster.name}/{name}"
            )
            failures.append({"arn": name if name.startswith("arn:") else arn, "reason": "MISSING"})
    return {"services": found, "failures": failures}


def list_services(backend: Any, request: Json) -> Json:
    cluster = backend._get_cluster(request.get("cluster") or "default")
    arns = [
        service.arn
        for service in backend.services.values()
        if service.cluster is cluster
        and service.status != "INACTIVE"
        and request.get("launchType", service.launch_type) == service.launch_type
        and request.get("schedulingStrategy", service.scheduling_strategy) == service.scheduling_strategy
    ]
    return {"serviceArns": sorted(arns)}


def run_task(backend: Any, request: Json) -> Json:
    cluster = validation.active_cluster(backend, request)
    definition = validation.existing_definition(backend, request["taskDefinition"])
    if not request.get("launchType") and not request.get("capacityProviderStrategy"):
        request["capacityProviderStrategy"] = cluster.default_capacity_provider_strategy
    validation.check_launch(cluster, definition, request)
    network = request.get("networkConfiguration")
    validation.check_network(backend, definition, network)
    strategy = request.get("capacityProviderStrategy") or []
    provider = strategy[0]["capacityProvider"] if strategy else None
    fargate = (provider or request.get("launchType")) in validation.FARGATE_PROVIDERS
    if not fargate and not backend.container_instances.get(cluster.name):
        raise InvalidParameterException("No Container Instances were found in your cluster.")
    vpc = (network or {}).get("awsvpcConfiguration") or {}
    tags = list(request.get("tags") or [])
    if request.get("propagateTags") == "TASK_DEFINITION":
        tags += definition.tags
    validation.check_overrides(definition, request.get("overrides") or {})
    started = backend.__dict__.setdefault("_tasks_by_token", {})
    if (token := request.get("clientToken")) and (before := started.get(token)):
        if before[0] != {**request, "clientToken": token}:
            raise ECSException("ConflictException", "The client token was used with other parameters before.")
        return {"tasks": [task.describe() for task in before[1]], "failures": []}
    tasks: list[Json] = []
    made: list[Task] = []
    if reason := FAULTS.take("RunTask"):
        return {"tasks": [], "failures": [{"reason": reason}]}
    for _ in range(int(request.get("count") or 1)):
        subnets, place = vpc.get("subnets") or [], None
        where = provider or str(request.get("launchType"))
        if refusal := vcpus.refusal(backend, definition, where, request.get("overrides")):
            return {"tasks": tasks, "failures": [{"reason": refusal}]}
        if not fargate:
            place = instances.place(backend, cluster.name, definition, provider, subnets)
            if place is None:
                any_arn = next(iter(backend.container_instances[cluster.name].values())).container_instance_arn
                return {"tasks": tasks, "failures": [{"arn": any_arn, "reason": "RESOURCE:MEMORY"}]}
            subnets = [place[1]] if place[1] else []
        task = Task(
            backend=backend,
            cluster=cluster,
            definition=definition,
            created=time.time(),
            group=request.get("group") or f"family:{definition.family}",
            launch_type="FARGATE" if fargate else "EC2",
            capacity_provider=provider,
            container_instance_arn=place[0] if place else None,
            subnets=subnets,
            security_groups=vpc.get("securityGroups") or [],
            enable_exec=bool(request.get("enableExecuteCommand")),
            started_by=request.get("startedBy") or "",
            overrides=request.get("overrides") or {},
            tags=tags,
            runs_for=DURATIONS.run,
        )
        backend.tasks.setdefault(cluster.name, {})[task.task_arn] = task
        made.append(task)
        tasks.append({**task.describe(), "tags": tags})
    if token:
        started[token] = (request, made)
    return {"tasks": tasks, "failures": []}


def _find_task(backend: Any, cluster: Any, name: str) -> Task | None:
    for task in backend.tasks.get(cluster.name, {}).values():
        if name in (task.task_arn, task.id):
            return task  # type: ignore[no-any-return]
    return None


def describe_tasks(backend: Any, request: Json) -> Json:
    cluster = backend._get_cluster(request.get("cluster") or "default")
    if not request.get("tasks"):
        raise InvalidParameterException("Tasks cannot be empty.")
    found, failures = [], []
    for name in request["tasks"]:
        if task := _find_task(backend, cluster, name):
            found.append(_tagged(task.describe(), task, request))
        else:
            prefix = f"arn:{backend.partition}:ecs:{backend.region_name}:{backend.account_id}:task/{cluster.name}/"
            failures.append({"arn": name if name.startswith("arn:") else prefix + name, "reason": "MISSING"})
    return {"tasks": found, "failures": failures}


def list_tasks(backend: Any, request: Json) -> Json:
    cluster = backend._get_cluster(request.get("cluster") or "default")
    service = _find_service(backend, cluster, request["serviceName"]) if request.get("serviceName") else None
    arns = [
        task.task_arn
        for task in backend.tasks.get(cluster.name, {}).values()
        if task.desired_status == (request.get("desiredStatus") or "RUNNING")
        and (service is None or task.service is service)
        and request.get("family", task.definition.family) == task.definition.family
        and request.get("startedBy", task.started_by) == task.started_by
        and request.get("launchType", task.launch_type) == task.launch_type
        and request.get("containerInstance", task.container_instance_arn) == task.container_instance_arn
    ]
    return {"taskArns": arns}


def stop_task(backend: Any, request: Json) -> Json:
    cluster = backend._get_cluster(request.get("cluster") or "default")
    if (task := _find_task(backend, cluster, request["task"])) is None:
        raise InvalidParameterException("The referenced task was not found.")
    now = time.time()
    task.stop(now, request.get("reason") or "Task stopped by user", "UserInitiated")
    if task.service is not None:
        task.service.reconcile(now)
    return {"task": {**task.describe(), "tags": task.tags}}


def execute_command(backend: Any, request: Json) -> Json:
    """A session. Where the container has no stand-in programs, what connects to its address finds nobody there."""
    cluster = validation.active_cluster(backend, request)
    if not request.get("interactive"):
        raise InvalidParameterException("Interactive is a required parameter and has to be true.")
    task = _find_task(backend, cluster, request["task"])
    if task is None:
        raise InvalidParameterException("The referenced task was not found.")
    if not task.enable_exec or task.last_status != "RUNNING":
        raise InvalidParameterException(
            "The execute command failed because execute command was not enabled when the task was run or the execute "
            "command agent isn't running. Wait and try again or run a new task with execute command enabled and try "
            "again."
        )
    names = [container.definition["name"] for container in task.containers]
    if len(names) > 1 and not request.get("container"):
        raise InvalidParameterException("A container name is required when the task has more than one container.")
    name = request.get("container") or names[0]
    if name not in names:
        raise InvalidParameterException(f"The container {name} does not exist in the task.")
    container = task.containers[names.index(name)]
    if not container.has_agent:
        raise ECSException(
            "TargetNotConnectedException",
            "The execute command failed due to an internal error. Try again later.",
        )
    session = f"ecs-execute-command-{uuid4().hex[:17]}"
    token = uuid4().hex
    url = f"wss://ssmmessages.{backend.region_name}.amazonaws.com/v1/data-channel/{session}?role=publish_subscribe"
    if container.program is not None:
        made = _session(backend, cluster, container, session, request["command"])
        token, url = made.token, data_channels.add(made)
    return {
        "clusterArn": cluster.arn,
        "taskArn": task.task_arn,
        "containerName": name,
        "containerArn": container.arn,
        "interactive": True,
        "session": {"sessionId": session, "streamUrl": url, "tokenValue": token},
    }


def _session(backend: Any, cluster: Any, container: Any, name: str, command: str) -> Session:
    configuration = (cluster.configuration or {}).get("executeCommandConfiguration") or {}
    kms = kms_backends[backend.account_id][backend.region_name]

    def decrypt(sealed: bytes, context: dict[str, str]) -> bytes:
        # Without the lock of the backends: it changes nothing, and who ends a session has that lock.
        return bytes(kms.decrypt(ciphertext_blob=sealed, encryption_context=context)[0])

    refused = roles.session_refused(container.task)
    return Session(
        id=name,
        target=f"ecs:{cluster.name}_{container.task.id}_{container.runtime_id}",
        start=container.program.enter if refused is None else _refuse(container, refused),
        command=command,
        key=configuration.get("kmsKeyId") if refused is None else None,
        decrypt=decrypt,
        fault=FAULTS.take("session"),
    )


def _refuse(container: Any, reason: str) -> Callable[[list[str], int], Popen[bytes]]:
    """Begins a session that ends at once with what the agent of ECS Exec says."""

    def start(_command: list[str], terminal: int) -> Popen[bytes]:
        said = f"Unable to start command: AccessDeniedException: {reason}"
        started: Popen[bytes] = container.program.enter(["/bin/sh", "-c", 'printf "%s\n" "$0"; exit 1', said], terminal)
        return started

    return start


def start_task(backend: Any, request: Json) -> Json:
    raise NotImplementedError("tasks placed on a named container instance")


def register_task_definition(backend: Any, request: Json, moto: actions.Moto) -> Json:
    validation.check_task_definition(request)
    return moto()


def _own(backend: Any, request: Json, moto: actions.Moto) -> Json:
    return moto()


_ACTIONS: dict[str, actions.Action] = {
    "CreateService": create_service,
    "UpdateService": update_service,
    "DeleteService": delete_service,
    "DescribeServices": describe_services,
    "ListServices": list_services,
    "RunTask": run_task,
    "StartTask": start_task,
    "DescribeTasks": describe_tasks,
    "ListTasks": list_tasks,
    "StopTask": stop_task,
    "ExecuteCommand": execute_command,
    "DescribeContainerInstances": clusters.describe_container_instances,
}
_WRAPPERS: dict[str, actions.Wrapper] = {
    "RegisterTaskDefinition": register_task_definition,
    "DescribeTaskDefinition": _own,  # for its faults
    **clusters.WRAPPERS,
}


def install() -> None:
    """Put the actions into moto's ECS, and have its tasks advance with the clock."""
    actions.add(Response, "ecs_backend", _ACTIONS)
    actions.wrap(Response, "ecs_backend", _WRAPPERS)
    clock.every_request(_tick)

"""Starts the containers of a task that have stand-in programs, in the order of their dependencies.

A container is one of `task.Task`, with `definition`, `image` (see `images`), `program` and `exit_code`.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from local_aws.services.ecs import logs, metadata, mounts, roles, startup
from local_aws.services.ecs.faults import FAULTS, of_image
from local_aws.services.ecs.programs import NotStarted, Program, folder

Json = dict[str, Any]

_POLL = 0.05  # seconds until a task looks again at its containers
REASONS = {
    "CannotPullContainerError": "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to "
    "resolve ref {image}: {image}: not found",
    "ResourceInitializationError": "ResourceInitializationError: unable to pull secrets or registry auth: execution "
    "resource retrieval failed: unable to retrieve secret from asm: There is a connection issue between the task and "
    "AWS Secrets Manager. Check your task network configuration. failed to fetch secret from secrets manager: "
    "RequestCanceled: request context canceled caused by: context deadline exceeded",
    "CannotStartContainerError": "CannotStartContainerError: failed to create containerd task: failed to create shim "
    "task: OCI runtime create failed",
}
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


def reason_of_fault(task: Any) -> str | None:
    """Why the task does not start, if a fault says so; other faults are kept in `task.fault`."""
    for container in task.containers:
        image = container.definition["image"]
        if (marked := of_image(image)) in REASONS:
            return REASONS[marked].format(image=image)
    fault = FAULTS.take("task") if task.executes else None
    if fault is None:
        return None
    if fault in REASONS:
        return REASONS[fault].format(image=task.containers[0].definition["image"])
    task.fault = fault
    return None


def begin(task: Any) -> bool:
    """Start what may start now; whether all is started. Raises NotStarted, also for a dependency that failed."""
    by_name = {each.definition["name"]: each for each in task.containers}
    for container in task.containers:
        if container.begun:
            continue
        if _may_start(container, by_name):
            container.begun = True
            if container.image is not None:
                container.program = _start(task, container)
    return all(each.begun for each in task.containers)


def _may_start(container: Any, by_name: dict[str, Any]) -> bool:
    for dependency in container.definition.get("dependsOn") or []:
        other = by_name[dependency["containerName"]]
        if not other.begun:
            return False
        if dependency["condition"] in ("COMPLETE", "SUCCESS") and other.program is not None:
            if (code := other.program.exit_code) is None:
                return False
            other.exit_code = code
            if code != 0 and dependency["condition"] == "SUCCESS":
                raise NotStarted(
                    f"Dependent container {other.definition['name']} did not succeed: it exited with {code}"
                )
    return True


def _start(task: Any, container: Any) -> Program:
    account, region = task.backend.account_id, task.backend.region_name
    definition = {**container.definition, **_override(task, container)}
    own = folder() / task.id
    volumes = {volume["name"]: volume for volume in task.definition.volumes}
    places: dict[str, tuple[Path, bool]] = {}
    clients: dict[str, str] = {}
    for mount in definition.get("mountPoints") or []:
        try:
            at = mounts.source(volumes[mount["sourceVolume"]], account, region, own)
        except OSError as error:
            raise NotStarted(
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: "
                f"{error}"
            ) from error
        places[mount["containerPath"]] = (at, bool(mount.get("readOnly")) or not _writes(task, volumes, mount))
        clients[mount["containerPath"]] = f"{task.id}/{mount['sourceVolume']}"
    program = Program(
        name=container.runtime_id,
        image=container.image,
        definition=definition,
        environment=_environment(task, container, account, region),
        mounts=places,
        clients=clients,
        stream=stream(task, container.definition),
    )
    kind, _, seconds = (task.fault or "").partition(":")
    if kind in ("OutOfMemory", "kill"):
        program.kill_after(float(seconds))
    return program


def _writes(task: Any, volumes: dict[str, Json], mount: Json) -> bool:
    """Whether the task may write to a volume: to one of EFS it may with ClientWrite."""
    efs = volumes[mount["sourceVolume"]].get("efsVolumeConfiguration")
    return not efs or roles.mounted(task, efs).write


def _override(task: Any, container: Any) -> Json:
    for each in (task.overrides or {}).get("containerOverrides") or []:
        if each.get("name") == container.definition["name"]:
            return {key: each[key] for key in ("command",) if each.get(key)}
    return {}


def _environment(task: Any, container: Any, account: str, region: str) -> dict[str, str]:
    given = {each["name"]: each["value"] for each in container.definition.get("environment") or []}
    for secret in container.definition.get("secrets") or []:
        given[secret["name"]] = startup.secret_value(secret["valueFrom"], account, region)
    for override in (task.overrides or {}).get("containerOverrides") or []:
        if override.get("name") == container.definition["name"]:
            given |= {each["name"]: each["value"] for each in override.get("environment") or []}
    fargate = {"AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"} if task.launch_type == "FARGATE" else {}
    return {
        **metadata.environment(task, container),
        **fargate,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **given,
    }


def stream(task: Any, definition: Json) -> logs.Stream | None:
    """Where a container's output goes; None for nowhere."""
    log = definition.get("logConfiguration") or {}
    options = log.get("options") or {}
    if log.get("logDriver") != "awslogs" or "awslogs-stream-prefix" not in options or not roles.may_log(task, options):
        return None
    region = options.get("awslogs-region") or task.backend.region_name
    name = f"{options['awslogs-stream-prefix']}/{definition['name']}/{task.id}"
    return task.backend.account_id, region, options["awslogs-group"], name


def next_look(now: float) -> float:
    """When to look again, for a task whose containers start or end by themselves."""
    return max(now, time.time()) + _POLL


def ended(task: Any) -> bool:
    """Note the exit codes; whether an essential container has ended."""
    over = False
    for container in task.containers:
        if container.program is None or container.exit_code is not None:
            continue
        if (code := container.program.exit_code) is not None:
            container.exit_code = code
            if (task.fault or "").startswith("OutOfMemory") and code == 137:
                container.reason = OUT_OF_MEMORY
            over = over or container.definition.get("essential", True)
    return over


def stop(task: Any) -> None:
    for container in task.containers:
        if container.program is not None and container.program.exit_code is None:
            container.program.stop()


def all_ended(task: Any) -> bool:
    ended(task)
    return all(each.program is None or each.exit_code is not None for each in task.containers)


def remove(task: Any) -> None:
    """Kill what is left, and remove the containers' folders in a thread of its own."""
    programs = [each.program for each in task.containers if each.program is not None]
    for container in task.containers:
        metadata.forget(container)
    for program in programs:
        if program.exit_code is None:
            program.kill()
    if programs:
        threading.Thread(target=lambda: [each.remove() for each in programs], daemon=True).start()

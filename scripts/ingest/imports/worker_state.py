"""Why nobody does what is asked for: what ECS says of the server's task and of the container beside it."""

from __future__ import annotations

from typing import Any

from contract.outputs import Omero
from scripts import aws
from scripts.ingest.deployment import DeployedWorkspace
from scripts.ingest.imports.requests import Lease

CONTAINER = "importer"


def absence(deployment: DeployedWorkspace, lease: Lease | None) -> str:
    """Why the worker gives no sign, as far as ECS tells."""
    last = f"; it was last seen at {lease.at} (by its own clock)" if lease else ""
    try:
        return _reason(deployment) + last
    except aws.ERRORS as error:
        return f"ECS does not say why: {aws.sentence(error)}{last}"


def _reason(deployment: DeployedWorkspace) -> str:
    ecs = deployment.client("ecs")
    cluster, name = deployment.parameter(Omero.cluster_name), deployment.parameter(Omero.server_service_name)
    found = ecs.describe_services(cluster=cluster, services=[name])["services"]
    if not found or found[0]["status"] != "ACTIVE":
        return f"the ECS service {name} does not exist; deploy the omero stack first"
    events = found[0].get("events") or [{"message": "no event"}]
    said = str(events[0]["message"]).rstrip(".")
    if not found[0]["desiredCount"]:
        return f"the ECS service {name} has a desired count of 0; set it to 1"
    arns = ecs.list_tasks(cluster=cluster, serviceName=name)["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    if not tasks:
        return f"no task of OMERO.server is running ({said})"
    if len(tasks) > 1:
        return f"ECS is replacing OMERO.server's task: {len(tasks)} are there; wait until one of them is gone"
    return _of_task(deployment, tasks[0])


def _of_task(deployment: DeployedWorkspace, task: dict[str, Any]) -> str:
    id_, log = task["taskArn"].rpartition("/")[2], deployment.published(Omero.importer_log_group_name)
    if task["lastStatus"] != "RUNNING":
        return f"OMERO.server's task {id_} is {task['lastStatus']}; wait a few minutes"
    container = next((each for each in task["containers"] if each["name"] == CONTAINER), None)
    if container is None:
        return f"OMERO.server's task {id_} has no container {CONTAINER}; deploy the omero stack again"
    if container["lastStatus"] != "RUNNING":
        reason = container.get("reason") or f"exit code {container.get('exitCode')}"
        return f"the container {CONTAINER} is {container['lastStatus']} ({reason}); its log is in {log}"
    return f"the container {CONTAINER} runs, and its worker is starting or being started again; its log is in {log}"

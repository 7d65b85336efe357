"""Whether OMERO is up after a change, as ECS and the balancers tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3

from contract import names
from scripts import aws
from scripts.aws.waiting import wait_for
from scripts.errors import Failed
from settings import Workspace

SECONDS = 120.0
"""A balancer takes a while to find a new target well."""


def check(session: boto3.Session, workspace: Workspace) -> None:
    """Wait until every service of a workspace is up.

    Raises:
        Failed: it is not within `SECONDS`; the message says what is not well.
    """

    def state() -> str:
        return "; ".join(faults(session, workspace)) or "up"

    try:
        wait_for(f"OMERO {workspace.name}", state, until=("up",), seconds=SECONDS)
    except Failed:
        raise Failed(f"OMERO {workspace.name} is not up: {state()}.") from None


def faults(session: boto3.Session, workspace: Workspace) -> Iterator[str]:
    """What is not well now."""
    ecs: Any = session.client("ecs")
    cluster = names.cluster(workspace.name)
    arns = [arn for page in aws.pages(ecs, "list_services", cluster=cluster) for arn in page["serviceArns"]]
    services = ecs.describe_services(cluster=cluster, services=arns)["services"] if arns else []
    there = {service["serviceName"]: service for service in services}
    for role in _roles(workspace):
        name = names.physical("service", workspace.name, role)
        if name not in there:
            yield f"the service {name} is missing"
    for name, service in there.items():
        yield from (f"the service {name} {fault}" for fault in _service_faults(ecs, cluster, service, workspace))
    yield from _target_faults(session)


def _roles(workspace: Workspace) -> Iterator[str]:
    yield from ("server", "web")
    if read_only := workspace.omero.read_only:
        yield from (f"read-only-{number}" for number in range(1, read_only.count + 1))


def _service_faults(ecs: Any, cluster: str, service: Any, workspace: Workspace) -> Iterator[str]:
    deployment = service["deployments"][0]
    if len(service["deployments"]) > 1 or deployment["rolloutState"] != "COMPLETED":
        yield f"is {deployment['rolloutState']}: {deployment['rolloutStateReason']}"
    if service["taskDefinition"] != deployment["taskDefinition"]:
        yield f"was rolled back to {deployment['taskDefinition']}"
    arns = ecs.list_tasks(cluster=cluster, serviceName=service["serviceName"])["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    if not service["serviceName"].endswith("-web") and len(tasks) != 1:
        yield f"has {len(tasks)} tasks, not 1"
    for task in tasks:
        if task["taskDefinitionArn"] != service["taskDefinition"]:
            yield f"runs {task['taskDefinitionArn']}"
        if task.get("healthStatus", "HEALTHY") != "HEALTHY":
            yield f"has a task that is {task['healthStatus']}"
        wanted = "FARGATE" if service["serviceName"].endswith("-web") else workspace.omero.server.launch_type
        if task["launchType"] != wanted:
            yield f"runs on {task['launchType']}, not on {wanted}"


def _target_faults(session: boto3.Session) -> Iterator[str]:
    elb: Any = session.client("elbv2")
    for group in aws.rows(elb, "describe_target_groups", "TargetGroups"):
        found = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        states = {each["TargetHealth"]["State"] for each in found} - {"draining"}
        if states != {"healthy"}:
            found_states = ", ".join(sorted(states)) or "missing"
            yield f"the target group {group['TargetGroupName']} has targets that are {found_states}"

"""Whether an update of the server's image would ever have two servers write: asked of Terraform's plan.

Blitz locks the repository, and a second writer waits for the lock for ever (docs/adr/0004-one-writer.md). ECS keeps to
one task where the service says so and is changed in place; a service that is replaced could overlap with the old one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# What ECS has to be told for it to stop a task before it starts the next (ECS Developer Guide, "Rolling update").
ONE_TASK = {"desired_count": 1, "deployment_minimum_healthy_percent": 0, "deployment_maximum_percent": 100}
SERVERS = "aws_ecs_service.server", "aws_ecs_service.read_only_"


def overlaps(plan: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a plan of any change: a server that is replaced, or that may have more than one task.

    One that is replaced is gone until all that its successor waits for is there, and comes back only if that succeeds.
    """
    for change in plan.get("resource_changes", []):
        address, actions, after = change["address"], change["change"]["actions"], change["change"]["after"]
        if not address.startswith(SERVERS):
            continue
        if len(actions) > 1:
            yield f"it would {' and '.join(actions)} {address} instead of updating it in place"
        elif after:
            wrong = {key: after[key] for key, value in ONE_TASK.items() if after[key] != value}
            yield from (f"{address} would have {key} {value}, not {ONE_TASK[key]}" for key, value in wrong.items())


def faults(plan: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a plan (as `terraform show -json` has it) of another image for the server, if anything."""
    changes = {change["address"]: change["change"] for change in plan["resource_changes"]}
    servers = {address: change for address, change in changes.items() if address.startswith(SERVERS)}
    if "aws_ecs_service.server" not in servers:
        yield "it has no read-write server"
    for address, change in servers.items():
        if change["actions"] != ["update"]:
            yield f"it would {' and '.join(change['actions'])} {address} instead of updating it in place"
            continue
        wrong = {key: change["after"][key] for key, value in ONE_TASK.items() if change["after"][key] != value}
        yield from (f"{address} would have {key} {value}, instead of {ONE_TASK[key]}" for key, value in wrong.items())
    for address, change in changes.items():
        is_servers = address.startswith(SERVERS) or address.startswith("aws_ecs_task_definition.")
        if not is_servers and change["actions"] not in (["no-op"], ["read"]):
            yield f"it would {' and '.join(change['actions'])} {address} too"

"""Where images may be imported from, and whether the server is fit for it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from contract import mounts
from contract.outputs import Omero
from scripts.errors import Refused
from scripts.ingest.deployment import DeployedWorkspace

TRANSFERS = ("ln_s", "ln", "cp", "upload")
LINKS = ("ln_s", "ln")
REMOVING = ("upload_rm", "ln_rm", "cp_rm")
SKIPS = ("all", "checksum", "minmax", "thumbnails", "upgrade")


def mounted(deployment: DeployedWorkspace) -> dict[str, bool]:
    """What the importers see, and whether links may point there: the data directory, and a File Gateway's share."""
    return {mount.path: not mount.share for mount in mounts.of(deployment.workspace)}


def path(deployment: DeployedWorkspace, text: str) -> bytes:
    """A path as the importers see it.

    Raises:
        Refused: it is relative, or outside of what they see.
    """
    normal = os.path.normpath(text) if text.startswith("/") else ""
    seen = mounted(deployment)
    if "\0" in text or not any(normal == mount or normal.startswith(f"{mount}/") for mount in seen):
        allowed = " or ".join(f"{mount}/..." for mount in seen)
        raise Refused(
            f"the path {text!r} is outside the importers' folders; give a path under {allowed}, as OMERO.server "
            "sees it, not as on this machine."
        )
    return os.fsencode(normal)


def check_transfer(transfer: str) -> None:
    """Refuse what is none, and what deletes images.

    Raises:
        Refused: it is one of those.
    """
    if transfer in REMOVING:
        raise Refused(
            f"--transfer {transfer} deletes the files as it imports them; allowed: {', '.join(TRANSFERS)}. Import, "
            "verify, and delete them yourself."
        )
    if transfer not in TRANSFERS:
        raise Refused(f"--transfer {transfer} is not valid; allowed: {', '.join(TRANSFERS)}.")


def check_skips(skips: Iterable[str]) -> None:
    """Refuse what OMERO's importer cannot skip.

    Raises:
        Refused: one is none.
    """
    for each in skips:
        if each not in SKIPS:
            raise Refused(f"--skip {each} is not valid; allowed: {', '.join(SKIPS)}.")


def check_server(deployment: DeployedWorkspace) -> None:
    """Refuse to import while OMERO.server is not healthy.

    Raises:
        Refused: the service is not there, has no task that runs or several, or its task is not healthy.
    """
    ecs = deployment.client("ecs")
    cluster, name = deployment.parameter(Omero.cluster_name), deployment.parameter(Omero.server_service_name)
    found = ecs.describe_services(cluster=cluster, services=[name])["services"]
    if not found or found[0]["status"] != "ACTIVE":
        raise Refused(f"the ECS service {name} does not exist; deploy the omero stack first.")
    log = f"its log group is {deployment.parameter(Omero.server_log_group_name)}"
    # Those that are being stopped, too: they may still hold the repository's lock.
    arns = [
        arn
        for status in ("RUNNING", "STOPPED")
        for arn in ecs.list_tasks(cluster=cluster, serviceName=name, desiredStatus=status)["taskArns"]
    ]
    # DescribeTasks takes 100 (API reference).
    described = ecs.describe_tasks(cluster=cluster, tasks=arns[:100])["tasks"] if arns else []
    tasks: list[dict[str, Any]] = [task for task in described if task["lastStatus"] != "STOPPED"]
    if len(tasks) > 1:
        told = ", ".join(f"{task['taskArn'].rpartition('/')[2]} is {task['lastStatus']}" for task in tasks)
        raise Refused(
            f"OMERO.server has more than one task ({told}), and one of them holds the repository's lock; wait "
            "until ECS has stopped the other, and run this again."
        )
    if not any(task["lastStatus"] == "RUNNING" for task in tasks):
        events = found[0].get("events") or [{"message": "no event"}]
        raise Refused(f"OMERO.server is not running ({events[0]['message'].rstrip('.')}); {log}.")
    if not any(task.get("healthStatus") == "HEALTHY" for task in tasks):
        raise Refused(
            f"OMERO.server is running but not "
            f"healthy (`omero admin status` fails, or it has just started); {log}. Wait a "
            "few minutes and run this again."
        )

"""The folders that the worker looks at by itself: those that a workspace names, or those of its ways in."""

from __future__ import annotations

import json
import re

from contract import mounts
from settings import Workspace
from settings.arrivals import WatchedFolder


def folders(workspace: Workspace) -> tuple[WatchedFolder, ...]:
    """The watched folders; none without the section `arrivals`."""
    if workspace.arrivals is None:
        return ()
    return workspace.arrivals.folders or _of_ways_in(workspace)


def parameter(workspace: Workspace, *, hints_url: str = "", reports_topic: str = "", web_url: str = "") -> str:
    """What the worker reads (containers/importer/arrivals.py).

    `hints_url` is the queue of hints, `reports_topic` the ARN of the topic of messages, each "" for none; `web_url` is
    where people open OMERO.web.
    """
    settings = workspace.arrivals
    if settings is None:
        return "{}"
    return json.dumps(
        {
            "interval_seconds": settings.interval_minutes * 60,
            "settle_seconds": settings.settle_seconds,
            "workspace": workspace.name,
            "hints_url": hints_url,
            "reports_topic": reports_topic,
            "web_url": web_url,
            "folders": [each.model_dump(mode="json") for each in folders(workspace)],
        },
        separators=(",", ":"),
    )


def _of_ways_in(workspace: Workspace) -> tuple[WatchedFolder, ...]:
    found = []
    if workspace.sftp:
        path = workspace.sftp.folder
        found.append(WatchedFolder(path=path, user="{folder}", target="Dataset:name:{folder}"))
    if workspace.datasync:
        found.append(_with_datasets(workspace.datasync.folder))
    if share := mounts.share_path(workspace):
        found.append(_with_datasets(share))
    return tuple(found)


def _with_datasets(path: str) -> WatchedFolder:
    """A dataset for each folder directly below it; what lies beside them goes into none."""
    # OMERO matches the whole folder of a file, without the slash at its beginning or with it.
    return WatchedFolder(path=path, target=f"regex:^/?{re.escape(path[1:])}/(?<Container1>[^/]*).*")

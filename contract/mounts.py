"""What containers and hosts mount: decided here, for the stacks that mount it and the scripts that check paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from contract.omero import DATA_DIR
from settings import Workspace

Consumer = Literal["servers", "upload_hosts"]


@dataclass(frozen=True, kw_only=True)
class MountPoint:
    """A folder that is mounted. `share`: it is a File Gateway's, read-only: symbolic links may lead to its files, and
    hard links may not, for they cannot leave the file system of OMERO's repository."""

    path: str
    share: bool


def of(workspace: Workspace, consumer: Consumer = "servers") -> tuple[MountPoint, ...]:
    """What servers and the importer mount, or upload hosts: the data directory, and a share where they mount one."""
    path = share_path(workspace, consumer)
    return (MountPoint(path=DATA_DIR, share=False), *([MountPoint(path=path, share=True)] if path else []))


def share_path(workspace: Workspace, consumer: Consumer = "servers") -> str | None:
    """Where the File Gateway's share is mounted; None where it is not.

    Servers mount it in workspaces with the trait `share`; upload hosts mount any that there is.
    """
    if consumer == "servers" and not workspace.traits.share:
        return None
    if workspace.share:
        return workspace.share.mount_point
    return next((path for part in workspace.sections.values() if (path := part.share())), None)

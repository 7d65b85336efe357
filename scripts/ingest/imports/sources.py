"""Where images may be imported from, and how."""

from __future__ import annotations

import os
from collections.abc import Iterable

from containers.importer.runs import SKIPS, TRANSFERS
from contract import mounts
from scripts.errors import Refused
from scripts.ingest.deployment import DeployedWorkspace

REMOVING = ("upload_rm", "ln_rm", "cp_rm")


def shares(deployment: DeployedWorkspace) -> list[str]:
    """The File Gateways' shares that OMERO.server sees."""
    return [mount.path for mount in mounts.of(deployment.workspace) if mount.share]


def path(deployment: DeployedWorkspace, text: str) -> bytes:
    """A path as OMERO.server sees it.

    Raises:
        Refused: it is relative, or outside of what it sees.
    """
    normal = os.path.normpath(text) if text.startswith("/") else ""
    seen = [mount.path for mount in mounts.of(deployment.workspace)]
    if "\0" in text or not any(normal == mount or normal.startswith(f"{mount}/") for mount in seen):
        allowed = " or ".join(f"{mount}/..." for mount in seen)
        raise Refused(
            f"the path {text!r} is outside OMERO.server's folders; give a path under {allowed}, as OMERO.server "
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

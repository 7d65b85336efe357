"""The AppStream of a workspace, for one run of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.changes import changing, tell
from scripts.errors import Refused
from scripts.ingest.appstream.context import AppStreamContext
from scripts.ingest.deployment import deployed_workspace


@contextmanager
def open_context(workspace: str | None, *, dry_run: bool = False, as_json: bool = False) -> Iterator[AppStreamContext]:
    """The AppStream of a workspace, for one run, whose changes are told as JSON if asked for.

    Raises:
        Refused: the workspace has no section for it.
    """
    deployment = deployed_workspace(workspace)
    section = deployment.workspace.appstream
    if section is None:
        raise Refused(
            f"workspace {deployment.workspace.name} has no section appstream; add one to its file "
            "(docs/ingest/appstream.md has an example)."
        )
    with changing(dry_run=dry_run) as changes:
        yield AppStreamContext(deployment=deployment, settings=section, changes=changes)
    tell(changes, as_json=as_json)

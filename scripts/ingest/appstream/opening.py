"""The AppStream of a workspace, for one run of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.changes import changing, tell
from scripts.errors import Refused
from scripts.ingest.appstream.context import Place
from scripts.ingest.deployment import open_workspace


@contextmanager
def open_place(workspace: str | None, *, dry_run: bool = False, as_json: bool = False) -> Iterator[Place]:
    """The AppStream of a workspace, for one run, whose changes are told as JSON if asked for.

    Raises:
        Refused: the workspace has no section for it.
    """
    opened = open_workspace(workspace)
    section = opened.workspace.appstream
    if section is None:
        raise Refused(
            f"workspace {opened.workspace.name} has no section appstream; add one to its file "
            "(docs/ingest/appstream.md has one to copy)."
        )
    with changing(dry_run=dry_run) as changes:
        yield Place(opened=opened, settings=section, changes=changes)
    tell(changes, as_json=as_json)

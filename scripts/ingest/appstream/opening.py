"""The AppStream of a workspace, for one run of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.changes import changing, tell
from scripts.errors import Refused
from scripts.ingest.appstream.context import AppStreamContext
from scripts.ingest.deployment import deployed_workspace
from settings.appstream import AppStream


@contextmanager
def open_context(
    workspace: str | None, *, dry_run: bool = False, as_json: bool = False, may_be_gone: bool = False
) -> Iterator[AppStreamContext]:
    """The AppStream of a workspace, for one run, whose changes are told as JSON if asked for.

    With `may_be_gone`, neither stacks nor the section have to be there: for what takes away, by names and tags.

    Raises:
        Refused: the workspace has no section for it.
    """
    deployment = deployed_workspace(workspace, may_be_gone=may_be_gone)
    section = deployment.workspace.appstream
    if section is None and may_be_gone:
        section = AppStream.model_construct()
    if section is None:
        raise Refused(
            f"workspace {deployment.workspace.name} has no section appstream; add one to its file "
            "(docs/ingest/appstream.md has an example)."
        )
    with changing(dry_run=dry_run) as changes:
        yield AppStreamContext(deployment=deployment, settings=section, changes=changes)
    tell(changes, as_json=as_json)

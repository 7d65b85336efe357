"""The part of a rehearsal with a File Gateway that Terraform itself activates."""

from __future__ import annotations

from scripts.rehearsal.section import SectionRehearsal
from settings import Workspace


def _environ(workspace: Workspace, endpoint: str) -> dict[str, str]:
    """Terraform reaches the gateway's private address through the local AWS, which is a proxy to it."""
    if not (workspace.file_gateway and workspace.file_gateway.activation_cidrs):
        return {}
    return {"HTTP_PROXY": endpoint}


REHEARSAL = SectionRehearsal(environ=_environ)

"""`imports exec --shell`: a terminal in the server's container; AWS's plugin is a stand-in."""

from __future__ import annotations

import os
import pty
import select
import time

import boto3
import pytest

from scripts.ingest.imports import exec_command
from tests.scripts.ingest.imports.imports_help import Importing, LocalDeployedWorkspace


def _until(terminal: int, wanted: bytes) -> None:
    """Read what the terminal shows."""
    end = time.monotonic() + 30
    seen = b""
    while wanted not in seen:
        assert select.select([terminal], [], [], max(0, end - time.monotonic()))[0], f"no {wanted!r} in {seen!r}"
        seen += os.read(terminal, 4096)


def test_a_shell_is_omero_servers_on_a_terminal_with_omeros_environment(
    server: Importing, plugin: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deployment(_name: str | None) -> LocalDeployedWorkspace:
        session = boto3.Session("testing", "testing", region_name=server.programs.aws.region)
        return LocalDeployedWorkspace(
            workspace=server.deployment.workspace, session=session, parameters=server.deployment.parameters
        )

    monkeypatch.setattr(exec_command, "deployed_workspace", deployment)
    child, terminal = pty.fork()
    if child == 0:
        try:
            exec_command.exec_command(None, shell=True, deadline=60, workspace=None)  # noqa: S604 - a name of ours
        finally:
            os._exit(0)
    _until(terminal, b"$ ")
    os.write(terminal, b'echo "<$(id -un)>" "<$(command -v omero)>" "<$(tty)>"\n')
    _until(terminal, b"<omero-server> </opt/omero/server/venv3/bin/omero> </dev/pts/")
    os.write(terminal, b"exit\n")
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0

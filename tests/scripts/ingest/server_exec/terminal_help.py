"""`omero-aws exec` on a terminal that a test types on."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass

import boto3
import pytest

from scripts import console
from scripts.ingest.server_exec import command
from tests.scripts.ingest.imports.imports_help import Importing, LocalDeployedWorkspace

# Longer than anything in a test takes.
PATIENCE = 30.0


@dataclass
class Typed:
    """A process whose terminal this is; `seen` is what it has shown."""

    pid: int
    leader: int
    follower: int
    seen: bytes = b""

    def until(self, wanted: bytes) -> None:
        """Read what it shows; what comes later has to be wanted again."""
        end = time.monotonic() + PATIENCE
        while wanted not in self.seen:
            assert select.select([self.leader], [], [], max(0, end - time.monotonic()))[0], (
                f"no {wanted!r}: {self.seen!r}"
            )
            self.seen += os.read(self.leader, 4096)
        self.seen = self.seen.partition(wanted)[2]

    def type(self, keys: bytes) -> None:
        os.write(self.leader, keys)

    def exit_code(self) -> int:
        """Once it has ended."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if select.select([self.leader], [], [], 0.05)[0]:
                self.seen += os.read(self.leader, 4096)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(f"it has not ended: {self.seen!r}")

    def mode(self) -> object:
        """All that stty knows of the terminal."""
        return termios.tcgetattr(self.follower)


def start(server: Importing, monkeypatch: pytest.MonkeyPatch, words: list[str] | None, *, deadline: int = 60) -> Typed:
    """`exec -- WORDS`, or without any `exec --shell`, in a process of its own."""

    def deployment(_name: str | None) -> LocalDeployedWorkspace:
        session = boto3.Session("testing", "testing", region_name=server.programs.aws.region)
        return LocalDeployedWorkspace(
            workspace=server.deployment.workspace, session=session, parameters=server.deployment.parameters
        )

    monkeypatch.setattr(command, "deployed_workspace", deployment)
    leader, follower = os.openpty()
    pid = os.fork()
    if pid == 0:
        os.close(leader)
        _become(
            follower,
            lambda: command.exec_command(words, shell=words is None, deadline=deadline, workspace=None),
        )
    return Typed(pid, leader, follower)


def _become(terminal: int, main: Callable[[], None]) -> None:
    code = 99
    try:
        os.login_tty(terminal)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        console.run(main)
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 98
    finally:
        sys.stderr.flush()
        os._exit(code)

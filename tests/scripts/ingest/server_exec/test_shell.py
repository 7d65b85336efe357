"""`omero-aws exec --shell`: a terminal in the server's container; AWS's plugin is a stand-in."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from local_aws.testing.ecs import until
from scripts.errors import Refused
from scripts.ingest.server_exec import command
from tests.scripts.ingest.imports.exec_help import children
from tests.scripts.ingest.imports.imports_help import Importing
from tests.scripts.ingest.server_exec.terminal_help import start


def test_a_shell_is_omero_servers_on_a_terminal_with_omeros_environment(
    server: Importing, plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = start(server, monkeypatch, None)
    shell.until(b"$ ")
    shell.type(b'echo "<$(id -un)>" "<$(command -v omero)>" "<$(tty)>"\n')
    shell.until(b"<omero-server> </opt/omero/server/venv3/bin/omero> </dev/pts/")
    shell.type(b"exit\n")
    assert shell.exit_code() == 0


def test_ctrl_c_ends_what_runs_in_the_shell_and_not_the_shell(
    server: Importing, plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = start(server, monkeypatch, None)
    before = shell.mode()
    shell.until(b"$ ")
    for key, word in ((b"\x03", b"one"), (b"\x1c", b"two"), (b"\x1a", b"three")):
        shell.type(b"sh -c 'echo sl\"\"eeps; exec sleep 100'\n")
        shell.until(b"sleeps")
        shell.type(key)
        shell.until(b"$ ")
        shell.type(b'echo "<"' + word + b'">"\n')
        shell.until(b"<" + word + b">")
    assert shell.mode() != before, "the container's terminal echoes, this one does not"
    shell.type(b"kill %1; exit\n")
    assert shell.exit_code() == 0
    assert shell.mode() == before


@pytest.mark.parametrize("killed", ["plugin", "SIGTERM", "SIGHUP"])
def test_the_terminal_is_as_it_was_whatever_ends_the_shell(
    server: Importing, plugin: Path, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    shell = start(server, monkeypatch, None)
    before = shell.mode()
    shell.until(b"$ ")
    until(lambda: shell.mode() != before)
    (session,) = children(shell.pid)
    if killed == "plugin":
        os.kill(session, signal.SIGKILL)
    else:
        os.kill(shell.pid, signal.Signals[killed])
    code = shell.exit_code()
    assert code == (1 if killed == "plugin" else 128 + signal.Signals[killed])
    assert shell.mode() == before
    until(lambda: not Path(f"/proc/{session}").exists(), seconds=5)


@pytest.mark.parametrize(("words", "shell"), [(None, False), (["true"], True)])
def test_refuses_neither_and_both(words: list[str] | None, shell: bool) -> None:
    with pytest.raises(Refused, match="either --shell or a command"):
        command.exec_command(words, shell=shell, deadline=60, workspace=None)


def test_refuses_a_shell_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda _: False)
    with pytest.raises(Refused, match="--shell needs a terminal; without one, give a command after `--`"):
        command.exec_command(None, shell=True, deadline=60, workspace=None)  # noqa: S604 - a name of ours

"""`omero-aws exec`: a command, or a shell, in the container of OMERO.server."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Annotated

import typer

from scripts.errors import Refused
from scripts.ingest.deployment import deployed_workspace
from scripts.options import WorkspaceOption

app = typer.Typer(add_completion=False)


@app.command("exec", context_settings={"ignore_unknown_options": True})
def exec_command(
    command: Annotated[
        list[str] | None, typer.Argument(help="Command and its arguments, after `--`.", show_default=False)
    ] = None,
    shell: Annotated[bool, typer.Option("--shell", help="Open a shell on this terminal.")] = False,
    deadline: Annotated[int, typer.Option(min=1, help="Seconds that a command may take.")] = 600,
    workspace: WorkspaceOption = None,
) -> None:
    """Run a command in OMERO.server's container, or open a shell there.

    It runs as omero-server, with OMERO's environment, and reads nothing. The exit code is the command's own, or 1 if it
    cannot be known. Ctrl-C goes to the command; a second one hangs up on it.
    """
    # They load what `--help` does not need.
    from scripts.ingest.server_exec.channel import Channel  # noqa: PLC0415
    from scripts.ingest.server_exec.terminal import ended_in_order  # noqa: PLC0415

    if shell == bool(command):
        raise Refused("exec needs either --shell or a command after `--`: `omero-aws exec -- omero admin status`.")
    if shell and not (os.isatty(0) and os.isatty(1)):
        raise Refused("--shell needs a terminal; without one, give a command after `--`.")
    channel = Channel(deployed_workspace(workspace))
    if shell:
        channel.interactive()
        return
    with ended_in_order():
        answer = channel.run(shlex.join(command or []), seconds=deadline, show=_show, interruptible=True)
    raise SystemExit(answer.code)


def _show(stream: str, some: bytes) -> None:
    to = (sys.stdout if stream == "o" else sys.stderr).buffer
    to.write(some)
    to.flush()

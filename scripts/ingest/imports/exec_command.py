"""`omero-aws exec`: a command, or a shell, in the container of OMERO.server."""

from __future__ import annotations

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

    It runs as omero-server, with OMERO's environment. The exit code is the command's own.
    """
    from scripts.ingest.imports.exec_channel import Channel  # noqa: PLC0415 - it needs what `imports` mostly does not

    if shell == bool(command):
        raise Refused("exec needs either --shell or a command after `--`: `omero-aws exec -- omero admin status`.")
    channel = Channel(deployed_workspace(workspace))
    if shell:
        channel.interactive()
        return
    answer = channel.run(shlex.join(command or []), seconds=deadline)
    sys.stdout.write(answer.text.lstrip("\n") + "\n")
    raise SystemExit(answer.code)

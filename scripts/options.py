"""Options that commands have in common."""

from __future__ import annotations

from typing import Annotated

import typer


def workspaces(incomplete: str) -> list[str]:
    """Names of workspaces that begin so, for the shell's completion: the examples come last."""
    from settings.load import EXAMPLES, available, folder_of  # noqa: PLC0415 - only completion needs it here

    folder = folder_of()
    names = dict.fromkeys((*available(folder), *available(folder / EXAMPLES)))
    return [name for name in names if name.startswith(incomplete)]


WorkspaceOption = Annotated[
    str | None,
    typer.Option(
        "--workspace",
        "-w",
        help="Name of the workspace; by default TF_WORKSPACE, or demo.",
        autocompletion=workspaces,
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Data to stdout, for programs.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask; needed where nobody can type an answer.")]

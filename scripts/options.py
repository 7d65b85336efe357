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
        help="Name of the workspace [default: TF_WORKSPACE, or demo].",
        autocompletion=workspaces,
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Report what would change, without changing anything.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation; needed without a terminal.")]

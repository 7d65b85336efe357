"""Options that the ways in have in common."""

from __future__ import annotations

from typing import Annotated

import typer

WorkspaceOption = Annotated[
    str | None, typer.Option("--workspace", "-w", help="Name of the workspace; by default TF_WORKSPACE, or demo.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Data to stdout, for programs.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")]

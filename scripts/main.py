"""`omero-aws`: the one command for everything that people run from a shell.

What belongs to a command is imported when that command runs, so that `--help` and completion answer at once.

Exit codes: see `scripts.console`.
"""

from __future__ import annotations

import importlib
import inspect
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from scripts import console

NAME = "omero-aws"
ROOT = Path(__file__).resolve().parents[1]
DEPLOY, INGEST, DEVELOP = "Deploy OMERO", "Bring images in", "Work on this project"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A command of the tree: where it is, and what the list of commands says of it.

    `module` has a Typer application `app`. With `member`, the command is the one of that name in it.
    """

    module: str
    panel: str
    help: str
    member: str = ""


TREE: dict[str, Entry] = {
    "state": Entry(
        module="scripts.deploy.state",
        panel=DEPLOY,
        help="The S3 bucket and the DynamoDB table that hold Terraform's state and its locks.",
    ),
    "diff": Entry(
        module="scripts.deploy.commands",
        member="diff",
        panel=DEPLOY,
        help="Show what a deployment would change, and change nothing.",
    ),
    "deploy": Entry(
        module="scripts.deploy.commands", member="deploy", panel=DEPLOY, help="Create or update stacks; all by default."
    ),
    "output": Entry(
        module="scripts.deploy.commands",
        member="output",
        panel=DEPLOY,
        help="Show the outputs of stacks; all by default.",
    ),
    "destroy": Entry(
        module="scripts.deploy.commands",
        member="destroy",
        panel=DEPLOY,
        help="Destroy stacks and everything in them; all by default.",
    ),
    "images": Entry(
        module="scripts.images.command",
        panel=DEPLOY,
        help="Container images: those that a workspace names, and those that are built for it.",
    ),
    "rehearse": Entry(
        module="scripts.rehearsal.rehearse",
        panel=DEPLOY,
        help="Deploy a workspace to an AWS on this machine, prove it, and destroy it.",
    ),
    "cdktf": Entry(
        module="scripts.deploy.commands", member="cdktf", panel=DEPLOY, help="Run the locked cdktf with any arguments."
    ),
    "terraform": Entry(
        module="scripts.deploy.commands", member="terraform", panel=DEPLOY, help="Run Terraform with any arguments."
    ),
    "sign-in": Entry(
        module="scripts.sign_in.command",
        panel=DEPLOY,
        help="Sign people in at an identity provider before OMERO.web.",
    ),
    "imports": Entry(
        module="scripts.ingest.imports.command",
        panel=INGEST,
        help="Import images from OMERO's file system, each exactly once.",
    ),
    "arrivals": Entry(
        module="scripts.ingest.arrivals.command",
        panel=INGEST,
        help="See and steer what is imported from watched folders without anybody asking for it.",
    ),
    "sftp": Entry(
        module="scripts.ingest.sftp.command",
        panel=INGEST,
        help="Deliveries by SFTP: the endpoint, its users, and a test.",
    ),
    "appstream": Entry(
        module="scripts.ingest.appstream.command",
        panel=INGEST,
        help="OMERO.insight in a browser, by AppStream 2.0 (WorkSpaces Applications).",
    ),
    "dropbox": Entry(
        module="scripts.ingest.dropbox",
        panel=INGEST,
        help="OMERO.dropbox: imports files as they are written into a folder on the server's own mount.",
    ),
    "exec": Entry(
        module="scripts.ingest.server_exec.command",
        panel=INGEST,
        help="Run a command in OMERO.server's container, or open a shell there.",
    ),
    "e2e": Entry(
        module="scripts.rehearsal.e2e",
        panel=DEVELOP,
        help="Rehearse the examples that cover all others and the cheapest chain of changes, several at a time.",
    ),
    "changes": Entry(
        module="scripts.rehearsal.changes",
        panel=DEVELOP,
        help="Change a deployed workspace, setting by setting, on an AWS on this machine.",
    ),
    "audit": Entry(
        module="scripts.measure.audit",
        panel=DEVELOP,
        help="Run checkov over every stack of the workspaces and match its findings with the declared skips.",
    ),
    "bench": Entry(
        module="scripts.measure.bench",
        panel=DEVELOP,
        help="Print seconds and memory of synthesis and plan of the `demo` workspace.",
    ),
    "bench-imports": Entry(
        module="scripts.measure.bench_imports",
        panel=DEVELOP,
        help="Print seconds and memory that the ledger and the planning of imports take.",
    ),
    "simulate-imports": Entry(
        module="scripts.measure.simulate",
        panel=DEVELOP,
        help="Print how long images would wait on a day of 10,000 slides, and how long a million files would take.",
    ),
    "terraform-tests": Entry(
        module="scripts.maintain.terraform_tests",
        panel=DEVELOP,
        help="Run the Terraform tests of local_aws, and record the files they passed for.",
    ),
    "schema": Entry(
        module="scripts.maintain.schema",
        panel=DEVELOP,
        help="Write workspaces/schema.json from the models in settings/.",
    ),
    "evidence": Entry(
        module="scripts.maintain.evidence",
        panel=DEVELOP,
        help="Take each cure out of a copy of this checkout, and see its test fail.",
    ),
    "docs": Entry(
        module="scripts.maintain.commands",
        panel=DEVELOP,
        help="Write docs/commands.md, docs/evidence.md and docs/formats.md from what they are about.",
    ),
    "lock": Entry(
        module="scripts.maintain.lock", panel=DEVELOP, help="Lock the newest packages that the Pipfile allows."
    ),
}


class Later(TyperCommand):
    """A command that is listed before its module is imported."""

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name, help=entry.help, rich_help_panel=entry.panel)
        self.entry = entry

    def load(self) -> Any:
        """The command itself."""
        made: Any = typer.main.get_command(importlib.import_module(self.entry.module).app)
        if self.entry.member:
            made = made.commands[self.entry.member]
        made.name, made.help = self.name, self.entry.help if isinstance(made, TyperGroup) else made.help
        _in_one_manner(made)
        return made


def _in_one_manner(command: Any) -> None:
    """Plain text, in which brackets are brackets, with the exit codes at its end; in lists, a whole sentence."""
    command.rich_markup_mode, command.epilog = None, console.EPILOG
    command.short_help = " ".join(inspect.cleandoc(command.help or "").partition("\n\n")[0].split())
    for child in getattr(command, "commands", {}).values():
        _in_one_manner(child)


class Tree(TyperGroup):
    """The root: it imports the one command that is asked for."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": {name: Later(name, entry) for name, entry in TREE.items()}})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As the base class, with the command itself."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Later) else command, rest

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands in sections, by what they are for."""
        for panel in dict.fromkeys(entry.panel for entry in TREE.values()):
            with formatter.section(panel):
                formatter.write_dl([(name, entry.help) for name, entry in TREE.items() if entry.panel == panel])


app = typer.Typer(cls=Tree, epilog=console.EPILOG, no_args_is_help=True, rich_markup_mode=None)


def version() -> str:
    """The version of this checkout, which pyproject.toml has."""
    found = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return str(found)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"{NAME} {version()}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """OMERO on AWS: deploy it, and bring images into it.

    A workspace, workspaces/NAME.yaml, decides everything; -w NAME or TF_WORKSPACE selects it.
    """


def main() -> None:
    """Run the command line."""
    console.run(lambda: app(prog_name=NAME))


if __name__ == "__main__":
    main()

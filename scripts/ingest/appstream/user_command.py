"""`omero-aws appstream user`: people in the user pool, and who of them sees the stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts import console
from scripts.confirming import confirm
from scripts.errors import Refused
from scripts.ingest.appstream import stack, users
from scripts.ingest.appstream.context import AppStreamContext
from scripts.ingest.appstream.opening import open_context
from scripts.ingest.appstream.users import Person
from scripts.options import DryRunOption, JsonOption, WorkspaceOption, YesOption
from scripts.output import write_json

app = typer.Typer(help="Users in AppStream's user pool.", no_args_is_help=True, add_completion=False)

ListedEmailArgument = Annotated[
    str, typer.Argument(help="E-mail address, in upper and lower case as `user list` shows it.")
]
NoEmailOption = Annotated[bool, typer.Option("--no-email", help="Do not have AWS e-mail added users.")]


@app.command("add")
def add(
    email: Annotated[str, typer.Argument(help="E-mail address, in the upper and lower case that the user will type.")],
    first_name: Annotated[str, typer.Option(help="Letters A to Z, digits, spaces, hyphens.")] = "",
    last_name: Annotated[str, typer.Option(help="As for the first name.")] = "",
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    no_email: NoEmailOption = False,
) -> None:
    """Add a user to the user pool, with access to the stack. AWS sends them an e-mail that explains how to log in."""
    with open_context(workspace, dry_run=dry_run, as_json=as_json) as context:
        _check_stack(context)
        users.add(context, [Person(email=email, first_name=first_name, last_name=last_name)], send_email=not no_email)
        context.changes.say_if_none(f"{email} is already in the pool and has access to the stack {context.name}")


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="CSV file with the columns email, first_name, last_name (the last two are optional).")
    ],
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    no_email: NoEmailOption = False,
) -> None:
    """Add all users in a CSV file. Nobody is removed."""
    everybody = users.read(file)
    with open_context(workspace, dry_run=dry_run, as_json=as_json) as context:
        _check_stack(context)
        users.add(context, everybody, send_email=not no_email)
        context.changes.say_if_none(
            f"all {len(everybody)} users of {file} already have access to the stack {context.name}"
        )


def _check_stack(context: AppStreamContext) -> None:
    if stack.find(context) is None:
        raise Refused(f"workspace {context.workspace} has no stack {context.name}; run `appstream ensure` first.")


@app.command("remove")
def remove(
    email: ListedEmailArgument,
    workspace: WorkspaceOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove a user's access to the stack, and the user from the pool unless they have another stack. Home folders
    stay."""
    with open_context(workspace, dry_run=dry_run, as_json=as_json) as context:
        warning = (
            f"{email} loses access to the stack {context.name}, and leaves the user pool if it was their only one."
        )
        confirm(warning, name=email, skip=yes or dry_run)
        users.remove(context, email)


@app.command("resend")
def resend(
    email: ListedEmailArgument,
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Have AWS send a user the e-mail again: the password in the first one is valid for seven days."""
    with open_context(workspace, dry_run=dry_run, as_json=as_json) as context:
        users.resend(context, email)


@app.command("list")
def list_(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show the users with access to the stack, and the others in the region's pool."""
    with open_context(workspace) as context:
        seeing = set(users.members(context))
        rows = [
            {
                "email": each["UserName"],
                "name": f"{each.get('FirstName', '')} {each.get('LastName', '')}".strip(),
                "sees_the_stack": each["UserName"] in seeing,
                "enabled": each.get("Enabled", False),
                "status": each.get("Status", ""),
            }
            for each in users.pool(context)
        ]
    if as_json:
        write_json(rows)
        return
    columns = ("e-mail", "name", "has access", "enabled", "status")
    console.table(
        columns,
        (["yes" if value is True else "no" if value is False else value for value in row.values()] for row in rows),
    )

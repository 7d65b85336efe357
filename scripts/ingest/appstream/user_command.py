"""`omero-aws appstream user`: people in the user pool, and who of them sees the stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from scripts import console
from scripts.confirming import confirm
from scripts.errors import Refused
from scripts.ingest.appstream import stack, users
from scripts.ingest.appstream.context import Place
from scripts.ingest.appstream.opening import open_place
from scripts.ingest.appstream.users import Person
from scripts.options import DryRunOption, JsonOption, WorkspaceOption, YesOption

app = typer.Typer(help="People in AppStream's user pool.", no_args_is_help=True, add_completion=False)

NoEmailOption = Annotated[bool, typer.Option("--no-email", help="AWS does not write to people who are added.")]


@app.command("add")
def add(
    email: Annotated[str, typer.Argument(help="E-mail address, in the upper and lower case that they will type.")],
    first_name: Annotated[str, typer.Option(help="Letters A to Z, digits, spaces, hyphens.")] = "",
    last_name: Annotated[str, typer.Option(help="As the first name.")] = "",
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    no_email: NoEmailOption = False,
) -> None:
    """Add somebody to the user pool, and let them see the stack. AWS writes to them how to log in."""
    with open_place(workspace, dry_run=dry_run, as_json=as_json) as place:
        _check_stack(place)
        users.add(place, [Person(email, first_name, last_name)], send_email=not no_email)
        place.changes.say_if_none(f"{email} is in the pool and sees the stack {place.name}")


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="CSV with the columns email, first_name, last_name (the last two if you like).")
    ],
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    no_email: NoEmailOption = False,
) -> None:
    """Add everybody of a CSV file. Nobody is removed."""
    everybody = users.read(file)
    with open_place(workspace, dry_run=dry_run, as_json=as_json) as place:
        _check_stack(place)
        users.add(place, everybody, send_email=not no_email)
        place.changes.say_if_none(f"all {len(everybody)} people of {file} see the stack {place.name}")


def _check_stack(place: Place) -> None:
    if stack.find(place) is None:
        raise Refused(f"workspace {place.workspace} has no stack {place.name}; make it with `appstream ensure`.")


@app.command("remove")
def remove(
    email: Annotated[str, typer.Argument(help="E-mail address, in upper and lower case as `user list` shows it.")],
    workspace: WorkspaceOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let somebody see the stack no longer; they leave the pool if no other stack is theirs. Home folders stay."""
    with open_place(workspace, dry_run=dry_run, as_json=as_json) as place:
        warning = f"This takes the stack {place.name} away from {email}; they leave the pool if it was their only one."
        confirm(warning, name=email, skip=yes or dry_run)
        users.remove(place, email)


@app.command("resend")
def resend(
    email: Annotated[str, typer.Argument(help="E-mail address, in upper and lower case as `user list` shows it.")],
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Have AWS write to somebody again: the password in its first e-mail is valid for seven days."""
    with open_place(workspace, dry_run=dry_run, as_json=as_json) as place:
        users.resend(place, email)


@app.command("list")
def list_(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show who sees the stack, and who else is in the region's pool."""
    with open_place(workspace) as place:
        seeing = set(users.members(place))
        rows = [
            {
                "email": each["UserName"],
                "name": f"{each.get('FirstName', '')} {each.get('LastName', '')}".strip(),
                "sees_the_stack": each["UserName"] in seeing,
                "enabled": each.get("Enabled", False),
                "status": each.get("Status", ""),
            }
            for each in users.pool(place)
        ]
    if as_json:
        console.print_json(rows)
        return
    table = Table("e-mail", "name", "sees the stack", "enabled", "status")
    for row in rows:
        table.add_row(*("yes" if value is True else "no" if value is False else value for value in row.values()))
    console.err.print(table)

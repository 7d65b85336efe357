"""OMERO.insight in a browser: `python -m scripts.ingest.appstream.command ensure|status|fleet|stack|user|url|...`.

Three ways bring OMERO.insight there: `app-block`, `image --from-ami` and `image --builder`; docs/ingest/appstream.md
says which is for whom. Every command may be killed at any point and run again: it looks at what there is, and does
only what is missing.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts import console
from scripts.changes import changing
from scripts.errors import Refused
from scripts.ingest.appstream import application, builder, files, fleet, images, lifecycle, network, package, stack
from scripts.ingest.appstream import users as people
from scripts.ingest.appstream.context import AppStreamContext
from scripts.ingest.appstream.users import Person
from scripts.ingest.deployment import deployed_workspace
from scripts.options import DryRunOption, JsonOption, WorkspaceOption
from scripts.output import write_json
from settings.appstream import NAME

app = typer.Typer(
    help="OMERO.insight in a browser, by AppStream 2.0 (WorkSpaces Applications).",
    epilog=console.EPILOG,
    no_args_is_help=True,
    add_completion=False,
)
fleet_app = typer.Typer(help="The instances that sessions run on.", epilog=console.EPILOG, no_args_is_help=True)
stack_app = typer.Typer(help="What people may do in a session.", epilog=console.EPILOG, no_args_is_help=True)
user_app = typer.Typer(help="People in AppStream's user pool.", epilog=console.EPILOG, no_args_is_help=True)
app.add_typer(fleet_app, name="fleet")
app.add_typer(stack_app, name="stack")
app.add_typer(user_app, name="user")

RestartOption = Annotated[
    bool, typer.Option("--restart", help="Stop the fleet where a change needs it; open sessions end.")
]
EndSessionsOption = Annotated[bool, typer.Option("--end-sessions", help="End the sessions that are open.")]
NoEmailOption = Annotated[bool, typer.Option("--no-email", help="AWS does not write to people who are added.")]

LEAST_MINUTES, MOST_MINUTES = 1, 7 * 24 * 60  # of a streaming URL; AWS: 1 to 604,800 seconds
URL_USER = r"[\w+=,.@-]{2,32}"


@contextmanager
def _place(workspace: str | None, *, dry_run: bool = False) -> Iterator[AppStreamContext]:
    """The AppStream of a workspace, for one run. Raises Refused where the workspace has no section for it."""
    deployment = deployed_workspace(workspace)
    section = deployment.workspace.appstream
    if section is None:
        raise Refused(
            f"workspace {deployment.workspace.name} has no section appstream; add one to its file "
            "(docs/ingest/appstream.md has one to copy)."
        )
    with changing(dry_run=dry_run) as changes:
        yield AppStreamContext(deployment=deployment, settings=section, changes=changes)


@app.command()
def ensure(
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    restart: RestartOption = False,
    no_start: Annotated[bool, typer.Option("--no-start", help="Leave a fleet that is STOPPED as it is.")] = False,
    no_email: NoEmailOption = False,
) -> None:
    """Make and mend all that the section `appstream` of the workspace says: application, fleet, stack and users."""
    with _place(workspace, dry_run=dry_run) as place:
        lifecycle.ensure(place, restart=restart, start=not no_start, send_email=not no_email)


@app.command("app-block")
def app_block(workspace: WorkspaceOption = None, dry_run: DryRunOption = False) -> None:
    """Pack OMERO.insight and Java, upload them, and make app block and application for an Elastic fleet."""
    with _place(workspace, dry_run=dry_run) as place:
        packed = application.ensure(place)
        if fleet.find(place):
            application.associate(place)
        application.remove_old(place, packed)
        place.changes.say_if_none(f"application {place.name} is as it shall be")


@app.command()
def image(
    workspace: WorkspaceOption = None,
    from_ami: Annotated[
        str | None, typer.Option("--from-ami", metavar="AMI", help="Import this AMI, with OMERO.insight on it.")
    ] = None,
    on_builder: Annotated[
        bool, typer.Option("--builder", help="Make it on an image builder; somebody pastes.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="The image's name; by default appstream.fleet.image.")] = None,
    application_path: Annotated[
        str, typer.Option(help="With --from-ami: where the program is that a session starts.")
    ] = package.JAVA,
    base_image: Annotated[
        str | None, typer.Option(help="With --builder: AWS's image to begin with; by default the newest.")
    ] = None,
    instance_type: Annotated[str, typer.Option(help="With --builder: its instance type.")] = "stream.standard.large",
    no_wait: Annotated[bool, typer.Option("--no-wait", help="With --builder: end before somebody has pasted.")] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Make the image of an On-Demand or Always-On fleet: from an AMI, or on an image builder.

    Of a builder, streaming URL and script go to stdout.
    """
    if bool(from_ami) == on_builder:
        raise Refused("an image is made from an AMI or on an image builder; say either --from-ami AMI or --builder.")
    if from_ami and not re.fullmatch(r"ami-([0-9a-f]{8}|[0-9a-f]{17})", from_ami):
        raise Refused(f"{from_ami} is no id of an AMI; one looks like ami-0123456789abcdef0.")
    with _place(workspace, dry_run=dry_run) as place:
        wanted = name or place.settings.fleet.image or place.name
        if not re.fullmatch(NAME, wanted):
            raise Refused(f"{wanted} is no name of an image; give up to 100 letters, digits, `_`, `.` and `-`.")
        if from_ami:
            images.import_ami(place, wanted, ami=from_ami, application_path=application_path)
        else:
            builder.build(
                place, wanted, show=_show, base_image=base_image, instance_type=instance_type, wait=not no_wait
            )


def _data(text: str) -> None:
    """To stdout, at once: somebody may be waiting for it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _show(url: str, script: str) -> None:
    console.say("1. Open this address in a browser, and choose Administrator:")
    _data(url)
    console.say("2. Start PowerShell there, and paste this, all of it; the session ends by itself then:")
    _data(script)


@fleet_app.command("ensure")
def fleet_ensure(
    workspace: WorkspaceOption = None, dry_run: DryRunOption = False, restart: RestartOption = False
) -> None:
    """Make and mend the fleet, its security group, and the way to OMERO; started only if it was before."""
    with _place(workspace, dry_run=dry_run) as place:
        lifecycle.check(place, restart=restart)
        network.ensure_service_role(place)
        fleet.ensure(place, network.ensure_group(place), restart=restart)
        if application.find(place) and place.settings.fleet.type == "ELASTIC":
            application.associate(place)
        place.changes.say_if_none(f"fleet {place.name} is as it shall be")


@fleet_app.command("start")
def fleet_start(workspace: WorkspaceOption = None, dry_run: DryRunOption = False) -> None:
    """Start the fleet, and wait until it is RUNNING."""
    with _place(workspace, dry_run=dry_run) as place:
        fleet.start(place)
        place.changes.say_if_none(f"fleet {place.name} is RUNNING")


@fleet_app.command("stop")
def fleet_stop(
    workspace: WorkspaceOption = None, dry_run: DryRunOption = False, end_sessions: EndSessionsOption = False
) -> None:
    """Stop the fleet, and wait until it is STOPPED. `ensure` starts it again."""
    with _place(workspace, dry_run=dry_run) as place:
        fleet.stop(place, end_sessions=end_sessions)
        place.changes.say_if_none(f"fleet {place.name} is STOPPED")


@fleet_app.command("scale")
def fleet_scale(
    sessions: Annotated[int, typer.Argument(help="The most sessions at a time.", min=1, max=100)],
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Have room for so many sessions, until `ensure` sets what appstream.fleet.sessions says."""
    with _place(workspace, dry_run=dry_run) as place:
        fleet.scale(place, sessions)
        place.changes.say_if_none(f"fleet {place.name} has room for {sessions} sessions")


@stack_app.command("ensure")
def stack_ensure(workspace: WorkspaceOption = None, dry_run: DryRunOption = False) -> None:
    """Make and mend the stack: home folders, clipboard, files, addresses."""
    with _place(workspace, dry_run=dry_run) as place:
        stack.ensure(place)
        if fleet.find(place):
            stack.associate(place)
        place.changes.say_if_none(f"stack {place.name} is as it shall be")


@user_app.command("add")
def user_add(
    email: Annotated[str, typer.Argument(help="E-mail address, in the upper and lower case that they will type.")],
    first_name: Annotated[str, typer.Option(help="Letters A to Z, digits, spaces, hyphens.")] = "",
    last_name: Annotated[str, typer.Option(help="As the first name.")] = "",
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    no_email: NoEmailOption = False,
) -> None:
    """Add somebody to the user pool, and let them see the stack. AWS writes to them how to log in."""
    with _place(workspace, dry_run=dry_run) as place:
        _check_stack(place)
        people.add(place, [Person(email=email, first_name=first_name, last_name=last_name)], send_email=not no_email)
        place.changes.say_if_none(f"{email} is in the pool and sees the stack {place.name}")


@user_app.command("import")
def user_import(
    file: Annotated[
        Path, typer.Argument(help="CSV with the columns email, first_name, last_name (the last two if you like).")
    ],
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    no_email: NoEmailOption = False,
) -> None:
    """Add everybody of a CSV file. Nobody is removed."""
    everybody = people.read(file)
    with _place(workspace, dry_run=dry_run) as place:
        _check_stack(place)
        people.add(place, everybody, send_email=not no_email)
        place.changes.say_if_none(f"all {len(everybody)} people of {file} see the stack {place.name}")


def _check_stack(place: AppStreamContext) -> None:
    if stack.find(place) is None:
        raise Refused(f"workspace {place.workspace} has no stack {place.name}; make it with `appstream ensure`.")


@user_app.command("remove")
def user_remove(
    email: Annotated[str, typer.Argument(help="E-mail address, in upper and lower case as `user list` shows it.")],
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Let somebody see the stack no longer; they leave the pool if no other stack is theirs. Home folders stay."""
    with _place(workspace, dry_run=dry_run) as place:
        people.remove(place, email)


@user_app.command("resend")
def user_resend(
    email: Annotated[str, typer.Argument(help="E-mail address, in upper and lower case as `user list` shows it.")],
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Have AWS write to somebody again: the password in its first e-mail is valid for seven days."""
    with _place(workspace, dry_run=dry_run) as place:
        people.resend(place, email)


@user_app.command("list")
def user_list(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show who sees the stack, and who else is in the region's pool."""
    with _place(workspace) as place:
        seeing = set(people.members(place))
        rows = [
            {
                "email": each["UserName"],
                "name": f"{each.get('FirstName', '')} {each.get('LastName', '')}".strip(),
                "sees_the_stack": each["UserName"] in seeing,
                "enabled": each.get("Enabled", False),
                "status": each.get("Status", ""),
            }
            for each in people.pool(place)
        ]
    if as_json:
        write_json(rows)
        return
    console.table(
        ("e-mail", "name", "sees the stack", "enabled", "status"),
        (["yes" if value is True else "no" if value is False else value for value in row.values()] for row in rows),
    )


@app.command()
def url(
    user: Annotated[str, typer.Argument(help="Who it is for: 2 to 32 letters, digits and +=,.@-_")],
    valid_minutes: Annotated[
        int, typer.Option(help="How long it can be opened.", min=LEAST_MINUTES, max=MOST_MINUTES)
    ] = 60,
    workspace: WorkspaceOption = None,
) -> None:
    """Print an address that opens a session without a log-in: for a test, or for a portal of your own.

    Whoever has it is that user. Their home folder is another one than that of the pool's user of the same name.
    """
    if not re.fullmatch(URL_USER, user):
        raise Refused(f"{user!r} is no user id; AppStream takes 2 to 32 letters, digits and + = , . @ - _ here.")
    with _place(workspace) as place:
        found = fleet.find(place)
        if found is None or found["State"] != "RUNNING":
            state = found["State"] if found else "not there"
            raise Refused(f"the fleet {place.name} is {state}; `appstream fleet start` starts one that is there.")
        answer = place.retry(
            place.client.create_streaming_url,
            StackName=place.name,
            FleetName=place.name,
            UserId=user,
            Validity=valid_minutes * 60,
        )
        console.say(f"valid until {answer['Expires'].isoformat()}:")
        _data(answer["StreamingURL"])


@app.command()
def status(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show all there is: states, sessions, people, whether OMERO can be reached, and what is being paid for."""
    with _place(workspace) as place:
        found = lifecycle.status(place)
        preset = dataclasses.asdict(files.preset_of(place))
    if as_json:
        write_json({**found, "preset": preset})
        return
    title = f"AppStream of workspace {found['workspace']} in {found['region']}"
    console.table(("what", "is"), _rows({**found, "preset": preset}), title=title)


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(what, how it is) for people."""
    its, cost = found["fleet"], found["cost"]
    yield "fleet", f"{its['state']}, {its['type']}, {its['instance_type']}" if its else "none"
    if its:
        yield "room", f"{its['in_use']} of {its['most_sessions']} sessions, {its['running']} instances running"
        yield from (("fleet's error", error) for error in its["errors"])
    yield "shows", ", ".join(found["applications"]) or (its or {}).get("image") or "nothing"
    yield "stack", f"with the fleet {', '.join(found['stack']['fleets']) or 'none'}" if found["stack"] else "none"
    yield "OMERO.server", f"{found['preset']['host']}:{found['preset']['port']}"
    yield "reached", "yes" if found["reaches_omero"] else "no: the way in is not open; `appstream ensure` opens it"
    yield "people", str(len(found["users"]))
    yield from (("session", f"{each['user']}, {each['state']}, since {each['since']}") for each in found["sessions"])
    yield from (("image", f"{each['name']}, {each['state']} {each['reasons'] or ''}") for each in found["images"])
    if found["image_builder"]:
        yield "image builder", f"{found['image_builder']['state']}: it costs while it runs"
    price = (
        "give appstream.fleet.hourly_usd for a sum"
        if cost["usd_an_hour"] is None
        else f"{cost['usd_an_hour']} USD an hour"
    )
    yield "paid for now", f"{cost['billed_instances']} instances ({cost['billed_for']}); {price}"


@app.command()
def teardown(
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    end_sessions: EndSessionsOption = False,
    delete_image: Annotated[list[str] | None, typer.Option(help="Delete this image too; may be given again.")] = None,
    delete_home_folder: Annotated[
        list[str] | None, typer.Option(help="Delete this user's home folder too, for all stacks; may be given again.")
    ] = None,
) -> None:
    """Take fleet, stack, application, builder, bucket and security group away.

    Home folders, images and people in the user pool stay, unless they are named.
    """
    with _place(workspace, dry_run=dry_run) as place:
        lifecycle.teardown(
            place,
            end_sessions=end_sessions,
            delete_images=delete_image or [],
            delete_home_folders=delete_home_folder or [],
        )


if __name__ == "__main__":
    console.run(app)

"""`omero-aws appstream`: OMERO.insight in a browser.

Three ways bring OMERO.insight there: `app-block`, `image --from-ami` and `image --builder`; docs/ingest/appstream.md
says which is for whom. Every command may be killed at any point and run again: it looks at what there is, and does
only what is missing.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from scripts import console
from scripts.confirming import confirm
from scripts.errors import EXIT_FAILED, Refused
from scripts.ingest.appstream import (
    application,
    builder,
    files,
    fleet,
    images,
    lifecycle,
    network,
    package,
    stack,
    user_command,
)
from scripts.ingest.appstream.context import AppStreamContext
from scripts.ingest.appstream.opening import open_context
from scripts.ingest.appstream.user_command import NoEmailOption
from scripts.options import DryRunOption, JsonOption, WorkspaceOption, YesOption
from scripts.output import write_json
from settings.appstream import NAME

app = typer.Typer(
    help="OMERO.insight in a browser, by AppStream 2.0 (WorkSpaces Applications).",
    no_args_is_help=True,
    add_completion=False,
)
fleet_app = typer.Typer(help="The instances that sessions run on.", no_args_is_help=True)
stack_app = typer.Typer(help="What users may do in a session.", no_args_is_help=True)
app.add_typer(fleet_app, name="fleet")
app.add_typer(stack_app, name="stack")
app.add_typer(user_command.app, name="user")

RestartOption = Annotated[
    bool, typer.Option("--restart", help="Stop the fleet if a change requires it; open sessions end.")
]
EndSessionsOption = Annotated[bool, typer.Option("--end-sessions", help="End open sessions.")]

LEAST_MINUTES, MOST_MINUTES = 1, 7 * 24 * 60  # of a streaming URL; AWS: 1 to 604,800 seconds
URL_USER = r"[\w+=,.@-]{2,32}"


def _ending_sessions(context: AppStreamContext) -> str:
    count = len(fleet.sessions(context))
    return f"This ends {count} open AppStream sessions of workspace {context.workspace}; what they import breaks off."


def _confirm_restart(context: AppStreamContext, *, restart: bool, skip: bool) -> None:
    if restart and fleet.sessions(context):
        confirm(_ending_sessions(context), name=context.workspace, skip=skip)


@app.command()
def ensure(
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    restart: RestartOption = False,
    yes: YesOption = False,
    no_start: Annotated[bool, typer.Option("--no-start", help="Leave a STOPPED fleet stopped.")] = False,
    no_email: NoEmailOption = False,
) -> None:
    """Create what the section `appstream` of the workspace describes, or bring it up to date: application, fleet,
    stack and users."""
    with open_context(workspace, dry_run=dry_run, as_json=as_json) as context:
        _confirm_restart(context, restart=restart, skip=yes or dry_run)
        lifecycle.ensure(context, restart=restart, start=not no_start, send_email=not no_email)


@app.command("app-block")
def app_block(workspace: WorkspaceOption = None, dry_run: DryRunOption = False, as_json: JsonOption = False) -> None:
    """Pack OMERO.insight and Java, upload them, and create the app block and the application of an Elastic fleet."""
    with open_context(workspace, dry_run=dry_run, as_json=as_json) as context:
        packed = application.ensure(context)
        if fleet.find(context):
            application.associate(context)
        application.remove_old(context, packed)
        context.changes.say_if_none(f"application {context.name} is up to date")


@app.command()
def image(
    workspace: WorkspaceOption = None,
    from_ami: Annotated[
        str | None, typer.Option("--from-ami", metavar="AMI", help="AMI to import, with OMERO.insight installed.")
    ] = None,
    on_builder: Annotated[
        bool, typer.Option("--builder", help="Create it on an image builder, where somebody has to paste a script.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the image [default: appstream.fleet.image].")] = None,
    application_path: Annotated[
        str, typer.Option(help="With --from-ami: path of the program that a session starts.")
    ] = package.JAVA,
    base_image: Annotated[
        str | None, typer.Option(help="With --builder: AWS's base image [default: the newest].")
    ] = None,
    instance_type: Annotated[str, typer.Option(help="With --builder: its instance type.")] = "stream.standard.large",
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="With --builder: do not wait until somebody has pasted the script.")
    ] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Create the image of an On-Demand or Always-On fleet: from an AMI, or on an image builder.

    A builder's streaming URL and script go to stdout; with --json, as an object before that of the changes.
    """
    if bool(from_ami) == on_builder:
        raise Refused("the image needs a source; give either --from-ami AMI or --builder.")
    if from_ami and not re.fullmatch(r"ami-([0-9a-f]{8}|[0-9a-f]{17})", from_ami):
        raise Refused(f"{from_ami} is not an AMI id; one looks like ami-0123456789abcdef0.")
    with open_context(workspace, dry_run=dry_run, as_json=as_json) as context:
        wanted = name or context.settings.fleet.image or context.name
        if not re.fullmatch(NAME, wanted):
            raise Refused(f"{wanted} is not an image name; give up to 100 letters, digits, `_`, `.` and `-`.")
        if from_ami:
            images.import_ami(context, wanted, ami=from_ami, application_path=application_path)
        else:
            builder.build(
                context,
                wanted,
                show=_show_json if as_json else _show,
                base_image=base_image,
                instance_type=instance_type,
                wait=not no_wait,
            )


def _data(text: str) -> None:
    """To stdout, at once: somebody may be waiting for it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _show(url: str, script: str) -> None:
    console.say("1. Open this address in a browser, and choose Administrator:")
    _data(url)
    console.say("2. Start PowerShell there, and paste all of this; then the session ends by itself:")
    _data(script)


def _show_json(url: str, script: str) -> None:
    write_json({"streaming_url": url, "script": script})


@fleet_app.command("ensure")
def fleet_ensure(
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    restart: RestartOption = False,
    yes: YesOption = False,
) -> None:
    """Create the fleet, its security group and its access to OMERO, or bring them up to date; a stopped fleet stays
    stopped."""
    with open_context(workspace, dry_run=dry_run, as_json=as_json) as context:
        _confirm_restart(context, restart=restart, skip=yes or dry_run)
        lifecycle.check(context, restart=restart)
        network.ensure_service_role(context)
        fleet.ensure(context, network.ensure_group(context), restart=restart)
        if application.find(context) and context.settings.fleet.type == "ELASTIC":
            application.associate(context)
        context.changes.say_if_none(f"fleet {context.name} is up to date")


@fleet_app.command("start")
def fleet_start(workspace: WorkspaceOption = None, dry_run: DryRunOption = False, as_json: JsonOption = False) -> None:
    """Start the fleet, and wait until it is RUNNING."""
    with open_context(workspace, dry_run=dry_run, as_json=as_json) as context:
        fleet.start(context)
        context.changes.say_if_none(f"fleet {context.name} is RUNNING")


@fleet_app.command("stop")
def fleet_stop(
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    end_sessions: EndSessionsOption = False,
    yes: YesOption = False,
) -> None:
    """Stop the fleet, and wait until it is STOPPED. `ensure` starts it again."""
    with open_context(workspace, dry_run=dry_run, as_json=as_json) as context:
        if end_sessions and fleet.sessions(context):
            confirm(_ending_sessions(context), name=context.workspace, skip=yes or dry_run)
        fleet.stop(context, end_sessions=end_sessions)
        context.changes.say_if_none(f"fleet {context.name} is STOPPED")


@fleet_app.command("scale")
def fleet_scale(
    sessions: Annotated[int, typer.Argument(help="Maximum number of sessions at a time.", min=1, max=100)],
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Set the maximum number of sessions, until `ensure` restores appstream.fleet.sessions."""
    with open_context(workspace, dry_run=dry_run, as_json=as_json) as context:
        fleet.scale(context, sessions)
        context.changes.say_if_none(f"fleet {context.name} already allows {sessions} sessions")


@stack_app.command("ensure")
def stack_ensure(workspace: WorkspaceOption = None, dry_run: DryRunOption = False, as_json: JsonOption = False) -> None:
    """Create the stack or bring it up to date: home folders, clipboard, files, addresses."""
    with open_context(workspace, dry_run=dry_run, as_json=as_json) as context:
        stack.ensure(context)
        if fleet.find(context):
            stack.associate(context)
        context.changes.say_if_none(f"stack {context.name} is up to date")


@app.command()
def url(
    user: Annotated[str, typer.Argument(help="User id of the session: 2 to 32 letters, digits and +=,.@-_")],
    valid_minutes: Annotated[
        int, typer.Option(help="How long the address can be opened.", min=LEAST_MINUTES, max=MOST_MINUTES)
    ] = 60,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print an address that opens a session without a login, for a test or for a portal of your own.

    Anyone who has the address is that user. The home folder is not that of the pool's user of the same name.
    """
    if not re.fullmatch(URL_USER, user):
        raise Refused(f"{user!r} is not a user id; give 2 to 32 letters, digits and + = , . @ - _.")
    with open_context(workspace) as context:
        found = fleet.find(context)
        if found is None or found["State"] != "RUNNING":
            state = found["State"] if found else "not there"
            raise Refused(
                f"the fleet {context.name} is {state}; run `appstream fleet start`, or `appstream ensure` if "
                "there is none."
            )
        answer = context.retry(
            context.client.create_streaming_url,
            StackName=context.name,
            FleetName=context.name,
            UserId=user,
            Validity=valid_minutes * 60,
        )
        expires = answer["Expires"].isoformat()
        if as_json:
            write_json({"url": answer["StreamingURL"], "expires": expires})
            return
        console.say(f"valid until {expires}:")
        _data(answer["StreamingURL"])


@app.command()
def status(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show states, sessions, users, whether sessions can reach OMERO, and what you are paying for.

    Exit code 1 if the fleet or the stack is missing or has errors, OMERO cannot be reached, or an image is FAILED.
    """
    with open_context(workspace) as context:
        found = lifecycle.status(context)
        preset = dataclasses.asdict(files.preset_of(context))
    if as_json:
        write_json({**found, "preset": preset})
    else:
        title = f"AppStream of workspace {found['workspace']} in {found['region']}"
        console.table(("what", "is"), _rows({**found, "preset": preset}), title=title)
    if faults := list(_troubles(found)):
        console.fail(
            f"AppStream of workspace {found['workspace']} is not usable ({'; '.join(faults)}); run `omero-aws "
            f"appstream ensure -w {found['workspace']}`.",
            EXIT_FAILED,
        )


def _troubles(found: dict[str, Any]) -> Iterator[str]:
    """What keeps people out that nobody has asked for; a fleet that is STOPPED is none."""
    if its := found["fleet"]:
        yield from (f"the fleet reports {error}" for error in its["errors"])
        if not found["reaches_omero"]:
            yield "sessions cannot reach OMERO.server"
    else:
        yield "there is no fleet"
    if found["stack"]:
        yield from (f"the stack reports {error}" for error in found["stack"]["errors"])
    else:
        yield "there is no stack"
    yield from (f"the image {each['name']} is FAILED" for each in found["images"] if each["state"] == "FAILED")


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
    closed = "no: the security group of OMERO.server does not admit sessions; run `appstream ensure`"
    yield "reached", "yes" if found["reaches_omero"] else closed
    yield "people", str(len(found["users"]))
    yield from (("session", f"{each['user']}, {each['state']}, since {each['since']}") for each in found["sessions"])
    yield from (("image", f"{each['name']}, {each['state']} {each['reasons'] or ''}") for each in found["images"])
    if found["image_builder"]:
        yield "image builder", f"{found['image_builder']['state']}: you pay for it while it runs"
    price = (
        "set appstream.fleet.hourly_usd to see the cost"
        if cost["usd_an_hour"] is None
        else f"{cost['usd_an_hour']} USD an hour"
    )
    yield "paid for now", f"{cost['billed_instances']} instances ({cost['billed_for']}); {price}"


@app.command()
def teardown(
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    end_sessions: EndSessionsOption = False,
    delete_image: Annotated[list[str] | None, typer.Option(help="Delete this image too; may be repeated.")] = None,
    delete_home_folder: Annotated[
        list[str] | None, typer.Option(help="Delete this user's home folder too, for all stacks; may be repeated.")
    ] = None,
    yes: YesOption = False,
) -> None:
    """Delete the fleet, stack, application, builder, bucket and security group.

    Finds them by tags and names, and works without the workspace's stacks and its section appstream. Home folders and
    images stay, unless you name them. Users stay in the user pool.
    """
    with open_context(workspace, dry_run=dry_run, as_json=as_json, may_be_gone=True) as context:
        warning = f"This deletes the AppStream of workspace {context.workspace}"
        if delete_home_folder:
            warning += f", with the home folders, and all files in them, of {', '.join(delete_home_folder)}"
        if delete_image:
            warning += f", with the images {', '.join(delete_image)}"
        confirm(f"{warning}.", name=context.workspace, skip=yes or dry_run)
        lifecycle.teardown(
            context,
            end_sessions=end_sessions,
            delete_images=delete_image or [],
            delete_home_folders=delete_home_folder or [],
        )

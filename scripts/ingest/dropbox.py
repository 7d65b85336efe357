"""`omero-aws dropbox`: which folder OMERO.dropbox watches, for whom, and how it imports.

It is part of OMERO.server, and is set there by ECS Exec. What is set is kept on OMERO's file system too, where a new
server finds it (containers/server.sh).
"""

from __future__ import annotations

import re
import shlex
from typing import Annotated

import typer

from scripts import console
from scripts.changes import changing, tell
from scripts.confirming import confirm
from scripts.errors import EXIT_FAILED, Failed, Refused
from scripts.ingest.deployment import deployed_workspace
from scripts.ingest.imports import sources
from scripts.ingest.server_exec.channel import Channel
from scripts.options import DryRunOption, JsonOption, WorkspaceOption, YesOption
from scripts.output import write_json

app = typer.Typer(
    help="OMERO.dropbox: the server imports files that its own mount writes into a folder.",
    no_args_is_help=True,
    add_completion=False,
)
KEPT = "/OMERO/.omero-on-aws/dropbox.omero"
DEFAULT = "/OMERO/DropBox"
PROPERTIES = ("omero.fs.watchDir", "omero.fs.importUsers", "omero.fs.importArgs")
# A folder's name and OMERO's name of a user at once.
USER = r"[A-Za-z0-9_.@][A-Za-z0-9_.@-]{0,63}"
NOT_TRIGGERED = (
    "files that arrive by SFTP, DataSync or an upload host do not trigger it: they arrive through EFS, and inotify "
    "only reports what the server's own mount writes. For those, run `imports scan` and `imports run`, on a schedule "
    "if need be"
)
ICE = 'omero admin ice "server {what} DropBox"'


def import_args(target: str, transfer: str, skip: tuple[str, ...]) -> str:
    """`omero.fs.importArgs`: DropBox splits it at `;` for users, then as a shell would. Each word is quoted for that.

    Raises:
        Refused: a word cannot be written so.
    """
    sources.check_transfer(transfer)
    sources.check_skips(skip)
    words = [*(["-T", target] if target else []), f"--transfer={transfer}", *(f"--skip={each}" for each in skip)]
    if bad := next((word for word in words if set(word) & set(";\n\r\0")), None):
        raise Refused(f"{bad!r} contains a character that separates values in DropBox; remove `;` and line breaks.")
    return shlex.join(words)


def settings(watch_dir: str, args: str) -> str:
    """What `omero load` reads: a command of OMERO's a line."""
    values = ("" if watch_dir == DEFAULT else watch_dir, "default", args)
    return "".join(
        f"config set -- {name} {shlex.quote(value)}\n" for name, value in zip(PROPERTIES, values, strict=True)
    )


def enable_script(watch_dir: str, users: tuple[str, ...], args: str) -> str:
    """Make the folders, keep the settings, set them, and restart DropBox. Stops at the first failure."""
    folders = " ".join(shlex.quote(f"{watch_dir}/{user}") for user in users) or shlex.quote(watch_dir)
    text = shlex.quote(settings(watch_dir, args))
    return (
        f"set -eu\nmkdir -p {folders} {shlex.quote(KEPT.rpartition('/')[0])}\n"
        f"printf %s {text} > {KEPT}.draft\nmv {KEPT}.draft {KEPT}\nomero load {KEPT}\n"
        f"{ICE.format(what='enable')}\n{ICE.format(what='stop')} || true\n{ICE.format(what='start')}\n"
    )


def disable_script() -> str:
    """Stop it, and let the next server start without it, too. The folders and what is in them stay."""
    text = shlex.quote("config set -- omero.fs.importUsers ''\n")
    return (
        f"set -eu\nmkdir -p {shlex.quote(KEPT.rpartition('/')[0])}\nprintf %s {text} > {KEPT}.draft\n"
        f"mv {KEPT}.draft {KEPT}\nomero load {KEPT}\n{ICE.format(what='disable')}\n{ICE.format(what='stop')} || true\n"
    )


def status_script() -> str:
    """Print the properties, its state, and the folders, each behind its name and a NUL."""
    lines = [f"printf '%s\\001' {name}; omero config get {name} || true; printf '\\002'" for name in PROPERTIES]
    lines.append(f"printf 'state\\001'; {ICE.format(what='state')} 2>&1 || true; printf '\\002'")
    lines.append(
        f"at=$(omero config get {PROPERTIES[0]} || true); printf 'folders\\001'; ls -1 \"${{at:-{DEFAULT}}}\" || true"
    )
    return "\n".join(lines)


@app.command("enable")
def enable_command(
    users: Annotated[
        list[str] | None, typer.Option("--user", help="User to create a folder for; may be repeated.")
    ] = None,
    watch_dir: Annotated[str, typer.Option(help="Folder to watch, with a folder in it for each user.")] = DEFAULT,
    target: Annotated[
        str,
        typer.Option("--target", "-T", help="As `omero import -T`; by default, names the dataset after the folder."),
    ] = "regex:^.*/(?<Container1>.*?)",
    transfer: Annotated[str, typer.Option(help="ln_s, ln, cp or upload.")] = "ln_s",
    skip: Annotated[list[str] | None, typer.Option(help="As `omero import --skip`; may be repeated.")] = None,
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make DropBox watch a folder; DropBox restarts."""
    deployment = deployed_workspace(workspace)
    folder = sources.path(deployment, watch_dir).decode("utf-8", "strict")
    for user in users or ():
        if not re.fullmatch(USER, user) or user in (".", ".."):
            raise Refused(f"--user {user!r} is not a valid folder name; give letters, digits and _ . @ -")
    args = import_args(target, transfer, tuple(skip or ()))
    with changing(dry_run=dry_run) as changes:
        script = enable_script(folder, tuple(users or ()), args)
        changes.do(f"DropBox watches {folder} and imports with {args}", lambda: _run(Channel(deployment), script))
    tell(changes, as_json=as_json)
    console.say(f"note: {NOT_TRIGGERED}.")


@app.command("disable")
def disable_command(
    workspace: WorkspaceOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Stop DropBox permanently; folders and images stay. Running imports are cut off."""
    deployment = deployed_workspace(workspace)
    name = deployment.workspace.name
    warning = f"This stops OMERO.dropbox of workspace {name}; its running imports are cut off."
    confirm(warning, name=name, skip=yes or dry_run)
    with changing(dry_run=dry_run) as changes:
        changes.do(
            "DropBox: stopped, and disabled at the server's start", lambda: _run(Channel(deployment), disable_script())
        )
    tell(changes, as_json=as_json)


@app.command("status")
def status_command(
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show whether DropBox runs, what it watches, and how it imports; exit code 1 if it is enabled and does not run."""
    found = status(_run(Channel(deployed_workspace(workspace)), status_script()))
    if as_json:
        write_json(found)
    else:
        console.say(f"DropBox is {found['state'] or 'unknown'}, and watches {found['omero.fs.watchDir'] or DEFAULT}")
        console.say(f"it imports with {found['omero.fs.importArgs'] or 'the defaults of OMERO'}")
        console.say(f"folders: {', '.join(found['folders'].split()) or 'none'}")
        console.say(f"note: {NOT_TRIGGERED}.")
    if trouble(found):
        console.fail(
            f"DropBox is {found['state'] or 'unknown'}; run `omero-aws dropbox enable` to start it, or `omero-aws "
            "dropbox disable` to turn it off.",
            EXIT_FAILED,
        )


def trouble(found: dict[str, str]) -> bool:
    """Whether DropBox does not run, and nobody has disabled it."""
    return not found["state"].startswith("active") and "disabled" not in found["state"]


def status(text: str) -> dict[str, str]:
    """What `status_script` prints."""
    pairs = (part.partition("\001") for part in text.split("\002"))
    found = {name.strip(): value.strip() for name, _, value in pairs}
    return {name: found.get(name, "") for name in (*PROPERTIES, "state", "folders")}


def _run(channel: Channel, script: str) -> str:
    answer = channel.run(script)
    if answer.code:
        raise Failed(
            f"OMERO.server rejected it (exit code {answer.code}): {' '.join(answer.text.split())[-300:]}; fix "
            "that, and run this again."
        )
    return answer.text

"""`omero-aws dropbox`: which folder OMERO.dropbox watches, for whom, and how it imports.

It is part of OMERO.server, and is set there by ECS Exec. What is set is kept on OMERO's file system too, where a new
server finds it: containers/dropbox_settings.py makes OMERO's commands of it, there as here.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from typing import Annotated, Any

import typer

from containers import dropbox_settings
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
DEFAULT = "/OMERO/DropBox"
# A folder's name and OMERO's name of a user at once.
START_SECONDS = 60  # Python's start, a log-in at OMERO and its retries
USER = r"[A-Za-z0-9_.@][A-Za-z0-9_.@-]{0,63}"
NOT_TRIGGERED = (
    "files that arrive by SFTP, DataSync or an upload host do not trigger it: they arrive through EFS, and inotify "
    "only reports what the server's own mount writes. For those, run `imports scan` and `imports run`, on a schedule "
    "if need be"
)
ICE = 'omero admin ice "server {what} DropBox"'
# `admin deploy` refuses while the server runs (`rewrite` in omero-py's plugins/admin.py). The settings are in
# etc/grid/config.xml, which the application's descriptor includes; `-n` has IceGrid restart nobody for them.
UPDATE = 'omero admin ice "application update -n $OMERODIR/etc/grid/default.xml"'
LEFT_OUT = (
    "The running server was started without DropBox. The settings are kept, and the next server starts with it: "
    "when nobody works, replace the server with `aws ecs update-service --force-new-deployment`."
)
# What DropBox logs when it starts (fsDropBox.py): what it runs with, whatever is configured now.
RUNNING = "Monitor parameters = "
_RUNNING = re.compile(r"""'(watchDir|importArgs)': ('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")


def kept(watch_dir: str, target: str, transfer: str, skip: tuple[str, ...]) -> dict[str, Any]:
    """What is kept.

    Raises:
        Refused: DropBox would take it for something else.
    """
    sources.check_transfer(transfer)
    sources.check_skips(skip)
    found = {"enabled": True, "watch": watch_dir, "target": target, "transfer": transfer, "skip": list(skip)}
    if wrong := dropbox_settings.fault(found):
        raise Refused(f"DropBox cannot be set so: {wrong}; remove `;` and line breaks.")
    return found


def _keep(found: dict[str, Any]) -> str:
    """Keep it, and set it: lines of a script, which is not silent, for a session that is may end."""
    place, commands = dropbox_settings.KEPT, dropbox_settings.COMMANDS
    return (
        f"mkdir -p {place.rpartition('/')[0]}\nprintf %s {shlex.quote(json.dumps(found))} > {place}.draft\n"
        f"mv -f {place}.draft {place}\nprintf %s {shlex.quote(dropbox_settings.commands(found))} > {commands}\n"
        f"omero load {commands}\necho set\n"
    )


def enable_script(watch_dir: str, users: tuple[str, ...], found: dict[str, Any]) -> str:
    """Make the folders, keep the settings, set them, and restart DropBox. Stops at the first failure."""
    folders = " ".join(shlex.quote(f"{watch_dir}/{user}") for user in users) or shlex.quote(watch_dir)
    return (
        f"set -eu\nmkdir -p {folders}\n{_keep(found)}"
        f"if ! {ICE.format(what='enable')}; then echo {shlex.quote(LEFT_OUT)}; exit 3; fi\n{UPDATE}\necho deployed\n"
        # IceGrid starts again by itself what is to run always, so that neither of the two need have anything to do.
        f"{ICE.format(what='stop')} || true\n{ICE.format(what='start')} || true\necho started\n"
        f"for second in $(seq {START_SECONDS}); do\n"
        f"  case $({ICE.format(what='state')} 2>&1) in active*) exit 0 ;; esac\n  sleep 1\ndone\n"
        f"echo 'DropBox does not start: see its log DropBox.log'; exit 4\n"
    )


def disable_script() -> str:
    """Stop it, and have the next server start without it, too. The folders and what is in them stay."""
    left_out = f'{ICE.format(what="state")} 2>&1 | grep -q "couldn\'t find"'
    return (
        f"set -eu\n{_keep(dropbox_settings.OFF)}if {left_out}; then exit 0; fi\n"
        f"{ICE.format(what='disable')}\n{ICE.format(what='stop')} || true\n"
    )


def status_script() -> str:
    """Print its state, and what it said when it started last, each behind a name and an end of its own."""
    log = "$OMERODIR/var/log/DropBox.log"
    return (
        f"printf 'state\\001'; {ICE.format(what='state')} 2>&1 || true; printf '\\002'\n"
        f"printf 'said\\001'; cat {log}.1 {log} 2>/dev/null | grep -a {shlex.quote(RUNNING)} | tail -n 1 || true\n"
    )


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
    found = kept(folder, target, transfer, tuple(skip or ()))
    args = dropbox_settings.import_args(target, transfer, tuple(skip or ()))
    with changing(dry_run=dry_run) as changes:
        script = enable_script(folder, tuple(users or ()), found)
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
    channel = Channel(deployed_workspace(workspace))
    found = status(_run(channel, status_script()))
    folders = _run(channel, f"ls -1 {shlex.quote(found['watches'] or DEFAULT)} 2>/dev/null || true").split()
    if as_json:
        write_json({**found, "folders": folders})
    else:
        console.say(f"DropBox is {found['state'] or 'unknown'}, and watches {found['watches'] or DEFAULT}")
        console.say(f"it imports with {found['imports_with'] or 'the defaults of OMERO'}")
        console.say(f"folders: {', '.join(folders) or 'none'}")
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
    """What `status_script` prints: DropBox's state, and what it runs with, as it said when it started."""
    pairs = (part.partition("\001") for part in text.split("\002"))
    found = {name.strip(): value.strip() for name, _, value in pairs}
    state = found.get("state", "")
    values = {name: str(ast.literal_eval(value)) for name, value in _RUNNING.findall(found.get("said", ""))}
    return {
        "state": "inactive (disabled: this server was started without it)" if "couldn't find" in state else state,
        "watches": values.get("watchDir", ""),
        "imports_with": values.get("importArgs", ""),
    }


def _run(channel: Channel, script: str) -> str:
    answer = channel.run(script)
    if answer.code:
        raise Failed(
            f"OMERO.server rejected it (exit code {answer.code}): {' '.join(answer.text.split())[-300:]}; fix "
            "that, and run this again."
        )
    return answer.text

"""`omero-aws sftp`: deliveries by SFTP, an AWS Transfer Family server onto the OMERO file system, and its users.

What it makes is found again by names and tags, so that every command may be killed at any point and run again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts import console
from scripts.changes import Changes, changing, look_ahead, tell
from scripts.confirming import confirm
from scripts.console import counted
from scripts.errors import EXIT_FAILED, Failed, Refused
from scripts.ingest.sftp import host_keys, keys, listing, logs, network, probe, report, roles, server, users
from scripts.ingest.sftp.context import SftpContext, find_server, server_of, sftp_context, sftp_remains
from scripts.options import DryRunOption, JsonOption, WorkspaceOption, YesOption
from scripts.output import write_json

app = typer.Typer(
    help="Deliveries by SFTP: the endpoint, its users, and a test.",
    no_args_is_help=True,
    add_completion=False,
)
user_app = typer.Typer(help="Senders: each has one folder and sees nothing else.", no_args_is_help=True)
key_app = typer.Typer(help="A sender's public keys.", no_args_is_help=True)
app.add_typer(user_app, name="user")
user_app.add_typer(key_app, name="key")

NameArgument = Annotated[str, typer.Argument(help="Name of the user.")]
PublicKeyOption = Annotated[
    Path, typer.Option("--key", help="File of a public key, from OpenSSH (.pub) or PuTTYgen.", show_default=False)
]
MOST_MIB = 256


def ensure(context: SftpContext, changes: Changes) -> None:
    """Make the endpoint, and all that goes with it, what the workspace says.

    Raises:
        Refused: something is not ours to change, and nothing was.
        Failed: AWS said no after the first change.
    """
    roles.check_file_system(context)
    find_server(context)
    kept = host_keys.ensure_secret(context, changes)
    logs.ensure_group(context, changes)
    roles.ensure(context, changes)
    found = server.ensure(context, kept, changes)
    if found and kept:
        host_keys.ensure_on_server(context, found["ServerId"], kept, changes)
    logs.ensure_alarm(context, changes)


@app.command("ensure")
def ensure_command(
    workspace: WorkspaceOption = None, dry_run: DryRunOption = False, as_json: JsonOption = False
) -> None:
    """Create the SFTP endpoint or bring it up to date, and report each change. Changing its addresses ends open
    sessions."""
    context = sftp_context(workspace)
    with changing(dry_run=dry_run) as changes:
        ensure(context, changes)
        changes.say_if_none("the SFTP endpoint is up to date")
    if not dry_run and (found := find_server(context)):
        console.say(f"server {found['ServerId']} is {found['State']}: {report.host(context, found)}, port 22")
    tell(changes, as_json=as_json)


@app.command("status")
def status_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show the server, endpoint, host keys, last activity and cost; exit code 1 unless it is online or you stopped
    it."""
    context = sftp_context(workspace)
    found = report.collect(context)
    if as_json:
        write_json(found)
    else:
        _show(found)
    there = found["server"]
    if there is None:
        console.fail(
            f"workspace {found['workspace']} has no SFTP server; run `{context.command} ensure`.",
            EXIT_FAILED,
        )
    if there["state"] != "ONLINE" and not there["stopped_on_purpose"]:
        console.fail(f"server {there['id']} is {there['state']}; run `{context.command} ensure`.", EXIT_FAILED)


def _show(found: dict[str, Any]) -> None:
    """The report of `status`, for people."""
    there = found["server"]
    console.say(f"drop area: {found['folder']} on {found['file_system_id']}")
    if there:
        note = ", on purpose; AWS still bills it" if there["stopped_on_purpose"] else ""
        users = counted(there["users"], "user")
        console.say(f"server {there['id']}: {there['state']}{note}, {users}, {there['security_policy']}")
        console.say(f"endpoint ({there['endpoint']}): {there['host']}, port 22")
        if there["addresses"]:
            console.say(f"  addresses: {', '.join(there['addresses'])}")
        console.say(f"  admits: {', '.join(there['cidrs']) or 'every address'}")
        for key in found["host_keys"]:
            console.say(f"  host key: {key['fingerprint']} ({key['public'].split()[0]})")
    last = found["last_activity"]
    console.say(f"last activity: {last['time']} ({last['stream']})" if last else "last activity: none")
    if cost := found["cost"]:
        console.say(
            f"cost this month, by list prices: {cost['usd']:.2f} USD ({cost['hours']:.0f} h, "
            f"{(cost['bytes_in'] + cost['bytes_out']) / report.GB:.1f} GB); a whole month is "
            f"{cost['usd_per_month']:.0f} USD, and {report.PER_GB} USD for each GB"
        )


@app.command("stop")
def stop_command(
    workspace: WorkspaceOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take the endpoint offline, which ends every session; AWS bills a stopped server like a running one."""
    context = sftp_context(workspace)
    found = server_of(context)
    name = context.deployment.workspace.name
    warning = f"This ends every SFTP session of workspace {name}; running deliveries are cut off."
    confirm(warning, name=name, skip=yes or dry_run or found["State"] in ("OFFLINE", "STOPPING"))
    with changing(dry_run=dry_run) as changes:
        server.stop(context, found, changes)
        changes.say_if_none(f"server {found['ServerId']} is stopped")
    console.say("AWS bills a stopped server like a running one; run `teardown` to end that.")
    tell(changes, as_json=as_json)


@app.command("start")
def start_command(
    workspace: WorkspaceOption = None, dry_run: DryRunOption = False, as_json: JsonOption = False
) -> None:
    """Bring a stopped endpoint online."""
    context = sftp_context(workspace)
    found = server_of(context)
    with changing(dry_run=dry_run) as changes:
        server.start(context, found, changes)
        changes.say_if_none(f"server {found['ServerId']} is online")
    tell(changes, as_json=as_json)


@app.command("teardown")
def teardown_command(
    workspace: WorkspaceOption = None,
    yes: YesOption = False,
    everything: Annotated[
        bool, typer.Option("--everything", help="Delete the host keys and the log too; otherwise they are kept.")
    ] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the endpoint and its users; senders' files, host keys and the log stay.

    Finds them by tags and names, and works without the workspace's stacks and its section sftp.
    """
    context = sftp_remains(workspace)
    found = find_server(context)
    name = context.deployment.workspace.name
    _take_away(context, found, look_ahead(), everything=everything)
    count = found.get("UserCount", 0) if found else 0
    confirm(
        f"This deletes the SFTP endpoint of workspace {name}, its {counted(count, 'user')} and all their public keys; "
        f"the files stay. `{context.command} user list --csv` saves the users for `user import`.",
        name=name,
        skip=yes or dry_run,
    )
    with changing(dry_run=dry_run) as changes:
        _take_away(context, found, changes, everything=everything)
        changes.say_if_none("there is no SFTP endpoint")
    tell(changes, as_json=as_json)


def _take_away(context: SftpContext, found: dict[str, Any] | None, changes: Changes, *, everything: bool) -> None:
    """Delete the server that was `found`, and all that scripts made for it."""
    if found:
        server.delete(context, found, changes)
    network.release_addresses(context, changes)
    network.remove_group(context, changes)
    logs.remove(context, changes, with_logs=everything)
    roles.remove(context, changes)
    if everything:
        host_keys.forget(context, changes)


@user_app.command("add")
def user_add(
    name: NameArgument,
    key: PublicKeyOption,
    home: Annotated[
        str | None, typer.Option(help="Folder under the drop area [default: the user's name].", show_default=False)
    ] = None,
    uid: Annotated[
        int | None,
        typer.Option(
            help="POSIX uid that the files belong to; 1000 is OMERO.server's own [default: the folder's owner, or for "
            "a new one as `sftp.uids` says].",
            show_default=False,
        ),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="May download, but not upload.")] = False,
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add a sender with a key, and create the folder. Adding the same sender again changes nothing."""
    public = keys.read(key)
    context = sftp_context(workspace)
    user = users.requested(context, name, public, home=home, uid=uid, read_only=read_only)
    id_ = server_of(context)["ServerId"]
    with changing(dry_run=dry_run) as changes:
        users.add(context, id_, [user], changes)
        changes.say_if_none(f"user {name} already exists")
    found = users.describe(context, id_, name)
    tell(changes, as_json=as_json, user=users.shown(context, found) if found else None)


@user_app.command("import")
def user_import(
    file: Annotated[Path, typer.Argument(help=f"CSV with the columns {', '.join(listing.COLUMNS)}.")],
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add many senders; every line is checked before the first is added, and existing senders are not changed."""
    context = sftp_context(workspace)
    wanted = listing.read(context, file)
    id_ = server_of(context)["ServerId"]
    with changing(dry_run=dry_run) as changes:
        added = users.add(context, id_, wanted, changes)
        changes.say_if_none(f"nothing to add: {counted(len(wanted), 'user')} already there")
    what = "to be added" if dry_run else "added"
    console.say(f"{counted(len(wanted), 'user')} in {file}: {added} {what}, {len(wanted) - added} existed")
    tell(changes, as_json=as_json, users=len(wanted), added=added)


@user_app.command("show")
def user_show(name: NameArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show a sender's home, uid and keys."""
    context = sftp_context(workspace)
    found = users.shown(context, users.known(context, server_of(context)["ServerId"], name))
    if as_json:
        write_json(found)
        return
    access = "read only" if found["read_only"] else "may write"
    console.say(f"user {name}: home {found['home']}, uid {found['uid']}, gid {found['gid']}, {access}")
    for key in found["keys"]:
        console.say(f"  key {key['id']}: {key['type']} {key['fingerprint']}, since {key['imported']}")


@user_app.command("list")
def user_list(
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[
        bool,
        typer.Option(
            "--csv",
            help="Print everything about each sender to stdout, as `user import` reads it; one AWS call for each.",
        ),
    ] = False,
) -> None:
    """Show all senders."""
    context = sftp_context(workspace)
    id_ = server_of(context)["ServerId"]
    listed = list(users.rows(context, id_))
    if as_csv:
        found = [users.shown(context, users.known(context, id_, row["UserName"])) for row in listed]
        sys.stdout.write(listing.write(found, context.settings.folder))
        return
    rows = [
        {
            "name": row["UserName"],
            "read_only": users.is_read_only(context, row),
            "keys": row.get("SshPublicKeyCount", 0),
        }
        for row in listed
    ]
    if as_json:
        write_json(rows)
        return
    if not rows:
        console.say("there are no users yet")
        return
    shown = ((row["name"], "read only" if row["read_only"] else "may write", row["keys"]) for row in rows)
    console.table(("user", "access", "keys"), shown, lines=False)


@user_app.command("remove")
def user_remove(
    name: NameArgument,
    workspace: WorkspaceOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove a sender; the files stay."""
    context = sftp_context(workspace)
    warning = (
        f"This deletes the SFTP user {name} of workspace {context.deployment.workspace.name} with its public keys."
    )
    confirm(warning, name=name, skip=yes or dry_run)
    with changing(dry_run=dry_run) as changes:
        users.remove(context, server_of(context)["ServerId"], name, changes)
    tell(changes, as_json=as_json)


@key_app.command("add")
def key_add(
    name: NameArgument,
    key: PublicKeyOption,
    workspace: WorkspaceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add a key to a sender; to replace a key, add the new one, then remove the old one."""
    public = keys.read(key)
    context = sftp_context(workspace)
    with changing(dry_run=dry_run) as changes:
        users.add_key(context, server_of(context)["ServerId"], name, public, changes)
        changes.say_if_none(f"user {name} already has that key")
    tell(changes, as_json=as_json)


@key_app.command("remove")
def key_remove(
    name: NameArgument,
    key: Annotated[str, typer.Argument(help="Id (key-...) or fingerprint (SHA256:...), as `user show` shows it.")],
    workspace: WorkspaceOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove a key from a sender."""
    context = sftp_context(workspace)
    confirm(f"This deletes the key {key} of the SFTP user {name}.", name=name, skip=yes or dry_run)
    with changing(dry_run=dry_run) as changes:
        users.remove_key(context, server_of(context)["ServerId"], name, changes, key=key)
    tell(changes, as_json=as_json)


@app.command("test")
def try_command(
    name: NameArgument,
    key: Annotated[Path, typer.Option("--key", help="File of the user's private key.", show_default=False)],
    host: Annotated[
        str | None, typer.Option(help="Connect here instead, for instance through a tunnel.", show_default=False)
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to connect to.")] = 22,
    size_mib: Annotated[int, typer.Option(min=1, max=MOST_MIB, help="MiB to upload and download.")] = 8,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Connect as a sender, check the host key, deliver a file, compare it, remove it, and report the speed."""
    context = sftp_context(workspace)
    found = server_of(context)
    user = users.shown(context, users.known(context, found["ServerId"], name))
    kept = host_keys.read(context)
    if kept is None:
        raise Refused(f"the host keys are not in Secrets Manager; run `{context.command} ensure`.")
    if found["State"] != "ONLINE":
        raise Failed(f"server {found['ServerId']} is {found['State']}; run `{context.command} start`.")
    passphrase = None
    if probe.is_encrypted(key):
        passphrase = typer.prompt(f"Passphrase of {key}", hide_input=True, err=True)
    target = probe.Target(
        host=host or report.host(context, found),
        port=port,
        user=name,
        key=key,
        host_keys=kept,
        passphrase=passphrase,
    )
    with console.status(f"testing {target.host} as {name}"):
        result = probe.run(target, mib=size_mib, read_only=bool(user["read_only"]))
    console.say(f"{name} logged in to {result.host} in {result.connect_seconds} s; the host key is the right one.")
    if result.mib:
        console.say(
            f"{result.mib} MiB: up {result.upload_mib_s} MiB/s, down {result.download_mib_s} MiB/s, identical; the "
            "file was removed again."
        )
    else:
        console.say("The user may only read, so nothing was delivered.")
    if as_json:
        write_json(result.data())

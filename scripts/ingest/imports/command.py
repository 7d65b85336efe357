"""`omero-aws imports`: from files on OMERO's file system to verified images.

A worker beside OMERO.server looks for filesets, imports them, and records what became of each in the ledger, a DynamoDB
table. These commands ask it for that, and show what it does; they may be ended at any time, and used by several people.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from botocore.exceptions import ClientError

from containers.importer import entries
from containers.importer.entries import FAILED, IMPORTED, INCOMPLETE
from contract.omero import DATA_DIR
from contract.outputs import Omero
from scripts import aws, console
from scripts.console import counted
from scripts.errors import EXIT_FAILED, Failed, Refused
from scripts.ingest.imports import page, report, run_options, scan_report, sources
from scripts.ingest.imports.asking import answer, wait
from scripts.ingest.imports.context import ImportContext, import_context
from scripts.ingest.imports.exec_pass import one_pass
from scripts.ingest.imports.ledger import Entry, Total
from scripts.ingest.imports.worker_state import absence
from scripts.options import DryRunOption, JsonOption, WorkspaceOption
from scripts.output import write_json

app = typer.Typer(
    help="Import images from OMERO's file system, each exactly once.",
    no_args_is_help=True,
    add_completion=False,
)
SETTLE_SECONDS = 60

UnderOption = Annotated[str, typer.Option("--under", help="Only filesets at or under this path.")]
FilesArgument = Annotated[list[str], typer.Argument(help="Main files, as OMERO.server sees them: /OMERO/...")]
RequestArgument = Annotated[str, typer.Argument(help="The request, as `status` shows it.")]


@app.command("scan")
def scan_command(
    path: Annotated[str, typer.Argument(help="Folder or file, as OMERO.server sees it: /OMERO/...")],
    workspace: WorkspaceOption = None,
    settle: Annotated[
        int,
        typer.Option(min=0, max=3600, help="Seconds between the two scans; files that change in between are left out."),
    ] = SETTLE_SECONDS,
    checksum: Annotated[
        bool, typer.Option("--checksum", help="Record the SHA-256 of each main file (reads every main file).")
    ] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find filesets that no longer change, and record them in the ledger."""
    at = import_context(workspace)
    root = sources.path(at.deployment, path)
    if dry_run:
        console.say(f"would be done: scan {entries.shown(root)} twice, {settle} s apart, and record what is stable.")
        if as_json:
            write_json({"dry_run": True, "path": entries.shown(root), "settle_seconds": settle})
        return
    work = {"path": root.hex(), "data_dir": DATA_DIR, "settle_seconds": settle, "checksum": checksum}
    result = answer(at, "scan", work)
    if as_json:
        write_json(result)
    scan_report.show(result, root)


@app.command("run")
def run_command(
    workspace: WorkspaceOption = None,
    target: Annotated[
        str,
        typer.Option("--target", "-T", help="As `omero import -T`: Dataset:name:X, Dataset:5, Screen:..., regex:..."),
    ] = "",
    create_target: Annotated[
        bool, typer.Option("--create-target", help="Create the target if it does not exist.")
    ] = False,
    transfer: Annotated[
        str, typer.Option(help="ln_s leaves the files where they are; cp and upload copy them; ln makes hard links.")
    ] = "ln_s",
    user: Annotated[str, typer.Option("--as", help="OMERO user who will own the images.")] = "",
    group: Annotated[str, typer.Option(help="OMERO group [default: the user's own].")] = "",
    skip: Annotated[
        list[str] | None, typer.Option(help="all, checksum, minmax, thumbnails or upgrade; may be repeated.")
    ] = None,
    under: UnderOption = "",
    batch_filesets: Annotated[int, typer.Option(help="Maximum number of filesets for one importer.")] = 200,
    transport: Annotated[
        Literal["worker", "exec"],
        typer.Option(
            help="`worker`: the one beside OMERO.server. `exec`: one pass in the server's own container, by ECS Exec."
        ),
    ] = "worker",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Import what is pending; what arrived in a folder that `arrivals` watches, only if --under names it. The worker
    does it, and goes on if this command is ended."""
    at = import_context(workspace)
    work = run_options.wanted(
        at.deployment,
        at.ledger,
        target=target,
        create=create_target,
        transfer=transfer,
        user=user,
        group=group,
        skip=tuple(skip or ()),
        under=under,
        batch_filesets=batch_filesets,
    )
    if dry_run:
        plan = run_options.show_plan(at.deployment, at.ledger, work)
        if as_json:
            write_json({"dry_run": True, **plan})
        return
    id_ = at.requests.ask("run", work)
    if transport == "exec":
        one_pass(at)
    result = wait(at, id_, total=_pending(at, work))
    _show_run(result, as_json=as_json)


def _pending(at: ImportContext, work: dict[str, Any]) -> int:
    """How many filesets wait, for the bar; 0 for those who may write requests and not read the ledger."""
    try:
        return sum(1 for _ in run_options.pending(at.deployment, at.ledger, work))
    except ClientError as error:
        if aws.denied(error):
            return 0
        raise


def _show_run(result: Mapping[str, Any], *, as_json: bool) -> None:
    """What a run has come to, and the exit code of that."""
    if as_json:
        write_json(result)
    console.say(
        f"{result['imported']} imported and {result['already']} already in OMERO; {result[FAILED]} failed, "
        f"{result[INCOMPLETE]} incomplete, {result['left']} left"
    )
    if not result["imported"] + result["already"] + result[FAILED] + result[INCOMPLETE] + result["left"]:
        console.say("nothing was pending: run `imports scan` on a folder first, or see `status`.")
    if trouble := result[FAILED] + result[INCOMPLETE] + result["left"]:
        raise Failed(
            f"not imported: {counted(trouble, 'fileset')} of this run; `status` and `report` show why, and `retry` has "
            "them imported again."
        )


@app.command("watch")
def watch_command(request: RequestArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show a request until its end, whoever made it."""
    at = import_context(workspace)
    found = at.requests.get(request)
    if found is None:
        raise Refused(f"there is no request {request}; `imports status` shows the open ones.")
    result = wait(at, request)
    if found.do == "run":
        _show_run(result, as_json=as_json)
    elif as_json:
        write_json(result)
    else:
        console.say(", ".join(f"{name} {value}" for name, value in result.items()))


@app.command("pause")
def pause_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Have the worker begin no import until `resume`; the importer that runs comes to its end."""
    import_context(workspace).requests.pause(paused=True)
    console.say("the worker begins no further import; scans go on. `omero-aws imports resume` ends that.")
    if as_json:
        write_json({"paused": True})


@app.command("resume")
def resume_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Have the worker import again after `pause`."""
    import_context(workspace).requests.pause(paused=False)
    console.say("the worker imports again.")
    if as_json:
        write_json({"paused": False})


@app.command("cancel")
def cancel_command(request: RequestArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """End a request; the importer that runs comes to its end, and what is left stays pending."""
    at = import_context(workspace)
    found = at.requests.get(request)
    if found is None:
        raise Refused(f"there is no request {request}; `imports status` shows the open ones.")
    if found.is_over:
        raise Refused(f"the request {request} has ended already: it is {found.state}.")
    at.requests.cancel(request)
    console.say(f"the request {request} ends with the importer that runs.")
    if as_json:
        write_json({"request": request, "cancelled": True})


@app.command("status")
def status_command(workspace: WorkspaceOption = None, under: UnderOption = "", as_json: JsonOption = False) -> None:
    """Show how many filesets are in each state, what is asked for, what the worker does, and why filesets failed; exit
    code 1 if any did."""
    at = import_context(workspace)
    below = sources.path(at.deployment, under) if under else b""
    totals = at.ledger.totals(below)
    requests, lease, paused = at.requests.open(), at.requests.lease(), at.requests.paused()
    if as_json:
        open_ = [
            {"id": each.id, "do": each.do, "state": each.state, "who": each.who, **each.progress} for each in requests
        ]
        worker = {"task": lease.task, "at": lease.at, **lease.says} if lease else None
        write_json({"states": _totals(totals), "requests": open_, "worker": worker, "paused": paused})
    else:
        rows = [
            (state, total.filesets, total.files, report.size(total.bytes), total.images)
            for state, total in totals.items()
        ]
        console.table(("state", "filesets", "files", "size", "images"), rows, lines=False)
        for each in requests:
            said = ", ".join(f"{name} {value}" for name, value in each.progress.items())
            console.say(f"{each.id}: {each.do}, {each.state}, of {each.who}: {said}")
        says = ", ".join(str(value) for value in lease.says.values() if value) if lease else ""
        console.say(
            f"worker: {says}, last seen at {lease.at}" if lease else f"no worker: {absence(at.deployment, None)}"
        )
        if paused:
            console.say(f"paused by {paused}; `omero-aws imports resume` ends that")
        _show_reasons(at, below)
    if failed := totals[FAILED].filesets + totals[INCOMPLETE].filesets:
        console.fail(
            f"failed or incomplete: {counted(failed, 'fileset')}; `omero-aws imports retry` has those imported again "
            "that OMERO has no images of.",
            EXIT_FAILED,
        )


def _show_reasons(at: ImportContext, below: bytes) -> None:
    reasons: dict[str, int] = {}
    for entry in at.ledger.entries(FAILED, INCOMPLETE, under=below):
        reasons[entry.reason] = reasons.get(entry.reason, 0) + 1
    for reason, count in sorted(reasons.items(), key=lambda pair: -pair[1])[:10]:
        console.say(f"{counted(count, 'time')}: {reason}")


@app.command("retry")
def retry_command(
    files: Annotated[list[str] | None, typer.Argument(help="Files [default: all failed and incomplete ones].")] = None,
    workspace: WorkspaceOption = None,
    under: UnderOption = "",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Have the next run import failed and incomplete filesets again, and named ones that are dismissed, or lost in
    OMERO. OMERO is asked first, and one whose images it has still stays incomplete."""
    at = import_context(workspace)
    below = sources.path(at.deployment, under) if under else b""
    if dry_run:
        count = len(files) if files else at.ledger.count(FAILED, INCOMPLETE, under=below)
    else:
        named = [sources.path(at.deployment, file).hex() for file in files or ()]
        count = answer(at, "retry", {"files": named, "under": below.hex()})["filesets"]
    console.say(f"{'would be done: ' if dry_run else ''}pending again: {counted(count, 'fileset')}")
    if as_json:
        write_json({"dry_run": dry_run, "filesets": count})


@app.command("dismiss")
def dismiss_command(
    files: FilesArgument,
    workspace: WorkspaceOption = None,
    reason: Annotated[str, typer.Option(help="Why, for the ledger's history.")] = "",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Leave filesets alone from now on: files or images that were deleted on purpose. Nothing is deleted."""
    at = import_context(workspace)
    named = [sources.path(at.deployment, file).hex() for file in files]
    count = len(named) if dry_run else answer(at, "dismiss", {"files": named, "reason": reason})["filesets"]
    would = "would be done: " if dry_run else ""
    console.say(f"{would}dismissed: {counted(count, 'fileset')}; `retry` with their names takes that back")
    if as_json:
        write_json({"dry_run": dry_run, "filesets": count})


@app.command("users")
def users_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List OMERO's users, as `run --as` takes them."""
    found = answer(import_context(workspace), "users", {})["users"]
    if as_json:
        write_json([{"name": name, "full_name": full, "id": id_} for name, full, id_ in found])
        return
    console.table(("name", "full name", "id"), [(name, full, str(id_)) for name, full, id_ in found], lines=False)


@app.command("show")
def show_command(
    file: Annotated[str, typer.Argument(help="Main file of the fileset, as OMERO.server sees it: /OMERO/...")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything the ledger has about a fileset, by the path of its main file, with its history."""
    at = import_context(workspace)
    entry = at.ledger.get(sources.path(at.deployment, file))
    if entry is None:
        raise Refused(f"{file!r} is not in the ledger as a main file; scan its folder first, or see `report`.")
    if as_json:
        write_json({**report.row(entry), "history": entry.history})
        return
    for line in report.lines(entry):
        console.say(line)
    for line in entry.history:
        console.say(f"  {line}")


@app.command("report")
def report_command(
    kind: Annotated[Literal["json", "csv", "html"], typer.Option("--format", help="Format of the report.")] = "json",
    workspace: WorkspaceOption = None,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a page for browsers to this file, to search, sort and filter in, and print nothing."),
    ] = None,
    under: UnderOption = "",
) -> None:
    """Print everything in the ledger to stdout, or write it to a page."""
    at = import_context(workspace)
    found = at.ledger.entries(under=sources.path(at.deployment, under) if under else b"")
    about: dict[str, Any] = {
        "workspace": at.deployment.workspace.name,
        "at": entries.now_text(),
        "web": at.deployment.published(Omero.web_url),
    }
    if html:
        page.write_file(html, found, **about)
        console.say(f"the page is {html}; paths may name patients, and only you may read it")
    elif kind == "csv":
        report.write_csv(found, sys.stdout)
    elif kind == "json":
        report.write_json(found, sys.stdout)
    else:
        page.write(found, sys.stdout, **about)


@app.command("verify")
def verify_command(workspace: WorkspaceOption = None, under: UnderOption = "", as_json: JsonOption = False) -> None:
    """Check every imported fileset in OMERO again, and list what differs."""
    at = import_context(workspace)
    below = sources.path(at.deployment, under) if under else b""
    counts = answer(at, "verify", {"under": below.hex()})
    differing = _differing(at, below) if counts["differs"] else []
    if as_json:
        write_json({**counts, "differing": [report.row(entry) for entry in differing]})
    for entry in differing:
        console.say(f"{entries.shown(entry.path)}: {entry.differs}")
    console.say(f"{counts['same']} are in OMERO as in the ledger, {counts['differs']} differ")
    if counts["differs"]:
        raise Failed(f"{counts['differs']} imported filesets are not in OMERO as in the ledger; they are listed above.")


def _differing(at: ImportContext, below: bytes) -> list[Entry]:
    return [entry for entry in at.ledger.entries(IMPORTED, under=below) if entry.differs]


def _totals(totals: Mapping[str, Total]) -> dict[str, dict[str, int]]:
    return {state: vars(total) for state, total in totals.items()}

"""`omero-aws imports`: from files on OMERO's file system to verified images.

The ledger, a DynamoDB table, knows what became of each fileset. Containers in the VPC look for filesets, import them
and record both; this program gives them work and looks after them. It may be killed, and run by several people at once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, Literal

import typer

from containers.importer import entries
from containers.importer.entries import FAILED, IMPORTED, IMPORTING, PENDING
from contract.omero import DATA_DIR
from scripts import console
from scripts.errors import EXIT_FAILED, Failed, Refused
from scripts.ingest.imports import report, scan_report, sources
from scripts.ingest.imports.context import ImportContext, import_context
from scripts.ingest.imports.ecs_task import Transport
from scripts.ingest.imports.importing import ImportOptions, Run, who
from scripts.ingest.imports.ledger import Entry, JobItem, Total, job_key
from scripts.ingest.imports.progress import RunProgress
from scripts.ingest.imports.run_options import show_plan, wanted
from scripts.ingest.imports.single_job import run_job
from scripts.options import DryRunOption, JsonOption, WorkspaceOption
from scripts.output import write_json

app = typer.Typer(
    help="Import images from OMERO's file system, each exactly once.",
    no_args_is_help=True,
    add_completion=False,
)
SETTLE_SECONDS = 60
# An item of the ledger holds 400 KB, and a fileset takes 32 bytes of it.
VERIFIED_AT_ONCE = 10_000

UnderOption = Annotated[str, typer.Option("--under", help="Only filesets at or under this path.")]
TransportOption = Annotated[
    Literal["task", "exec"],
    typer.Option(help="`task`: separate tasks. `exec`: the server's own container, by ECS Exec."),
]


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
    transport: TransportOption = "task",
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
    work = {
        "do": "scan",
        "path": root.hex(),
        "data_dir": DATA_DIR,
        "settle_seconds": settle,
        "checksum": checksum,
        "who": who(),
        "found": entries.now_text(),
    }
    with _one_line("scan") as event:
        result = run_job(at.ledger, at.transport(transport), work, key=job_key("scan", root.hex()), event=event)
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
    parallel: Annotated[int | None, typer.Option(min=1, help="Importers at once [default: the maximum].")] = None,
    batch_filesets: Annotated[int, typer.Option(help="Maximum number of filesets for one importer.")] = 200,
    transport: TransportOption = "task",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Import what is pending, and continue what a killed run has left."""
    at = import_context(workspace)
    asked = wanted(
        at.deployment,
        at.ledger,
        target=target,
        transfer=transfer,
        user=user,
        group=group,
        skip=tuple(skip or ()),
        under=under,
        parallel=parallel,
        batch_filesets=batch_filesets,
    )
    if dry_run:
        plan = show_plan(at.ledger, asked)
        if as_json:
            write_json({"dry_run": True, **plan})
        return
    sources.check_server(at.deployment)
    way = at.transport(transport)
    asked = _checked(at, way, asked, create=create_target)
    before = at.ledger.totals(asked.under, PENDING, IMPORTING)
    total = before[PENDING].filesets + before[IMPORTING].filesets
    if not total:
        console.say("nothing is pending: run `imports scan` on a folder first, or see `status`.")
    begun = time.monotonic()
    with RunProgress(total) as watch:
        run = Run(at.ledger, way, asked, watch, at.transport)
        run.run()
    # Nobody but a program asks for all that was ever imported, which may be millions.
    after = at.ledger.totals(asked.under, *(entries.STATES if as_json else (FAILED,)))
    if as_json:
        seconds = {"seconds": time.monotonic() - begun, "importer_seconds": run.importer_seconds}
        write_json({**seconds, **run.counts, "states": _totals(after)})
    console.say(
        f"{run.counts['imported']} imported and {run.counts['already']} already in OMERO, in "
        f"{report.duration(time.monotonic() - begun)}; {after[FAILED].filesets} failed"
    )
    if after[FAILED].filesets:
        raise Failed(
            f"{after[FAILED].filesets} filesets failed; run `status` or `report` to see why, and `retry` to have "
            "them imported again."
        )


def _checked(at: ImportContext, way: Transport, asked: ImportOptions, *, create: bool) -> ImportOptions:
    """With the target by its id: it is looked up, or made, once, and not by each importer."""
    if not asked.user and (not asked.target or asked.target.startswith("regex:")):
        return asked
    work = {"do": "check", "target": asked.target, "user": asked.user, "group": asked.group, "create": create}
    with _one_line("check of user and target") as event:
        result = run_job(at.ledger, way, work, key=job_key("check", *map(str, work.values())), event=event)
    return replace(asked, target=result["target"])


@app.command("status")
def status_command(workspace: WorkspaceOption = None, under: UnderOption = "", as_json: JsonOption = False) -> None:
    """Show how many filesets are in each state, what runs, and why filesets failed; exit code 1 if any did."""
    at = import_context(workspace)
    below = sources.path(at.deployment, under) if under else b""
    totals = at.ledger.totals(below)
    jobs = at.ledger.slots()
    if as_json:
        running = [{"slot": job.key, "state": job.state, "who": job.who, **job.progress} for job in jobs]
        write_json({"states": _totals(totals), "running": running})
    else:
        _show_status(at, below, totals, jobs)
    if failed := totals[FAILED].filesets:
        console.fail(
            f"{failed} filesets failed; run `omero-aws imports retry` to have them imported again.", EXIT_FAILED
        )


def _show_status(at: ImportContext, below: bytes, totals: Mapping[str, Total], jobs: Sequence[JobItem]) -> None:
    """What `status` tells people."""
    rows = [
        (state, total.filesets, total.files, report.size(total.bytes), total.images) for state, total in totals.items()
    ]
    console.table(("state", "filesets", "files", "size", "images"), rows, lines=False)
    for job in jobs:
        said = ", ".join(f"{name} {value}" for name, value in job.progress.items())
        console.say(f"{job.key}: {job.state}, {len(job.ids)} filesets, of {job.who}: {said}")
    reasons: dict[str, int] = {}
    for entry in at.ledger.entries(FAILED, under=below):
        reasons[entry.reason] = reasons.get(entry.reason, 0) + 1
    for reason, count in sorted(reasons.items(), key=lambda pair: -pair[1])[:10]:
        console.say(f"failed {count} times: {reason}")


@app.command("retry")
def retry_command(
    files: Annotated[list[str] | None, typer.Argument(help="Files [default: all failed ones].")] = None,
    workspace: WorkspaceOption = None,
    under: UnderOption = "",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Have the next run import failed filesets again, and named filesets that OMERO has lost. The command checks OMERO
    first."""
    at = import_context(workspace)
    below = sources.path(at.deployment, under) if under else b""
    found = [_entry(at, file) for file in files] if files else at.ledger.entries(FAILED, under=below)
    count = 0
    for entry in found:
        if entry.state != FAILED and not (entry.state == IMPORTED and entry.differs):
            raise Refused(
                f"{entries.shown(entry.path)} is {entry.state}; give a failed fileset, or one that `verify` found "
                "to differ."
            )
        count += dry_run or at.ledger.retry(entry)
    console.say(f"{'would be done: ' if dry_run else ''}{count} filesets are pending again")
    if as_json:
        write_json({"dry_run": dry_run, "filesets": count})


@app.command("show")
def show_command(
    file: Annotated[str, typer.Argument(help="Main file of the fileset, as OMERO.server sees it: /OMERO/...")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything the ledger has about a fileset, by the path of its main file."""
    entry = _entry(import_context(workspace), file)
    if as_json:
        write_json(report.row(entry))
        return
    for line in report.lines(entry):
        console.say(line)


@app.command("report")
def report_command(
    kind: Annotated[Literal["json", "csv", "html"], typer.Option("--format", help="Format of the report.")] = "json",
    workspace: WorkspaceOption = None,
    under: UnderOption = "",
) -> None:
    """Print everything in the ledger to stdout."""
    at = import_context(workspace)
    found = at.ledger.entries(under=sources.path(at.deployment, under) if under else b"")
    if kind == "csv":
        report.write_csv(found, sys.stdout)
    elif kind == "json":
        report.write_json(found, sys.stdout)
    else:
        report.write_html(found, sys.stdout, workspace=at.deployment.workspace.name, at=entries.now_text())


@app.command("verify")
def verify_command(
    workspace: WorkspaceOption = None,
    under: UnderOption = "",
    transport: TransportOption = "task",
    as_json: JsonOption = False,
) -> None:
    """Check every imported fileset in OMERO again, and list what differs."""
    at = import_context(workspace)
    below = sources.path(at.deployment, under) if under else b""
    way = at.transport(transport)
    counts = {"same": 0, "differs": 0}
    with _one_line("verify") as event:
        for some in _some(at.ledger.entries(IMPORTED, under=below), VERIFIED_AT_ONCE):
            ids = tuple(entry.id for entry in some)
            result = run_job(at.ledger, way, {"do": "verify"}, key=job_key("verify", *ids), event=event, ids=ids)
            counts = {name: counts[name] + result[name] for name in counts}
    differing = (
        [entry for entry in at.ledger.entries(IMPORTED, under=below) if entry.differs] if counts["differs"] else []
    )
    if as_json:
        write_json({**counts, "differing": [report.row(entry) for entry in differing]})
    for entry in differing:
        console.say(f"{entries.shown(entry.path)}: {entry.differs}")
    console.say(f"{counts['same']} are in OMERO as in the ledger, {counts['differs']} differ")
    if counts["differs"]:
        raise Failed(f"{counts['differs']} imported filesets are not in OMERO as in the ledger; they are listed above.")


def _entry(at: ImportContext, file: str) -> Entry:
    entry = at.ledger.get(sources.path(at.deployment, file))
    if entry is None:
        raise Refused(f"{file!r} is not in the ledger as a main file; scan its folder first, or see `report`.")
    return entry


def _some(found: Iterator[Entry], number: int) -> Iterator[list[Entry]]:
    some: list[Entry] = []
    for entry in found:
        some.append(entry)
        if len(some) == number:
            yield some
            some = []
    if some:
        yield some


def _totals(totals: Mapping[str, Total]) -> dict[str, dict[str, int]]:
    return {state: vars(total) for state, total in totals.items()}


@contextmanager
def _one_line(what: str) -> Iterator[Any]:
    """Show one job: a line that changes on a terminal, one every 20 s elsewhere."""
    said = [time.monotonic()]
    with console.status(f"{what}: starting a container (a minute or two)") as show:

        def event(kind: str, facts: Mapping[str, Any]) -> None:
            job = facts.get("job")
            progress = ", ".join(f"{name} {value}" for name, value in job.progress.items()) if job else facts["reason"]
            text = f"{what}: {progress or (job.state if job else kind)}"
            show(text)
            if not console.err.is_terminal and time.monotonic() - said[0] >= 20:
                said[0] = time.monotonic()
                console.say(text)

        yield event

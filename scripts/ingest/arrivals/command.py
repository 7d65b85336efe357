"""`omero-aws arrivals`: what arrives in watched folders, and is imported without anybody asking for it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Any

import typer

from containers.importer import entries
from containers.importer.entries import FAILED, INCOMPLETE
from contract.outputs import Omero
from scripts import console
from scripts.console import counted
from scripts.errors import EXIT_FAILED, Refused
from scripts.ingest.arrivals.waiting import STATES, Waiting, age, waiting
from scripts.ingest.imports import sources
from scripts.ingest.imports.asking import answer
from scripts.ingest.imports.command import UnderOption
from scripts.ingest.imports.context import ImportContext, import_context
from scripts.ingest.imports.worker_state import absence
from scripts.options import DryRunOption, JsonOption, WorkspaceOption
from scripts.output import write_json

app = typer.Typer(
    help="See and steer what is imported from watched folders without anybody asking for it.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command("status")
def status_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show what waits in each folder, for how long, and why something was not imported; exit code 1 if anything was
    not."""
    at = import_context(workspace)
    settings = _settings(at)
    found = waiting(settings, at.requests.arrivals(), at.ledger.entries(*STATES))
    lease, paused = at.requests.lease(), at.requests.paused(arrivals=True)
    if as_json:
        folders = [{**vars(each), "path": entries.shown(each.path)} for each in found]
        write_json({"folders": folders, "paused": paused, "worker": lease.at if lease else None})
    else:
        _show(found)
        console.say(
            f"worker: last seen at {lease.at}" if lease else f"no worker: {absence(at.deployment, None)}",
        )
        if paused:
            console.say(f"paused by {paused}; `omero-aws arrivals resume` ends that")
    if trouble := sum(each.is_trouble for each in found):
        console.fail(
            f"not everything in {counted(trouble, 'folder')} was imported; fix what is listed above, then "
            "`omero-aws arrivals replay`.",
            EXIT_FAILED,
        )


def _show(found: list[Waiting]) -> None:
    now = datetime.now(UTC)
    rows = [
        (
            entries.shown(each.path),
            each.owner or "the importer's",
            str(each.arriving),
            str(each.waits),
            age(each.since, now),
            str(each.failed),
        )
        for each in found
    ]
    console.table(("folder", "owner", "arriving", "waiting", "since", "failed"), rows, lines=False)
    for each in found:
        path = entries.shown(each.path)
        if each.error:
            console.say(f"{path}: {each.error}")
        if each.loose:
            console.say(
                f"{path}: {counted(each.loose, 'file')} in no folder, so nobody knows the owner; move them into one"
            )
        if each.replaced:
            console.say(
                f"{path}: {counted(each.replaced, 'fileset')} replaced after the import, and OMERO has the "
                "earlier content; `omero-aws imports report` names them"
            )
        for reason, count in sorted(each.reasons.items(), key=lambda pair: -pair[1])[:10]:
            console.say(f"{path}: {counted(count, 'time')}: {reason}")


@app.command("pause")
def pause_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Have nothing scanned or imported that nobody asks for, until `resume`; what has begun comes to its end."""
    at = import_context(workspace)
    _settings(at)
    at.requests.pause(paused=True, arrivals=True)
    console.say("what arrives waits; `imports` works as before. `omero-aws arrivals resume` ends that.")
    if as_json:
        write_json({"paused": True})


@app.command("resume")
def resume_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Have everything that arrives imported again after `pause`, and what has arrived since."""
    at = import_context(workspace)
    _settings(at)
    at.requests.pause(paused=False, arrivals=True)
    console.say("what arrives is imported again, and what has arrived meanwhile.")
    if as_json:
        write_json({"paused": False})


@app.command("replay")
def replay_command(
    workspace: WorkspaceOption = None,
    under: UnderOption = "",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Scan the watched folders now, and import what failed or is incomplete once more; use it after mending. OMERO is
    asked first, so that nothing is imported twice."""
    at = import_context(workspace)
    watched = [os.fsencode(each["path"]) for each in _settings(at)["folders"]]
    if under:
        below = sources.path(at.deployment, under)
        if not any(below == each or below.startswith(each + b"/") for each in watched):
            raise Refused(
                f"{entries.shown(below)} is in no watched folder; give a path under "
                f"{' or '.join(map(entries.shown, watched))}."
            )
        watched = [below]
    if dry_run:
        count = sum(at.ledger.count(FAILED, INCOMPLETE, under=each) for each in watched)
        filesets = counted(count, "fileset")
        console.say(f"would be done: the watched folders scanned, and {filesets} imported once more")
    else:
        count = sum(answer(at, "replay", {"under": each.hex()})["filesets"] for each in watched)
        filesets = counted(count, "fileset")
        console.say(f"pending again: {filesets}; `arrivals status` shows what becomes of them")
    if as_json:
        write_json({"dry_run": dry_run, "filesets": count})


def _settings(at: ImportContext) -> dict[str, Any]:
    """As they are deployed.

    Raises:
        Refused: nothing is watched.
    """
    found: dict[str, Any] = json.loads(at.deployment.parameter(Omero.arrivals))
    if not found.get("folders"):
        raise Refused(
            f"no folder of the workspace {at.deployment.workspace.name} is watched; add the section arrivals to its "
            "file, and deploy the stack omero."
        )
    return found

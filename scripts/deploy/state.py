"""`omero-aws state`: make, mend and show where Terraform keeps its state.

`ensure` may be killed at any point and run again: it looks at what there is and sets only what differs.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import typer
from rich.table import Table

from scripts import aws, console
from scripts.deploy import backend
from scripts.deploy.backend import Place
from scripts.deploy.backend_properties import Property, bucket_properties, table_properties
from scripts.errors import EXIT_FAILED, Failed
from scripts.options import DryRunOption, JsonOption, WorkspaceOption
from settings import load

app = typer.Typer(
    help="The S3 bucket and the DynamoDB table that hold Terraform's state and its locks.",
    no_args_is_help=True,
    add_completion=False,
)


def ensure(place: Place, *, dry_run: bool = False) -> list[str]:
    """Make bucket and table what they shall be; one sentence for each change, also printed as it is done.

    Raises:
        Refused: something is not ours to change, and nothing was.
        Failed: AWS said no after the first change.
    """
    changes: list[str] = []
    try:
        _ensure(place, changes, dry_run)
    except aws.ERRORS as error:
        if not changes or dry_run:
            raise
        raise Failed(
            f"{aws.sentence(error)} Changes made before that: {len(changes)}; the same command goes on from there."
        ) from error
    if not changes:
        console.say(f"nothing to change: {place.bucket} in {place.region} and its lock table are as they shall be.")
    return changes


def _ensure(place: Place, changes: list[str], dry_run: bool) -> None:
    def done(sentence: str) -> None:
        changes.append(sentence)
        console.say(f"would be done: {sentence}" if dry_run else sentence)

    has_bucket, has_table = backend.found(place)
    bucket, table = f"bucket {place.bucket}", f"table {place.table}"

    if not has_bucket:
        if not dry_run:
            backend.create_bucket(place)
        done(f"{bucket}: created in {place.region}")
    for prop in bucket_properties(place):
        _set(prop, bucket, exists=has_bucket or not dry_run, dry_run=dry_run, done=done)

    if not has_table:
        if not dry_run:
            backend.create_table(place)
        done(f"{table}: created in {place.region}")
    for prop in table_properties(place):
        if not dry_run:
            with console.err.status(f"waiting for {table}"):
                backend.wait_for_table(place)
        _set(prop, table, exists=has_table or not dry_run, dry_run=dry_run, done=done)


def _set(prop: Property, owner: str, *, exists: bool, dry_run: bool, done: Any) -> None:
    wanted = prop.needed(exists)
    if wanted is None:
        return
    if not dry_run:
        with console.err.status(f"{owner}: setting {prop.name}"):
            prop.write(wanted)
    done(f"{owner}: {prop.name} set to {prop.shown}")


def status(place: Place) -> dict[str, Any]:
    """Bucket and table, property by property, the state objects and the locks, as data for JSON.

    `ok` is true where `ensure` would change nothing. Sizes are in bytes, times in ISO 8601, UTC.

    Raises:
        Refused: as `ensure`.
    """
    has_bucket, has_table = backend.found(place)
    bucket = _properties(bucket_properties(place)) if has_bucket else []
    table = _properties(table_properties(place)) if has_table else []
    objects = backend.state_objects(place.s3, place.bucket, place.workspace.name) if has_bucket else ()
    return {
        "workspace": place.workspace.name,
        "region": place.region,
        "ok": has_bucket and has_table and all(row["ok"] for row in bucket + table),
        "bucket": {"name": place.bucket, "exists": has_bucket, "properties": bucket},
        "table": {"name": place.table, "exists": has_table, "properties": table},
        "objects": [
            {"key": row["Key"], "bytes": row["Size"], "modified": row["LastModified"].isoformat()} for row in objects
        ],
        "locks": [_lock(record) for record in (backend.locks(place) if has_table else ())],
    }


def _properties(props: list[Property]) -> list[dict[str, Any]]:
    return [{"name": prop.name, "wanted": prop.shown, "ok": prop.needed() is None} for prop in props]


def _lock(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": record.get("ID"),
        "stack": record["LockID"].rpartition("/")[2].removesuffix(".tfstate"),
        "operation": record.get("Operation"),
        "who": record.get("Who"),
        "created": record.get("Created"),
    }


def _show(report: dict[str, Any]) -> None:
    """The report of `status`, for people."""
    for kind in ("bucket", "table"):
        part = report[kind]
        console.say(f"{kind} {part['name']} in {report['region']}" + ("" if part["exists"] else ": missing"))
        for row in part["properties"]:
            console.say(f"  {'ok     ' if row['ok'] else 'differs'}  {row['name']}: {row['wanted']}")
    if report["objects"]:
        table = Table("state", "size", "changed", box=None, pad_edge=False)
        for row in report["objects"]:
            age = datetime.now(UTC) - datetime.fromisoformat(row["modified"])
            table.add_row(row["key"], f"{row['bytes'] / 1024:.1f} KiB", f"{_age(age.total_seconds())} ago")
        console.err.print(table)
    else:
        console.say(f"no state of workspace {report['workspace']} yet")
    for lock in report["locks"]:
        console.say(
            f"stack {lock['stack']} is locked by {lock['who']} since {lock['created']} ({lock['operation']}); if that "
            f"run is dead: omero-aws terraform -w {report['workspace']} "
            f"-chdir=cdktf.out/stacks/{lock['stack']} force-unlock {lock['id']}"
        )


def _age(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


@app.command("ensure")
def ensure_command(
    workspace: WorkspaceOption = None, dry_run: DryRunOption = False, as_json: JsonOption = False
) -> None:
    """Make the bucket and the table, or mend them; says each change."""
    place = backend.place(load(workspace))
    changes = ensure(place, dry_run=dry_run)
    if as_json:
        console.print_json(
            {"bucket": place.bucket, "table": place.table, "region": place.region, "dry_run": dry_run}
            | {"changes": changes}
        )


@app.command("status")
def status_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show bucket, table, state files and locks; exit code 1 where `ensure` would change something."""
    report = status(backend.place(load(workspace)))
    if as_json:
        console.print_json(report)
    else:
        _show(report)
    if not report["ok"]:
        console.fail(
            f"the state of workspace {report['workspace']} is not kept as it shall be; "
            f"run `omero-aws state ensure -w {report['workspace']}`.",
            EXIT_FAILED,
        )

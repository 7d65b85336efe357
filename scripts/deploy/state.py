"""`omero-aws state`: create, update and show the bucket and the table of Terraform's state.

`ensure` may be killed at any point and run again: it looks at what there is and sets only what differs.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import typer

from scripts import console
from scripts.aws import desired
from scripts.aws.desired import Property
from scripts.changes import changing
from scripts.deploy import backend
from scripts.deploy.backend import StateBackend
from scripts.deploy.backend_properties import bucket_properties, table_properties
from scripts.errors import EXIT_FAILED
from scripts.options import DryRunOption, JsonOption, WorkspaceOption
from scripts.output import write_json
from settings import load

app = typer.Typer(
    help="The S3 bucket and the DynamoDB table that hold Terraform's state and its locks.",
    no_args_is_help=True,
    add_completion=False,
)


def ensure(state: StateBackend, *, dry_run: bool = False) -> list[str]:
    """Create bucket and table or bring them up to date; one sentence for each change, also printed as it is done.

    Raises:
        Refused: something is not ours to change, and nothing was.
        Failed: AWS said no after the first change.
    """
    bucket, table = f"bucket {state.bucket}", f"table {state.table}"
    with changing(dry_run=dry_run) as changes:
        has_bucket, has_table = backend.exist(state)
        if not has_bucket:
            changes.do(f"{bucket}: created in {state.region}", lambda: backend.create_bucket(state))
        desired.ensure(bucket_properties(state), bucket, changes, exists=has_bucket or not dry_run)
        if not has_table:
            changes.do(f"{table}: created in {state.region}", lambda: backend.create_table(state))
        for each in table_properties(state):
            if not dry_run:
                backend.wait_for_table(state)
            desired.ensure([each], table, changes, exists=has_table or not dry_run)
        changes.say_if_none(f"{state.bucket} in {state.region} and its lock table are up to date")
    return changes.sentences


def status(state: StateBackend) -> dict[str, Any]:
    """Bucket and table, property by property, the state objects and the locks, as data for JSON.

    `ok` is true where `ensure` would change nothing. Sizes are in bytes, times in ISO 8601, UTC.

    Raises:
        Refused: as `ensure`.
    """
    has_bucket, has_table = backend.exist(state)
    bucket = _properties(bucket_properties(state)) if has_bucket else []
    table = _properties(table_properties(state)) if has_table else []
    objects = backend.state_objects(state.s3, state.bucket, state.workspace.name) if has_bucket else ()
    return {
        "workspace": state.workspace.name,
        "region": state.region,
        "ok": has_bucket and has_table and all(row["ok"] for row in bucket + table),
        "bucket": {"name": state.bucket, "exists": has_bucket, "properties": bucket},
        "table": {"name": state.table, "exists": has_table, "properties": table},
        "objects": [
            {"key": row["Key"], "bytes": row["Size"], "modified": row["LastModified"].isoformat()} for row in objects
        ],
        "locks": [_lock(record) for record in (backend.locks(state) if has_table else ())],
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
        rows = []
        for row in report["objects"]:
            age = datetime.now(UTC) - datetime.fromisoformat(row["modified"])
            rows.append((row["key"], f"{row['bytes'] / 1024:.1f} KiB", f"{_age(age.total_seconds())} ago"))
        console.table(("state", "size", "changed"), rows, lines=False)
    else:
        console.say(f"workspace {report['workspace']} has no state yet")
    for lock in report["locks"]:
        console.say(
            f"stack {lock['stack']} is locked by {lock['who']} since {lock['created']} ({lock['operation']}); if that "
            f"run was killed: omero-aws terraform -w {report['workspace']} "
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
    """Create the state bucket and the lock table or bring them up to date, and report each change."""
    state = backend.state_backend(load(workspace))
    changes = ensure(state, dry_run=dry_run)
    if as_json:
        write_json(
            {"bucket": state.bucket, "table": state.table, "region": state.region, "dry_run": dry_run}
            | {"changes": changes}
        )


@app.command("status")
def status_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show the bucket, the table, state files and locks; exit code 1 if `ensure` would change something."""
    report = status(backend.state_backend(load(workspace)))
    if as_json:
        write_json(report)
    else:
        _show(report)
    if not report["ok"]:
        console.fail(
            f"the state bucket or lock table of workspace {report['workspace']} is not up to date; run `omero-aws "
            f"state ensure -w {report['workspace']}`.",
            EXIT_FAILED,
        )

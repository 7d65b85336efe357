"""The options of a run of imports: checked before anything is asked for, and shown by a dry run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from containers.importer import entries
from containers.importer.batches import Limits, container_key, cut
from containers.importer.entries import PENDING
from containers.importer.faults import JobError
from containers.importer.runs import is_in_any, left_to_arrivals
from contract.outputs import Omero
from scripts import console
from scripts.console import counted
from scripts.errors import Refused
from scripts.ingest.deployment import DeployedWorkspace
from scripts.ingest.imports import report, sources
from scripts.ingest.imports.ledger import Ledger, Total

MOST_FILESETS = 1000


def wanted(
    deployment: DeployedWorkspace,
    ledger: Ledger,
    *,
    target: str,
    create: bool,
    transfer: str,
    user: str,
    group: str,
    skip: tuple[str, ...],
    under: str,
    batch_filesets: int,
) -> dict[str, Any]:
    """What the options of `run` ask for, as a request has it.

    Raises:
        Refused: one of them is not possible, or does not fit another or what is pending.
    """
    sources.check_transfer(transfer)
    sources.check_skips(skip)
    kind = target.partition(":")[0]
    if target and (kind not in ("Dataset", "Screen", "Project", "regex") or ":" not in target):
        raise Refused(
            f"--target {target} is not valid; allowed: Dataset:5, Dataset:name:a name, Project:name:P/Dataset:name:D, "
            "Screen:..., regex:..."
        )
    for name, value in (("--as", user), ("--group", group)):
        if value.startswith("-") or "\0" in value:
            raise Refused(f"{name} {value} is not a name in OMERO; `omero-aws imports users` shows those there are.")
    if not 1 <= batch_filesets <= MOST_FILESETS:
        raise Refused(f"--batch-filesets {batch_filesets} is not allowed; give 1 to {MOST_FILESETS}.")
    try:
        container_key(target)
    except JobError as fault:
        raise Refused(f"--target: {fault}") from None
    below = sources.path(deployment, under) if under else b""
    if transfer == "ln":
        _refuse_shares(deployment, ledger, below)
    return {
        "target": target,
        "create": create,
        "transfer": transfer,
        "user": user,
        "group": group,
        "skip": list(skip),
        "under": below.hex(),
        "batch_filesets": batch_filesets,
    }


def _refuse_shares(deployment: DeployedWorkspace, ledger: Ledger, below: bytes) -> None:
    """A hard link needs its file on the same file system (link(2), EXDEV); a symbolic one does not."""
    for share in sources.shares(deployment):
        first = next(ledger.entries(PENDING, under=share.encode()), None)
        if first and (not below or first.path.startswith(below)):
            raise Refused(
                f"--transfer ln cannot import {entries.shown(first.path)}: hard links do not reach a File Gateway's "
                "share; leave --transfer out (ln_s), or add --under /OMERO for the others."
            )


def pending(deployment: DeployedWorkspace, ledger: Ledger, work: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The filesets that a run would import: not those of watched folders, unless it is about one."""
    under = bytes.fromhex(work["under"])
    leaves = left_to_arrivals(json.loads(deployment.parameter(Omero.arrivals)), "", under)
    for entry in ledger.raw(PENDING, under=under):
        if not is_in_any(entry["path"], leaves):
            yield entry


def show_plan(deployment: DeployedWorkspace, ledger: Ledger, work: dict[str, Any]) -> dict[str, Any]:
    """Say what a run would do, and give it as data."""
    total, number, targets = Total(), 0, set()
    limits = Limits(filesets=work["batch_filesets"])
    for batch in cut(pending(deployment, ledger, work), limits, container_key(work["target"])):
        number += 1
        targets.add(batch.key)
        for entry in batch.entries:
            total.filesets += 1
            total.bytes += entry.get("size", 0)
    console.say(
        f"would be done: {counted(total.filesets, 'fileset')} ({report.size(total.bytes)}) imported in "
        f"{counted(number, 'batch', 'batches')} by --transfer {work['transfer']}"
        + (f", into {work['target']}" if work["target"] else "")
    )
    if work["target"].startswith("regex:"):
        for key in sorted(targets)[:20]:
            console.say(f"  {key or 'without a container: the expression does not match'}")
    return {
        "filesets": total.filesets,
        "bytes": total.bytes,
        "batches": number,
        "transfer": work["transfer"],
        "target": work["target"],
    }

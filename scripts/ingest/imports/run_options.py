"""The options of a run of imports: checked before anything is done, and shown by a dry run."""

from __future__ import annotations

from typing import Any

from containers.importer import entries
from containers.importer.entries import PENDING
from contract.outputs import Omero
from scripts import console
from scripts.errors import Refused
from scripts.ingest.deployment import DeployedWorkspace
from scripts.ingest.imports import report, sources
from scripts.ingest.imports.batches import Limits, container_key, cut
from scripts.ingest.imports.importing import ImportOptions
from scripts.ingest.imports.ledger import Ledger, Total


def wanted(
    deployment: DeployedWorkspace,
    ledger: Ledger,
    *,
    target: str,
    transfer: str,
    user: str,
    group: str,
    skip: tuple[str, ...],
    under: str,
    parallel: int | None,
    batch_filesets: int,
) -> ImportOptions:
    """What the options of `run` ask for.

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
            raise Refused(f"{name} {value} is not a name in OMERO; give one as `omero user list` shows it.")
    container_key(target)
    most = int(deployment.parameter(Omero.importer_max_tasks))
    if parallel is not None and parallel > most:
        raise Refused(
            f"--parallel {parallel} is more than the {most} importers that the database's connections allow; give "
            f"{most} or fewer, or raise omero.importer.max_tasks (and with it omero.server.database_connections)."
        )
    below = sources.path(deployment, under) if under else b""
    for mount, links in sources.mounted(deployment).items():
        if not links and transfer in sources.LINKS:
            first = next(ledger.entries(PENDING, under=mount.encode()), None)
            if first and (not below or first.path.startswith(below)):
                raise Refused(
                    f"--transfer {transfer} cannot import {entries.shown(first.path)}: a File Gateway's share does not "
                    "hold images permanently; add --transfer cp, or --under /OMERO for the others."
                )
    return ImportOptions(
        target=target,
        transfer=transfer,
        user=user,
        group=group,
        skip=skip,
        under=below,
        parallel=parallel or most,
        parallel_filesets=int(deployment.parameter(Omero.importer_parallel_filesets)),
        limits=Limits(filesets=batch_filesets),
    )


def show_plan(ledger: Ledger, wanted: ImportOptions) -> dict[str, Any]:
    """Say what a run would do, and give it as data."""
    total, number, targets = Total(), 0, set()
    for batch in cut(ledger.entries(PENDING, under=wanted.under), wanted.limits, container_key(wanted.target)):
        number += 1
        targets.add(batch.key)
        for entry in batch.entries:
            total.add(entry)
    console.say(
        f"would be done: {total.filesets} filesets ({report.size(total.bytes)}) imported in {number} batches, "
        f"{wanted.parallel} at once, by --transfer {wanted.transfer}"
        + (f", into {wanted.target}" if wanted.target else "")
    )
    if wanted.target.startswith("regex:"):
        for key in sorted(targets)[:20]:
            console.say(f"  {key or 'without a container: the expression does not match'}")
    return {
        "filesets": total.filesets,
        "bytes": total.bytes,
        "batches": number,
        "parallel": wanted.parallel,
        "transfer": wanted.transfer,
        "target": wanted.target,
    }

"""Ask the worker for something and wait for it, on this terminal; Ctrl-C ends the waiting, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from containers.importer.entries import CANCELLED
from scripts import console
from scripts.errors import Failed
from scripts.ingest.imports.context import ImportContext
from scripts.ingest.imports.progress import shown
from scripts.ingest.imports.requests import SILENT_SECONDS, Lease
from scripts.ingest.imports.worker_state import absence


def answer(at: ImportContext, do: str, work: Mapping[str, Any], *, total: int = 0) -> dict[str, Any]:
    """The worker's result for a new request; `total` filesets are expected of a run.

    Raises:
        Failed: there is no worker, it could not do it, or somebody has cancelled it.
    """
    return wait(at, at.requests.ask(do, work), total=total)


def wait(at: ImportContext, id_: str, *, total: int = 0) -> dict[str, Any]:
    """The worker's result for a request. Raises as `answer` does."""

    def absent(lease: Lease | None) -> None:
        raise Failed(
            f"no worker has been seen for {SILENT_SECONDS:.0f} s: {absence(at.deployment, lease)}. The request {id_} "
            f"stays, and is done once there is one; `omero-aws imports cancel '{id_}'` takes it back."
        )

    with shown(total) as show:
        try:
            request = at.requests.watch(id_, show, absent)
        except KeyboardInterrupt:
            console.say(
                f"the request goes on; `omero-aws imports watch '{id_}'` shows it again, and `imports cancel '{id_}'` "
                "ends it"
            )
            raise
    if request.state == CANCELLED:
        raise Failed(f"the request {id_} was cancelled; what was imported before is recorded.")
    if error := request.result.get("error"):
        raise Failed(f"{str(error).rstrip('.')}.")
    return dict(request.result)

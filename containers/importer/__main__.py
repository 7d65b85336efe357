"""Do the one job that this container was started for: `LEDGER_JOB` and `LEDGER_BATCH` name it.

Exit codes: 0 the job is given back, whatever came of it; 3 it was not, or no longer, this container's; 1 a fault in
here, of which the log tells.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import urllib.request
from typing import Any

from . import batch, repository, scan, targets
from .job import Job, JobError, Lost
from .omero import Omero
from .table import Table

NOT_OURS = 3


def main() -> int:
    table = Table(os.environ["LEDGER_TABLE"], os.environ["LEDGER_REGION"], os.environ.get("AWS_ENDPOINT_URL", ""))
    try:
        job = Job(table, os.environ["LEDGER_JOB"], os.environ["LEDGER_BATCH"])
    except Lost as why:
        sys.stderr.write(f"nothing to do: {why}\n")
        return NOT_OURS
    try:
        result = _do(job, table)
    except JobError as fault:
        result = {"error": str(fault)}
    except Lost as why:
        sys.stderr.write(f"given up: {why}\n")
        return NOT_OURS
    except Exception as fault:
        traceback.print_exc()
        result = {"error": f"the importer itself failed ({type(fault).__name__}: {fault}); its log has the traceback"}
        job.finish(result)
        return 1
    job.finish(result)
    return 0


def _do(job: Job, table: Table) -> dict[str, Any]:
    work = job.work
    work["log"] = _log() or work.get("log", "")
    if work["do"] == "scan":
        return scan.scan(job, table)
    omero = Omero(
        host=os.environ["OMERO_HOST"],
        admin=work.setdefault("admin", os.environ.get("OMERO_ADMIN", "root")),
        user=work.get("user", ""),
        group=work.get("group", ""),
    )
    omero.log_in()
    if work["do"] == "verify":
        return batch.verify(job, table, omero)
    repository.check(omero)
    if work["do"] == "import":
        return batch.Batch(job, table).run(omero)
    if work["do"] == "check":
        return targets.check(work, omero)
    raise JobError(f"the job {work['do']} is none of scan, check, import, verify; deploy the stack omero again")


def _log() -> str:
    """Group and stream of this container's log, as ECS tells them."""
    url = os.environ.get("ECS_CONTAINER_METADATA_URI_V4")
    if not url:
        return ""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - ECS's own address
            options = json.load(answer).get("LogOptions", {})
    except (OSError, ValueError):
        return ""
    return f"{options.get('awslogs-group', '')} {options.get('awslogs-stream', '')}".strip()


if __name__ == "__main__":
    sys.exit(main())

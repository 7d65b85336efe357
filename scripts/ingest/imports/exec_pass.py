"""The transport `exec`: the worker's program does one pass in the container of OMERO.server, by ECS Exec.

For a server without a worker beside it, or whose worker does not start. It takes the same lease, so that there is one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex

from containers import BOOTSTRAP, package
from contract import mounts
from contract.outputs import Data, Omero
from scripts import console
from scripts.errors import Failed
from scripts.ingest.imports.context import ImportContext
from scripts.ingest.server_exec.channel import Channel

# How the pass says that the worker is at work (containers/importer/__main__.py), and that its program is not there.
BUSY, NO_PROGRAM = 4, 42
# It says so in its log once it has the lease, which takes it this long at most if a worker was killed.
ALIVE, BEGIN_SECONDS = "importer alive", 60
# It prints on, for a session in which nothing happens is ended.
SCRIPT = """
trap '' HUP
PROGRAM="$(base64 -w 0 {path})" || exit {no_program}
export PROGRAM {environ}
log=$(mktemp /tmp/import-XXXXXX.log)
setsid python -c "$(echo {bootstrap} | base64 -d)" importer once </dev/null >$log 2>&1 &
for each in $(seq {looks}); do
  grep -q '{alive}' $log && exit 0
  kill -0 $! 2>/dev/null || {{ wait $!; code=$?; tail -c 300 $log; exit $code; }}
  printf .
  sleep 0.2
done
"""


def one_pass(at: ImportContext) -> None:
    """Start a pass in the server's container, detached: neither the session's end nor its idle limit ends it.

    Raises:
        Refused: no session can be opened.
        Failed: the container did not start it.
    """
    channel = Channel(at.deployment)
    program = base64.b64decode(package("importer"))
    path = f"/tmp/import-{hashlib.sha256(program).hexdigest()[:16]}"  # noqa: S108 - in the container
    channel.put(path, program)
    answer = channel.run(_script(at, channel.task, path))
    if answer.code == BUSY:
        console.say("the worker beside OMERO.server is at work, and does it")
    elif answer.code:
        said = answer.text.strip().lstrip(".")[-300:] or f"exit code {answer.code}"
        raise Failed(f"the server's container did not start the importer: {said}.")


def _script(at: ImportContext, task: str, path: str) -> str:
    deployment = at.deployment
    importer = deployment.workspace.omero.importer
    environ = {
        "IMPORT_ROOTS": json.dumps([mount.path for mount in mounts.of(deployment.workspace)]),
        "LEDGER_TABLE": deployment.parameter(Data.ledger_table_name),
        "OMERO_ADMIN": importer.admin,
        "OMERO_PASSWORD_SECRET": importer.password_arn or deployment.parameter(Data.root_password_arn),
        "PARALLEL_FILESETS": deployment.parameter(Omero.importer_parallel_filesets),
        "REQUESTS_TABLE": deployment.parameter(Data.requests_table_name),
        "TASK_ARN": task,
        "WORKER_REGION": deployment.workspace.region,
    }
    return SCRIPT.format(
        path=path,
        no_program=NO_PROGRAM,
        environ=" ".join(f"{name}={shlex.quote(value)}" for name, value in environ.items()),
        bootstrap=base64.b64encode(BOOTSTRAP.encode()).decode(),
        looks=BEGIN_SECONDS * 5,
        alive=ALIVE,
    )

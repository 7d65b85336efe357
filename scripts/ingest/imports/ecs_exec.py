"""The transport `exec`: a job's program runs in the container of OMERO.server, detached, and uses the ledger itself.

Only its start and its end are seen through ECS Exec; sessions last seconds, whatever an import takes.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import shlex
import time

from containers import BOOTSTRAP, package
from containers.importer.entries import RUNNING
from contract.omero import DATA_DIR
from contract.outputs import Data
from scripts import aws
from scripts.errors import Failed
from scripts.ingest.deployment import DeployedWorkspace
from scripts.ingest.imports.ecs_task import Ended, NotStarted
from scripts.ingest.imports.ledger import JobItem
from scripts.ingest.server_exec.channel import Channel

# What may go wrong with a session: nothing can be told of the program then.
FAULTS: tuple[type[Exception], ...] = (Failed, *aws.ERRORS)
# From a job's claim to its program's first sign of life: to write it and to start it take sessions of seconds each.
BEGIN_SECONDS = 180.0
# Of a session that only looks.
LOOK_SECONDS = 60.0
# Processes of a batch: it is in the environment of the program, and of the importer that it starts. grep's exit code is
# 2 whether or not it found any: other users' processes it may not read.
FIND = "grep -lzx LEDGER_BATCH={batch} /proc/[0-9]*/environ 2>/dev/null"
# Twice, for a process that becomes another program has no environment for a moment. No other fault has these codes.
RUNS, GONE, NO_PROGRAM = 40, 41, 42
LOOK = """for each in 1 2; do
  found=$({find}); code=$?
  [ -z "$found" ] || exit {runs}
  [ $code -le 2 ] || exit 1
  sleep 0.2
done
exit {gone}"""


class ExecTransport:
    """Programs in the server's own container."""

    name = "exec"

    def __init__(self, deployment: DeployedWorkspace) -> None:
        self._channel = Channel(deployment)
        self._table = deployment.parameter(Data.ledger_table_name)
        self._region = deployment.workspace.region
        self._admin = deployment.workspace.omero.importer.admin
        self._program = base64.b64decode(package("importer"))
        self._path = f"/tmp/importer-{hashlib.sha256(self._program).hexdigest()[:16]}"  # noqa: S108 - in the container
        self.log = f"/tmp/importer-*.log in the server's container, of {DATA_DIR}"  # noqa: S108
        self._put_in = ""

    def start(self, key: str, batch: str) -> str:
        """Start it detached, so that neither the session's end nor its idle limit ends it.

        Raises:
            NotStarted: no session could be opened, or its outcome is not known.
        """
        try:
            task = self._channel.running()
            if task is None:
                raise NotStarted("no task of the server is running; ECS may be replacing it", passing=True)
            arn = self._channel.task = str(task["taskArn"])
            if self._put_in != arn:
                self._channel.put(self._path, self._program)
                self._put_in = arn
            answer = self._channel.run(self._script(key=key, batch=batch, task=arn))
        except Failed as fault:
            raise NotStarted(str(fault), passing=True) from fault
        except aws.ERRORS as error:
            raise NotStarted(aws.sentence(error), passing=True) from error
        if answer.code:
            self._put_in = ""
            said = answer.text.strip()[-300:] or f"exit code {answer.code}"
            raise NotStarted(
                f"the server's container did not start the importer: {said}", passing=answer.code == NO_PROGRAM
            )
        return arn

    def _script(self, *, key: str, batch: str, task: str) -> str:
        """The end of a session hangs up on every process that does not ignore it; `setsid` leaves its terminal."""
        environment = {
            "LEDGER_BATCH": batch,
            "LEDGER_JOB": key,
            "LEDGER_REGION": self._region,
            "LEDGER_TABLE": self._table,
            "LEDGER_TASK": task,
            "OMERO_ADMIN": self._admin,
            "OMERO_HOST": "localhost",
        }
        words = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
        code = base64.b64encode(BOOTSTRAP.encode()).decode()
        return (
            f"trap '' HUP\n"
            f'PROGRAM="$(base64 -w 0 {self._path})" || exit {NO_PROGRAM}\n'
            f'export {words} PROGRAM OMERO_PASSWORD="$IMPORTER_PASSWORD"\n'
            f'setsid python -c "$(echo {code} | base64 -d)" importer </dev/null >/tmp/importer-{batch}.log 2>&1 &\n'
            "sleep 0.2\n"
        )

    def ended(self, job: JobItem) -> Ended | None:
        """Gone with its container, or with its processes; that no session could be had is no sign of it."""
        try:
            status = self._channel.status(job.task) if job.task else "RUNNING"
            if status == "STOPPED":
                return Ended("the server's task in which it ran has stopped", counted=False)
            if job.state != RUNNING:
                # It can begin no more once it is taken back, so nobody has to look for it. Without a noted task it was
                # its runner that did not come to start it, which is nobody's fault.
                if time.time() - job.claimed < BEGIN_SECONDS:
                    return None
                reason = f"the importer in the server's container did not start within {BEGIN_SECONDS:.0f} s"
                return Ended(reason, counted=False, started=not job.task)
            if status != "RUNNING":  # its containers may be at their last breath
                return None
            look = LOOK.format(find=FIND.format(batch=job.batch), runs=RUNS, gone=GONE)
            answer = self._channel.run(look, task=job.task, seconds=LOOK_SECONDS)
        except FAULTS:
            return None
        if answer.code != GONE:
            return None
        return Ended("the importer in the server's container has ended", counted=True)

    def stop(self, job: JobItem, reason: str) -> None:
        """End its processes: first asked, then not. Who cannot do it now is asked again."""
        find = FIND.format(batch=job.batch)
        for signal in ("TERM", "KILL"):
            script = f"for each in $({find} | cut -d/ -f3); do kill -{signal} $each; done; sleep 1"
            with contextlib.suppress(*FAULTS):
                self._channel.run(script, task=job.task, seconds=LOOK_SECONDS)

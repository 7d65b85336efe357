"""The transport `exec`: a job's program runs in the container of OMERO.server, detached, and uses the ledger itself.

Only its start and its end are seen through ECS Exec; sessions last seconds, whatever an import takes.
"""

from __future__ import annotations

import base64
import hashlib
import shlex

from botocore.exceptions import ClientError

from containers import BOOTSTRAP, package
from scripts import aws
from scripts.errors import Failed
from scripts.ingest.ecs_task import Ended, NotStarted
from scripts.ingest.exec_channel import Channel
from scripts.ingest.ledger import JobItem
from scripts.ingest.opened import Opened
from scripts.ingest.sources import DATA_DIR

# Processes of a batch: it is in the environment of the program, and of the importer that it starts.
FIND = "grep -lzx LEDGER_BATCH={batch} /proc/[0-9]*/environ 2>/dev/null"


class ExecTransport:
    """Programs in the server's own container."""

    name = "exec"

    def __init__(self, opened: Opened) -> None:
        self._channel = Channel(opened)
        self._table = opened.parameter("data/ledger_table_name")
        self._region = opened.workspace.region
        self._admin = opened.workspace.omero.importer.admin
        self._program = package("importer").encode()
        self._path = f"/tmp/importer-{hashlib.sha256(self._program).hexdigest()[:16]}"  # noqa: S108 - in the container
        self.log = f"/tmp/importer-*.log in the server's container, of {DATA_DIR}"  # noqa: S108
        self._put = False

    def start(self, key: str, batch: str) -> str:
        """Start it detached, so that neither the session's end nor its idle limit ends it.

        Raises:
            NotStarted: no session could be opened, or its outcome is not known.
        """
        environment = {
            "LEDGER_BATCH": batch,
            "LEDGER_JOB": key,
            "LEDGER_REGION": self._region,
            "LEDGER_TABLE": self._table,
            "OMERO_ADMIN": self._admin,
            "OMERO_HOST": "localhost",
        }
        words = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
        code = base64.b64encode(BOOTSTRAP.encode()).decode()
        script = (
            f'export {words} PROGRAM="$(cat {self._path})" OMERO_PASSWORD="$IMPORTER_PASSWORD"\n'
            f'setsid nohup python -c "$(echo {code} | base64 -d)" importer '
            f"</dev/null >/tmp/importer-{batch}.log 2>&1 &\n"
            "sleep 0.2\n"
        )
        try:
            if not self._put:
                self._channel.put(self._path, self._program)
                self._put = True
            answer = self._channel.run(script)
        except Failed as fault:
            raise NotStarted(str(fault), passing=True) from fault
        except ClientError as error:
            raise NotStarted(aws.sentence(error), passing=True) from error
        if answer.code:
            raise NotStarted(f"the server's container did not start the importer: {answer.text.strip()[-300:]}")
        return self._channel.task

    def ended(self, job: JobItem) -> Ended | None:
        """Gone with its container, or with its processes."""
        task = self._channel.running()
        if task is None:
            return Ended("the server's task has ended", counted=False)
        if job.task and task["taskArn"] != job.task:
            return Ended("the server's task was replaced", counted=False)
        self._channel.task = str(task["taskArn"])
        try:
            answer = self._channel.run(FIND.format(batch=job.batch))
        except (Failed, ClientError):
            return None
        if answer.code == 0:
            return None
        return Ended("the importer in the server's container has ended", counted=True)

    def stop(self, job: JobItem, reason: str) -> None:
        """End its processes: first asked, then not."""
        find = FIND.format(batch=job.batch)
        for signal in ("TERM", "KILL"):
            script = f"for each in $({find} | cut -d/ -f3); do kill -{signal} $each; done; sleep 1"
            self._channel.run(script)

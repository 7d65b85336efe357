"""Whether an object that arrives in DataSync's bucket becomes a file below /OMERO: sent through all that was deployed.

S3 tells EventBridge, which fills the queue; the function starts the task, which copies. The local AWS calls no function
by the clock, so that it is called here, as EventBridge would within a minute.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from contract import omero
from contract.sections.datasync import DataSyncOutputs
from local_aws import files
from scripts.errors import Failed
from scripts.rehearsal.run import Rehearsal
from scripts.rehearsal.section import SectionRehearsal, Step
from scripts.rehearsal.wait import until

# A name that goes wrong wherever one is quoted or encoded once too often.
NAME = "rehearsal/slide 1 of 2 (40 µm), 'März' & $HOME 100%.tif"
SIZE = 100_000
SECONDS = 60


def send(run: Rehearsal) -> None:
    """Put an object into the bucket and find it as a file of uid and gid 1000 on the file system.

    The object stays, as every object does.

    Raises:
        Failed: it did not arrive within a minute, or not whole, or as somebody else's.
    """
    session, outputs, folder = run.session(), run.outputs[DataSyncOutputs.stack], run.files
    body = os.urandom(SIZE)
    key = f"{outputs[DataSyncOutputs.bucket_folder.key].lstrip('/')}{NAME}"
    session.client("s3").put_object(Bucket=outputs[DataSyncOutputs.bucket_name.key], Key=key, Body=body)
    function, datasync = session.client("lambda"), session.client("datasync")

    def started() -> str | None:
        answer = function.invoke(FunctionName=outputs[DataSyncOutputs.starter_function_name.key])
        said = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise Failed(f"the function that starts DataSync failed: {said}.")
        execution: str | None = said["execution"]
        return execution

    def ended() -> str | None:
        status = datasync.describe_task_execution(TaskExecutionArn=execution)["Status"]
        return status if status in ("SUCCESS", "ERROR") else None

    execution = until(started, f"no execution was started for the object {key}", seconds=SECONDS)
    if (status := until(ended, f"the execution {execution} did not end", seconds=SECONDS)) != "SUCCESS":
        raise Failed(f"the execution {execution} ended with {status}.")
    found = [path for path in folder.rglob(Path(NAME).name) if path.read_bytes() == body]
    if len(found) != 1:
        raise Failed(f"the object {key} was copied to {len(found)} files instead of one.")
    owner = files.owner(found[0])
    if owner is None or (owner.uid, owner.gid) != (omero.UID, omero.GID):
        raise Failed(f"the object {key} was copied for {owner}, but OMERO.server reads as {omero.UID}.")


REHEARSAL = SectionRehearsal(
    steps=(
        Step(
            name="send an object",
            moment="planned",
            run=send,
            proved="An object in DataSync's bucket became a file of OMERO.server.",
        ),
    )
)

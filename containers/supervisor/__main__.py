"""Run the worker for as long as the container lives: fetch its program, start it, and start it again when it ends.

The program is an object in S3, named by its SHA-256, which the parameter PROGRAM_PARAMETER holds and Terraform alone
writes. ECS's own `restartPolicy` is the second line: it restarts nothing that ended within a minute of its start, and
did not after some ends for want of memory (aws/amazon-ecs-agent issues 4672 and 5135).
"""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import uuid
from types import FrameType

from .signing import Aws

# The worker ends with it to have the program fetched anew.
NEW_PROGRAM = 75
LONGEST_PAUSE = 60.0
# A worker that ran this long was well: the next pause begins small again.
WELL_SECONDS = 120.0
# In the environment of all that a worker starts: by it, what is left of a killed one is found.
MARK = "IMPORT_SUPERVISOR"


def main() -> int:
    aws = Aws(os.environ["WORKER_REGION"])
    mark = uuid.uuid4().hex
    stop = threading.Event()
    child: list[subprocess.Popen[bytes]] = []

    def on_stop(number: int, _frame: FrameType | None) -> None:
        stop.set()
        for each in child:
            each.send_signal(number)

    signal.signal(signal.SIGTERM, on_stop)
    pause = 1.0
    while not stop.is_set():
        begun = time.monotonic()
        try:
            code = _run(aws, mark, child, stop)
            said = f"the worker ended with exit code {code}"
        except Exception as fault:  # whatever it is, it may pass, and nobody else would try again
            code, said = 1, f"the worker was not started: {type(fault).__name__}: {fault}"
        end_all(mark)
        if stop.is_set():
            break
        pause = 1.0 if code == NEW_PROGRAM or time.monotonic() - begun > WELL_SECONDS else min(2 * pause, LONGEST_PAUSE)
        sys.stderr.write(f"{said}; it is started again in {pause:.0f} s\n")
        stop.wait(pause)
    return 0


def _run(aws: Aws, mark: str, child: list[subprocess.Popen[bytes]], stop: threading.Event) -> int:
    name = os.environ["PROGRAM_PARAMETER"]
    digest = str(aws.call("ssm", "AmazonSSM.GetParameter", {"Name": name})["Parameter"]["Value"])
    packed = aws.object(os.environ["PROGRAM_BUCKET"], f"importer/{digest}")
    if hashlib.sha256(packed).hexdigest() != digest:
        raise ValueError(f"the object importer/{digest} has another digest than its name")
    with tempfile.TemporaryDirectory(prefix="importer-") as folder:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder)  # noqa: S202 - our own, verified
        environ = {**os.environ, "PYTHONPATH": folder, "PROGRAM_DIGEST": digest, MARK: mark}
        with subprocess.Popen([sys.executable, "-m", "containers.importer"], env=environ) as process:
            child[:] = [process]
            if stop.is_set():
                process.terminate()
            code = process.wait()
            child.clear()
    return code


def end_all(mark: str) -> None:
    """Kill what a worker has left: its importers and their JVMs. Returns when none is there any more."""
    while found := marked(mark):
        for each in found:
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def marked(mark: str) -> list[int]:
    """The processes that were started under a mark; zombies have no environment any more."""
    found = []
    wanted = f"{MARK}={mark}".encode()
    for each in os.listdir("/proc"):  # noqa: PTH208
        if not each.isdecimal() or int(each) == os.getpid():
            continue
        try:
            with open(f"/proc/{each}/environ", "rb") as file:  # noqa: PTH123
                if wanted in file.read().split(b"\0"):
                    found.append(int(each))
        except OSError:
            continue
    return found


if __name__ == "__main__":
    sys.exit(main())

"""The supervisor: it always has a worker, and never two."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from containers import BOOTSTRAP, package
from containers.supervisor.__main__ import MARK, end_all, marked
from local_aws.server import LocalAws
from local_aws.testing.ecs import Client, until
from local_aws.testing.fixtures import aws, client, files_root, stand_ins

__all__ = ["aws", "client", "files_root", "stand_ins"]

Publish = Callable[[str], str]


@pytest.fixture
def place(client: Client, aws: LocalAws) -> str:
    """The name of a bucket for programs, and of the parameter with the digest of the newest."""
    name = f"programs-{uuid4().hex[:8]}"
    client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})
    return name


@pytest.fixture
def publish(client: Client, place: str) -> Publish:
    """Has a program published that runs this text; its digest."""

    def of(text: str) -> str:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as made:
            for name, content in {"__init__": "", "importer/__init__": "", "importer/__main__": text}.items():
                about = tarfile.TarInfo(f"containers/{name}.py")
                about.size = len(content)
                made.addfile(about, io.BytesIO(content.encode()))
        digest = hashlib.sha256(out.getvalue()).hexdigest()
        client("s3").put_object(Bucket=place, Key=f"importer/{digest}", Body=out.getvalue())
        client("ssm").put_parameter(Name=place, Value=digest, Type="String", Overwrite=True)
        return digest

    return of


@contextmanager
def supervisor(aws: LocalAws, place: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One that runs, as its container starts it."""
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "PROGRAM": package("supervisor"),
        "PROGRAM_BUCKET": place,
        "PROGRAM_PARAMETER": place,
        "WORKER_REGION": aws.region,
        "FOLDER": str(folder),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", BOOTSTRAP, "supervisor"], env=environ, stderr=log, cwd="/")
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        # A killed one ends nothing any more: what it had started is found by the bucket's name.
        for each in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if f"PROGRAM_BUCKET={place}".encode() in each.read_bytes().split(b"\0"):
                    os.kill(int(each.parent.name), signal.SIGKILL)


def lines(folder: Path, name: str = "runs") -> list[str]:
    path = folder / name
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def lives(pid: str) -> bool:
    """Whether a process runs; one that nobody has waited for yet has no command line any more."""
    path = Path(f"/proc/{pid}/cmdline")
    return path.exists() and bool(path.read_bytes())


RUNS = """
import os, subprocess, sys, time
folder = os.environ["FOLDER"]
child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
with open(folder + "/runs", "a") as file:
    file.write(f"{os.getpid()} {child.pid} {os.environ['PROGRAM_DIGEST']}\\n")
"""


def test_a_worker_that_ends_is_started_again_without_what_it_has_left(
    aws: LocalAws, place: str, publish: Publish, tmp_path: Path
) -> None:
    digest = publish(RUNS + "time.sleep(1000)")
    with supervisor(aws, place, tmp_path) as process:
        worker, left, named = until(lambda: lines(tmp_path), seconds=20)[0].split()
        assert named == digest
        os.kill(int(worker), signal.SIGKILL)
        until(lambda: len(lines(tmp_path)) == 2, seconds=20)
        assert not lives(left), "its importer lived on beside the next one's"
        other = lines(tmp_path)[1].split()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert not lives(other[1])


def test_a_newer_program_is_taken_when_the_worker_asks_for_it(
    aws: LocalAws, place: str, publish: Publish, tmp_path: Path
) -> None:
    first = publish(RUNS + "time.sleep(2); sys.exit(75)")
    with supervisor(aws, place, tmp_path):
        until(lambda: lines(tmp_path), seconds=20)
        second = publish(RUNS + "time.sleep(1000)")
        until(lambda: len(lines(tmp_path)) == 2, seconds=20)
        assert [line.split()[2] for line in lines(tmp_path)] == [first, second]


def test_says_what_is_wrong_and_goes_on(
    aws: LocalAws, client: Client, place: str, publish: Publish, tmp_path: Path
) -> None:
    with supervisor(aws, place, tmp_path):
        until(lambda: "ParameterNotFound" in "\n".join(lines(tmp_path, "log")), seconds=20)
        digest = publish(RUNS)
        client("s3").put_object(Bucket=place, Key=f"importer/{digest}", Body=b"somebody else's")
        until(lambda: "has another digest than its name" in "\n".join(lines(tmp_path, "log")), seconds=20)
        assert not lines(tmp_path), "what is not what it should be was run"
        publish(RUNS + "time.sleep(1000)")
        until(lambda: lines(tmp_path), seconds=20)


def test_everything_of_a_mark_is_ended_and_nothing_else() -> None:
    mark, other = uuid4().hex, uuid4().hex
    script = "import subprocess, time; subprocess.Popen(['sleep', '1000'], start_new_session=True); time.sleep(1000)"
    processes = {
        name: subprocess.Popen([sys.executable, "-c", script], env={**os.environ, MARK: name}) for name in (mark, other)
    }
    until(lambda: len(marked(mark)) == len(marked(other)) == 2)
    begun = time.monotonic()
    end_all(mark)
    assert time.monotonic() - begun < 5
    assert (len(marked(mark)), len(marked(other))) == (0, 2)
    end_all(other)
    for process in processes.values():
        process.wait()


def test_its_text_is_small_and_changes_without_the_workers() -> None:
    """It is in the task definition, which has 64 KiB for all."""
    assert len(package("supervisor")) < 10_000
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(package("supervisor")))) as packed:
        assert all(name.startswith(("containers/supervisor/", "containers/__init__")) for name in packed.getnames())

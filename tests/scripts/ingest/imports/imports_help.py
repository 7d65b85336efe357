"""A workspace to import in: its two tables, a server's task with the worker beside it, and the stand-in OMERO."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import os
import signal
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from containers import BOOTSTRAP, package
from contract.outputs import Data, Omero
from local_aws.testing.ecs import until
from local_aws.testing.programs import Programs
from scripts.ingest.deployment import DeployedWorkspace
from scripts.ingest.imports import requests
from scripts.ingest.imports.context import ImportContext, context_of
from scripts.measure.bench_imports import make_tables
from scripts.rehearsal.stand_ins.omero.state import Server
from settings import Workspace
from tests.conftest import workspace

# What the worker waits for in seconds is minutes, and here tenths: each text has to be in the program once.
SWIFT = {
    "importer/lease.py": ("LEASE_SECONDS = 30.0", "LEASE_SECONDS = 3.0"),
    "importer/worker.py": ("POLL_SECONDS = 2.0", "POLL_SECONDS = 0.1"),
}
LOOKS = ("60.0, 15.0, 60.0", "1.0, 0.3, 60.0")
ELSEWHERE = ("ELSEWHERE_SECONDS = 5, 30.0", "ELSEWHERE_SECONDS = 5, 1.0")
ARRIVALS = (("STEP_SECONDS = 2.0", "STEP_SECONDS = 0.1"), ("SETTINGS_SECONDS = 60.0", "SETTINGS_SECONDS = 0.3"))


@functools.cache
def swift_program(more: tuple[tuple[str, str, str], ...] = (), added: tuple[tuple[str, str], ...] = ()) -> bytes:
    """The worker's program as it is deployed, with shorter waits; `more` are (file, text, other text), `added` are
    (file, text)."""
    changes = [(name, old, new) for name, (old, new) in SWIFT.items()]
    changes += [
        ("importer/worker.py", *LOOKS),
        ("importer/worker.py", *ELSEWHERE),
        *(("importer/arrivals.py", *each) for each in ARRIVALS),
        *more,
    ]
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(base64.b64decode(package("importer")))) as given,
        tarfile.open(fileobj=out, mode="w") as made,
    ):
        for about in given.getmembers():
            file = given.extractfile(about)
            assert file
            text = file.read().decode()
            for name, old, new in changes:
                if about.name == f"containers/{name}":
                    assert text.count(old) == 1, (name, old)
                    text = text.replace(old, new)
            about.size = len(text.encode())
            made.addfile(about, io.BytesIO(text.encode()))
        for name, text in added:
            about = tarfile.TarInfo(f"containers/{name}")
            about.size = len(text.encode())
            made.addfile(about, io.BytesIO(text.encode()))
    return out.getvalue()


@dataclass
class Importing:
    """`folder` is what the containers see as /OMERO/in; `server` the stand-in OMERO; `parameters` are the
    deployment's."""

    programs: Programs
    deployment: DeployedWorkspace
    at: ImportContext
    server: Server
    bucket: str
    parameters: dict[str, str]
    _marks: set[str] = field(default_factory=set)

    @property
    def folder(self) -> Path:
        return self.programs.folder / "in"

    def image(self, name: str | bytes, content: bytes = b"II*\0") -> bytes:
        """An image below `folder`; its path as containers see it."""
        path = os.path.join(os.fsencode(self.folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        return b"/OMERO/in/" + os.fsencode(name)

    def publish(self, program: bytes) -> None:
        """Have the worker run this program, from its next start on."""
        digest = hashlib.sha256(program).hexdigest()
        self.programs.client("s3").put_object(Bucket=self.bucket, Key=f"importer/{digest}", Body=program)
        self.programs.client("ssm").put_parameter(Name=self.bucket, Value=digest, Type="String", Overwrite=True)

    def watch(
        self, *folders: dict[str, Any], settle: float = 0.05, interval: float = 0.3, hints_url: str = "", **more: Any
    ) -> None:
        """Have the worker watch these, as the stack `omero` tells it; `more` are others of its settings."""
        plain = {"user": "", "group": "", "target": "", "transfer": "ln_s", "owners": {}}
        settings = {
            "interval_seconds": interval,
            "hints_url": hints_url,
            "settle_seconds": settle,
            "folders": [{"path": "/OMERO/in", **plain, **each} for each in folders],
            **more,
        }
        self.parameters[Omero.arrivals.path] = json.dumps(settings)
        self.programs.client("ssm").put_parameter(
            Name=f"{self.bucket}-arrivals", Value=json.dumps(settings), Type="String", Overwrite=True
        )

    def ask(self, do: str, **work: Any) -> str:
        return self.at.requests.ask(do, work)

    def answer(self, id_: str, seconds: float = 60) -> dict[str, Any]:
        """The result of a request, once it is there."""
        try:
            found = until(lambda: (got := self.at.requests.get(id_)) and got.is_over and got, seconds=seconds)
        except AssertionError as late:
            told = f"{self.at.requests.get(id_)}\n{self.at.requests.lease()}\n{self.log()[-6000:]}"
            raise AssertionError(f"no answer within {seconds} s: {told}") from late
        return {**found.result, **({"state": found.state} if found.state != "done" else {})}

    def scan(self, path: bytes = b"/OMERO/in", **more: Any) -> dict[str, Any]:
        work = {"path": path.hex(), "data_dir": "/OMERO", "settle_seconds": 0.05, "checksum": False, **more}
        return self.answer(self.ask("scan", **work))

    def run(self, **more: Any) -> dict[str, Any]:
        return self.answer(self.ask("run", **run_work(**more)))

    def states(self) -> dict[bytes, str]:
        return {entry.path: entry.state for entry in self.at.ledger.entries()}

    def reasons(self) -> set[str]:
        return {entry.reason for entry in self.at.ledger.entries()}

    def once(self) -> dict[str, int]:
        """How often each client path is in OMERO."""
        return self.server.count_by_client_path()

    def state(self, id_: str) -> str:
        """A request's."""
        found = self.at.requests.get(id_)
        return found.state if found else ""

    def progress(self, id_: str) -> dict[str, Any]:
        """A request's."""
        found = self.at.requests.get(id_)
        return dict(found.progress) if found else {}

    def processes(self) -> dict[int, dict[str, str]]:
        """What the supervisor and all below it are: their environments."""
        found = {}
        for each in Path("/proc").iterdir():
            if not each.name.isdecimal():
                continue
            with suppress(OSError):
                words = (each / "environ").read_bytes().decode("utf-8", "replace").split("\0")
                found[int(each.name)] = dict(word.partition("=")[::2] for word in words if "=" in word)
        return found

    def programs_of(self, kind: str) -> list[dict[str, str]]:
        """The environments of this test's JVMs (`java`) or workers (`worker`), each with its `pid`."""
        processes = self.processes()
        # A JVM has the mark of its supervisor, and nothing else that would tell whose it is.
        self._marks |= {
            environ["IMPORT_SUPERVISOR"]
            for environ in processes.values()
            if environ.get("LEDGER_TABLE") == self.bucket and "IMPORT_SUPERVISOR" in environ
        }
        found = []
        for pid, environ in processes.items():
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
                if kind == "worker":
                    mine = b"containers.importer" in words and environ.get("LEDGER_TABLE") == self.bucket
                else:
                    mine = b"omero.java" in words and environ.get("IMPORT_SUPERVISOR") in self._marks
                if mine:
                    found.append({**environ, "pid": str(pid)})
        return found

    def kill_worker(self) -> None:
        """SIGKILL to the worker; its supervisor starts another one."""
        for each in self.programs_of("worker"):
            with suppress(ProcessLookupError):
                os.kill(int(each["pid"]), signal.SIGKILL)

    def restart_worker(self) -> None:
        """Kill the worker, and wait for the next one to have the lease."""
        before = self.at.requests.lease()
        self.kill_worker()
        until(lambda: (now := self.at.requests.lease()) and now.token != (before and before.token), seconds=30)

    def task_of_server(self) -> str:
        """The ARN of the server's task that runs; "" while none does."""
        ecs = self.programs.ecs
        arns = ecs.client.list_tasks(cluster=ecs.cluster, serviceName="server")["taskArns"]
        tasks = ecs.client.describe_tasks(cluster=ecs.cluster, tasks=arns)["tasks"] if arns else []
        return next((str(task["taskArn"]) for task in tasks if task["lastStatus"] == "RUNNING"), "")

    def replace_server(self) -> None:
        """Stop the server's task; the service starts another one."""
        ecs, before = self.programs.ecs, self.task_of_server()
        ecs.client.stop_task(cluster=ecs.cluster, task=before)
        until(lambda: self.task_of_server() not in ("", before), seconds=90)

    def start_second_server(self) -> None:
        """A second task of the server's, with its worker."""
        ecs = self.programs.ecs
        definition = ecs.client.describe_services(cluster=ecs.cluster, services=["server"])["services"][0]
        task = self.programs.start(definition["taskDefinition"])
        self.programs.until(task, "RUNNING")
        until(lambda: len(self.programs_of("worker")) == 2, seconds=30)

    def end_second_servers(self) -> None:
        """Stop what `start_second_server` has started."""
        ecs = self.programs.ecs
        for task in ecs.client.list_tasks(cluster=ecs.cluster)["taskArns"]:
            (found,) = ecs.client.describe_tasks(cluster=ecs.cluster, tasks=[task])["tasks"]
            if not found["group"].startswith("service:"):
                ecs.client.stop_task(cluster=ecs.cluster, task=task)

    def log(self, container: str = "importer") -> str:
        """What the container has said, of all tasks."""
        client = self.programs.client("logs")
        streams = client.describe_log_streams(logGroupName="/tasks", logStreamNamePrefix=f"it/{container}/")
        return "\n".join(
            event["message"]
            for stream in streams["logStreams"]
            for event in client.get_log_events(
                logGroupName="/tasks", logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        )


def run_work(**more: Any) -> dict[str, Any]:
    """What `run` asks for by default."""
    return {
        "target": "",
        "create": False,
        "transfer": "ln_s",
        "user": "",
        "group": "",
        "skip": [],
        "under": "",
        "batch_filesets": 200,
        **more,
    }


class LocalDeployedWorkspace(DeployedWorkspace):
    """`DeployedWorkspace`, with clients of the local AWS."""

    def client(self, service: str, *, patient: bool = False, once: bool = False) -> Any:
        return self.session.client(service, endpoint_url=ENDPOINT[0])  # type: ignore[call-overload]


ENDPOINT = [""]


@functools.cache
def boto_session(region: str) -> boto3.Session:
    """One for all: what it has read of AWS's models is read once."""
    return boto3.Session("testing", "testing", region_name=region)


@pytest.fixture
def workspace_of_imports(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Importing:
    """Everything but the server's task."""
    monkeypatch.setattr(requests, "POLL_SECONDS", 0.1)
    name = f"imports-{programs.ecs.cluster}"
    make_tables(programs.client("dynamodb"), name, f"{name}-requests")
    secret = programs.client("secretsmanager").create_secret(Name=name, SecretString="omero")["ARN"]
    programs.client("logs")
    programs.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": programs.aws.region}
    )
    settings: Workspace = workspace(region=programs.aws.region)
    ENDPOINT[0] = programs.aws.endpoint
    parameters = {
        Data.ledger_table_name.path: name,
        Data.requests_table_name.path: f"{name}-requests",
        Data.root_password_arn.path: secret,
        Omero.cluster_name.path: programs.ecs.cluster,
        Omero.server_service_name.path: "server",
        Omero.importer_log_group_name.path: "/tasks",
        Omero.importer_parallel_filesets.path: "4",
    }
    deployment = LocalDeployedWorkspace(
        workspace=settings,
        session=boto_session(programs.aws.region),
        parameters=parameters,
    )
    (programs.folder / "in").mkdir(exist_ok=True)
    made = Importing(programs, deployment, context_of(deployment), Server(programs.folder), name, parameters)
    made.publish(swift_program())
    made.watch()
    return made


# As server.sh, and then as the image: it says which mount it has, and is the server.
SERVER = """
mkdir -p /OMERO/.omero-on-aws
echo "$(cat /proc/sys/kernel/random/boot_id) $(stat -c %d /OMERO)" >/OMERO/.omero-on-aws/mount
exec /opt/omero/server/venv3/bin/omero admin start --foreground
"""


def worker_environment(importing: Importing) -> dict[str, str]:
    """As the stack `omero` sets it."""
    parameters: Mapping[str, str] = importing.deployment.parameters
    return {
        "ARRIVALS_PARAMETER": f"{importing.bucket}-arrivals",
        "IMPORT_ROOTS": json.dumps(["/OMERO"]),
        "JAVA_OPTS": "-Xmx1024m -XX:+ExitOnOutOfMemoryError",
        "LEDGER_TABLE": parameters[Data.ledger_table_name.path],
        "OMERO_ADMIN": "root",
        "OMERO_PASSWORD_SECRET": parameters[Data.root_password_arn.path],
        "PARALLEL_FILESETS": "4",
        "PROGRAM": package("supervisor"),
        "PROGRAM_BUCKET": importing.bucket,
        "PROGRAM_PARAMETER": importing.bucket,
        "REQUESTS_TABLE": parameters[Data.requests_table_name.path],
        "WORKER_REGION": importing.programs.aws.region,
    }


def server_definition(importing: Importing, **server: Any) -> str:
    """The task of OMERO.server, with the worker beside it."""
    programs = importing.programs
    options = {"awslogs-group": "/tasks", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "it"}
    beside = {
        "name": "importer",
        "image": programs.image,
        "essential": False,
        "user": "0",
        "entryPoint": ["/opt/omero/server/venv3/bin/python", "-c", BOOTSTRAP, "supervisor"],
        "environment": [{"name": name, "value": value} for name, value in worker_environment(importing).items()],
        "mountPoints": [{"sourceVolume": "files", "containerPath": programs.path}],
        "dependsOn": [{"containerName": "server", "condition": "START"}],
        "linuxParameters": {"initProcessEnabled": True},
        "logConfiguration": {"logDriver": "awslogs", "options": options},
        "stopTimeout": 20,
    }
    return programs.definition(
        family=f"server-{programs.ecs.cluster}",
        others=[beside],
        **{
            "name": "server",
            "entryPoint": ["/bin/sh", "-c", SERVER],
            "linuxParameters": {"initProcessEnabled": True},
            **server,
        },
    )


@pytest.fixture
def importing(workspace_of_imports: Importing) -> Iterator[Importing]:
    """The server runs as a service, with the worker beside it."""
    made = workspace_of_imports
    ecs = made.programs.ecs
    ecs.client.create_service(
        cluster=ecs.cluster,
        serviceName="server",
        taskDefinition=server_definition(made),
        desiredCount=1,
        launchType="FARGATE",
        enableExecuteCommand=True,
        networkConfiguration=ecs.vpc,
    )
    yield made
    with suppress(ecs.client.exceptions.ServiceNotFoundException):
        ecs.client.delete_service(cluster=ecs.cluster, service="server", force=True)
    made.end_second_servers()

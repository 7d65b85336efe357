"""The server's own container, as a service, and what its tests need of ECS Exec."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local_aws.testing.ecs import Ecs, until
from tests.scripts.ingest.imports.imports_help import Importing

ROOT = Path(__file__).resolve().parents[4]
# As OMERO.server, it takes a moment to stop.
PROCESS_1 = "trap 'sleep 0.5; exit' TERM; sleep 1000 & wait"


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in for AWS's plugin, or with OMERO_TEST_PLUGIN=FILE that file, on the PATH."""
    path = tmp_path / "session-manager-plugin"
    if real := os.environ.get("OMERO_TEST_PLUGIN"):
        path.symlink_to(real)
    else:
        path.write_text(
            f'#!/bin/sh\ncd {ROOT}\nexec {sys.executable} -m tests.scripts.ingest.server_exec.stand_in_plugin "$@"\n',
            encoding="utf-8",
        )
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    # It resumes sessions with credentials of its own.
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    return path


@pytest.fixture
def server(workspace_of_imports: Importing) -> Iterator[Importing]:
    """The server's own container runs, as a service, without a worker beside it."""
    with run_server(workspace_of_imports, entry_point=["/bin/sh", "-c", PROCESS_1]):
        yield workspace_of_imports


@contextmanager
def run_server(importing: Importing, *, entry_point: list[str]) -> Iterator[None]:
    """Run it with this for its process 1."""
    programs, ecs = importing.programs, importing.programs.ecs
    definition = programs.definition(
        family=f"server-{ecs.cluster}",
        name="server",
        entryPoint=entry_point,
        linuxParameters={"initProcessEnabled": True},
    )
    ecs.client.create_service(
        cluster=ecs.cluster,
        serviceName="server",
        taskDefinition=definition,
        desiredCount=1,
        launchType="FARGATE",
        enableExecuteCommand=True,
        networkConfiguration=ecs.vpc,
    )
    until(lambda: task_of_server(ecs), seconds=20)
    yield
    ecs.client.delete_service(cluster=ecs.cluster, service="server", force=True)


def replace_server(importing: Importing) -> None:
    """Stop the server's task, and wait for the one that the service starts instead."""
    ecs = importing.programs.ecs
    before = task_of_server(ecs)
    ecs.client.stop_task(cluster=ecs.cluster, task=before)
    until(lambda: task_of_server(ecs) not in ("", before), seconds=60)


def task_of_server(ecs: Ecs) -> str:
    """The ARN of the task that sessions can be opened in; "" while there is none."""
    arns = ecs.client.list_tasks(cluster=ecs.cluster, serviceName="server")["taskArns"]
    tasks = ecs.client.describe_tasks(cluster=ecs.cluster, tasks=arns)["tasks"] if arns else []
    for task in tasks:
        agents = task["containers"][0].get("managedAgents") or [{"lastStatus": ""}]
        if task["lastStatus"] == "RUNNING" and agents[0]["lastStatus"] == "RUNNING":
            return str(task["taskArn"])
    return ""


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [each for each in _processes() if _read(each, "stat").rpartition(b")")[2].split()[1:2] == [b"%d" % pid]]


def _processes() -> list[int]:
    return sorted(int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal())


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:  # it has ended
        return b""

"""ECS Exec as a transport; AWS's plugin is a stand-in."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from containers.importer.entries import IMPORTED, PENDING, RUNNING
from contract.outputs import Data
from local_aws.testing.ecs import until
from local_aws.testing.fixtures import QUICK as SETTINGS
from scripts.ingest.imports import ecs_exec
from scripts.ingest.imports.ecs_exec import ExecTransport
from scripts.ingest.imports.ledger import JobItem
from scripts.ingest.server_exec.channel import Answer, Channel
from tests.scripts.ingest.imports.exec_help import of_importers, task_of_server
from tests.scripts.ingest.imports.hostile import names
from tests.scripts.ingest.imports.imports_help import Importing
from tests.scripts.ingest.imports.test_importing import HOSTILE_NAMES


def test_hostile_names_are_imported_through_the_servers_container(server: Importing, plugin: Path) -> None:
    hostile = names(HOSTILE_NAMES)
    paths = [server.image(name, f"II*{number}".encode()) for number, name in enumerate(hostile)]
    server.scan()
    server.programs.fault(ExecuteCommand=["TargetNotConnectedException", "ThrottlingException"])
    server.run("exec", lease_seconds=20)
    assert server.states() == dict.fromkeys(paths, IMPORTED)
    assert sorted(image.name for image in server.server.images()) == sorted(hostile)


def _job(transport: ExecTransport, server: Importing, **more: Any) -> JobItem:
    """One that has been taken, or is about to be."""
    key = f"job#{time.time_ns()}"
    token = server.ledger.take(key, {"do": "verify", "lease_seconds": 3}, [], "tester")
    assert token
    server.ledger.ready(key, token, [])
    job = server.ledger.job(key)
    assert job
    return JobItem(**{**vars_of(job), **more})


def vars_of(job: JobItem) -> dict[str, Any]:
    return {name: getattr(job, name) for name in JobItem.__dataclass_fields__}


def test_an_import_outlives_the_session_that_began_it_and_needs_no_other(
    server: Importing, plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = server.image("a.tif")
    server.scan()
    idle = float(SETTINGS["LOCAL_AWS_EXEC_IDLE_SECONDS"])
    server.server.fault("slow", "a.tif", seconds=idle + 1)
    sessions: list[float] = []
    ran = Channel.run

    def counted(self: Channel, *arguments: Any, **more: Any) -> Answer:
        answer = ran(self, *arguments, **more)
        sessions.append(time.monotonic())
        return answer

    monkeypatch.setattr(Channel, "run", counted)
    server.run("exec")
    assert server.states() == {path: IMPORTED}
    assert len(server.server.jvm_starts()) == 1
    assert time.monotonic() - sessions[-1] > idle, "while it beats, nobody looks whether it runs"


def test_an_importer_is_seen_among_processes_that_are_not_ours(server: Importing, plugin: Path) -> None:
    transport = ExecTransport(server.deployment)
    channel = Channel(server.deployment)
    job = _job(transport, server, state=RUNNING, task=channel.task)
    assert (
        channel.run(f"trap '' HUP; export LEDGER_BATCH={job.batch}; setsid sleep 60 </dev/null >/dev/null 2>&1 &").code
        == 0
    )
    # A process that has ended, or is another user's, makes grep's exit code 2.
    find = ecs_exec.FIND.format(batch=job.batch) + " /proc/4194304/environ"
    assert channel.run(find.replace(" 2>/dev/null", "") + " 2>/dev/null").code == 2
    assert transport.ended(job) is None
    transport.stop(job, "a test")
    ended = transport.ended(job)
    assert ended is not None
    assert ended.counted


@pytest.mark.parametrize("fault", ["mute", "AccessDeniedException", "plugin"])
def test_what_cannot_be_looked_at_has_not_ended(
    server: Importing, plugin: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    transport = ExecTransport(server.deployment)
    job = _job(transport, server, state=RUNNING, task=task_of_server(server.programs.ecs))
    with monkeypatch.context() as now:
        now.setattr(ecs_exec, "LOOK_SECONDS", 1.0)
        if fault == "plugin":
            now.setattr(transport._channel, "_plugin", "/bin/false")
        else:
            server.programs.fault(**{"session" if fault == "mute" else "ExecuteCommand": [fault]})
        assert transport.ended(job) is None
    assert transport.ended(job) is not None


def test_an_importer_that_lives_on_without_its_program_is_ended_first(server: Importing, plugin: Path) -> None:
    path = server.image("a.tif")
    server.scan()
    server.server.fault("slow", "a.tif", seconds=14, times=1)
    table = server.deployment.parameter(Data.ledger_table_name)

    def killed() -> None:
        until(server.server.jvm_starts, seconds=20)
        os.kill(of_importers(table)[0], signal.SIGKILL)

    killer = threading.Thread(target=killed)
    killer.start()
    server.run("exec", settle_seconds=0.5)
    killer.join()
    assert len(server.server.jvm_starts()) == 2
    until(lambda: not of_importers(table))
    time.sleep(1)
    assert server.states() == {path: IMPORTED}
    assert set(server.once().values()) == {1}


def test_a_server_that_is_replaced_takes_its_importers_with_it_and_no_sooner(server: Importing, plugin: Path) -> None:
    paths = [server.image(f"{number}.tif") for number in range(3)]
    server.scan()
    transport = ExecTransport(server.deployment)
    ecs = server.programs.ecs
    old = task_of_server(ecs)
    job = _job(transport, server, state=RUNNING, task=old)
    ecs.client.stop_task(cluster=ecs.cluster, task=old)
    while server.programs.task(old)["lastStatus"] != "STOPPED":
        ended = transport.ended(job)
        assert ended is None or server.programs.task(old)["lastStatus"] == "STOPPED"
    assert transport.ended(job) is not None
    until(lambda: task_of_server(ecs), seconds=20)
    server.ledger.drop(job.key, job.batch)
    server.run("exec")
    assert server.states() == dict.fromkeys(paths, IMPORTED)


def test_each_job_is_looked_after_by_the_transport_that_began_it(server: Importing, plugin: Path) -> None:
    paths = [server.image(f"{number}.tif") for number in range(2)]
    server.scan()
    server.server.fault("slow", "", seconds=1)
    work = {"do": "import", "transport": "exec", "lease_seconds": 1}
    entries = list(server.ledger.entries(PENDING))
    token = server.ledger.take("slot#00", work, [entry.id for entry in entries], "another")
    assert token
    server.ledger.claim(token, entries)
    server.ledger.ready("slot#00", token, [entry.id for entry in entries])
    taken = server.ledger.job("slot#00")
    assert taken
    task = task_of_server(server.programs.ecs)
    server.ledger._update("slot#00", {"state": RUNNING, "task": task}, when="attribute_exists(id)")
    server.run("task")
    assert server.states() == dict.fromkeys(paths, IMPORTED)
    assert task_of_server(server.programs.ecs) == task, "the server's own task was stopped for an importer's"

"""ECS Exec as a transport, and for commands of one's own; AWS's plugin is a stand-in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from containers.importer.entries import IMPORTED
from scripts.errors import Failed, Refused
from scripts.ingest.ecs_exec import ExecTransport
from scripts.ingest.exec_channel import Channel
from scripts.ingest.importing import Run, Wanted
from tests.local_aws.ecs_help import until
from tests.scripts.ingest.hostile import names
from tests.scripts.ingest.imports_help import QUICK, Importing
from tests.scripts.ingest.test_importing import HOSTILE_NAMES

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "session-manager-plugin"
    path.write_text(
        f'#!/bin/sh\ncd {ROOT}\nexec {sys.executable} -m tests.scripts.ingest.stand_in_plugin "$@"\n', encoding="utf-8"
    )
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return path


@pytest.fixture
def server(importing: Importing) -> Iterator[Importing]:
    """The server's own container runs, as a service."""
    programs, ecs = importing.programs, importing.programs.ecs
    definition = programs.definition(
        family=f"server-{ecs.cluster}",
        name="server",
        entryPoint=["sleep", "1000"],
        environment=[{"name": "IMPORTER_PASSWORD", "value": "omero"}],
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
    importing.opened.parameters["omero/server_service_name"] = "server"  # type: ignore[index]

    def ready() -> bool:
        arns = ecs.client.list_tasks(cluster=ecs.cluster, serviceName="server")["taskArns"]
        if not arns:
            return False
        (task,) = ecs.client.describe_tasks(cluster=ecs.cluster, tasks=arns)["tasks"]
        agents = task["containers"][0].get("managedAgents") or [{"lastStatus": ""}]
        return bool(agents[0]["lastStatus"] == "RUNNING")

    until(ready, seconds=20)
    yield importing
    ecs.client.delete_service(cluster=ecs.cluster, service="server", force=True)


def test_a_commands_exit_code_comes_back(server: Importing, plugin: Path) -> None:
    channel = Channel(server.opened)
    answer = channel.run("echo one; id -un; exit 7")
    assert (answer.code, answer.text.split()[-2:]) == (7, ["one", "omero-server"])


def test_a_session_that_ends_early_is_a_failure(server: Importing, plugin: Path) -> None:
    channel = Channel(server.opened)
    server.programs.fault(session=["drop:10"])
    with pytest.raises(Failed, match="is not known: the session ended early"):
        channel.run("seq 10000; true")
    server.programs.fault(session=["mute"])
    with pytest.raises(Failed, match="no end came within its time"):
        channel.run("true", seconds=2)


def test_files_are_written_in_pieces_and_once(server: Importing, plugin: Path) -> None:
    channel = Channel(server.opened)
    content = bytes(range(256)) * 30
    channel.put("/tmp/a file", content)  # noqa: S108 - in the container
    assert channel.run("sha256sum '/tmp/a file' | cut -c-8; wc -c < '/tmp/a file'").text.split()[-1] == str(
        len(content)
    )


def test_hostile_names_are_imported_through_the_servers_container(server: Importing, plugin: Path) -> None:
    hostile = names(HOSTILE_NAMES)
    paths = [server.image(name, f"II*{number}".encode()) for number, name in enumerate(hostile)]
    server.scan()
    server.programs.fault(ExecuteCommand=["TargetNotConnectedException", "ThrottlingException"])
    run = Run(server.ledger, ExecTransport(server.opened), Wanted(**{**QUICK, "lease_seconds": 20}), lambda *_: None)
    run.run()
    assert server.states() == dict.fromkeys(paths, IMPORTED)
    assert sorted(image.name for image in server.server.images()) == sorted(hostile)


def test_says_all_that_is_missing_at_once(importing: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    importing.opened.parameters["omero/server_service_name"] = "none"  # type: ignore[index]
    importing.programs.ecs.client.create_service(
        cluster=importing.programs.ecs.cluster,
        serviceName="none",
        taskDefinition=importing.opened.parameter("omero/importer_task_family"),
        desiredCount=0,
        launchType="FARGATE",
        networkConfiguration=importing.programs.ecs.vpc,
    )
    with pytest.raises(Refused) as caught:
        Channel(importing.opened)
    assert "session-manager-plugin is not on the PATH" in str(caught.value)
    assert "no task of the ECS service none runs" in str(caught.value)

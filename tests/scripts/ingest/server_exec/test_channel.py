"""Commands in the server's container, by ECS Exec; AWS's plugin is a stand-in."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest

from contract.outputs import Omero
from local_aws.testing.ecs import until
from scripts.errors import Failed, Refused
from scripts.ingest.server_exec.channel import Channel
from tests.scripts.ingest.imports.exec_help import children
from tests.scripts.ingest.imports.imports_help import Importing
from tests.scripts.ingest.server_exec.terminal_help import start

FORK = multiprocessing.get_context("fork")


def test_a_commands_exit_code_comes_back(server: Importing, plugin: Path) -> None:
    channel = Channel(server.deployment)
    answer = channel.run("echo one; id -un; exit 7")
    assert (answer.code, answer.text) == (7, "one\nomero-server\n")


def test_a_commands_output_arrives_byte_for_byte_while_it_runs(server: Importing, plugin: Path) -> None:
    came: list[tuple[str, bytes, float]] = []

    def show(stream: str, some: bytes) -> None:
        came.append((stream, some, time.monotonic()))

    script = "printf '\\377\\0\\r\\n\\303\\244{}'; sleep 1; echo bad >&2"
    answer = Channel(server.deployment).run(script, show=show)
    assert answer.code == 0
    assert b"".join(some for stream, some, _ in came if stream == "o") == b"\xff\0\r\n\xc3\xa4{}"
    assert b"".join(some for stream, some, _ in came if stream == "e") == b"bad\n"
    assert came[-1][2] - came[0][2] > 0.5


def test_connections_that_break_neither_repeat_nor_lose_output(server: Importing, plugin: Path) -> None:
    channel = Channel(server.deployment)
    for after in (10, 1000, 9000, 17000, 25000, 33000):
        server.programs.fault(session=[f"drop:{after}"])
        answer = channel.run("printf '\\303\\244%.0s' $(seq 20000)")
        assert answer.code == 0
        assert answer.output == "ä".encode() * 20000


def test_a_session_that_ends_early_is_a_failure(server: Importing, plugin: Path) -> None:
    channel = Channel(server.deployment)
    said = (
        r"said: SessionId: \S+ : Your session timed out due to inactivity\.; the end of the command's output: begun; "
    )
    with pytest.raises(Failed, match=rf"is unknown: the session ended early\. The session {said}"):
        channel.run("echo begun; sleep 60")
    server.programs.fault(session=["mute"])
    with pytest.raises(Failed, match="it did not finish within 2 s"):
        channel.run("true", seconds=2)


def test_the_end_of_what_was_not_omeros_python_is_in_the_message(
    server: Importing, plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.ingest.server_exec.channel.USER", "nobody-knows")
    with pytest.raises(Failed, match=r"is unknown: the session ended early.*nobody-knows.*"):
        Channel(server.deployment).run("true")


def test_a_command_that_is_late_is_ended(server: Importing, plugin: Path) -> None:
    mark = server.programs.folder / "in" / "mark"
    with pytest.raises(Failed, match="it did not finish within 2 s, and was hung up on"):
        Channel(server.deployment).run("sleep 4; touch /OMERO/in/mark", seconds=2)
    time.sleep(4)
    assert not mark.exists()


def test_ctrl_c_goes_to_the_command_and_its_exit_code_comes_back(
    server: Importing, plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "trap 'echo caught; exit 9' INT; echo begun; sleep 60 & wait"
    run = start(server, monkeypatch, ["bash", "-c", script])
    run.until(b"begun")
    run.type(b"\x03")
    run.until(b"caught")
    assert run.exit_code() == 9
    run = start(server, monkeypatch, ["sh", "-c", "echo begun; sleep 60"])
    run.until(b"begun")
    run.type(b"\x03")
    assert run.exit_code() == 130


def test_ctrl_c_reaches_a_command_that_has_printed_nothing(
    server: Importing, plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = server.programs.folder / "in" / "mark"
    run = start(server, monkeypatch, ["sh", "-c", "trap 'exit 8' INT; touch /OMERO/in/mark; sleep 60 & wait"])
    until(mark.exists, seconds=20)
    time.sleep(0.5)  # until the plugin has shown it
    run.type(b"\x03")
    assert run.exit_code() == 8


def test_a_second_ctrl_c_hangs_up_on_a_command_that_takes_no_notice(
    server: Importing, plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = server.programs.folder / "in" / "mark"
    run = start(server, monkeypatch, ["bash", "-c", "trap '' INT; echo begun; sleep 5; touch /OMERO/in/mark"])
    run.until(b"begun")
    run.type(b"\x03")
    run.until(b"press it again to hang up on it")
    run.type(b"\x03")
    assert run.exit_code() == 130
    time.sleep(5)
    assert not mark.exists()


def test_files_are_written_in_pieces_and_once(server: Importing, plugin: Path) -> None:
    channel = Channel(server.deployment)
    content = bytes(range(256)) * 30
    channel.put("/tmp/a file", content)  # noqa: S108 - in the container
    assert channel.run("sha256sum '/tmp/a file' | cut -c-8; wc -c < '/tmp/a file'").text.split()[-1] == str(
        len(content)
    )


def test_says_all_that_is_missing_at_once(workspace_of_imports: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    importing = workspace_of_imports
    monkeypatch.setenv("PATH", "/nowhere")
    importing.deployment.parameters[Omero.server_service_name.path] = "none"  # type: ignore[index]
    importing.programs.ecs.client.create_service(
        cluster=importing.programs.ecs.cluster,
        serviceName="none",
        taskDefinition=importing.programs.definition(family=f"none-{importing.programs.ecs.cluster}"),
        desiredCount=0,
        launchType="FARGATE",
        networkConfiguration=importing.programs.ecs.vpc,
    )
    with pytest.raises(Refused) as caught:
        Channel(importing.deployment)
    assert "session-manager-plugin is not on the PATH" in str(caught.value)
    assert "no task of the ECS service none is running" in str(caught.value)


def _hold(server: Importing) -> None:
    Channel(server.deployment).run("sleep 60")


def test_the_plugin_does_not_outlive_its_runner(server: Importing, plugin: Path) -> None:
    runner = FORK.Process(target=_hold, args=(server,))
    runner.start()
    assert runner.pid
    (started,) = until(lambda: children(runner.pid or 0))
    time.sleep(0.5)
    runner.kill()
    runner.join()
    # Nobody may have waited for it yet: then it has no command line any more.
    line = Path(f"/proc/{started}/cmdline")
    until(lambda: not line.exists() or not line.read_bytes(), seconds=20)

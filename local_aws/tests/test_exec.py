"""ECS Exec: sessions in containers that really run."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.services.ecs.agent_message import Payload
from local_aws.testing.ecs import Client as MakeClient
from local_aws.testing.ecs import until
from local_aws.testing.exec_client import Client
from local_aws.testing.programs import Programs, programs

__all__ = ["programs"]

_ROOT = Path(__file__).parents[2]
_NODE = _ROOT / ".tools" / "bin" / "node"
_SSM_SESSION = _ROOT / "node_modules" / "ssm-session"


@pytest.fixture
def running(programs: Programs) -> Iterator[str]:
    """A task whose container waits, with ECS Exec."""
    definition = programs.definition(entryPoint=["sleep", "100"], linuxParameters={"initProcessEnabled": True})
    arn = programs.start(definition, enableExecuteCommand=True)
    programs.until(arn, "RUNNING")
    until(lambda: programs.task(arn)["containers"][0]["managedAgents"][0]["lastStatus"] == "RUNNING")
    yield arn
    programs.ecs.client.stop_task(cluster=programs.ecs.cluster, task=arn)


def execute(programs: Programs, task: str, command: str, **more: Any) -> dict[str, str]:
    request = {"cluster": programs.ecs.cluster, "task": task, "command": command, "interactive": True, **more}
    return dict(programs.ecs.client.execute_command(**request)["session"])


def opened(programs: Programs, task: str, command: str) -> Client:
    session = execute(programs, task, command)
    return Client(session["streamUrl"], session["tokenValue"])


@pytest.mark.skipif(not _SSM_SESSION.exists(), reason="npm's ssm-session is not installed: make setup")
def test_independent_client_has_a_terminal_in_the_container(programs: Programs, running: str) -> None:
    (programs.folder / "in.txt").write_text("from outside\n")
    session = execute(programs, running, "/bin/sh")
    lines = ["stty size; id -u; tty", "cat /data/in.txt", "ps ax | grep -c 'sleep 10[0]'", "seq 3000 | tail -1; exit"]
    done = subprocess.run(
        [_NODE, Path(__file__).with_name("exec_client.cjs"), _SSM_SESSION, *list(session.values())[1:], *lines],
        capture_output=True,
        timeout=60,
        check=True,
    )
    shown = done.stdout.decode()
    assert "33 111\r\n0\r\n/dev/pts/" in shown
    assert "from outside\r\n" in shown
    assert "3000\r\n" in shown
    assert "Cannot set tty" not in shown
    assert json.loads(done.stderr)["SessionId"] == session["sessionId"]


def test_there_is_no_exit_code_and_no_shell(programs: Programs, running: str) -> None:
    client = opened(programs, running, "printf '%s\\n' \"a  b\" $(x) 'c;d'")
    assert client.read() == b"a  b\r\n$(x)\r\nc;d\r\n"
    assert client.closed is not None
    assert client.closed["Output"] == ""
    client = opened(programs, running, "/bin/sh -c 'exit 3'")
    assert client.read() == b""
    assert client.closed is not None
    assert b"not found" in opened(programs, running, "/no/such").read()


def test_much_output_arrives_in_order_and_input_too(programs: Programs, running: str) -> None:
    client = opened(programs, running, "/bin/sh -c 'stty raw -echo; echo ready; head -c 200000 | md5sum; seq 20000'")
    client.read(b"ready")
    for _ in range(200):
        client.send(b"x" * 1000)
    output = client.read().decode()
    assert hashlib.md5(b"x" * 200_000, usedforsecurity=False).hexdigest() in output
    assert output.split()[-20000:] == [str(number) for number in range(1, 20001)]


def test_root_becomes_the_servers_user(programs: Programs, running: str) -> None:
    script = "id -u; runuser -u app -- id -u; su app -c 'id -un; echo x > /data/by; id -u'"
    output = opened(programs, running, f'/bin/sh -c "{script}"').read()
    assert output.split() == [b"0", b"1000", b"app", b"1000"]


def test_detached_command_outlives_the_session(programs: Programs, running: str) -> None:
    # Without the trap, the hang-up at the end of the session may come before there is another session.
    script = "trap '' HUP; setsid sh -c 'sleep 1; echo done > /data/done' >/dev/null 2>&1 & echo started"
    assert b"started" in opened(programs, running, f'/bin/sh -c "{script}"').read()
    assert not (programs.folder / "done").exists()
    until((programs.folder / "done").exists)


def test_end_of_a_session_hangs_up_on_its_command(programs: Programs, running: str, client: MakeClient) -> None:
    session = execute(
        programs, running, "/bin/sh -c 'trap \"echo hup > /data/hup; exit\" HUP; echo on; sleep 30 & wait'"
    )
    shell = Client(session["streamUrl"], session["tokenValue"])
    shell.read(b"on")
    client("ssm").terminate_session(SessionId=session["sessionId"])
    shell.read()
    assert shell.closed is not None
    until((programs.folder / "hup").exists)
    with pytest.raises(ClientError, match="DoesNotExist"):
        client("ssm").resume_session(SessionId=session["sessionId"])
    flagged = opened(programs, running, "sleep 30")
    flagged.send((2).to_bytes(4, "big"), Payload.FLAG)
    flagged.read()
    assert flagged.closed is not None


def test_idle_session_ends(programs: Programs, running: str) -> None:
    client = opened(programs, running, "sleep 30")
    began = time.monotonic()
    client.read()
    assert 7 < time.monotonic() - began < 25  # LOCAL_AWS_EXEC_IDLE_SECONDS is 8
    assert client.closed is not None
    assert "inactivity" in client.closed["Output"]


def test_dropped_connection_can_be_resumed(programs: Programs, running: str, client: MakeClient) -> None:
    programs.fault(session=["drop:10"])
    session = execute(programs, running, "/bin/sh -c 'echo 0123456789; sleep 1; echo more'")
    first = Client(session["streamUrl"], session["tokenValue"])
    first.read()
    assert first.closed is None
    again = client("ssm").resume_session(SessionId=session["sessionId"])
    second = Client(again["StreamUrl"], again["TokenValue"], expected=first.expected)
    assert (first.output + second.read()).decode() == "0123456789\r\nmore\r\n"
    assert second.closed is not None


def test_encrypted_session(programs: Programs, client: MakeClient) -> None:
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    programs.ecs.client.update_cluster(
        cluster=programs.ecs.cluster,
        configuration={"executeCommandConfiguration": {"kmsKeyId": key, "logging": "NONE"}},
    )
    definition = programs.definition(entryPoint=["sleep", "100"])
    arn = programs.start(definition, enableExecuteCommand=True)
    programs.until(arn, "RUNNING")
    until(lambda: programs.task(arn)["containers"][0]["managedAgents"][0]["lastStatus"] == "RUNNING")
    runtime = programs.task(arn)["containers"][0]["runtimeId"]
    target = f"ecs:{programs.ecs.cluster}_{arn.rpartition('/')[2]}_{runtime}"
    for right in (True, False):
        session = execute(programs, arn, "/bin/sh -c 'read x; echo got $x'")
        context = {"aws:ssm:SessionId": session["sessionId"], "aws:ssm:TargetId": target if right else "another"}

        def generate(name: str, context: dict[str, str] = context) -> Any:
            return client("kms").generate_data_key(KeyId=name, NumberOfBytes=64, EncryptionContext=context)

        shell = Client(session["streamUrl"], session["tokenValue"], generate=generate)
        if right:
            while shell.expected < 3:  # handshake, challenge, complete
                assert shell.read_one()
            shell.send(b"it\r")
        shell.read()
        assert (b"got it" in shell.output) is right
        assert shell.closed is not None
    programs.ecs.client.stop_task(cluster=programs.ecs.cluster, task=arn)


def test_refuses_what_aws_refuses(programs: Programs, running: str) -> None:
    definition = programs.definition(entryPoint=["sleep", "100"])
    closed = programs.start(definition)
    programs.until(closed, "RUNNING")
    read_only = programs.start(
        programs.definition(entryPoint=["sleep", "100"], readonlyRootFilesystem=True), enableExecuteCommand=True
    )
    programs.until(read_only, "RUNNING")
    for task, more, code in (
        (closed, {}, "InvalidParameterException"),
        ("a" * 32, {}, "InvalidParameterException"),
        (running, {"container": "nobody"}, "InvalidParameterException"),
        (running, {"interactive": False}, "InvalidParameterException"),
        (running, {"cluster": "nowhere"}, "ClusterNotFoundException"),
        (read_only, {}, "TargetNotConnectedException"),
    ):
        with pytest.raises(ClientError) as refused:
            execute(programs, task, "true", **more)
        assert refused.value.response["Error"]["Code"] == code
    programs.fault(ExecuteCommand=["TargetNotConnectedException"])
    with pytest.raises(ClientError, match="TargetNotConnected"):
        execute(programs, running, "true")
    for task in (closed, read_only):
        programs.ecs.client.stop_task(cluster=programs.ecs.cluster, task=task)


def test_refuses_a_wrong_token(programs: Programs, running: str) -> None:
    session = execute(programs, running, "true")
    client = Client(session["streamUrl"], "wrong")
    assert client.read() == b""
    assert client.closed is None

"""ECS Exec into the container of OMERO.server, by AWS's `session-manager-plugin`, as `aws ecs execute-command` does.

A session has no exit code, no end that one could trust, and shows output twice when its connection breaks: a command's
output and its exit code come in numbered frames (`frames`), and without the last of them nothing is known.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import pty
import re
import secrets
import selectors
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from contract.outputs import Omero
from scripts import aws, console
from scripts.aws.errors import THROTTLED_CODES
from scripts.errors import Failed, Refused
from scripts.ingest.deployment import DeployedWorkspace
from scripts.ingest.server_exec import frames, terminal

PLUGIN = "session-manager-plugin"
USER = "omero-server"
ACTIVATE = "/opt/omero/server/venv3/bin/activate"
CONTAINER = "server"
DEADLINE_SECONDS = 300.0
CONNECT_SECONDS = 120.0
# Of a file's text in a command; AWS names no limit, so a command stays below every one that is known (Windows' 8,191).
PIECE = 5000
BANNER = re.compile(rb"Starting session with SessionId: \S+")
END = 300  # characters of an output, in messages
RETRIED = {"TargetNotConnectedException", "ServerException", *THROTTLED_CODES}


@dataclass(frozen=True)
class Answer:
    """A command's exit code and what it printed, both streams in one."""

    code: int
    output: bytes

    @property
    def text(self) -> str:
        """Without what is not UTF-8."""
        return self.output.decode("utf-8", "replace")


class Channel:
    """To the one task of OMERO.server that runs at the moment; `task` is the ARN of what sessions go to.

    Raises:
        Refused: no session can be opened; the message has each fault on a line, and how to fix it.
    """

    def __init__(self, deployment: DeployedWorkspace) -> None:
        self._ecs = deployment.client("ecs", patient=True)
        self._ssm = deployment.client("ssm")
        self._cluster = deployment.parameter(Omero.cluster_name)
        self._service = deployment.parameter(Omero.server_service_name)
        self._region = deployment.workspace.region
        self._plugin = shutil.which(PLUGIN) or ""
        self.task = self._preflight()

    def _preflight(self) -> str:
        faults = []
        if not self._plugin:
            faults.append(
                f"{PLUGIN} is not on the PATH; install it (AWS Systems Manager User Guide, Install the Session Manager "
                "plugin)."
            )
        task = self.running()
        if task is None:
            faults.append(
                f"no task of the ECS service {self._service} is running; see the service's events, and wait "
                "until one is."
            )
        else:
            faults += _task_faults(task)
        if faults or task is None:
            raise Refused("\n".join(faults))
        return str(task["taskArn"])

    def running(self) -> dict[str, Any] | None:
        """The server's task, if one runs."""
        arns = self._ecs.list_tasks(cluster=self._cluster, serviceName=self._service, desiredStatus="RUNNING")[
            "taskArns"
        ]
        tasks = self._ecs.describe_tasks(cluster=self._cluster, tasks=arns)["tasks"] if arns else []
        return next((task for task in tasks if task["lastStatus"] == "RUNNING"), None)

    def status(self, task: str) -> str:
        """Of a task of the server's; STOPPED too if ECS has forgotten it, an hour after it stopped."""
        tasks = self._ecs.describe_tasks(cluster=self._cluster, tasks=[task])["tasks"]
        return str(tasks[0]["lastStatus"]) if tasks else "STOPPED"

    def run(
        self,
        script: str,
        *,
        task: str = "",
        seconds: float | None = None,
        show: Callable[[str, bytes], None] | None = None,
        interruptible: bool = False,
    ) -> Answer:
        """Run a script of bash as omero-server, with OMERO's virtual environment; in `task`, else in the channel's own.

        `show` takes the output as it comes, with "o" or "e" for its stream; the answer has only its end then. With
        `interruptible`, Ctrl-C goes to the script first; a second one ends the session.

        Raises:
            Failed: the end is not known, for the session ended or the deadline came before it.
            KeyboardInterrupt: the script was interrupted before it began, or the session was.
        """
        inner = f". {ACTIVATE}; export HOME=/tmp\n{script}"
        reader, output = frames.Reader(), bytearray()
        seconds = seconds or DEADLINE_SECONDS
        end = time.monotonic() + seconds
        why = "the session ended early"
        with self._session(frames.command(inner, USER), task or self.task) as session:
            keys = _Keys(session) if interruptible else contextlib.nullcontext()
            with keys:
                try:
                    for some in _read(session, end):
                        for frame in reader.feed(some):
                            if frame.kind == "x":
                                return Answer(int(frame.data), bytes(output))
                            output += frame.data
                            if show and frame.data:
                                show(frame.kind, frame.data)
                                del output[:-END]
                except frames.Lost:
                    why = "a part of its output was lost on the way"
            if isinstance(keys, _Keys) and keys.pressed and not reader.began:
                raise KeyboardInterrupt
        if time.monotonic() >= end:
            why = f"it did not finish within {seconds:.0f} s, and was hung up on"
        reader.end()
        said = _line(BANNER.sub(b"", reader.said))
        raise Failed(
            f"the result of the command in the server's container is unknown: {why}. The session said: {said}; the end "
            f"of the command's output: {_line(bytes(output))}; check there with `omero-aws exec --shell`, then run "
            "this again."
        )

    def put(self, path: str, content: bytes) -> None:
        """Write a file there, in pieces; nothing is done where it is there already.

        Raises:
            Failed: it could not be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        whole, draft = shlex.quote(path), shlex.quote(f"{path}.{secrets.token_hex(4)}")
        check = f'[ "$(sha256sum < {whole} 2>/dev/null)" = "{digest}  -" ]'
        if self.run(check).code == 0:
            return
        text = base64.b64encode(content).decode()
        for at in range(0, len(text), PIECE):
            if self.run(f"umask 077; printf %s {text[at : at + PIECE]} >> {draft}").code:
                raise Failed(f"{path} could not be written in the server's container; check that its disk is not full.")
        if self.run(f"base64 -d < {draft} > {draft}.b && rm {draft} && mv {draft}.b {whole} && {check}").code:
            raise Failed(f"{path} arrived incomplete in the server's container; run this again.")

    def interactive(self) -> None:
        """A shell as omero-server on this terminal, until it ends.

        What the plugin shows twice after a broken connection is seen twice here: nothing stands between it and the
        terminal.

        Raises:
            Failed: the plugin did not end as it should.
        """
        script = f"cd /tmp; export HOME=/tmp; . {ACTIVATE}; exec /bin/bash --rcfile {ACTIVATE} -i"
        words = f'runuser -u {USER} -- /bin/bash -c "$(echo {_encoded(script)} | base64 -d)"'
        about = self._about(self.task)
        answer = self._open(f"/bin/sh -c '{words}'", self.task)
        try:
            with terminal.lent():
                code = subprocess.run(self._words(answer, about), check=False).returncode
        finally:
            self._close(answer)
        if code:
            raise Failed(f"{PLUGIN} ended with exit code {code}, and the shell with it; open another.")

    @contextlib.contextmanager
    def _session(self, command: str, task: str) -> Iterator[subprocess.Popen[bytes]]:
        about = self._about(task)
        answer = self._open(command, task)
        # The plugin ends when its input does (shellsession_unix.go, handleKeyboardInput): it gets a terminal that stays
        # open for as long as this process lives, even if that is killed.
        leader, follower = pty.openpty()
        try:
            session = subprocess.Popen(
                self._words(answer, about),
                stdin=follower,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                yield session
            finally:
                self._close(answer)
                session.terminate()
                try:
                    session.wait(5)
                except subprocess.TimeoutExpired:
                    session.kill()
                    session.wait()
                if session.stdout:
                    session.stdout.close()
        finally:
            os.close(leader)
            os.close(follower)

    def _open(self, command: str, task: str) -> dict[str, Any]:
        answer: dict[str, Any] = aws.retry(
            lambda: self._ecs.execute_command(
                cluster=self._cluster, task=task, container=CONTAINER, interactive=True, command=command
            ),
            RETRIED,
            seconds=CONNECT_SECONDS,
        )
        return answer

    def _about(self, task: str) -> str:
        """What the plugin is told of the container, as JSON.

        Raises:
            Failed: the task is gone.
        """
        tasks = self._ecs.describe_tasks(cluster=self._cluster, tasks=[task])["tasks"]
        containers = tasks[0]["containers"] if tasks else []
        runtimes = [each["runtimeId"] for each in containers if each["name"] == CONTAINER and each.get("runtimeId")]
        id_ = task.rpartition("/")[2]
        if not runtimes:
            raise Failed(
                f"the server's task {id_} has no running container; run this again once the server is running."
            )
        return json.dumps({"Target": f"ecs:{self._cluster}_{id_}_{runtimes[0]}"})

    def _words(self, answer: dict[str, Any], about: str) -> list[str]:
        """As the AWS CLI calls it (awscli/customizations/ecs/executecommand.py)."""
        endpoint = self._ssm.meta.endpoint_url
        words = [self._plugin, json.dumps(answer["session"]), self._region, "StartSession", "", about, endpoint]
        return [*terminal.IGNORE_KEYS, *words]

    def _close(self, answer: dict[str, Any]) -> None:
        """End the session there, too; one that has ended by itself is no fault."""
        with contextlib.suppress(*aws.ERRORS):
            self._ssm.terminate_session(SessionId=answer["session"]["sessionId"])


def _task_faults(task: dict[str, Any]) -> list[str]:
    if not task.get("enableExecuteCommand"):
        return [
            "the server's task was started before ECS Exec was enabled; replace it with `aws ecs update-service "
            "--force-new-deployment` while nobody is importing."
        ]
    version = task.get("platformVersion")
    if version and tuple(map(int, version.split("."))) < (1, 4, 0):
        return [
            f"the server's task runs on Fargate's platform {version}, and ECS Exec needs 1.4.0; deploy the omero "
            "stack again."
        ]
    container = next((each for each in task["containers"] if each["name"] == CONTAINER), None)
    if container is None:
        return [f"the server's task has no container {CONTAINER}; deploy the omero stack again."]
    agents = {agent["name"]: agent for agent in container.get("managedAgents") or []}
    agent = agents.get("ExecuteCommandAgent", {"lastStatus": "missing"})
    if agent["lastStatus"] == "RUNNING":
        return []
    return [
        f"ECS Exec's agent is {agent['lastStatus']} in the server's container ({agent.get('reason') or 'no reason'}); "
        "its task role needs ssmmessages:CreateControlChannel, CreateDataChannel, OpenControlChannel and "
        "OpenDataChannel, and outbound access on port 443; a task that has just started needs a minute."
    ]


class _Keys:
    """Ctrl-C goes to what runs in the container: the plugin sends it on (shellsession.go, handleControlSignals)."""

    def __init__(self, session: subprocess.Popen[bytes]) -> None:
        self._session = session
        self.pressed = False

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGINT, self._press)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _press(self, *_: object) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
        self._session.send_signal(signal.SIGINT)
        console.say("Ctrl-C was sent to the command in the server's container; press it again to hang up on it.")


def _read(session: subprocess.Popen[bytes], end: float) -> Iterator[bytes]:
    """What it shows, until its end or the deadline."""
    assert session.stdout is not None  # noqa: S101 - asked for when it was started
    with selectors.DefaultSelector() as ready:
        ready.register(session.stdout, selectors.EVENT_READ)
        while (left := end - time.monotonic()) > 0:
            if not ready.select(min(left, 1)):
                continue
            some = os.read(session.stdout.fileno(), 65536)
            if not some:
                return
            yield some


def _line(some: bytes) -> str:
    """The end of it, for a message."""
    return " ".join(some.decode("utf-8", "replace").split())[-END:] or "nothing"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()

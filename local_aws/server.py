"""`LocalAws`: an AWS on this machine for the length of a `with` block."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from local_aws.serve import environment

_ROOT = Path(__file__).resolve().parent.parent
_POLL = 0.05


class NotStarted(RuntimeError):
    """The server did not start; the message says why, with the end of its log."""


class LocalAws:
    """AWS in a process of its own, on a free port of 127.0.0.1.

        with LocalAws() as aws:
            subprocess.run(["terraform", "apply"], env={**os.environ, **aws.environ()})

    It forgets everything at the end, and stops by itself should this process die (unless it is `detached`).
    `settings` are environment variables for the server, such as LOCAL_AWS_TASK_START_SECONDS (see
    `local_aws.services.ecs`).
    """

    def __init__(
        self,
        *,
        region: str = "eu-west-1",
        log: Path | None = None,
        timeout: float = 30,
        settings: dict[str, str] | None = None,
        detached: bool = False,
    ) -> None:
        """`log`: where its output goes (a temporary file that is removed at the end by default).

        `timeout`: seconds until it has to answer. `detached`: it outlives the block and this process; whoever
        asks for that stops the process `pid`.
        """
        self.region = region
        self.timeout = timeout
        self.detached = detached
        self.settings = settings or {}
        self._folder = tempfile.TemporaryDirectory(prefix="local-aws-")
        self._state = Path(self._folder.name) / "state.json"
        self.log = log or Path(self._folder.name) / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._endpoint = ""

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:<port>`. Raises RuntimeError when it does not run."""
        if not self._endpoint:
            raise RuntimeError("the local AWS does not run; call start(), or use it in a with block.")
        return self._endpoint

    @property
    def pid(self) -> int:
        """The server's process. Raises RuntimeError when it does not run."""
        if self._process is None:
            raise RuntimeError("the local AWS does not run; call start(), or use it in a with block.")
        return self._process.pid

    def environ(self) -> dict[str, str]:
        """The variables that point boto3, the AWS CLI and Terraform at it (not the whole environment)."""
        return environment(self.endpoint, self.region)

    def start(self) -> LocalAws:
        """Start it and wait until it answers. Raises NotStarted."""
        command = [sys.executable, "-m", "local_aws", "--region", self.region, "--state-file", str(self._state)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command if self.detached else [*command, "--stop-with-stdin"],
                cwd=_ROOT,
                env={**os.environ, **self.settings},
                stdin=subprocess.DEVNULL if self.detached else subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the caller, who still needs it to clean up
            )
        deadline = time.monotonic() + self.timeout
        while not self._state.exists():
            if (code := self._process.poll()) is not None:
                self._fail(f"the local AWS ended with exit code {code} before it answered")
            if time.monotonic() > deadline:
                self.stop()
                self._fail(f"the local AWS did not answer within {self.timeout:g} seconds")
            time.sleep(_POLL)
        self._endpoint = json.loads(self._state.read_text(encoding="utf-8"))["endpoint"]
        return self

    def stop(self) -> None:
        """Stop it; nothing happens where it does not run."""
        process, self._process, self._endpoint = self._process, None, ""
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()

    def _fail(self, reason: str) -> None:
        tail = "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
        raise NotStarted(f"{reason}; the end of its log:\n{tail}")

    def __enter__(self) -> LocalAws:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.detached:
            self.stop()
            self._folder.cleanup()

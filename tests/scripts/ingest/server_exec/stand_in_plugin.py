"""Stand-in for AWS's session-manager-plugin: a session on this terminal, as its source (October 2024) says.

- It says when a session starts and ends (session.go, Execute; streaming.go, HandleChannelClosedMessage).
- Before a session has shown something, it reads no keys and handles no signals (sessionhandler.go,
  ProcessFirstMessage).
- Then it sends SIGINT, SIGQUIT and SIGTSTP on (shellsession.go, handleControlSignals), and switches the terminal's echo
  off, by stty (shellsession_unix.go, disableEchoAndInputBuffering). Keys still make signals.
- It switches the echo on again only where AWS ends the session (Stop), and ends at once when there is nothing more to
  read, without ending the session (handleKeyboardInput).
- A connection that breaks is resumed, by its own call of ResumeSession (GetResumeSessionParams), and what was shown
  last is shown again: it is acknowledged after it is shown, and not taken as shown before (streaming.go,
  HandleOutputMessage).

Left out: sessions with a KMS key, the terminal's size.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

from containers.supervisor.signing import Aws, AwsError

ROOT = Path(__file__).resolve().parents[4]
SIGNALS = {signal.SIGINT: b"\x03", signal.SIGQUIT: b"\x1c", signal.SIGTSTP: b"\x1a"}


class Plugin:
    """As the AWS CLI calls it: the session, the region, the operation, the profile, the request, SSM's address."""

    def __init__(self, session: str, region: str, operation: str, _profile: str, request: str, endpoint: str) -> None:
        assert operation == "StartSession"
        assert json.loads(request)["Target"].startswith("ecs:")
        self._session, self._region, self._endpoint = json.loads(session), region, endpoint
        self._typed: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._terminal: str | None = None

    def run(self) -> None:
        """Show the session until its end."""
        show(f"\nStarting session with SessionId: {self._session['sessionId']}\n".encode())
        self._client = client_of(self._session["streamUrl"], self._session["tokenValue"])
        shown, last = 0, b""
        while True:
            more = self._client.read_one(seconds=600)
            if some := self._client.output[shown:]:
                show(some)
                shown, last = len(self._client.output), some
                if self._terminal is None:
                    self._begin()
            if self._client.closed is not None:
                self._stop(self._client.closed.get("Output", ""))
            if not more:
                self._resume()
                shown = 0
                show(last)

    def _begin(self) -> None:
        for each in SIGNALS:
            signal.signal(each, lambda number, _: self._typed.put(SIGNALS[signal.Signals(number)]))
        self._terminal = stty("-g")
        stty("cbreak")
        stty("-echo")
        threading.Thread(target=self._type, daemon=True).start()
        threading.Thread(target=self._send, daemon=True).start()

    def _type(self) -> None:
        why = "EOF"
        try:
            while typed := os.read(0, 1024):
                self._typed.put(b"\r" if typed == b"\n" else typed)  # streaming.go, SendInputDataMessage
        except OSError as error:  # the other end of the terminal is closed
            why = str(error)
        show(f"Cannot perform start session: {why}\n".encode())
        os._exit(0)

    def _send(self) -> None:
        while True:
            self._client.send(self._typed.get())

    def _resume(self) -> None:
        # boto3 takes seconds to load where much runs, and a session whose command has ended is kept for three.
        os.environ["AWS_ENDPOINT_URL"] = self._endpoint
        ssm, asked = Aws(self._region), {"SessionId": self._session["sessionId"]}
        while True:
            try:
                token = ssm.call("ssm", "AmazonSSM.ResumeSession", asked)["TokenValue"]
            except AwsError:  # it goes on trying (config.go, DataChannelNumMaxRetries)
                time.sleep(1)
                continue
            before = self._client
            self._client = client_of(self._session["streamUrl"], token, expected=before.expected)
            self._client._sequence = before._sequence
            return

    def _stop(self, said: str) -> None:
        id_ = self._session["sessionId"]
        show(
            (
                f"\n\nSessionId: {id_} : {said}\n\n" if said else f"\n\nExiting session with sessionId: {id_}.\n\n"
            ).encode()
        )
        if self._terminal:
            stty(self._terminal)
        stty("echo")
        os._exit(0)


def client_of(url: str, token: str, **more: Any) -> Any:
    # The package loads all of moto, a second's work, of which a client of its data channel needs nothing.
    package = types.ModuleType("local_aws.services.ecs")
    package.__path__ = [str(ROOT / "local_aws/services/ecs")]
    sys.modules.setdefault(package.__name__, package)
    from local_aws.testing.exec_client import Client  # noqa: PLC0415 - see above

    return Client(url, token, **more)


def show(some: bytes) -> None:
    sys.stdout.buffer.write(some)
    sys.stdout.buffer.flush()


def stty(words: str) -> str:
    return subprocess.run(["/bin/stty", words], check=False, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    # As for a program in Go, unless who started it ignores it.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    Plugin(*sys.argv[1:]).run()

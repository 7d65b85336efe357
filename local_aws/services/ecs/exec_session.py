"""A session of ECS Exec: a command on a terminal in a container, and its SSM data channel.

As AWS's agent does it: output goes in messages of 1024 bytes at most, each is acknowledged, and sent again until it
is; the input is taken in the order of its sequence numbers. A handshake is made when the cluster's sessions are
encrypted with a KMS key, and skipped otherwise (amazon-ssm-agent, agent/session/plugins/sessionplugin). A client that
loses its connection may come back with a token of ResumeSession.

Not modelled: the log of a session, permissions of the task's role.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import secrets
import select
import shlex
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable
from socket import SHUT_RDWR
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from local_aws import clock
from local_aws.services.ecs import agent_message as wire
from local_aws.services.ecs.agent_message import Message, Payload

IDLE_SECONDS = clock.seconds("LOCAL_AWS_EXEC_IDLE_SECONDS", 1200)

_CHUNK = 1024
_RESEND_SECONDS = 0.5
_DRAIN_SECONDS = 3  # for the last acknowledgements
_HANG_UP_SECONDS = 1  # from the hang-up to SIGKILL
_POLL = 0.2
_TERMINATE = 2  # a flag's value
_NONCE = 12

Decrypt = Callable[[bytes, dict[str, str]], bytes]


class Session:
    """`start` runs the command on a terminal that it is given; `decrypt` is KMS's, where sessions are encrypted."""

    def __init__(
        self,
        *,
        id: str,
        target: str,
        start: Callable[[list[str], int], subprocess.Popen[bytes]],
        command: str,
        key: str | None,
        decrypt: Decrypt,
        fault: str | None,
    ) -> None:
        self.id = id
        self.target = target
        self.token = secrets.token_hex(32)
        self._start, self._command, self._key, self._decrypt = start, command, key, decrypt
        kind, _, value = (fault or "").partition(":")
        self._drop_after = int(value) if kind == "drop" else None
        self._end_after = float(value) if kind == "end" else None
        self._mute = kind == "mute"
        self._lock = threading.RLock()
        self._socket: Any = None
        self._unacknowledged: dict[int, tuple[float, bytes]] = {}
        self._next_out = self._next_in = 0
        self._early: dict[int, Message] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._terminal = -1
        self._ciphers: tuple[AESGCM, AESGCM] | None = None  # to send and to receive
        self._challenge = b""
        self._shown = 0
        self._active = self._began = time.monotonic()
        self.closed = False

    def serve(self, socket: Any) -> None:
        """Speak with a client until it goes; `socket` is a connection of websockets, whose first message was right."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = socket
            if self._process is None and self._next_out == 0 and not self._mute:
                threading.Thread(target=self._watch, daemon=True).start()
                if self._key:
                    self._ask_handshake()
                else:
                    self._run()
            for _, data in list(self._unacknowledged.values()):
                self._transmit(data)
        for data in socket:
            if isinstance(data, bytes):
                with contextlib.suppress(ValueError):
                    self._take(wire.decode(data))
        with self._lock:
            if self._socket is socket:
                self._socket = None

    def close(self, output: str = "") -> None:
        """End it: hang up on the command, and tell the client."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(signal.SIGHUP)
                timer = threading.Timer(_HANG_UP_SECONDS, self._process.kill)
                timer.daemon = True
                timer.start()
            told = {
                "MessageType": wire.CHANNEL_CLOSED,
                "MessageId": secrets.token_hex(16),
                "CreatedDate": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "DestinationId": self.id,
                "SessionId": self.id,
                "SchemaVersion": 1,
                "Output": output,
            }
            self._transmit(Message(wire.CHANNEL_CLOSED, 0, json.dumps(told).encode()).encode())
            if self._socket is not None:
                self._socket.close()

    def _run(self) -> None:
        try:
            command = shlex.split(self._command)
        except ValueError as error:
            command = ["/bin/echo", f"{self._command}: {error}"]
        self._terminal, inner = os.openpty()
        self._resize(24, 80)
        self._process = self._start(command, inner)
        os.close(inner)
        threading.Thread(target=self._pump, daemon=True).start()

    def _pump(self) -> None:
        """The terminal's output, until the command has ended."""
        while not self.closed:
            if not select.select([self._terminal], [], [], _POLL)[0]:
                continue
            try:
                data = os.read(self._terminal, _CHUNK)
            except OSError:  # the last program that had the terminal has ended
                data = b""
            if not data:
                break
            self._active = time.monotonic()
            with self._lock:
                sealed = data
                if self._ciphers:
                    nonce = os.urandom(_NONCE)
                    sealed = nonce + self._ciphers[0].encrypt(nonce, data, None)
                self._send(sealed, Payload.OUTPUT)
                self._shown += len(data)
                if self._drop_after is not None and self._shown >= self._drop_after:
                    self._drop_after = None
                    if self._socket is not None:
                        # Without a word, as a connection breaks.
                        self._socket.socket.shutdown(SHUT_RDWR)
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self._unacknowledged and time.monotonic() < deadline and not self.closed:
            time.sleep(0.01)
        self.close()
        with self._lock:
            os.close(self._terminal)

    def _watch(self) -> None:
        """Send again what was not acknowledged, and end an idle session."""
        while not self.closed:
            time.sleep(min(_RESEND_SECONDS, IDLE_SECONDS / 4))
            now = time.monotonic()
            if now - self._active > IDLE_SECONDS:
                self.close("Your session timed out due to inactivity.")
            elif self._end_after is not None and now - self._began > self._end_after:
                self.close("Session terminated.")
            with self._lock:
                for number, (sent, data) in list(self._unacknowledged.items()):
                    if now - sent > _RESEND_SECONDS:
                        self._unacknowledged[number] = (now, data)
                        self._transmit(data)

    def _send(self, payload: bytes, kind: Payload) -> None:
        data = Message(wire.OUTPUT, self._next_out, payload, kind).encode()
        self._unacknowledged[self._next_out] = (time.monotonic(), data)
        self._next_out += 1
        self._transmit(data)

    def _transmit(self, data: bytes) -> None:
        if self._socket is not None:
            try:
                self._socket.send(data)
            except Exception:  # websockets has several for a connection that is gone; `serve` notices
                self._socket = None

    def _take(self, message: Message) -> None:
        with self._lock:
            if message.kind == wire.ACKNOWLEDGE:
                acknowledged = json.loads(message.payload)
                self._unacknowledged.pop(int(acknowledged["AcknowledgedMessageSequenceNumber"]), None)
                return
            if message.kind != wire.INPUT or self._mute:
                return
            told = {
                "AcknowledgedMessageType": message.kind,
                "AcknowledgedMessageId": str(message.id),
                "AcknowledgedMessageSequenceNumber": message.sequence,
                "IsSequentialMessage": True,
            }
            self._transmit(Message(wire.ACKNOWLEDGE, 0, json.dumps(told).encode()).encode())
            if message.sequence >= self._next_in:
                self._early[message.sequence] = message
            while self._next_in in self._early:
                self._input(self._early.pop(self._next_in))
                self._next_in += 1

    def _input(self, message: Message) -> None:
        kind = message.payload_type
        if kind == Payload.HANDSHAKE_RESPONSE:
            self._answered_handshake(json.loads(message.payload))
        elif kind == Payload.ENCRYPTION_CHALLENGE_RESPONSE:
            self._answered_challenge(json.loads(message.payload))
        elif kind == Payload.FLAG and int.from_bytes(message.payload[:4], "big") == _TERMINATE:
            self.close()
        elif self._process is None or self.closed:
            return
        elif kind == Payload.SIZE:
            size = json.loads(message.payload)
            self._resize(int(size["rows"]), int(size["cols"]))
        elif kind == Payload.OUTPUT:
            self._active = time.monotonic()
            typed = message.payload
            if self._ciphers:
                typed = self._ciphers[1].decrypt(typed[:_NONCE], typed[_NONCE:], None)
            with contextlib.suppress(OSError):
                os.write(self._terminal, typed)

    def _resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _ask_handshake(self) -> None:
        actions = [
            {"ActionType": "KMSEncryption", "ActionParameters": {"KMSKeyId": self._key}},
            {
                "ActionType": "SessionType",
                "ActionParameters": {"SessionType": "InteractiveCommands", "Properties": None},
            },
        ]
        request = {"AgentVersion": "3.3.1611.0", "RequestedClientActions": actions}
        self._send(json.dumps(request).encode(), Payload.HANDSHAKE_REQUEST)

    def _answered_handshake(self, answer: Any) -> None:
        for action in answer.get("ProcessedClientActions") or []:
            if action.get("ActionStatus") != 1:
                self.close(f"Failed to process action {action.get('ActionType')}: {action.get('Error')}")
                return
            if action["ActionType"] == "KMSEncryption":
                context = {"aws:ssm:SessionId": self.id, "aws:ssm:TargetId": self.target}
                sealed = base64.b64decode(action["ActionResult"]["KMSCipherTextKey"])
                try:
                    key = self._decrypt(sealed, context)
                except Exception as error:  # moto's own
                    self.close(f"Unable to decrypt the data key: {error}")
                    return
                half = len(key) // 2
                # The client decrypts with the first half, and encrypts with the second.
                self._ciphers = AESGCM(key[:half]), AESGCM(key[half:])
        if self._ciphers is None:
            self.close("The client did not encrypt the session.")
            return
        self._challenge, nonce = os.urandom(64), os.urandom(_NONCE)
        sealed = nonce + self._ciphers[0].encrypt(nonce, self._challenge, None)
        request = {"Challenge": base64.b64encode(sealed).decode()}
        self._send(json.dumps(request).encode(), Payload.ENCRYPTION_CHALLENGE_REQUEST)

    def _answered_challenge(self, answer: Any) -> None:
        sealed = base64.b64decode(answer["Challenge"])
        if self._ciphers is None or self._ciphers[1].decrypt(sealed[:_NONCE], sealed[_NONCE:], None) != self._challenge:
            self.close("The encryption challenge was answered wrongly.")
            return
        complete = {"HandshakeTimeToComplete": int((time.monotonic() - self._began) * 1e9), "CustomerMessage": ""}
        self._send(json.dumps(complete).encode(), Payload.HANDSHAKE_COMPLETE)
        self._run()

"""A client of ECS Exec for tests of what npm's cannot do: encryption, a broken connection, its resumption."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from local_aws.services.ecs import agent_message as wire
from local_aws.services.ecs.agent_message import Message, Payload


class Client:
    """`generate` is KMS's GenerateDataKey, for encrypted sessions; `expected` a resumed one's first sequence number."""

    def __init__(self, url: str, token: str, *, generate: Any = None, expected: int = 0) -> None:
        self.generate = generate
        self.output = b""
        self.closed: dict[str, Any] | None = None
        self.expected = expected
        self._sequence = 0
        self._ciphers: tuple[AESGCM, AESGCM] | None = None
        self.socket = contextlib.ExitStack().enter_context(connect(url))
        opened = {
            "MessageSchemaVersion": "1.0",
            "RequestId": str(uuid4()),
            "TokenValue": token,
            "ClientId": str(uuid4()),
        }
        self.socket.send(json.dumps(opened))

    def send(self, payload: bytes, kind: Payload = Payload.OUTPUT) -> None:
        if kind == Payload.OUTPUT and self._ciphers:
            nonce = os.urandom(12)
            payload = nonce + self._ciphers[0].encrypt(nonce, payload, None)
        self.socket.send(Message(wire.INPUT, self._sequence, payload, kind).encode())
        self._sequence += 1

    def read(self, until: bytes | None = None, seconds: float = 20) -> bytes:
        """The output, until it has `until`, or the session or the connection has ended."""
        while until is None or until not in self.output:
            if not self.read_one(seconds):
                break
        return self.output

    def read_one(self, seconds: float = 20) -> bool:
        """Take one message; whether there was one."""
        try:
            data = self.socket.recv(timeout=seconds)
        except ConnectionClosed:
            return False
        assert isinstance(data, bytes)
        message = wire.decode(data)
        if message.kind == wire.CHANNEL_CLOSED:
            self.closed = json.loads(message.payload)
        elif message.kind == wire.OUTPUT:
            told = {
                "AcknowledgedMessageType": message.kind,
                "AcknowledgedMessageId": str(message.id),
                "AcknowledgedMessageSequenceNumber": message.sequence,
                "IsSequentialMessage": True,
            }
            with contextlib.suppress(ConnectionClosed):
                self.socket.send(Message(wire.ACKNOWLEDGE, 0, json.dumps(told).encode()).encode())
            if message.sequence == self.expected:
                self.expected += 1
                self._take(message)
        return True

    def _take(self, message: Message) -> None:
        if message.payload_type == Payload.HANDSHAKE_REQUEST:
            done = []
            for action in json.loads(message.payload)["RequestedClientActions"]:
                result: Any = None
                if action["ActionType"] == "KMSEncryption":
                    made = self.generate(action["ActionParameters"]["KMSKeyId"])
                    key = made["Plaintext"]
                    self._ciphers = AESGCM(key[32:]), AESGCM(key[:32])
                    result = {"KMSCipherTextKey": base64.b64encode(made["CiphertextBlob"]).decode()}
                done.append({"ActionType": action["ActionType"], "ActionStatus": 1, "ActionResult": result})
            answer = {"ClientVersion": "1.2.707.0", "ProcessedClientActions": done, "Errors": []}
            self.send(json.dumps(answer).encode(), Payload.HANDSHAKE_RESPONSE)
        elif message.payload_type == Payload.ENCRYPTION_CHALLENGE_REQUEST:
            assert self._ciphers
            sealed = base64.b64decode(json.loads(message.payload)["Challenge"])
            plain, nonce = self._ciphers[1].decrypt(sealed[:12], sealed[12:], None), os.urandom(12)
            again = base64.b64encode(nonce + self._ciphers[0].encrypt(nonce, plain, None)).decode()
            self.send(json.dumps({"Challenge": again}).encode(), Payload.ENCRYPTION_CHALLENGE_RESPONSE)
        elif message.payload_type == Payload.OUTPUT:
            data = message.payload
            self.output += self._ciphers[1].decrypt(data[:12], data[12:], None) if self._ciphers else data

"""Messages of an SSM data channel, as session-manager-plugin (src/message/messageparser.go) has them.

Big-endian: length of the header (4 bytes, of what comes before the payload's length), type (32), schema (4), time in
ms (8), sequence number (8), flags (8), UUID with its lower half first (16), SHA-256 of the payload (32), payload
type (4), payload length (4), payload.
"""

from __future__ import annotations

import hashlib
import struct
import time
from dataclasses import dataclass, field
from enum import IntEnum
from uuid import UUID, uuid4

_HEADER = struct.Struct(">I32sIQqQ16s32sII")
_HEADER_LENGTH = 116

INPUT = "input_stream_data"
OUTPUT = "output_stream_data"
ACKNOWLEDGE = "acknowledge"
CHANNEL_CLOSED = "channel_closed"


class Payload(IntEnum):
    OUTPUT = 1
    ERROR = 2
    SIZE = 3
    PARAMETER = 4
    HANDSHAKE_REQUEST = 5
    HANDSHAKE_RESPONSE = 6
    HANDSHAKE_COMPLETE = 7
    ENCRYPTION_CHALLENGE_REQUEST = 8
    ENCRYPTION_CHALLENGE_RESPONSE = 9
    FLAG = 10


@dataclass(frozen=True)
class Message:
    kind: str
    sequence: int
    payload: bytes
    payload_type: int = 0
    flags: int = 0
    id: UUID = field(default_factory=uuid4)

    def encode(self) -> bytes:
        number = self.id.bytes
        return (
            _HEADER.pack(
                _HEADER_LENGTH,
                self.kind.encode("ascii").ljust(32),
                1,
                int(time.time() * 1000),
                self.sequence,
                self.flags,
                number[8:] + number[:8],
                hashlib.sha256(self.payload).digest(),
                self.payload_type,
                len(self.payload),
            )
            + self.payload
        )


def decode(data: bytes) -> Message:
    """Raises ValueError for what is no message. The digest is not looked at: not every client's is right."""
    if len(data) < _HEADER.size:
        raise ValueError(f"a message has {_HEADER.size} bytes or more; this one has {len(data)}")
    length, kind, _, _, sequence, flags, number, _, payload_type, payload_length = _HEADER.unpack_from(data)
    payload = data[length + 4 :][:payload_length]
    name = kind.strip(b"\0 ").decode("ascii", "replace")
    return Message(name, sequence, payload, payload_type, flags, UUID(bytes=number[8:] + number[:8]))

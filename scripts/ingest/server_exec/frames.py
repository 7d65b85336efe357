"""What the server's container sends through a session, and reading it (`inside` says what a frame is)."""

from __future__ import annotations

import base64
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PYTHON = "/opt/omero/server/venv3/bin/python"
_FRAME = re.compile(rb"\{([^{}]*)\}")
_BODY = re.compile(rb"(\d+) ([sexo]) ([A-Za-z0-9+/=]*) ([0-9a-f]{8})")
_KEPT = 2000  # bytes of what is no frame


class Lost(Exception):
    """A part of the output is missing."""


@dataclass(frozen=True)
class Frame:
    """`kind` as in `inside`."""

    number: int
    kind: str
    data: bytes


def command(script: str, user: str) -> str:
    """What ECS Exec is to run, so that a script of bash runs as `user`, and its output comes in frames.

    AWS's agent splits the words as a shell does, and is no shell. The shell that it gets stays: a session that ends
    hangs up on the terminal's first process, the kernel on the others once that has ended, and runuser would not end.
    """
    source = Path(__file__).with_name("inside.py").read_text(encoding="utf-8")
    packed = base64.b64encode(zlib.compress(f"{source}\nmain({os.fsencode(script)!r})\n".encode(), 9)).decode()
    code = "import base64,sys,zlib;exec(zlib.decompress(base64.b64decode(sys.argv[1])))"
    return f"/bin/sh -c 'runuser -u {user} -- {PYTHON} -c \"{code}\" {packed}; exit $?'"


class Reader:
    """Takes what the plugin shows, in pieces as they come.

    A message that is shown twice may begin and end anywhere. Frames that came before are dropped, and those that it
    tore are put together again; `said` is the end of what is no frame, such as the plugin's own words.
    """

    def __init__(self) -> None:
        self.said = b""
        self._text = b""
        self._next = 0

    def feed(self, some: bytes) -> Iterator[Frame]:
        """The frames that are whole now.

        Raises:
            Lost: one is missing.
        """
        self._text += some
        end = 0
        for found in _FRAME.finditer(self._text):
            self._heard(self._text[end : found.start()])
            end = found.end()
            frame = _whole(found[1])
            if frame is None or frame.number < self._next:
                continue
            if frame.number > self._next:
                raise Lost
            self._next += 1
            yield frame
        self._text = self._text[end:]

    @property
    def began(self) -> bool:
        """Whether the program runs there."""
        return self._next > 0

    def end(self) -> None:
        """Nothing comes any more."""
        self._heard(self._text)
        self._text = b""

    def _heard(self, some: bytes) -> None:
        self.said = (self.said + some)[-_KEPT:]


def _whole(body: bytes) -> Frame | None:
    """The frame; without what stands in it twice in a row, where only so it is one."""
    if frame := _frame(body):
        return frame
    for size in range(1, len(body) // 2 + 1):
        for at in range(len(body) - 2 * size + 1):
            middle = at + size
            if body[at:middle] == body[middle : middle + size] and (frame := _frame(body[:at] + body[middle:])):
                return frame
    return None


def _frame(body: bytes) -> Frame | None:
    found = _BODY.fullmatch(body)
    if found is None or int(found[4], 16) != zlib.crc32(body[: found.start(4) - 1]):
        return None
    return Frame(int(found[1]), found[2].decode(), base64.b64decode(found[3]))

"""Asks OMERO's own parser (stand_ins/omero_parser.py) what it makes of a command line."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Where the local AWS has an image's helper, in a container.
HELPER = Path("/run/local-aws/helper")
_BEGIN_SECONDS = 60.0
_ANSWER_SECONDS = 60.0  # its plugins take a second to load, on a machine that does nothing else


@dataclass(frozen=True)
class Verdict:
    """`ended`: the parser itself ended the program, with `code`, as it does for a wrong line, or for its help."""

    ended: bool
    code: int
    stdout: str
    stderr: str
    parsed: dict[str, Any]


def ask(folder: Path, words: Sequence[str]) -> Verdict | None:
    """None where there is no parser: it takes a Python and a compiler that not every machine has."""
    if not folder.is_dir():
        return None
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_ANSWER_SECONDS)
        _connect(asking, folder)
        with asking.makefile("rw", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(json.dumps(list(words)) + "\n")
            stream.flush()
            said = json.loads(stream.readline())
    return Verdict(**said)


def _connect(asking: socket.socket, folder: Path) -> None:
    """A moment after its start the parser does not listen yet. Raises OSError when it never does."""
    end = time.monotonic() + _BEGIN_SECONDS
    while True:
        try:
            return asking.connect(str(folder / "socket"))
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > end:
                raise
            time.sleep(0.02)

"""Which servers run, by locks on files of the data folder: one of a process that is killed ends with it.

They are open file description locks (fcntl(2)): asking for them takes none, and they are no process's other locks.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVING, ENGINE = "serving", "engine"  # any server's program; the one that does imports
# `struct flock` of 64-bit Linux: type, whence, start, length, process.
_FLOCK = "hhqqi4x"


def _place(data: Path, name: str) -> Path:
    return data / ".omero" / "stand-in" / f"{name}.lock"


def is_held(data: Path, name: str) -> bool:
    """Whether anybody has this lock."""
    try:
        file = os.open(_place(data, name), os.O_RDONLY)  # it is only asked for
    except FileNotFoundError:
        return False
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind: int = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked))[0]
        return kind != fcntl.F_UNLCK
    finally:
        os.close(file)


@contextmanager
def held(data: Path, name: str, *, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold the lock; False where it is another's, and one does not wait for it."""
    place = _place(data, name)
    place.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    wanted = struct.pack(_FLOCK, fcntl.F_RDLCK if shared else fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLKW if wait else fcntl.F_OFD_SETLK, wanted)
        mine = True
    except BlockingIOError:
        mine = False
    try:
        yield mine
    finally:
        os.close(file)

"""Whether OMERO.server can take images: it offers its managed repository only once it has locked it."""

from __future__ import annotations

import fcntl
import glob
import os
import struct

from .faults import LockedElsewhere, Unreachable
from .omero import Omero

LOCKS = b"/OMERO/.omero/repository/*/.lock"
# `struct flock` of 64-bit Linux: type, whence, start, length, process.
_FLOCK = "hhqqi4x"


def check(omero: Omero) -> None:
    """Ask for the repository that images are imported into.

    Raises:
        LockedElsewhere: the server has none: it waits for the lock, and so would every import.
        Unreachable: it has none, and nobody holds the lock.
    """
    if omero.repositories():
        return
    held = [os.fsdecode(path) for path in sorted(glob.glob(LOCKS)) if _is_locked(path)]
    why = (
        f"the lock {held[0]} is held by another server, or by one that died a moment ago"
        if held
        else "nobody holds its lock, so that it has only begun, or its log says why it could not lock it"
    )
    raise (LockedElsewhere if held else Unreachable)(
        f"OMERO.server has no managed repository to import into: {why}; docs/ingest/imports.md, The repository's lock, "
        "says how to clear that safely"
    )


def _is_locked(path: bytes) -> bool:
    """Whether a process anywhere has locked the file; it is not locked for that (fcntl(2), F_GETLK)."""
    try:
        with open(path, "rb+") as file:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind: int = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))[0]
    except OSError:
        return False
    return kind != fcntl.F_UNLCK

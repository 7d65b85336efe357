"""Folders as they are on the disk: read once, in the order of their names, and without following links."""

from __future__ import annotations

import bisect
import errno
import fnmatch
import os
import re
import stat
from collections.abc import Iterator
from functools import lru_cache
from re import Pattern
from typing import BinaryIO

# Folders that are kept in mind: those of a batch, or those that a main file reaches.
KEPT = 64


class Folder:
    """What is in a folder. `odd` are links, and what is neither a file nor a folder: pipes, devices, sockets."""

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.files: dict[bytes, os.stat_result] = {}
        self.folders: list[bytes] = []
        self.odd: dict[bytes, str] = {}
        # Of DICOM files, once they were asked for: the series of each, and what tells a series from what it was before.
        self.series: dict[bytes, str] | None = None
        self.digests: dict[str, bytes] = {}
        self._sorted: dict[bool, list[tuple[str, bytes]]] = {}

    def matching(self, pattern: str, *, folders: bool = False) -> Iterator[bytes]:
        """The names, of what is no folder or of folders, that match a pattern, which is in lower case."""
        if folders not in self._sorted:
            names = self.folders if folders else [*self.files, *self.odd]
            self._sorted[folders] = sorted((lower(name), name) for name in names)
        names_ = self._sorted[folders]
        # What stands before the first wildcard: there may be many main files, and many files.
        prefix = re.split(r"[*?[]", pattern, maxsplit=1)[0]
        for at in range(bisect.bisect_left(names_, (prefix, b"")), len(names_)):
            low, name = names_[at]
            if not low.startswith(prefix):
                return
            if _compiled(pattern).match(low):
                yield name


class Tree:
    """Folders, each read once as long as it is in mind; what could not be read is told by `unreadable`."""

    def __init__(self) -> None:
        self._known: dict[bytes, Folder | None] = {}
        self.unreadable: dict[bytes, str] = {}
        self.count = 0

    def read(self, path: bytes) -> Folder | None:
        """A folder; empty if it has gone meanwhile, None if it cannot be read."""
        if path not in self._known:
            while len(self._known) >= KEPT:
                del self._known[next(iter(self._known))]
            self._known[path] = self._read(path)
        return self._known[path]

    def _read(self, path: bytes) -> Folder | None:
        found = Folder(path)
        try:
            with os.scandir(path) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.is_symlink():
                        found.odd[entry.name] = "a symbolic link"
                    elif entry.is_dir(follow_symlinks=False):
                        found.folders.append(entry.name)
                    elif entry.is_file(follow_symlinks=False):
                        found.files[entry.name] = entry.stat(follow_symlinks=False)
                    else:
                        found.odd[entry.name] = "a pipe, a socket or a device"
        except FileNotFoundError:  # it went while we looked
            return found
        except OSError as fault:
            self.unreadable[path] = fault.strerror or str(fault)
            return None
        self.count += 1
        return found


def opened(path: bytes) -> BinaryIO:
    """A file to read, and nothing else: a pipe or a link may have come in its place, and a pipe waits for ever.

    Raises OSError.
    """
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "it is no file")
    return os.fdopen(number, "rb")


@lru_cache(maxsize=64)
def lower(name: bytes) -> str:
    """A name in lower case, as patterns are."""
    return os.fsdecode(name).lower()


def literal(text: str) -> str:
    """A pattern of a text: of a name that may have wildcards in it."""
    return re.sub(r"([*?[])", r"[\1]", text)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Pattern[str]:
    return re.compile(fnmatch.translate(pattern))

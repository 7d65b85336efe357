"""Whether anything below a folder has changed since it was looked at, without reading again what has not.

On EFS each look at a file or folder is paid for. A folder in which something comes or goes has another time; a file
that grows in place changes nothing in its folder, so that folders in which something has happened lately are read
again.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass

# For how long a folder is read with each look after something has happened in it: uploads stall, and go on.
WARM_SECONDS = 3600.0


@dataclass
class _Known:
    """`time` is the folder's own, `digest` of what is in it, `warm` the moment until which it is read each time."""

    time: int
    folders: list[bytes]
    digest: bytes
    warm: float


class Watched:
    """One folder and all below it. Nothing is kept of it beyond this process: the next one begins with all of it."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self._known: dict[bytes, _Known] = {}

    def changed(self, *, whole: bool = False) -> bool:
        """Whether anything has come, gone or changed; `whole` reads every folder, for what was overwritten in place.

        The first look finds a change if there is anything.
        """
        now, found = time.monotonic(), False
        seen: dict[bytes, _Known] = {}
        todo = [self.root]
        while todo:
            path = todo.pop()
            known = self._known.get(path)
            try:
                when = os.lstat(path).st_mtime_ns
                if known is None or known.time != when or known.warm > now or whole:
                    fresh = _read(path, when)
                    is_new = known is None or known.digest != fresh.digest
                    fresh.warm = now + WARM_SECONDS if is_new or known is None else known.warm
                    found = found or is_new
                    known = fresh
            except OSError:  # it has gone, or may not be read, which a scan tells
                continue
            seen[path] = known
            todo += [os.path.join(path, each) for each in known.folders]
        found = found or bool(self._known.keys() - seen.keys())
        self._known = seen
        return found


def _read(path: bytes, when: int) -> _Known:
    """A folder as it is. Raises OSError."""
    folders, content = [], hashlib.sha256()
    with os.scandir(path) as inside:
        for entry in sorted(inside, key=lambda each: each.name):
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith(b"."):
                    folders.append(entry.name)
                continue
            about = entry.stat(follow_symlinks=False)
            content.update(b"%s\0%d %d\n" % (entry.name, about.st_size, about.st_mtime_ns))
    content.update(b"/".join(folders))
    return _Known(when, folders, content.digest(), 0.0)

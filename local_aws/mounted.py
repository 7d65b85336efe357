"""What a process sees of a mounted EFS file system: owners and modes as `local_aws.files` has them.

For functions of Lambda, whose processes are no superuser's on this machine: `install` replaces what they call. Only
what works on an open folder is replaced, which is what a careful program uses.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from local_aws import files
from local_aws.files import Owner

_ROOTS = Owner(0, 0, 0o755)


def install() -> None:
    """Replace `os.mkdir` (with `dir_fd`), `os.fstat`, `os.fchown` and `os.fchmod` in this process.

    Without LOCAL_AWS_MOUNTED_AS_ROOT all that changes something is refused, as it is to the user nobody.
    """
    is_root = bool(os.environ.get("LOCAL_AWS_MOUNTED_AS_ROOT"))
    mkdir, fstat = os.mkdir, os.fstat

    def allow() -> None:
        if not is_root:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def mounted_mkdir(path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        if dir_fd is None:
            return mkdir(path, mode)
        allow()
        mkdir(path, 0o755, dir_fd=dir_fd)
        files.own(_folder(dir_fd) / os.fsdecode(path), Owner(0, 0, mode))
        return None

    def mounted_fstat(fd: int) -> Any:
        found = fstat(fd)
        if (folder := _folder(fd)) is None:
            return found
        owner = files.owner(folder) or _ROOTS
        mode = found.st_mode & ~0o7777 | owner.mode
        return os.stat_result((mode, *found[1:4], owner.uid, owner.gid, *found[6:]))

    def mounted_fchown(fd: int, uid: int, gid: int) -> None:
        allow()
        owner = files.owner(_folder(fd)) or _ROOTS
        files.own(_folder(fd), Owner(uid, gid, owner.mode))

    def mounted_fchmod(fd: int, mode: int) -> None:
        allow()
        owner = files.owner(_folder(fd)) or _ROOTS
        files.own(_folder(fd), Owner(owner.uid, owner.gid, mode))

    for name, function in {
        "mkdir": mounted_mkdir,
        "fstat": mounted_fstat,
        "fchown": mounted_fchown,
        "fchmod": mounted_fchmod,
    }.items():
        setattr(os, name, function)


def _folder(fd: int) -> Any:
    """Where an open folder is; None for a file that is not of a file system."""
    path = Path(f"/proc/self/fd/{fd}").readlink()
    return path if path != files.root() and path.is_relative_to(files.root()) else None

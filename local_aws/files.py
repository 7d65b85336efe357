"""Folders that stand for EFS file systems, and a record of who owns what in them.

`<root>/<file system id>` is the root directory of a file system. `root` is the folder that the environment variable
LOCAL_AWS_FILES names, which several processes may share; without it, a temporary folder of this process, removed at
its end.

Owners are recorded in `<root>/owners.sqlite`, never given to the files themselves: that takes a superuser. A path
without a record belongs to whoever EFS says it does by default: root:root, mode 0755, for a root directory.
"""

from __future__ import annotations

import atexit
import errno
import fcntl
import functools
import os
import re
import shutil
import sqlite3
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIABLE = "LOCAL_AWS_FILES"
_LINKS = 40  # symbolic links that Linux follows on the way to one file, see path_resolution(7)
_BUSY_SECONDS = 30
_connections = threading.local()
_making = threading.Lock()  # one temporary folder, whichever thread comes first


@dataclass(frozen=True)
class Owner:
    """As POSIX has it; `mode` is the permission bits alone, such as 0o755."""

    uid: int
    gid: int
    mode: int

    def __post_init__(self) -> None:
        """Raises ValueError for what no file can have."""
        for name, value, most in (
            ("uid", self.uid, 2**32 - 1),
            ("gid", self.gid, 2**32 - 1),
            ("mode", self.mode, 0o7777),
        ):
            if not 0 <= value <= most:
                raise ValueError(f"{name} is {value}; 0 to {most} is allowed")


def root() -> Path:
    """The folder of all file systems, made (mode 0700) if it is missing. Raises OSError if that cannot be."""
    named = os.environ.get(VARIABLE)
    return _made(named) if named else _temporary()


@functools.cache
def _made(named: str) -> Path:
    path = Path(named).absolute()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.resolve()


def _temporary() -> Path:
    with _making:
        return _temporary_of(os.getpid())


@functools.cache
def _temporary_of(pid: int) -> Path:
    path = Path(tempfile.mkdtemp(prefix="local-aws-files-")).resolve()

    def remove() -> None:
        if os.getpid() == pid:  # not from a fork
            shutil.rmtree(path, ignore_errors=True)

    atexit.register(remove)
    return path


def folder(file_system_id: str) -> Path:
    """The root directory of a file system, made if it is missing. Raises ValueError for an impossible id."""
    if not re.fullmatch(r"[A-Za-z0-9-]+", file_system_id):
        raise ValueError(f"{file_system_id!r} is no file system's id; letters, digits and - are allowed")
    path = root() / file_system_id
    path.mkdir(mode=0o755, exist_ok=True)
    return path


def inside(base: Path, relative: str, *, follow: bool = True) -> Path:
    """Where `relative` leads to for a process whose root directory is `base`; it need not exist.

    `..` at the base stays there, an absolute path begins there, and so does the target of an absolute symbolic link.
    `follow=False` leaves a link at the very end alone, as unlink(2) and lstat(2) do. What another process changes
    between this call and the use of its answer is not guarded against. Raises OSError (ELOOP) after 40 links, and
    ValueError for a NUL.
    """
    if "\0" in relative:
        raise ValueError("a path holds no NUL")
    walked: list[str] = []
    left = relative.split("/")[::-1]
    links = 0
    while left:
        part = left.pop()
        if part in ("", "."):
            continue
        if part == "..":
            walked = walked[:-1]
            continue
        here = base.joinpath(*walked, part)
        is_last = not any(each not in ("", ".") for each in left)
        if here.is_symlink() and (follow or not is_last):
            links += 1
            if links > _LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), relative)
            target = here.readlink()
            if target.is_absolute():
                walked = []
            left.extend(str(target).split("/")[::-1])
            continue
        walked.append(part)
    return base.joinpath(*walked)


def own(path: Path, owner: Owner) -> None:
    """Record the owner of a path below the root. Raises ValueError for another path."""
    _execute(
        "INSERT INTO owners VALUES (?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET "
        "uid = excluded.uid, gid = excluded.gid, mode = excluded.mode",
        (_key(path), owner.uid, owner.gid, owner.mode),
    )


def owner(path: Path) -> Owner | None:
    """The recorded owner, None where there is none. Raises ValueError for a path that is not below the root."""
    row = _execute("SELECT uid, gid, mode FROM owners WHERE path = ?", (_key(path),)).fetchone()
    return Owner(*row) if row else None


def forget(path: Path) -> None:
    """Drop the records of a path and of everything below it."""
    _execute(f"DELETE FROM owners WHERE {_SUBTREE}", _subtree(_key(path)))  # noqa: S608


def moved(old: Path, new: Path) -> None:
    """Carry the records of `old` and of everything below it to `new`, whose own records go. At once, or not at all."""
    before, after = _key(old), _key(new)
    if before == after:
        return
    database = _connection()
    database.execute("BEGIN IMMEDIATE")
    try:
        rows = database.execute(f"SELECT * FROM owners WHERE {_SUBTREE}", _subtree(before)).fetchall()  # noqa: S608
        for each in (before, after):
            database.execute(f"DELETE FROM owners WHERE {_SUBTREE}", _subtree(each))  # noqa: S608
        database.executemany(
            "INSERT INTO owners VALUES (?, ?, ?, ?)", [(after + path[len(before) :], *rest) for path, *rest in rows]
        )
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


def access_point_folder(access_point: Any) -> Path:
    """The root directory of one of moto's EFS access points.

    Made, with its owner, at the first use if the access point has creation info; else raises FileNotFoundError if it
    is missing, as mounting does. https://docs.aws.amazon.com/efs/latest/ug/enforce-root-directory-access-point.html
    """
    base = folder(access_point.file_system_id)
    wanted = access_point.root_directory.get("Path") or "/"
    path = inside(base, wanted)
    if path.is_dir():
        return path
    creation = access_point.root_directory.get("CreationInfo")
    if not creation:
        raise FileNotFoundError(errno.ENOENT, "the access point's root directory does not exist", wanted)
    first = Owner(int(creation["OwnerUid"]), int(creation["OwnerGid"]), int(str(creation["Permissions"]), 8))
    make_folders(base, path, first)
    return path


def make_folders(base: Path, path: Path, owner: Owner) -> list[Path]:
    """Make `path` and what is missing between it and `base`, owned by `owner`; returns what was made, outermost first.

    Raises NotADirectoryError or FileExistsError where a file is in the way.
    """
    missing: list[Path] = []
    here = path
    while here != base and not here.is_dir():
        missing.append(here)
        here = here.parent
    made = []
    for each in reversed(missing):
        try:
            each.mkdir(mode=0o755)
        except FileExistsError:
            if not each.is_dir():
                raise
            continue  # another thread was first
        own(each, owner)
        made.append(each)
    return made


_SUBTREE = "path = ? OR (path > ? AND path < ?)"


def _subtree(key: bytes) -> tuple[bytes, bytes, bytes]:
    """For `_SUBTREE`: the byte after "/" is "0", so that all between the two begins with `key` and a slash."""
    return key, key + b"/", key + b"0"


def _key(path: Path) -> bytes:
    """Bytes, for a name in Linux need not be text."""
    base = root()
    absolute = Path(os.path.normpath(path if path.is_absolute() else base / path))
    if absolute == base or not absolute.is_relative_to(base):
        raise ValueError(f"{path} is not below {base}")
    return os.fsencode(absolute.relative_to(base))


def _execute(statement: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
    return _connection().execute(statement, values)


def _connection() -> sqlite3.Connection:
    """This thread's connection; a process that was forked opens its own, and so does a change of LOCAL_AWS_FILES."""
    wanted = (os.getpid(), root())
    if getattr(_connections, "of", None) == wanted:
        return _connections.database  # type: ignore[no-any-return]
    # Without transactions of its own (isolation_level): each statement commits by itself.
    database = sqlite3.connect(wanted[1] / "owners.sqlite", timeout=_BUSY_SECONDS, isolation_level=None)
    # SQLite refuses a second change to WAL while a first is under way, and does not wait for it.
    with (wanted[1] / "owners.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(
            "CREATE TABLE IF NOT EXISTS owners (path BLOB PRIMARY KEY, uid INTEGER, gid INTEGER, mode INTEGER) "
            "WITHOUT ROWID"
        )
    _connections.of, _connections.database = wanted, database
    return database

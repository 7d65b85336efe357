"""What a user sees, where it really is, and what the user may do there: paths and POSIX permissions.

Paths are resolved as in a chroot: `..`, absolute paths and symbolic links stay below the target of a logical home's
mapping, or below the file system's root for a home of type PATH. Permissions are those that `local_aws.files` has
recorded, checked as a kernel does, from the root of the file system down to the place itself.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_aws import files
from local_aws.files import Owner

READ, WRITE, SEARCH = 4, 2, 1
NOBODY = 65534  # whom EFS makes of root without ClientRootAccess
_ROOT_OF_A_FILE_SYSTEM = Owner(0, 0, 0o755)
_VIRTUAL = Owner(0, 0, 0o555)


@dataclass(frozen=True)
class Actor:
    """The POSIX user of a session."""

    uid: int
    gid: int
    groups: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Mount:
    """A file system that the role may mount, as seen by one user. `folder`: where it is on this machine."""

    id: str
    folder: Path
    actor: Actor
    may_write: bool


@dataclass(frozen=True)
class Place:
    """Where a path leads. `base`: the folder that is not left; `logged`: how AWS names it, `/fs-.../a/b`."""

    mount: Mount
    base: Path
    path: Path
    logged: str
    has_links: bool

    @property
    def parent(self) -> Path:
        return self.path.parent


def denied(path: str) -> OSError:
    return OSError(errno.EACCES, os.strerror(errno.EACCES), path)


@dataclass(frozen=True)
class Home:
    """`entries`: from a visible path to `/fs-.../path`; none for a home of type PATH, where both are the same."""

    landing: str
    entries: Mapping[str, str] | None
    mounts: Mapping[str, Mount]

    @property
    def is_logical(self) -> bool:
        return self.entries is not None

    def absolute(self, path: str) -> str:
        """The visible path from `/`, without `.` and `..`, which never leads above it."""
        joined = posixpath.normpath(posixpath.join("/", self.landing, path))
        return "/" + joined.lstrip("/")

    def names_at(self, path: str) -> list[str] | None:
        """What a folder holds that is there only because entries lie below it; None for another path."""
        prefix = self.absolute(path).rstrip("/") + "/"
        below = [each for each in self.entries or {} if each.startswith(prefix) and each != prefix]
        if not below or self._entry(self.absolute(path)) is not None:
            return None
        return sorted({each[len(prefix) :].split("/")[0] for each in below})

    def _entry(self, absolute: str) -> str | None:
        """The longest entry that leads to a path."""
        found = [
            each
            for each in self.entries or {}
            if each == "/" or absolute == each or absolute.startswith(each.rstrip("/") + "/")
        ]
        return max(found, key=len, default=None)

    def place(self, path: str, *, follow: bool = True) -> Place:
        """Raises OSError: ENOENT outside of every mapping, EACCES without the right to mount or to search."""
        absolute = self.absolute(path)
        if self.entries is None:
            target, rest = absolute, ""
        else:
            entry = self._entry(absolute)
            if entry is None:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            target, rest = self.entries[entry], absolute[len(entry.rstrip("/")) :]
        name, _, below = target.lstrip("/").partition("/")
        mount = self.mounts.get(name)
        if mount is None:
            raise denied(path)
        if self.entries is None:
            base, rest = mount.folder, below
        else:
            base = files.inside(mount.folder, below)
        try:
            plain, led = base / rest.strip("/"), files.inside(base, rest, follow=follow)
        except ValueError:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path) from None
        logged = posixpath.normpath(posixpath.join("/", name, below, "" if self.entries is None else rest.strip("/")))
        place = Place(mount, base, led, logged, has_links=led != plain)
        _check_search(place)
        return place


def _check_search(place: Place) -> None:
    """Raises ENOENT, ENOTDIR or EACCES, as a kernel that walks down to the place would."""
    here = place.mount.folder
    for part in place.path.relative_to(here).parts:
        if not stat.S_ISDIR(here.lstat().st_mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), place.logged)
        check(place.mount, here, SEARCH)
        here /= part


def owner_of(mount: Mount, path: Path) -> Owner:
    """The recorded owner; what has none is root's."""
    recorded = files.owner(path)
    if recorded is not None:
        return recorded
    if path == mount.folder:
        return _ROOT_OF_A_FILE_SYSTEM
    return Owner(0, 0, stat.S_IMODE(path.lstat().st_mode))


def may(mount: Mount, owner: Owner, wanted: int, *, is_folder: bool) -> bool:
    actor = mount.actor
    if actor.uid == 0:
        return not wanted & SEARCH or is_folder or bool(owner.mode & 0o111)
    if actor.uid == owner.uid:
        bits = owner.mode >> 6
    elif owner.gid in (actor.gid, *actor.groups):
        bits = owner.mode >> 3
    else:
        bits = owner.mode
    return bits & wanted == wanted


def check(mount: Mount, path: Path, wanted: int) -> None:
    """Raises EACCES without the permission, or for writing where the role has no ClientWrite; ENOENT."""
    is_folder = stat.S_ISDIR(path.lstat().st_mode)
    if wanted & WRITE and not mount.may_write:
        raise denied(str(path))
    if not may(mount, owner_of(mount, path), wanted, is_folder=is_folder):
        raise denied(str(path))


def check_removal(place: Place) -> None:
    """Raises EACCES unless the entry may be taken out of its folder: sticky bit and the home's own folder included."""
    if place.path in (place.base, place.mount.folder):
        raise denied(place.logged)
    check(place.mount, place.parent, WRITE | SEARCH)
    folder, entry = owner_of(place.mount, place.parent), owner_of(place.mount, place.path)
    actor = place.mount.actor
    if folder.mode & stat.S_ISVTX and actor.uid not in (0, folder.uid, entry.uid):
        raise denied(place.logged)


def owner_of_new(place: Place, mode: int, *, is_folder: bool) -> Owner:
    """Raises as `check` does where nothing may be made."""
    check(place.mount, place.parent, WRITE | SEARCH)
    folder, actor = owner_of(place.mount, place.parent), place.mount.actor
    inherits = bool(folder.mode & stat.S_ISGID)
    mode = mode & ~0o7000 | (stat.S_ISGID if inherits and is_folder else 0)
    return Owner(actor.uid, folder.gid if inherits else actor.gid, mode)


def virtual_owner() -> Owner:
    """Of a folder that is there only because entries lie below it."""
    return _VIRTUAL

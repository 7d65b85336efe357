"""The destination of a transfer: the folder of an EFS file system, as the location's access point lets one see it."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws import files
from local_aws.files import Owner
from local_aws.services.datasync import locations, roles
from local_aws.services.datasync.source import DEFAULT_OWNER, ExecutionFailed, Item
from local_aws.services.datasync.state import Json, Task

_ROOT_DIRECTORY = Owner(0, 0, 0o755)  # of a new file system
_DRAFT = ".aws-datasync-"  # DataSync's own, never transferred


@dataclass(frozen=True)
class User:
    """Who writes: root, or the user that the access point enforces."""

    uid: int = 0
    gids: tuple[int, ...] = (0,)

    def may(self, wanted: int, owner: Owner | None) -> bool:
        """`wanted`: permission bits, 2 to write, 3 to make something in a folder. No record stands for no limit."""
        if owner is None or self.uid == 0:
            return True
        shift = 6 if self.uid == owner.uid else 3 if owner.gid in self.gids else 0
        return (owner.mode >> shift) & wanted == wanted


@dataclass
class Destination:
    """An EFS location as the destination of one execution."""

    task: Task
    options: Json
    top: Path = field(init=False)  # the folder that the location names: nothing leads out of it
    system: Path = field(init=False)  # the file system's root directory
    user: User = field(init=False)
    enforced: bool = field(init=False)
    _writable: set[Path] = field(init=False, default_factory=set)

    def mount(self) -> None:
        """Raises ExecutionFailed where AWS could not mount the file system."""
        metadata, arn = self.task.destination.metadata, self.task.destination.arn
        try:
            system, point = locations.check_file_system(self.task.backend, metadata)
        except Exception as error:
            raise ExecutionFailed("InvalidLocation", f"Task failed to access location {arn}: {error}") from error
        if why := locations.blocked(self.task.backend, metadata):
            raise ExecutionFailed("CouldNotMount", f"Task failed to access location {arn}: x40016: mount.nfs4: {why}")
        granted = roles.mounted(self.task.backend, metadata)
        if not granted.mount:
            why = "mount.nfs4: access denied by server while mounting 127.0.0.1:/"
            raise ExecutionFailed("CouldNotMount", f"Task failed to access location {arn}: x40016: {why}")
        if not granted.write:
            raise ExecutionFailed("CouldNotMount", f"Task failed to access location {arn}: Read-only file system")
        self.system = files.folder(system.file_system_id)
        posix: dict[str, Any] = (point.posix_user if point else None) or {}
        self.enforced = bool(posix)
        self.user = User()
        if posix:
            groups = [posix["Gid"], *(posix.get("SecondaryGids") or [])]
            self.user = User(int(posix["Uid"]), tuple(int(each) for each in groups))
        wanted = metadata["Subdirectory"]
        try:
            base = files.access_point_folder(point) if point else self.system
            self.top = files.inside(base, wanted)
            if not self.top.is_dir():
                raise FileNotFoundError(wanted)
        except OSError as error:
            raise ExecutionFailed(
                "MountFailed",
                f"Task failed to access location {arn}: x40016: mount.nfs: mounting {wanted} failed, reason given "
                "by server: No such file or directory",
            ) from error

    def path(self, item_path: str) -> Path:
        """Where an item goes: nowhere else, not even by a symbolic link. Raises OSError for impossible names."""
        try:
            path = files.inside(self.top, item_path, follow=False)
        except ValueError as error:
            raise OSError(errno.EINVAL, "Invalid argument") from error
        if path != self.top.joinpath(*item_path.strip("/").split("/")):
            raise NotADirectoryError("Not a directory")
        return path

    def owner(self, path: Path) -> Owner | None:
        return files.owner(path) or (_ROOT_DIRECTORY if path == self.system else None)

    def difference(self, item: Item, path: Path) -> str:
        """ "" where nothing is to be done, METADATA, CONTENT for a changed file, or NEW."""
        if not path.exists() and not path.is_symlink():
            return "NEW"
        if path.is_dir() != item.is_folder or path.is_symlink():
            return "CONTENT"
        if not item.is_folder:
            found = path.stat()
            if found.st_size != item.size:
                return "CONTENT"
            if self.options["Mtime"] == "NONE" or int(found.st_mtime) != int(item.modified):
                return "CONTENT"
        return "METADATA" if self.mismatches(item, path) else ""

    def mismatches(self, item: Item, path: Path) -> list[str]:
        """What of an item's owner is to be kept and is not: uid, gid, mode."""
        found = self.owner(path)
        if found is None:
            return []
        wanted = (("uid", "Uid"), ("gid", "Gid"), ("mode", "PosixPermissions"))
        return [
            name
            for name, option in wanted
            if self.options[option] != "NONE" and getattr(found, name) != getattr(item.owner, name)
        ]

    def make_folder(self, item: Item, path: Path) -> None:
        """Raises OSError where it cannot be made, PermissionError where the access point's user may not."""
        if not path.is_dir():
            self._check_writable(path.parent)
            path.mkdir(mode=0o755)
        self.set_metadata(item, path)

    def write(self, item: Item, path: Path, content: bytes) -> None:
        """At once, or not at all. Raises OSError as `make_folder` does."""
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError("Is a directory")
        if path.exists() and not self.user.may(2, files.owner(path)):
            raise PermissionError("Permission denied")
        self._check_writable(path.parent)
        draft = path.with_name(f"{_DRAFT}{os.getpid()}-{id(item)}")
        try:
            draft.write_bytes(content)
            if self.options["Mtime"] == "PRESERVE":
                os.utime(draft, (item.modified, item.modified))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        self.set_metadata(item, path)

    def _check_writable(self, folder: Path) -> None:
        if folder in self._writable:
            return
        if not folder.is_dir():
            raise NotADirectoryError("Not a directory") if folder.exists() else FileNotFoundError("No such directory")
        if not self.user.may(3, self.owner(folder)):
            raise PermissionError("Permission denied")
        self._writable.add(folder)

    def set_metadata(self, item: Item, path: Path) -> None:
        """Record the owner: the access point's user, else what the source or the defaults say."""
        present, given, options = files.owner(path), item.owner, self.options
        kept = present or DEFAULT_OWNER
        if self.enforced:
            uid, gid = (present.uid, present.gid) if present else (self.user.uid, self.user.gids[0])
        else:
            uid = given.uid if options["Uid"] != "NONE" else kept.uid
            gid = given.gid if options["Gid"] != "NONE" else kept.gid
        may_change = self.user.uid in (0, uid)  # as chmod(2) has it
        mode = given.mode if options["PosixPermissions"] != "NONE" and may_change else kept.mode
        files.own(path, Owner(uid, gid, mode))

    def below(self) -> list[tuple[str, Path]]:
        """Everything that is there, the innermost first, by its path relative to the location."""
        found = []
        for folder, folders, names in os.walk(self.top, topdown=False):
            for name in [*names, *folders]:
                path = Path(folder, name)
                found.append((f"/{path.relative_to(self.top)}", path))
        return found

    def delete(self, path: Path) -> None:
        """Raises OSError where it cannot be, as for a folder that is not empty."""
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
        files.forget(path)

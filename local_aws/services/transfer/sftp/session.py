"""One SFTP session: version 3 of the protocol, on the places of a user's home.

As Transfer Family has it on EFS: no rename over what is there; no symbolic links through a logical home (SYMLINK,
READLINK, STAT of one and REALPATH through one answer that they are not supported); owner and mode are root's to
change, a group by the owner to one of theirs; times by the owner.
https://docs.aws.amazon.com/transfer/latest/userguide/transfer-file.html
"""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import stat
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import asyncssh
from asyncssh import SFTPAttrs, SFTPName, SFTPOpUnsupported, SFTPPermissionDenied

from local_aws import files
from local_aws.files import Owner
from local_aws.services.transfer.sftp import home as posix
from local_aws.services.transfer.sftp.handle import Handle
from local_aws.services.transfer.sftp.home import READ, SEARCH, WRITE, Home, Place

_UMASK = 0o022
_LARGEST_READ = 4 * 2**20
_EIGHT_EXBIBYTES = 2**63  # what EFS tells df
_BLOCK = 2**20  # EFS's block size for NFS clients

Function = TypeVar("Function", bound=Callable[..., Any])


def _logged(activity: str, path: int = 1) -> Callable[[Function], Function]:
    """Log the operation: as `activity` if it succeeds, as ERROR if it does not. `path`: which argument names it."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def wrapped(self: SftpSession, *arguments: Any) -> Any:
            try:
                return function(self, *arguments)
            except (OSError, asyncssh.SFTPError) as error:
                named = arguments[path - 1]
                shown = named.logged if isinstance(named, Handle) else os.fsdecode(named)
                message = getattr(error, "strerror", None) or getattr(error, "reason", str(error))
                self.log("ERROR", path=shown, operation=activity, message=message)
                if isinstance(error, OSError) and error.errno in (errno.EPERM, errno.EROFS):
                    raise SFTPPermissionDenied("Permission denied") from error
                raise

        return wrapped  # type: ignore[return-value]

    return decorate


class SftpSession(asyncssh.SFTPServer):
    """Everything is done in the event loop's thread: no two operations overlap."""

    def __init__(self, channel: Any, home: Home, log: Callable[..., None], tell: Callable[..., None]) -> None:
        """`log` takes an activity and fields, `tell` an event's kind, when it began, and fields."""
        super().__init__(channel)
        self._home, self._write_log, self._tell = home, log, tell
        self._is_over = False

    def log(self, activity: str, **fields: Any) -> None:
        self._write_log(activity, **fields)

    def _place(self, path: bytes, *, follow: bool = True) -> Place:
        try:
            name = path.decode()
        except UnicodeDecodeError:  # NFS version 4 has UTF-8 alone
            raise OSError(errno.EINVAL, "The name is not in UTF-8") from None
        return self._home.place(name, follow=follow)

    # Names as numbers: there are no accounts, and this machine's are none of theirs.
    def format_user(self, uid: int | None) -> str:
        return "" if uid is None else str(uid)

    def format_group(self, gid: int | None) -> str:
        return "" if gid is None else str(gid)

    @staticmethod
    def _attributes(owner: Owner, found: os.stat_result) -> SFTPAttrs:
        return SFTPAttrs(
            size=found.st_size,
            uid=owner.uid,
            gid=owner.gid,
            permissions=stat.S_IFMT(found.st_mode) | owner.mode,
            atime=int(found.st_atime),
            mtime=int(found.st_mtime),
            nlink=found.st_nlink,
        )

    def _stat(self, place: Place) -> SFTPAttrs:
        found = place.path.lstat()
        return self._attributes(posix.owner_of(place.mount, place.path), found)

    def _virtual(self) -> SFTPAttrs:
        owner = posix.virtual_owner()
        return SFTPAttrs(size=0, uid=0, gid=0, permissions=stat.S_IFDIR | owner.mode, atime=0, mtime=0, nlink=1)

    def realpath(self, path: bytes) -> bytes:
        name = os.fsdecode(path)
        absolute = self._home.absolute(name)
        if self._home.names_at(name) is None:
            try:
                place = self._place(path)
            except FileNotFoundError:  # it need not be there
                return os.fsencode(absolute)
            except NotADirectoryError:
                return os.fsencode(absolute)
            if place.has_links and self._home.is_logical:
                raise SFTPOpUnsupported("REALPATH is not supported for symbolic links in a logical home")
        return os.fsencode(absolute)

    def stat(self, path: bytes) -> SFTPAttrs:
        if self._home.names_at(os.fsdecode(path)) is not None:
            return self._virtual()
        if self._home.is_logical and self._place(path, follow=False).path.is_symlink():
            raise SFTPOpUnsupported("STAT is not supported for symbolic links in a logical home")
        return self._stat(self._place(path))

    def lstat(self, path: bytes) -> SFTPAttrs:
        if self._home.names_at(os.fsdecode(path)) is not None:
            return self._virtual()
        return self._stat(self._place(path, follow=False))

    def fstat(self, file_obj: object) -> SFTPAttrs:
        handle = _handle(file_obj)
        return self._attributes(posix.owner_of(handle.place.mount, handle.place.path), os.fstat(handle.fd))

    async def scandir(self, path: bytes) -> AsyncIterator[SFTPName]:
        names = self._home.names_at(os.fsdecode(path))
        if names is not None:
            for each in (".", "..", *names):
                yield SFTPName(os.fsencode(each), attrs=self._virtual())
            return
        place = self._place(path)
        posix.check(place.mount, place.path, READ)
        entries = sorted(os.listdir(place.path))  # noqa: PTH208 (names, not paths)
        here = self._stat(place)
        yield SFTPName(b".", attrs=here)
        yield SFTPName(b"..", attrs=here)
        for number, each in enumerate(entries):
            if number % 200 == 199:
                await asyncio.sleep(0)  # a large folder must not hold up the other sessions
            entry = place.path / each
            try:
                attributes = self._attributes(posix.owner_of(place.mount, entry), entry.lstat())
            except FileNotFoundError:
                continue
            yield SFTPName(os.fsencode(each), attrs=attributes)

    @_logged("OPEN")
    def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> Handle:
        place = self._place(path, follow=not pflags & asyncssh.FXF_EXCL)
        writes = pflags & (asyncssh.FXF_WRITE | asyncssh.FXF_APPEND)
        flags = os.O_RDWR if writes and pflags & asyncssh.FXF_READ else os.O_WRONLY if writes else os.O_RDONLY
        wanted = (READ if pflags & asyncssh.FXF_READ else 0) | (WRITE if writes else 0)
        modes = [name for bit, name in _MODES.items() if pflags & bit]
        try:
            found = place.path.lstat()
        except FileNotFoundError:
            if not pflags & asyncssh.FXF_CREAT:
                raise
            asked = 0o666 if attrs.permissions is None else attrs.permissions
            owner = posix.owner_of_new(place, asked & 0o777 & ~_UMASK, is_folder=False)
            fd = os.open(place.path, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            files.own(place.path, owner)
        else:
            if pflags & asyncssh.FXF_EXCL:
                raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EISDIR, "It is no regular file")
            posix.check(place.mount, place.path, wanted)
            fd = os.open(place.path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
            if writes and pflags & asyncssh.FXF_TRUNC:
                os.ftruncate(fd, 0)
        self.log("OPEN", path=place.logged, mode="|".join(modes))
        appends = bool(pflags & asyncssh.FXF_APPEND)
        return Handle(fd, place, appends=appends, writes=bool(writes), opened=time.time())

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        return _handle(file_obj).read(offset, min(size, _LARGEST_READ))

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        return _handle(file_obj).write(offset, data)

    def fsync(self, file_obj: object) -> None:
        os.fsync(_handle(file_obj).fd)

    def close(self, file_obj: object) -> None:
        handle = _handle(file_obj)
        handle.close()
        # The library closes what a client has left open in the same turn of the loop in which the session ends.
        asyncio.get_running_loop().call_soon(self._log_close, handle)

    def _log_close(self, handle: Handle) -> None:
        moved = {"bytes-in": handle.bytes_in, "bytes-out": handle.bytes_out}
        fields = {name: str(count) for name, count in moved.items() if count}
        self.log("PARTIAL_CLOSE" if self._is_over else "CLOSE", path=handle.logged, **fields)
        what = "Upload" if handle.writes else "Download"
        about = {"file-path": handle.logged, "bytes": handle.bytes_in if handle.writes else handle.bytes_out}
        if self._is_over:
            message = f"File was partially {what.lower()}ed."
            about |= {"failure-code": f"PARTIAL_{what.upper()}", "failure-message": message}
        self._tell(what, handle.opened, failed=self._is_over, **about)

    def exit(self) -> None:
        self._is_over = True

    @_logged("SETSTAT")
    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        place = self._place(path)
        self._change(place, place.path, attrs)

    @_logged("SETSTAT")
    def lsetstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        place = self._place(path, follow=False)
        self._change(place, place.path, attrs)

    @_logged("SETSTAT")
    def fsetstat(self, file_obj: object, attrs: SFTPAttrs) -> None:
        handle = _handle(file_obj)
        self._change(handle.place, handle.fd, attrs)

    def _change(self, place: Place, what: Path | int, attrs: SFTPAttrs) -> None:
        """All of it is checked before any of it is done."""
        mount, owner = place.mount, posix.owner_of(place.mount, place.path)
        if not mount.may_write:
            raise posix.denied(place.logged)
        new = Owner(
            owner.uid if attrs.uid is None else attrs.uid,
            owner.gid if attrs.gid is None else attrs.gid,
            owner.mode if attrs.permissions is None else stat.S_IMODE(attrs.permissions),
        )
        actor, is_root = mount.actor, mount.actor.uid == 0
        if not is_root and (new.uid, new.mode) != (owner.uid, owner.mode):
            raise posix.denied(place.logged)
        if not is_root and new.gid != owner.gid:
            if actor.uid != owner.uid or new.gid not in (actor.gid, *actor.groups):
                raise posix.denied(place.logged)
            new = Owner(new.uid, new.gid, new.mode & ~0o6000)
        sets_times = attrs.atime is not None or attrs.mtime is not None
        if sets_times and not is_root and actor.uid != owner.uid:
            raise posix.denied(place.logged)
        if attrs.size is not None:
            _truncate(place, what, attrs.size)
        if sets_times:
            now = what.lstat() if isinstance(what, Path) else os.fstat(what)
            atime = now.st_atime if attrs.atime is None else attrs.atime
            mtime = now.st_mtime if attrs.mtime is None else attrs.mtime
            if isinstance(what, int):
                os.utime(what, (atime, mtime))
            else:
                os.utime(what, (atime, mtime), follow_symlinks=False)
        if new != owner:
            files.own(place.path, new)
        self.log("SETSTAT", path=place.logged)

    @_logged("MKDIR")
    def mkdir(self, path: bytes, attrs: SFTPAttrs) -> None:
        place = self._place(path, follow=False)
        asked = 0o777 if attrs.permissions is None else attrs.permissions
        if os.path.lexists(place.path):
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
        owner = posix.owner_of_new(place, asked & 0o777 & ~_UMASK, is_folder=True)
        place.path.mkdir()
        files.own(place.path, owner)
        self.log("MKDIR", path=place.logged)

    @_logged("RMDIR")
    def rmdir(self, path: bytes) -> None:
        place = self._place(path, follow=False)
        posix.check_removal(place)
        place.path.rmdir()
        files.forget(place.path)
        self.log("RMDIR", path=place.logged)

    @_logged("DELETE")
    def remove(self, path: bytes) -> None:
        place = self._place(path, follow=False)
        posix.check_removal(place)
        place.path.unlink()
        files.forget(place.path)
        self.log("DELETE", path=place.logged)

    @_logged("RENAME")
    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        old, new = self._place(oldpath, follow=False), self._place(newpath, follow=False)
        if old.mount.id != new.mount.id:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        posix.check_removal(old)
        posix.check(new.mount, new.parent, WRITE | SEARCH)
        if os.path.lexists(new.path):
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
        old.path.rename(new.path)
        files.moved(old.path, new.path)
        self.log("RENAME", path=old.logged, **{"new-path": new.logged})
        if not new.path.is_dir():
            paths = {"original-file-path": old.logged, "renamed-file-path": new.logged}
            self._tell("Rename", time.time(), failed=False, **paths)

    posix_rename = rename  # which does not overwrite either

    @_logged("CREATE_SYMLINK", path=2)
    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        if self._home.is_logical:
            raise SFTPOpUnsupported("SYMLINK is not supported in a logical home")
        place = self._place(newpath, follow=False)
        if os.path.lexists(place.path):
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
        owner = posix.owner_of_new(place, 0o777, is_folder=False)
        place.path.symlink_to(os.fsdecode(oldpath))
        files.own(place.path, owner)
        self.log("CREATE_SYMLINK", path=place.logged)

    def readlink(self, path: bytes) -> bytes:
        if self._home.is_logical:
            raise SFTPOpUnsupported("READLINK is not supported in a logical home")
        return os.fsencode(self._place(path, follow=False).path.readlink())

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        raise SFTPOpUnsupported("Hard links are not supported")

    def statvfs(self, path: bytes) -> asyncssh.SFTPVFSAttrs:
        self._place(path)
        return _vfs()

    def fstatvfs(self, file_obj: object) -> asyncssh.SFTPVFSAttrs:
        return _vfs()


_MODES = {
    asyncssh.FXF_CREAT: "CREATE",
    asyncssh.FXF_TRUNC: "TRUNCATE",
    asyncssh.FXF_APPEND: "APPEND",
    asyncssh.FXF_READ: "READ",
    asyncssh.FXF_WRITE: "WRITE",
}


def _truncate(place: Place, what: Path | int, size: int) -> None:
    if isinstance(what, int):
        os.ftruncate(what, size)
        return
    posix.check(place.mount, what, WRITE)
    if not stat.S_ISREG(what.lstat().st_mode):
        raise OSError(errno.EINVAL, "It is no regular file")
    fd = os.open(what, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.ftruncate(fd, size)
    finally:
        os.close(fd)


def _handle(file_obj: object) -> Handle:
    return cast(Handle, file_obj)  # the library hands back what open() gave it


def _vfs() -> asyncssh.SFTPVFSAttrs:
    blocks = _EIGHT_EXBIBYTES // _BLOCK
    return asyncssh.SFTPVFSAttrs(_BLOCK, _BLOCK, blocks, blocks, blocks, 0, 0, 0, 0, 0, 255)

"""Make the folders that senders deliver into, each with its owner, in the drop area of the OMERO file system.

The drop area is mounted at `FOLDER`, through an access point that shows nothing else, as root: an owner is root's to
give. The event is `{"folders": [{"path": "alice", "uid": 1000, "gid": 1000}, ...], "look_only": false}`, with paths
below the drop area. The answer has one row for each, in order: `{"path", "state", "uid"}`, where `state` is

    made     it was not there, and is now (with `look_only`: it is not there)
    there    it was there, and is the owner's
    foreign  it is there and belongs to `uid`; nothing was done
    blocked  something on the way is no folder; nothing was done

Nothing is ever deleted, and no owner taken away: only a folder that still is root's, because a call ended before its
owner was set, is given to the owner. A call may be repeated.
"""

from __future__ import annotations

import errno
import os
import re
from typing import Any

ROOT = 0
# OMERO.server's own: of what lies between the drop area and a sender's folder.
OMERO = 1000
# OMERO.server, which is in the group, reads; nobody else does. The set-group-ID bit gives the group to all that is made
# below: senders are not in it themselves.
MODE = 0o2750
ON_THE_WAY = 0o755
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What Lambda calls.

    Raises:
        ValueError: a path leads out of the drop area, or an owner is root; nothing was made.
        OSError: the file system refuses.
    """
    folders, look_only = event["folders"], bool(event.get("look_only"))
    for folder in folders:
        _check(folder["path"], folder["uid"], folder["gid"])
    base = os.open(os.environ["FOLDER"], os.O_RDONLY | os.O_DIRECTORY)
    try:
        return {"folders": [_make(base, **folder, look_only=look_only) for folder in folders]}
    finally:
        os.close(base)


def _check(path: str, uid: int, gid: int) -> None:
    if not all(PART.fullmatch(part) for part in path.split("/")):
        raise ValueError(f"{path!r} is no path below the drop area")
    if ROOT in (uid, gid):
        raise ValueError(f"the folder {path} cannot be root's")


def _make(base: int, *, path: str, uid: int, gid: int, look_only: bool) -> dict[str, Any]:
    *way, name = path.split("/")
    here = os.dup(base)
    try:
        for part in way:
            state, _, below = _step(here, part, OMERO, OMERO, ON_THE_WAY, look_only=look_only)
            os.close(here)
            here = below
            if here < 0:
                return {"path": path, "state": state, "uid": uid}
        state, owner, last = _step(here, name, uid, gid, MODE, look_only=look_only)
        if last >= 0:
            os.close(last)
        if state == "there" and owner != uid:
            state = "foreign"
        return {"path": path, "state": state, "uid": owner}
    finally:
        if here >= 0:
            os.close(here)


def _step(folder: int, name: str, uid: int, gid: int, mode: int, *, look_only: bool) -> tuple[str, int, int]:
    """The state and the owner of a folder in an open one, and its descriptor: -1 where there is none.

    A symbolic link is not followed: it could lead anywhere.
    """
    state = "there"
    if not look_only:
        try:
            os.mkdir(name, 0o700, dir_fd=folder)
            state = "made"
        except FileExistsError:
            pass
    try:
        here = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        return "made", uid, -1
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):  # a file, a symbolic link
            raise
        return "blocked", uid, -1
    owner = os.fstat(here).st_uid
    if owner != ROOT:
        return state, owner, here
    if not look_only:
        os.fchmod(here, mode)
        os.fchown(here, uid, gid)
    return "made", uid, here

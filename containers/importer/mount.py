"""Whether this container and OMERO.server are one NFS client.

Two mounts on one host have two device numbers; two hosts have two boot ids. The server's container writes its own when
it starts (containers/server.sh). From another client, OMERO's importer does not see what the server has just made.
"""

from __future__ import annotations

import os

PLACE = "/OMERO/.omero-on-aws/mount"
DATA_DIR = "/OMERO"
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def refusal() -> str:
    """Why nothing may be imported from here, "" if it may."""
    own = f"{_read(BOOT_ID)} {os.stat(DATA_DIR).st_dev}"
    server = _read(PLACE)
    if own == server:
        return ""
    return (
        f"this container's mount of {DATA_DIR} ({own}) is not OMERO.server's ({server or 'not known yet'}), so that "
        "imports in place would fail; if that stays so, deploy the stack omero again"
    )


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""

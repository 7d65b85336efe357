"""DICOM files (PS3.10): whether a file is one, whatever its name is, and which series it is of."""

from __future__ import annotations

import re
import struct

from .tree import opened

# Where the magic stands, and how much of a file is looked at: the series comes among the first of its elements.
PREAMBLE, MAGIC, HEADER_BYTES = 128, b"DICM", 16 * 1024
# Names that a PACS gives: no suffix, or unique identifiers, whose last number looks like one.
NAMES = re.compile(rb"[^.]+|(?:.*\.)?[0-9]+")
_SERIES = (0x20, 0x0E)
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")


def series(path: bytes) -> str | None:
    """Its SeriesInstanceUID, "" if it is not found; None if the file is none, or cannot be read."""
    try:
        with opened(path) as file:
            head = file.read(HEADER_BYTES)
    except OSError:
        return None
    if head[PREAMBLE : PREAMBLE + 4] != MAGIC:
        return None
    return _series(head)


def _series(head: bytes) -> str:
    at = PREAMBLE + 4
    while at + 8 <= len(head):
        group, element = struct.unpack_from("<HH", head, at)
        kind = head[at + 4 : at + 6]
        # The file's own group is always explicit; in what follows, two capital letters tell.
        if not re.fullmatch(rb"[A-Z]{2}", kind):
            length, at = struct.unpack_from("<I", head, at + 4)[0], at + 8
        elif kind in _LONG:
            if at + 12 > len(head):
                return ""
            length, at = struct.unpack_from("<I", head, at + 8)[0], at + 12
        else:
            length, at = struct.unpack_from("<H", head, at + 6)[0], at + 8
        if (group, element) == _SERIES:
            return head[at : at + length].decode("ascii", "replace").strip("\0 ")
        if length == 0xFFFFFFFF or (group, element) > _SERIES:
            return ""
        at += length
    return ""

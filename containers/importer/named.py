"""The files that another file names in its text: XML, lines of `key=value`, JSON, or texts among numbers.

Nothing is parsed as what it is: whatever looks like a name and is one counts, for a name that is missed is a file that
is imported by itself.
"""

from __future__ import annotations

import codecs
import html
import io
import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from . import tiffs
from .tree import opened

# A name and its folders have 4,096 bytes at most (Linux).
PIECE_BYTES, OVERLAP_BYTES = 4 * 1024 * 1024, 16 * 1024

# Between quotes, between tags, behind a colon, and words between what separates them elsewhere.
_NAMES = (
    re.compile(rb'"([^"<>\r\n]+)"'),
    re.compile(rb">([^<>]+)<"),
    re.compile(rb": *([^:\r\n\0]+)"),
    re.compile(rb'[^<>"=\r\n;,\t\0]+'),
)
_WIDE = re.compile(rb"(?:[^\0\r\n]\0)+")


def names_in(path: bytes, suffixes: Iterable[str]) -> set[bytes]:
    """What a file names that has one of some suffixes, as a path from its folder on, which may lead out of it.

    Of a TIFF it is its first description that counts (OMETiffReader). Raises OSError.
    """
    ends = tuple(b"." + suffix.encode() for suffix in suffixes)
    found = set()
    # No mmap: a file that is cut off while it is read would end the process.
    with opened(path) as file:
        beginning = file.read(4)
        file.seek(0)
        source: BinaryIO = io.BytesIO(tiffs.description(file)) if tiffs.is_tiff(beginning) else file
        for text in _pieces(source, wide=beginning[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            for word in _words(text):
                # The suffix tells most of them before anything is done for them.
                if word.lower().endswith(ends) and (name := _relative(word)):
                    found.add(name)
    return found


def _pieces(file: BinaryIO, *, wide: bool) -> Iterator[bytes]:
    """The text in pieces that overlap, so that no name is cut in two; as UTF-8 if it is UTF-16."""
    decoder = codecs.getincrementaldecoder("utf-16")("replace")
    before = b""
    while piece := file.read(PIECE_BYTES):
        text = before + (decoder.decode(piece).encode("utf-8", "replace") if wide else piece)
        yield text
        before = text[-OVERLAP_BYTES:]


def _words(text: bytes) -> Iterator[bytes]:
    for pattern in _NAMES:
        for found in pattern.finditer(text):
            yield found[found.lastindex or 0].strip()
    if b"\0" in text:
        for found in _WIDE.finditer(text):
            yield found[0].decode("utf-16-le", "replace").encode("utf-8", "replace").strip()


def _relative(word: bytes) -> bytes:
    """Its path as it is, or of one of Windows the name."""
    text = html.unescape(os.fsdecode(word)).replace("\\", "/")
    path = posixpath.normpath(text)
    if re.match("[A-Za-z]:/", path):
        path = posixpath.basename(path)
    return b"" if path in ("", ".", "..", "/") or "\0" in path else os.fsencode(path)

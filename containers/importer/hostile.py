"""What no file may say that Bio-Formats parses: declarations of a document type or of entities.

With them an image's XML reads other files, among them OMERO.server's own keys (CVE-2026-22186). The server parses the
file as well as the importer, so this is looked for before either of them sees it. No microscope's software writes any.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from . import tiffs
from .tree import opened

_DECLARES = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
# Of encodings in which those words are other bytes: what the XML parser of the JVM (Xerces) knows beside these.
_ENCODING = re.compile(rb"<\?xml[^>]*\sencoding\s*=\s*[\"']([^\"'>]*)[\"']")
_PLAIN = re.compile(rb"(?i)utf-?8|utf-?16(le|be)?|us-ascii|iso-?8859-\d+|windows-125\d|latin1|ascii")
_EBCDIC = b"\x4c\x6f\xa7\x94"
PIECE_BYTES, OVERLAP_BYTES = 1024 * 1024, 256


def fault(main: bytes, members: Iterable[bytes]) -> str:
    """Why an image is not handed to OMERO, for what one of its files says; empty if there is nothing."""
    folder = os.path.dirname(main)
    for each in (main, *(os.path.join(folder, member) for member in members)):
        try:
            with opened(each) as file:
                said = _declaration(file)
        except OSError as error:
            return f"{os.fsdecode(each)} cannot be read ({error.strerror or error}); see to it, then scan again"
        if said:
            return (
                f"{os.fsdecode(each)} has {said} in its XML, which could make OMERO read files of its own; no "
                "microscope writes that: ask who sent it"
            )
    return ""


def _declaration(file: BinaryIO) -> str:
    beginning = file.read(PIECE_BYTES)
    if tiffs.is_tiff(beginning):
        file.seek(0)
        return next(filter(None, map(_said, tiffs.texts(file))), "")
    if said := _said(beginning):
        return said
    text = beginning.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if not text.startswith(b"<"):
        return ""
    return next(filter(None, map(_said, _pieces(file, beginning))), "")


def _pieces(file: BinaryIO, before: bytes) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield before[-OVERLAP_BYTES:] + piece
        before = piece


def _said(text: bytes) -> str:
    """Wide characters are those of UTF-16 or UTF-32: every other byte is none."""
    narrow = text.replace(b"\0", b"") if b"\0" in text else text
    if text.startswith(_EBCDIC):
        return "an encoding of which nobody makes use (EBCDIC)"
    found = _DECLARES.search(narrow)
    if found:
        return f"<!{found[1].decode().upper()}"
    encoding = _ENCODING.search(narrow)
    if encoding and not _PLAIN.fullmatch(encoding[1].strip()):
        return f"the encoding {encoding[1].decode('ascii', 'replace')[:40]}"
    return ""

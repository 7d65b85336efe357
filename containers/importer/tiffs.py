"""Texts of a TIFF's directories (TIFF 6.0, BigTIFF): as much as names, and faults, are found in."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

MAGIC = {b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True), b"MM\0+": (">", True)}
DESCRIPTION, SUB_DIRECTORIES = 270, 330
# Types whose values are bytes: BYTE, ASCII, UNDEFINED.
_TEXTS = (1, 2, 7)
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
# Of one text, in bytes, and of all directories.
TEXT_BYTES, DIRECTORIES = 64 * 1024 * 1024, 100_000


def is_tiff(beginning: bytes) -> bool:
    """By the first four bytes of a file."""
    return beginning[:4] in MAGIC


def description(file: BinaryIO) -> bytes:
    """The ImageDescription of the first directory, from the file's beginning on; empty if there is none."""
    return next((text for tag, text in _directory_texts(file, first=True) if tag == DESCRIPTION), b"")


def texts(file: BinaryIO) -> Iterator[bytes]:
    """Every text of every directory, from the file's beginning on, as far as they can be followed."""
    for _, text in _directory_texts(file, first=False):
        yield text


def _directory_texts(file: BinaryIO, *, first: bool) -> Iterator[tuple[int, bytes]]:
    order, big = MAGIC[file.read(4)]
    size = os.fstat(file.fileno()).st_size
    seen: set[int] = set()
    todo = [_number(file, 8 if big else 4, order, "Q" if big else "I")]
    while todo and len(seen) < DIRECTORIES:
        at = todo.pop()
        if not 8 <= at < size or at in seen:
            continue
        seen.add(at)
        count = _number(file, at, order, "Q" if big else "H")
        width, head = (20, 8) if big else (12, 2)
        file.seek(at + head)
        table = file.read(min(count, 65535) * width)
        behind = _number(file, at + head + count * width, order, "Q" if big else "I") if count < 65536 else 0
        todo.append(behind)
        for entry in range(0, len(table) - width + 1, width):
            tag, kind, number = struct.unpack_from(order + ("HHQ" if big else "HHI"), table, entry)
            value = table[entry + width - (8 if big else 4) : entry + width]
            if kind in _TEXTS or tag == SUB_DIRECTORIES:
                content = _value(file, order, value, min(number * _WIDTHS.get(kind, 1), TEXT_BYTES))
                if tag == SUB_DIRECTORIES:
                    unit = _WIDTHS.get(kind, 4)
                    form = order + ("Q" if unit == 8 else "I") * (len(content) // unit)
                    todo += struct.unpack(form, content[: struct.calcsize(form)]) if unit in (4, 8) else ()
                else:
                    yield tag, content
        if first:
            return


def _value(file: BinaryIO, order: str, held: bytes, length: int) -> bytes:
    if length <= len(held):
        return held[:length]
    file.seek(struct.unpack(order + ("Q" if len(held) == 8 else "I"), held)[0])
    return file.read(length)


def _number(file: BinaryIO, at: int, order: str, form: str) -> int:
    file.seek(at)
    content = file.read(struct.calcsize(form))
    return int(struct.unpack(order + form, content)[0]) if len(content) == struct.calcsize(order + form) else 0

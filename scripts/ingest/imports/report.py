"""What the ledger knows, for people and programs: JSON and CSV; `page` makes one for browsers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from containers.importer import entries
from scripts import csv_files
from scripts.ingest.imports.ledger import Entry

FIELDS = (
    "path",
    "state",
    "files",
    "size",
    "attempts",
    "fileset",
    "images",
    "count",
    "owner",
    "dataset",
    "dataset_name",
    "note",
    "who",
    "at",
    "imported_at",
    "verified_at",
    "differs",
    "changed",
    "reason",
    "log",
    "checksum",
)
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def row(entry: Entry) -> dict[str, Any]:
    """An entry as data. A path that is no text keeps its odd bytes as `\\udc80` to `\\udcff`, as Python does."""
    return {name: os.fsdecode(entry.path) if name == "path" else getattr(entry, name) for name in FIELDS}


def write_json(found: Iterable[Entry], out: TextIO) -> None:
    """An array, one entry a line; written while it is read."""
    out.write("[")
    for number, entry in enumerate(found):
        out.write(("\n" if not number else ",\n") + json.dumps(row(entry)))
    out.write("\n]\n")


def write_csv(found: Iterable[Entry], out: TextIO) -> None:
    """A header and a line for each entry; what a spreadsheet would calculate has an apostrophe before it."""
    csv_files.write(out, FIELDS, (row(entry).values() for entry in found))


def size(count: int) -> str:
    """Bytes for people, by powers of 1,000."""
    number = float(count)
    for unit in UNITS:
        if number < 1000 or unit == UNITS[-1]:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError("unreachable")


def duration(seconds: float) -> str:
    """A time for people."""
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


def lines(entry: Entry) -> Iterator[str]:
    """Everything about one entry."""
    yield f"file: {entries.shown(entry.path)}"
    for name, value in row(entry).items():
        if name != "path" and value not in ("", None, 0):
            text = f"{size(value)} ({value} bytes)" if name == "size" else str(value)
            yield f"{name.replace('_', ' ')}: {entries.shown(text.encode('utf-8', 'surrogateescape'))}"

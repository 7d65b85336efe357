"""What the ledger knows, for people and programs: JSON, CSV, and one HTML page that needs nothing else."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from containers.importer import entries
from scripts import csv_files
from scripts.ingest.imports.ledger import Entry, Total

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


STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2em auto;max-width:90em;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3em .6em;border-bottom:1px solid #ddd;"
    "vertical-align:top}td.path{font-family:ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}"
    ".failed td,.differs td{background:#fdecea}.n{text-align:right;white-space:nowrap}"
)


def write_html(found: Iterable[Entry], out: TextIO, *, workspace: str, at: str) -> None:
    """A page: first what failed or differs, then the totals; every name is escaped."""
    totals = {state: Total() for state in entries.STATES}
    title = f"Imports of {html.escape(workspace)}"
    out.write(f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>")
    out.write(f"<h1>{title}</h1><p>{html.escape(at)}</p><h2>What needs a person</h2><table>")
    out.write("<tr><th>file<th>state<th>attempts<th>reason<th>log</tr>")
    for entry in found:
        totals[entry.state].add(entry)
        trouble = entry.reason if entry.state in (entries.FAILED, entries.INCOMPLETE) else entry.differs
        if trouble:
            kind = "differs" if entry.state == entries.IMPORTED else "failed"
            cells = (entry.state, entry.attempts, trouble, entry.log)
            rest = "".join(f"<td>{_escaped(str(cell))}" for cell in cells)
            out.write(f"<tr class={kind}><td class=path>{_escaped(entries.shown(entry.path))}{rest}</tr>")
    out.write("</table><h2>All</h2><table><tr><th>state<th>filesets<th>files<th>size<th>images</tr>")
    for state, total in totals.items():
        numbers = (total.filesets, total.files, size(total.bytes), total.images)
        out.write(f"<tr><td>{state}" + "".join(f"<td class=n>{number}" for number in numbers) + "</tr>")
    out.write("</table></html>\n")


def _escaped(text: str) -> str:
    return html.escape(text.encode("utf-8", "backslashreplace").decode())


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

"""Tables as omero.util.text writes them: every value is text, None is `None`, and lines of csv end with CR LF LF."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

STYLES = ("sql", "csv", "plain", "json")


def text(head: list[str], rows: list[list[Any]], style: str | None) -> str:
    """Without the line's end that printing adds. `plain` is csv without a head; sql is the default."""
    cells = [[str(each) for each in row] for row in rows]
    if style == "json":
        return "[" + ",\n".join(json.dumps(dict(zip(head, row, strict=False))) for row in cells) + "]"
    if style in ("csv", "plain"):
        lines = [",".join(head)] if style == "csv" else []
        return "\n".join([*lines, *(_csv(row) for row in cells)])
    widths = [max(len(row[index]) for row in [head, *cells]) for index in range(len(head))]

    def line(row: list[str]) -> str:
        return "|".join(f" {cell.ljust(width)} " for cell, width in zip(row, widths, strict=True))

    count = f"({len(rows)} {'row' if len(rows) == 1 else 'rows'})"
    return "\n".join([line(head), "+".join("-" * (width + 2) for width in widths), *map(line, cells), count])


def _csv(row: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(row)
    return out.getvalue()

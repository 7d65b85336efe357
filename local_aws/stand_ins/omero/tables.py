"""Tables as omero.util.text writes them: sql (the default), csv, plain (csv without a head) and json."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

STYLES = ("sql", "csv", "plain", "json")


def text(head: list[str], rows: list[list[Any]], style: str | None) -> str:
    if style == "json":
        return json.dumps([dict(zip(head, row, strict=False)) for row in rows])
    cells = [["" if each is None else str(each) for each in row] for row in rows]
    if style in ("csv", "plain"):
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(cells if style == "plain" else [head, *cells])
        return out.getvalue().rstrip("\n")
    widths = [max(len(row[index]) for row in [head, *cells]) for index in range(len(head))]

    def line(row: list[str]) -> str:
        return " " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))

    count = f"({len(rows)} row{'' if len(rows) == 1 else 's'})"
    return "\n".join([line(head), "-" + "-+-".join("-" * width for width in widths) + "-", *map(line, cells), count])

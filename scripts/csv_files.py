"""CSV files: read whole before anything is changed, and written so that no spreadsheet calculates with them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from scripts.errors import Refused

# What a spreadsheet would take for a formula (OWASP, "CSV Injection").
FORMULA = ("=", "+", "-", "@", "\t", "\r")
MORE = "there are more values than columns; put a value with a comma in quotes"


@dataclass(frozen=True, kw_only=True)
class Row:
    """`where` names file and line, for messages. `values` are by column, without spaces around them, "" where empty.

    `has_more`: values than columns, of which `MORE` is what to say.
    """

    where: str
    values: dict[str, str]
    has_more: bool


def read(path: Path, *, columns: Sequence[str], needed: Sequence[str]) -> list[Row]:
    """The rows of a file whose first line names its columns: the `needed` ones, and others of `columns`.

    Raises:
        Refused: the file cannot be read, is no CSV, or has other columns.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # which spreadsheets begin with a mark of their own
    except OSError as error:
        raise Refused(f"the file {path} cannot be read: {error.strerror}; give a CSV file.") from None
    except UnicodeDecodeError:
        raise Refused(f"{path} is not UTF-8 text; save it as CSV (UTF-8).") from None
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    try:
        reader.fieldnames = names = [name.strip() for name in reader.fieldnames or ()]
        if unknown := [name for name in names if name not in columns]:
            raise Refused(f"{path} has the column {unknown[0]!r}; allowed: {', '.join(columns)}.")
        if missing := [name for name in needed if name not in names]:
            raise Refused(f"{path} needs the column {missing[0]}; name the columns in its first line.")
        found = [
            Row(
                where=f"{path}, line {reader.line_num}",
                values={key: (value or "").strip() for key, value in row.items() if key is not None},
                has_more=None in row,
            )
            for row in reader
        ]
    except csv.Error as error:
        raise Refused(f"{path}, line {reader.line_num + 1}: not valid CSV: {error}; fix it there.") from None
    if not found:
        raise Refused(f"{path} has only column names; add a line for each.")
    return found


def write(out: TextIO, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """A line of column names, and one for each row; what a spreadsheet would calculate has an apostrophe before it."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return "" if value is None else value
    text = value.encode("utf-8", "backslashreplace").decode()
    return f"'{text}" if text.startswith(FORMULA) else text

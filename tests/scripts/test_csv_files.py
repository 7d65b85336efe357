"""CSV files that people give, and that they get."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from scripts import csv_files
from scripts.errors import Refused

COLUMNS = ("name", "home")


def read(folder: Path, content: bytes) -> list[csv_files.Row]:
    path = folder / "users.csv"
    path.write_bytes(content)
    return csv_files.read(path, columns=COLUMNS, needed=("name",))


def test_reads_what_a_spreadsheet_writes(tmp_path: Path) -> None:
    rows = read(tmp_path, '\ufeffname, home\r\nalice, "a,b"\r\n\r\nbob\r\n'.encode())
    assert [row.values for row in rows] == [{"name": "alice", "home": "a,b"}, {"name": "bob", "home": ""}]
    assert [row.where.rpartition(", ")[2] for row in rows] == ["line 2", "line 4"]
    assert not any(row.has_more for row in rows)


def test_tells_a_line_with_more_values_than_columns(tmp_path: Path) -> None:
    (row,) = read(tmp_path, b"name\nalice,lab\n")
    assert (row.values, row.has_more) == ({"name": "alice"}, True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "needs the column name"),
        (b"home\nlab\n", "needs the column name; name the columns in its first line"),
        (b"name,uid\nalice,1\n", "has the column 'uid'; allowed: name, home"),
        (b"name\n", "has only column names"),
        (b"name\n\xff\n", "is not UTF-8 text"),
        (b'name\n"alice\n' + b"x" * 200_000, "line 2: not valid CSV"),
    ],
)
def test_refuses_what_is_no_such_file(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(Refused, match=said):
        read(tmp_path, content)


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"none\.csv cannot be read: No such file or directory; give a CSV file"):
        csv_files.read(tmp_path / "none.csv", columns=COLUMNS, needed=())


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_writes_nothing_that_a_spreadsheet_calculates(text: str) -> None:
    out = io.StringIO()
    csv_files.write(out, COLUMNS, [[text, None], ["a,b", 7]])
    assert out.getvalue() == f'name,home\n\'{text},\n"a,b",7\n'

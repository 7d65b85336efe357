"""Where images go: `-d`, `-r` and `-T`, as OMERO's documentation has it (users/cli/import-target.rst)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable

_TABLES = {"Dataset": "dataset", "Screen": "screen", "Project": "project"}
_QUALIFIERS = "+-%@"  # the newest (the default), the oldest, the only one, a new one of a name

Found = tuple[str, int] | None
Target = Callable[[sqlite3.Connection, int, str], Found]


class Impossible(Exception):
    """A target that there is not; the message is OMERO's."""


def parse(text: str) -> Target:
    """A function of a connection, the owner and the folder of the file, to a kind and an id. Raises ValueError."""
    if found := re.fullmatch(r"Project:([+%@-]?)name:(.+)/Dataset:([+%@-]?)name:(.+)", text, re.DOTALL):
        first, project, second, dataset = found.groups()
        return lambda database, owner, _folder: _in_project(database, owner, (first, project), (second, dataset))
    kind, colon, rest = text.partition(":")
    if not colon or kind not in ("Dataset", "Screen", "regex"):
        raise ValueError(f"No ImportTarget class found for {text}")
    discriminator, colon, pattern = rest.partition(":")
    if not colon or (kind == "regex" and discriminator.lstrip(_QUALIFIERS) != "name"):
        discriminator, pattern = ("name" if kind == "regex" else "id"), rest
    bare = discriminator.lstrip(_QUALIFIERS)
    qualifier = discriminator[:1] if discriminator[:1] in _QUALIFIERS else "+"
    if kind == "regex":
        compiled = re.compile(re.sub(r"\(\?<(\w+)>", r"(?P<\1>", pattern))
        return lambda database, owner, folder: _by_regex(database, owner, folder, compiled, qualifier)
    if bare == "id":
        number = int(pattern)
        return lambda database, _owner, _folder: _by_id(database, kind, number)
    if bare != "name":
        raise ValueError(f"Unknown target discriminator: {discriminator}")
    return lambda database, owner, _folder: _by_name(database, kind, pattern, owner, qualifier)


def _by_id(database: sqlite3.Connection, kind: str, number: int) -> Found:
    if database.execute(f"SELECT 1 FROM {_TABLES[kind]} WHERE id = ?", (number,)).fetchone() is None:
        raise Impossible(f"omero.ValidationException: no {kind} with id {number}")
    return kind, number


def _by_name(database: sqlite3.Connection, kind: str, name: str, owner: int, qualifier: str) -> tuple[str, int]:
    table = _TABLES[kind]
    rows = database.execute(
        f"SELECT id FROM {table} WHERE name = ? AND owner = ? ORDER BY id",
        (name, owner),
    ).fetchall()
    if qualifier == "%" and len(rows) > 1:
        raise Impossible(f"java.lang.IllegalArgumentException: {len(rows)} {kind}s are named {name}")
    if rows and qualifier != "@":
        return kind, int(rows[0 if qualifier == "-" else -1][0])
    made = database.execute(f"INSERT INTO {table} (name, owner) VALUES (?, ?)", (name, owner))
    return kind, int(made.lastrowid or 0)


def _in_project(database: sqlite3.Connection, owner: int, project: tuple[str, str], dataset: tuple[str, str]) -> Found:
    _, parent = _by_name(database, "Project", project[1].strip('"'), owner, project[0] or "+")
    _, child = _by_name(database, "Dataset", dataset[1].strip('"'), owner, dataset[0] or "+")
    link = (parent, child)
    if not database.execute("SELECT 1 FROM projectdatasetlink WHERE parent = ? AND child = ?", link).fetchone():
        database.execute("INSERT INTO projectdatasetlink (parent, child, owner) VALUES (?, ?, ?)", (*link, owner))
    return "Dataset", child


def _by_regex(database: sqlite3.Connection, owner: int, folder: str, pattern: re.Pattern[str], qualifier: str) -> Found:
    """Container1 is the data set's name. Without a match the image stays without one, as on the server."""
    found = pattern.fullmatch(folder)
    name = found.groupdict().get("Container1") if found else None
    return _by_name(database, "Dataset", name, owner, qualifier) if name else None

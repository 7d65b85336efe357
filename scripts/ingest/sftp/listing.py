"""Many users at once: a CSV file, read whole and checked whole before anything is changed."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scripts import csv_files
from scripts.csv_files import Row
from scripts.errors import Refused
from scripts.ingest.sftp import keys, users
from scripts.ingest.sftp.context import SftpContext
from scripts.ingest.sftp.users import User

COLUMNS = ("name", "key", "key_file", "home", "uid", "read_only")
YES, NO = ("yes", "true", "1"), ("", "no", "false", "0")


def read(context: SftpContext, path: Path) -> list[User]:
    """The users of a CSV file with a line of column names; key files are looked for beside it.

    Raises:
        Refused: the file cannot be read, or some lines cannot be: all of them are told.
    """
    rows = csv_files.read(path, columns=COLUMNS, needed=("name",))
    if not {"key", "key_file"} & rows[0].values.keys():
        raise Refused(f"{path} needs the column key or key_file; name the columns in its first line.")
    found: list[User] = []
    faults: list[str] = []
    seen: dict[str, str] = {}
    for row in rows:
        try:
            user = _user(context, row, path.parent)
        except Refused as error:
            faults += [
                line if line.startswith(str(path)) else f"{row.where}: {line}" for line in str(error).splitlines()
            ]
            continue
        if user.name in seen:
            faults.append(f"{row.where}: the user {user.name} is already in {seen[user.name]}; remove one of the two.")
        other = next((one for one in found if one.home == user.home and one.uid != user.uid), None)
        if other:
            faults.append(
                f"{row.where}: the home {user.home} is also that of {other.name}, with uid {other.uid}, not "
                f"{user.uid}; give both the same uid, or another home."
            )
        seen.setdefault(user.name, row.where.removeprefix(f"{path}, "))
        found.append(user)
    if faults:
        raise Refused("\n".join(faults))
    return found


def _user(context: SftpContext, row: Row, folder: Path) -> User:
    if row.has_more:
        raise Refused(f"{csv_files.MORE}.")
    value = row.values
    text, file = value.get("key", ""), value.get("key_file", "")
    if bool(text) == bool(file):
        raise Refused("give either key or key_file.")
    key = keys.parse(text, row.where) if text else keys.read(folder / file)
    uid, read_only = value.get("uid", ""), value.get("read_only", "").lower()
    if uid and not (uid.isascii() and uid.isdigit()):
        raise Refused(f"the uid {uid!r} is not a number; give a whole number.")
    if read_only not in YES + NO:
        raise Refused(f"read_only is {read_only!r}; allowed: yes, no, or empty.")
    return users.requested(
        context,
        value["name"],
        key,
        home=value.get("home") or None,
        uid=int(uid) if uid else None,
        read_only=read_only in YES,
    )


def write(rows: Iterable[dict[str, Any]], area: str) -> str:
    """Users as `users.shown` has them, as CSV that `read` takes; of several keys, the first."""
    out = io.StringIO()
    columns = [name for name in COLUMNS if name != "key_file"]
    csv_files.write(
        out,
        columns,
        (
            [
                row["name"],
                row["keys"][0]["body"] if row["keys"] else "",
                row["home"].removeprefix(f"{area}/"),
                row["uid"],
                "yes" if row["read_only"] else "no",
            ]
            for row in rows
        ),
    )
    return out.getvalue()

"""Many users at once: a CSV file, read whole and checked whole before anything is changed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scripts.errors import Refused
from scripts.ingest.sftp import keys, users
from scripts.ingest.sftp.context import SftpContext
from scripts.ingest.sftp.users import OMERO_UID, User

COLUMNS = ("name", "key", "key_file", "home", "uid", "read_only")
YES, NO = ("yes", "true", "1"), ("", "no", "false", "0")


def read(context: SftpContext, path: Path) -> list[User]:
    """The users of a CSV file with a line of column names; key files are looked for beside it.

    Raises:
        Refused: the file cannot be read, or some lines cannot be: all of them are told.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # which spreadsheets begin with a mark of their own
    except OSError as error:
        raise Refused(f"the file {path} cannot be read: {error.strerror}; give a CSV file.") from None
    except UnicodeDecodeError:
        raise Refused(f"{path} is no text in UTF-8; save it as CSV (UTF-8).") from None
    reader = csv.DictReader(io.StringIO(text), restkey="")
    names = reader.fieldnames or []
    if unknown := [name for name in names if name not in COLUMNS]:
        raise Refused(f"{path} has the column {unknown[0]!r}; allowed: {', '.join(COLUMNS)}.")
    if "name" not in names or not {"key", "key_file"} & set(names):
        raise Refused(f"{path} needs the columns name and key (or key_file); its first line has to name them.")
    found: list[User] = []
    faults: list[str] = []
    seen: dict[str, int] = {}
    try:
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            try:
                user = _user(context, row, path.parent, where)
            except Refused as error:
                faults += [
                    line if line.startswith(str(path)) else f"{where}: {line}" for line in str(error).splitlines()
                ]
                continue
            if user.name in seen:
                faults.append(f"{where}: the user {user.name} is in line {seen[user.name]} already; leave one out.")
            other = next((one for one in found if one.home == user.home and one.uid != user.uid), None)
            if other:
                faults.append(
                    f"{where}: the home {user.home} is that of {other.name} too, with uid {other.uid} and not "
                    f"{user.uid}; a folder has one owner."
                )
            seen.setdefault(user.name, reader.line_num)
            found.append(user)
    except csv.Error as error:
        raise Refused(f"{path}, line {reader.line_num}: not valid CSV: {error}; mend it there.") from None
    if faults:
        raise Refused("\n".join(faults))
    if not found:
        raise Refused(f"{path} has no user; write one a line, below the names of the columns.")
    return found


def _user(context: SftpContext, row: dict[str, Any], folder: Path, where: str) -> User:
    if "" in row:
        raise Refused("there are more values than columns; put a value with a comma in quotes.")
    value = {key: (text or "").strip() for key, text in row.items()}
    text, file = value.get("key", ""), value.get("key_file", "")
    if bool(text) == bool(file):
        raise Refused("give either key or key_file.")
    key = keys.parse(text, where) if text else keys.read(folder / file)
    uid, read_only = value.get("uid") or str(OMERO_UID), value.get("read_only", "").lower()
    if not uid.isascii() or not uid.isdigit():
        raise Refused(f"the uid {uid!r} is no number.")
    if read_only not in YES + NO:
        raise Refused(f"read_only is {read_only!r}; allowed: yes, no, or nothing.")
    return users.requested(
        context, value["name"], key, home=value.get("home") or None, uid=int(uid), read_only=read_only in YES
    )


def write(rows: Iterable[dict[str, Any]], area: str) -> str:
    """Users as `users.shown` has them, as CSV that `read` takes; of several keys, the first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([name for name in COLUMNS if name != "key_file"])
    for row in rows:
        key = row["keys"][0]["body"] if row["keys"] else ""
        home = row["home"].removeprefix(f"{area}/")
        writer.writerow([row["name"], key, home, row["uid"], "yes" if row["read_only"] else "no"])
    return out.getvalue()

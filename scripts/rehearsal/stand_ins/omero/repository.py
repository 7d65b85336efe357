"""The managed repository: where files of filesets are put, and the server's record of an import."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from local_aws import files
from scripts.rehearsal.stand_ins.omero import formats, targets
from scripts.rehearsal.stand_ins.omero.paths import client_path, safe
from scripts.rehearsal.stand_ins.omero.state import Server

_MOUNTS = Path("/run/local-aws/mounts.json")
_UID = 1000  # the server's
_LINE = "\n---------------------------------------------------\n"

User = tuple[int, str, bool, str]


class Failed(Exception):
    """A fileset cannot be imported; the message is Java's."""


@dataclass(frozen=True)
class Made:
    name: str
    fileset: int
    images: tuple[int, ...]


def place(server: Server, user: User) -> Path:
    """A new folder for a fileset. Raises Failed."""
    now = datetime.now(UTC)
    stamp = f"{now:%H-%M-%S}.{now.microsecond // 1000:03}"
    parent = server.data / "ManagedRepository" / f"{user[1]}_{user[0]}" / f"{now:%Y-%m}" / f"{now:%d}"
    folder = parent / stamp
    for number in range(1, 100_000):
        try:
            folder.mkdir(parents=True)
            break
        except FileExistsError:
            folder = parent / f"{stamp}-{number}"
        except OSError as error:
            raise _no_access(folder, error) from error
    return folder


def transfer(folder: Path, candidate: formats.Candidate, kind: str) -> None:
    """Put the files in place. Raises Failed as AbstractExecFileTransfer does."""
    base = candidate.file.parent
    for used in candidate.used:
        inside = used.relative_to(base) if used.is_relative_to(base) else Path(used.name)
        target = folder.joinpath(*(safe(part) for part in inside.parts))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _no_access(target, error) from error
        _check_readable(used)
        _put(used, target, kind)


def _no_access(place: Path, error: OSError) -> Failed:
    return Failed(
        f"java.lang.RuntimeException: {_LINE}Check failed: {place} cannot be modified locally!\nYou likely do not have "
        f"access to the ManagedRepository for in-place import.\nAborting...{_LINE}{error}"
    )


def _check_readable(used: Path) -> None:
    """By the owner that is recorded for a file of EFS, where one is, for the server's user."""
    problem = None
    if not os.access(used, os.R_OK):
        problem = "Permission denied"
    elif (owner := _owner(used)) is not None:
        readable = owner.mode & (0o400 if owner.uid == _UID else 0o040 if owner.gid == _UID else 0o004)
        problem = None if readable else "Permission denied"
    if problem:
        raise Failed(
            f"java.lang.RuntimeException: omero.ResourceError : {used}: {problem}\nThe server could not check the "
            f"size of the file:{_LINE}{used}{_LINE}Most likely the server process has no read access\nand therefore "
            "in-place import cannot proceed."
        )


def _owner(used: Path) -> files.Owner | None:
    if not _MOUNTS.exists():
        return None
    for mount, at in json.loads(_MOUNTS.read_text(encoding="utf-8")).items():
        if used.is_relative_to(mount):
            return files.owner(Path(at, used.relative_to(mount)))
    return None


def _put(used: Path, place: Path, kind: str) -> None:
    try:
        if kind == "ln_s":
            place.symlink_to(used)
        elif kind in ("ln", "ln_rm"):
            place.hardlink_to(used)
        else:
            shutil.copyfile(used, place)
    except OSError as error:
        program = {"ln_s": "ln -s", "ln": "ln", "ln_rm": "ln"}.get(kind, "cp")
        raise Failed(
            f"java.lang.RuntimeException: transfer process returned: 1\ncommand: {program} {used} {place}\n"
            f"output:{_LINE}{program.split()[0]}: failed: {error.strerror}{_LINE}"
        ) from error


def begin(server: Server, user: User, candidate: formats.Candidate, folder: Path, kind: str) -> int:
    """Record the fileset, which has no images yet: its id. It stays should the import fail."""
    prefix = f"{folder.relative_to(server.data / 'ManagedRepository')}/"
    with closing(server.connect()) as database:
        database.execute("BEGIN IMMEDIATE")
        fileset = _insert(database, "fileset", templatePrefix=prefix, owner=user[0], transfer=kind)
        for position, used in enumerate(candidate.used):
            # Of the name, not of the content: a rehearsal's large files are not read.
            digest = hashlib.sha1(os.fsencode(used), usedforsecurity=False).hexdigest()
            facts = {"path": prefix, "size": used.stat().st_size, "hash": digest, "owner": user[0]}
            original = _insert(database, "originalfile", name=safe(_text(used.name)), **facts)
            entry = {"fileset": fileset, "originalFile": original, "clientPath": client_path(str(used))}
            _insert(database, "filesetentry", position=position, **entry)
        database.execute("COMMIT")
    return fileset


def commit(
    server: Server,
    user: User,
    candidate: formats.Candidate,
    fileset: int,
    target: targets.Target | None,
    *,
    name: str | None,
    notes: tuple[list[str], list[str]],
    late: float,
) -> Made:
    """Record the images, which are seen after `late` seconds. One transaction. Raises Failed for the target."""
    owner = user[0]
    with closing(server.connect()) as database:
        database.execute("BEGIN IMMEDIATE")
        try:
            where = target(database, owner, str(candidate.file.parent)) if target else None
        except targets.Impossible as error:
            database.execute("ROLLBACK")
            raise Failed(str(error)) from error
        images = []
        for series in range(candidate.images):
            title = name or _text(candidate.file.name)
            title = title if candidate.images == 1 else f"{title} [{series}]"
            facts = {"fileset": fileset, "series": series, "owner": owner, "visible": time.time() + late}
            image = _insert(database, "images", name=title[:255], **facts)
            if where is not None and where[0] == "Dataset":
                _insert(database, "datasetimagelink", parent=where[1], child=image, owner=owner)
            for space, text in zip(*notes, strict=False):
                note = _insert(database, "annotation", ns=space, textValue=text)
                _insert(database, "imageannotationlink", parent=image, child=note)
            images.append(image)
        database.execute("COMMIT")
    return Made(str(candidate.file), fileset, tuple(images))


def after(candidate: formats.Candidate, kind: str) -> None:
    """Remove the sources of a transfer that does."""
    if kind.endswith("_rm"):
        for used in candidate.used:
            used.unlink(missing_ok=True)


def _insert(database: sqlite3.Connection, table: str, **values: object) -> int:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    made = database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
    return int(made.lastrowid or 0)


def _text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

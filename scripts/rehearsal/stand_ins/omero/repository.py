"""The managed repository: where files of filesets are put, and the server's record of an import."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_aws import files
from scripts.rehearsal.stand_ins.omero import formats, targets
from scripts.rehearsal.stand_ins.omero.paths import client_path, safe
from scripts.rehearsal.stand_ins.omero.state import Server

_MOUNTS = Path("/run/local-aws/mounts.json")
_CLIENTS = Path("/run/local-aws/clients.json")
_UID = 1000  # the server's
_LINE = "\n---------------------------------------------------\n"
_CHECK = (
    f"{_LINE}Check failed: {{place}} cannot be modified locally!\nYou likely do not have access to the "
    f"ManagedRepository for in-place import.\nAborting...{_LINE}"
)
LOG_MIMETYPE = "application/omero-log-file"  # PublicRepositoryI.IMPORT_LOG_MIMETYPE

User = tuple[int, str, bool, str]


class Failed(Exception):
    """A fileset cannot be imported; the message is Java's."""


class TransferFailed(Failed):
    """One of its files cannot be transferred: `file`."""

    def __init__(self, message: str, file: Path) -> None:
        super().__init__(message)
        self.file = file


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


def transfer(folder: Path, candidate: formats.Candidate, kind: str, *, same_mount: bool) -> None:
    """Put the files in place. Raises TransferFailed as AbstractExecFileTransfer does.

    `same_mount`: whether the server's mount of /OMERO is this container's. Another one is another NFS client.
    """
    base = candidate.file.parent
    for used in candidate.used:
        inside = used.relative_to(base) if used.is_relative_to(base) else Path(used.name)
        target = folder.joinpath(*(safe(part) for part in inside.parts))
        try:
            _transfer(used, target, kind, same_mount=same_mount)
        except Failed as error:
            raise TransferFailed(str(error), used) from error


def _transfer(used: Path, target: Path, kind: str, *, same_mount: bool) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_access(target, error) from error
    if kind not in ("upload", "upload_rm"):
        _check_location(target, same_mount=same_mount)
    _check_readable(used)
    _put(used, target, kind)


def _check_location(target: Path, *, same_mount: bool) -> None:
    """omero-blitz's AbstractExecFileTransfer.checkLocation: look, let the server write, look again, and remove it.

    An NFS client remembers for 30 s (acdirmin, nfs(5)) that a file was not there, so that the second look of another
    client than the server's fails. What is thrown then comes from its `finally`, in which the file is not writable.
    """
    if os.path.lexists(target):
        raise Failed(f"java.lang.RuntimeException: {target} exists!")
    target.write_bytes(b"")  # by the server
    try:
        if not same_mount:
            raise Failed(f"java.lang.RuntimeException: {_CHECK.format(place=target)}")
    finally:
        target.unlink()


def _no_access(place: Path, error: OSError) -> Failed:
    return Failed(f"java.lang.RuntimeException: {_CHECK.format(place=place)}{error}")


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


def mount() -> str:
    """The identity of this container's mount of /OMERO, which is one for all containers of a task that share it."""
    if not _CLIENTS.exists():
        return ""
    clients: dict[str, str] = json.loads(_CLIENTS.read_text(encoding="utf-8"))
    return clients.get("/OMERO", "")


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


def begin(server: Server, key: str, candidate: formats.Candidate, folder: Path, kind: str) -> int:
    """Record the fileset, which has no images yet, and its upload's job: the fileset's id. It stays if this fails.

    omero-blitz's ManagedRepositoryI.createImportProcess: the log lies beside the folder, and has its name.
    """
    repository = server.data / "ManagedRepository"
    prefix = f"{folder.relative_to(repository)}/"
    owner = server.user_of(key)[0]
    with closing(server.connect()) as database:
        database.execute("BEGIN IMMEDIATE")
        session = database.execute("SELECT id FROM session WHERE uuid = ?", (key,)).fetchone()[0]
        event = _insert(database, "event", session=session)
        fileset = _insert(database, "fileset", templatePrefix=prefix, owner=owner, transfer=kind, event=event)
        for position, used in enumerate(candidate.used):
            # Of the name, not of the content: a rehearsal's large files are not read.
            digest = hashlib.sha1(os.fsencode(used), usedforsecurity=False).hexdigest()
            facts = {"path": prefix, "size": used.stat().st_size, "hash": digest, "owner": owner}
            original = _insert(database, "originalfile", name=safe(text(used.name)), **facts)
            entry = {"fileset": fileset, "originalFile": original, "clientPath": client_path(str(used))}
            _insert(database, "filesetentry", position=position, **entry)
        status = database.execute("SELECT id FROM jobstatus WHERE value = 'Running'").fetchone()[0]
        job = _insert(database, "uploadjob", status=status)
        _insert(database, "filesetjoblink", parent=fileset, child=job)
        parent = f"{folder.parent.relative_to(repository)}/"
        log = {"path": parent, "name": f"{folder.name}.log", "mimetype": LOG_MIMETYPE, "owner": owner}
        _insert(database, "joboriginalfilelink", parent=job, child=_insert(database, "originalfile", **log))
        database.execute("COMMIT")
    return fileset


def write_log(server: Server, fileset: int, level: str, logger: str, message: str) -> None:
    """A line of an import's log, as etc/logback.xml of OMERO.server writes it: date, level, logger, thread, message."""
    prefix = server.query("SELECT templatePrefix FROM fileset WHERE id = ?", fileset)[0][0]
    now = datetime.now(UTC)
    stamp = f"{now:%Y-%m-%d %H:%M:%S},{now.microsecond // 1000:03}"
    place = server.data / "ManagedRepository" / f"{str(prefix).rstrip('/')}.log"
    with place.open("a", encoding="utf-8", errors="surrogateescape") as log:
        log.write(f"{stamp} {level:<5} [{logger[-40:]:>40}] (Background) {message}\n")


def submit(server: Server, key: str, fileset: int, work: dict[str, Any]) -> None:
    """The upload is verified: its job is `Finished`, and the rest is the server's. Raises Refused for a closed session.

    omero-blitz's ManagedImportProcessI.verifyUpload.
    """
    server.user_of(key)
    with closing(server.connect()) as database:
        database.execute("BEGIN IMMEDIATE")
        database.execute(
            "UPDATE uploadjob SET status = (SELECT id FROM jobstatus WHERE value = 'Finished') WHERE id = "
            "(SELECT child FROM filesetjoblink WHERE parent = ?)",
            (fileset,),
        )
        facts = {"fileset": fileset, "node": server.node, "state": "submitted", "work": json.dumps(work)}
        _insert(database, "request", **facts)
        database.execute("COMMIT")


def save(server: Server, owner: int, fileset: int, work: dict[str, Any]) -> None:
    """Record the images, without their pixels' file. One transaction. Raises Failed for the target."""
    with closing(server.connect()) as database:
        database.execute("BEGIN IMMEDIATE")
        target = targets.parse(work["target"]) if work["target"] else None
        try:
            where = target(database, owner, work["folder"]) if target else None
        except targets.Impossible as error:
            database.execute("ROLLBACK")
            raise Failed(str(error)) from error
        for series in range(work["images"]):
            title = work["name"] if work["images"] == 1 else f"{work['name']} [{series}]"
            facts = {"fileset": fileset, "series": series, "owner": owner}
            image = _insert(database, "images", name=title[:255], **facts)
            if where is not None and where[0] == "Dataset":
                _insert(database, "datasetimagelink", parent=where[1], child=image, owner=owner)
            for space, text in zip(*work["notes"], strict=False):
                note = _insert(database, "annotation", ns=space, textValue=text)
                _insert(database, "imageannotationlink", parent=image, child=note)
        database.execute("COMMIT")


def after(candidate: formats.Candidate, kind: str) -> None:
    """Remove the sources of a transfer that does."""
    if kind.endswith("_rm"):
        for used in candidate.used:
            used.unlink(missing_ok=True)


def _insert(database: sqlite3.Connection, table: str, **values: object) -> int:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    made = database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
    return int(made.lastrowid or 0)


def text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

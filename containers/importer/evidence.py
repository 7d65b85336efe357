"""What has become of imports, as OMERO itself tells: docs/adr/0015-imports-beside-the-server.md has the table.

Images alone prove nothing: a server that dies between saving metadata and writing pixels leaves images without pixels,
and so does one that cannot read them. What tells is the job of the upload, the import's log (on the worker's own
mount), and whether the session is closed or its node went down (entities of omero-model; the log's media type is
PublicRepositoryI's of omero-blitz).

The log is ManagedImportRequestI's of omero-blitz, as etc/logback.xml of OMERO.server has it. Each step has a line when
it begins; 5 is the last. One that fails has "Cancelled" (omero.cmd.Helper), of the level INFO; one that does not begin
because the session was closed has nothing. "Cleaning up import." ends all of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .faults import Unreachable
from .omero import REPOSITORY, Omero
from .paths import client_path, is_below, is_of

ENDED = b"Cleaning up import."
STEP, LAST = re.compile(rb"\] \(.*\) Step (\d)$", re.MULTILINE), b"5"
CANCELLED = re.compile(rb"\] \(.*\) Cancelled$", re.MULTILINE)
ERROR = re.compile(rb"^\S+ \S+ ERROR \[.*?\] \(.*?\) (.*)$", re.MULTILINE)
# Of an import's log: its end tells, and a plate's may be long.
LOG_BYTES = 16 * 1024 * 1024
# A query travels in one argument of a command line, which Linux limits to 128 KiB.
QUERY_BYTES, IDS = 60_000, 1000

# How a session's key begins for whom it is kept from (PrivilegedStringTypeDescriptor of omero-model).
HIDDEN = "****"
FINISHED, RUNS, BROKEN, PARTLY, GONE = "finished", "runs", "broken", "partly", "gone"


class Fileset(NamedTuple):
    """One of OMERO's. `state`: FINISHED with images; RUNS: OMERO may be at it; BROKEN: it ended without images; PARTLY:
    images, and no clean end; GONE: it will never have any. `outside`: a file that it uses and that is not its own.
    `dataset`: the id and the name of the one that its images are in, the oldest of several; a plate's are in none."""

    id: int
    images: frozenset[int]
    owner: str
    session: str
    state: str
    log: str
    uploaded: bool = False  # it goes on without its importer
    outside: bytes = b""
    dataset: tuple[int, str] | None = None


def of_paths(omero: Omero, paths: Iterable[bytes]) -> dict[bytes, list[Fileset]]:
    """The filesets that OMERO has of each file, by its client path, the oldest first. Raises Unreachable."""
    named: dict[bytes, dict[int, tuple[set[int], str]]] = {}
    for some in _chunks(paths):
        by_name: dict[str, list[bytes]] = {}
        for path in some:
            by_name.setdefault(client_path(path), []).append(path)
        # Doubled quotes are all that HQL knows to escape; nothing else ends a literal.
        quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in by_name)
        query = (
            "select entry.clientPath, fileset.id, image.id, file.path, file.name, fileset.details.owner.omeName "  # noqa: S608
            "from FilesetEntry entry join entry.fileset fileset join entry.originalFile file "
            f"left outer join fileset.images image where entry.clientPath in ({quoted})"
        )
        for name, fileset, image, folder, file, owner in omero.query(query):
            inside = os.path.join(REPOSITORY, os.fsencode(folder), os.fsencode(file))
            for path in by_name.get(name, ()):
                if is_of(inside, path):
                    images, _ = named.setdefault(path, {}).setdefault(int(fileset), (set(), owner))
                    if image and image != "None":
                        images.add(int(image))
    jobs = _jobs(omero, sorted({id_ for filesets in named.values() for id_ in filesets}))
    mains = {id_: path for path, filesets in named.items() for id_, (images, _) in filesets.items() if images}
    outside, datasets = _outside(omero, mains), _datasets(omero, sorted(mains))
    return {
        path: [
            _fileset(id_, frozenset(images), owner, jobs.get(id_))._replace(
                outside=outside.get(id_, b""), dataset=datasets.get(id_)
            )
            for id_, (images, owner) in sorted(filesets.items())
        ]
        for path, filesets in named.items()
    }


def _outside(omero: Omero, mains: dict[int, bytes]) -> dict[int, bytes]:
    """Of each fileset with its main file, a file that it uses and that does not lie below the main file's folder."""
    found: dict[int, bytes] = {}
    ids = sorted(mains)
    for at in range(0, len(ids), IDS):
        listed = ", ".join(map(str, ids[at : at + IDS]))
        query = (
            "select entry.fileset.id, entry.clientPath, file.path, file.name "  # noqa: S608 - numbers
            f"from FilesetEntry entry join entry.originalFile file where entry.fileset.id in ({listed})"
        )
        for id_, name, folder, file in omero.query(query):
            inside = os.path.join(REPOSITORY, os.fsencode(folder), os.fsencode(file))
            if int(id_) not in found and not is_below(inside, name, mains[int(id_)]):
                found[int(id_)] = b"/" + os.fsencode(name)
    return found


def _datasets(omero: Omero, ids: list[int]) -> dict[int, tuple[int, str]]:
    found: dict[int, tuple[int, str]] = {}
    for at in range(0, len(ids), IDS):
        listed = ", ".join(map(str, ids[at : at + IDS]))
        query = (
            "select distinct image.fileset.id, dataset.id, dataset.name from DatasetImageLink link "  # noqa: S608 - numbers
            f"join link.parent dataset join link.child image where image.fileset.id in ({listed}) order by dataset.id"
        )
        for fileset, dataset, name in omero.query(query):
            found.setdefault(int(fileset), (int(dataset), name))
    return found


class _Job(NamedTuple):
    session: str
    closed: bool
    node_down: bool
    uploaded: bool
    log: bytes


def _jobs(omero: Omero, ids: list[int]) -> dict[int, _Job]:
    found = {}
    for at in range(0, len(ids), IDS):
        listed = ", ".join(map(str, ids[at : at + IDS]))
        session = "l.parent.details.creationEvent.session"
        query = (
            f"select l.parent.id, {session}.uuid, {session}.closed, {session}.node.down, u.status.value, "  # noqa: S608
            "jol.child.path, jol.child.name from FilesetJobLink l, UploadJob u, JobOriginalFileLink jol "
            f"where l.parent.id in ({listed}) and l.child = u and jol.parent = u "
            "and jol.child.mimetype = 'application/omero-log-file'"
        )
        for id_, uuid, closed, down, status, folder, name in omero.query(query):
            if uuid.startswith(HIDDEN):
                raise Unreachable(
                    f"OMERO does not tell {omero.admin} which imports are the worker's: that takes the privilege "
                    f"ReadSession, which OMERO.web gives to full administrators alone; make {omero.admin} one, or name "
                    "another in omero.importer.admin"
                )
            log = os.path.join(REPOSITORY, os.fsencode(folder), os.fsencode(name))
            found[int(id_)] = _Job(uuid, closed != "None", down != "None", status == "Finished", log)
    return found


def _fileset(id_: int, images: frozenset[int], owner: str, job: _Job | None) -> Fileset:
    if job is None:
        # No import of OMERO 5 is without its job and its log; an older fileset ended long ago.
        return Fileset(id_, images, owner, "", FINISHED if images else GONE, "")
    return Fileset(id_, images, owner, job.session, _state(images, job), os.fsdecode(job.log), job.uploaded)


def _state(images: frozenset[int], job: _Job) -> str:
    text = _tail(job.log)
    if text is None:
        # Somebody has removed an old log: what there is counts, unless it may be about to be made.
        over = job.closed or job.node_down
        return (FINISHED if images else GONE) if over else RUNS
    if ENDED in text:
        # Images that may lack pixels: somebody has to look, for a second import would make a second set of them.
        return (FINISHED if _is_whole(text) else PARTLY) if images else BROKEN
    if job.node_down:
        return PARTLY if images else GONE
    # Only its client can end an upload, and only with its session: without them, nothing goes on.
    return RUNS if job.uploaded or not job.closed else GONE


def _is_whole(log: bytes) -> bool:
    """Whether all steps were done, of an import that has ended."""
    if CANCELLED.search(log):
        return False
    if steps := STEP.findall(log):
        return LAST in steps
    # Somebody has raised the level of the log.
    return not ERROR.search(log)


def error_of(log: str) -> str:
    """The last error in an import's log; empty if there is none, or no log."""
    found = ERROR.findall(_tail(os.fsencode(log)) or b"")
    return " ".join(found[-1].decode("utf-8", "replace").split())[-400:] if found else ""


def _tail(path: bytes) -> bytes | None:
    """The end of a log; None where there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_BYTES))
            return file.read()
    except FileNotFoundError:
        return None


def _chunks(paths: Iterable[bytes]) -> Iterator[list[bytes]]:
    some: list[bytes] = []
    length = 0
    for path in paths:
        if some and length + len(path) > QUERY_BYTES:
            yield some
            some, length = [], 0
        some.append(path)
        length += len(path) + 4
    if some:
        yield some

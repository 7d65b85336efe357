"""The server's own part of an import, from the verified upload on: it goes on whether its client lives or not.

omero-blitz's ManagedImportRequestI: `importMetadata` saves the images (saveToDB), `pixelData` names their file
(setPixelsFile), then come the thumbnails; each is a transaction of its own in the client's session, and fails once that
is closed. Its log has each step as it begins. "Cancelled", of the level INFO, says that one has failed
(omero.cmd.Helper); why, only the client hears. Once its session is closed, the next step does not begin, which the log
does not tell (omero.cmd.HandleI). "Cleaning up import." is the end of all that have begun, well or not.

The server's program does this (administration.py). Before one has ever run on a data folder, the importer starts
`python -m scripts.rehearsal.stand_ins.omero.engine`, which outlives it, though not its container.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scripts.rehearsal.stand_ins.omero import locks, repository
from scripts.rehearsal.stand_ins.omero.repository import Failed
from scripts.rehearsal.stand_ins.omero.state import PIXELS, SAVE, THUMBNAILS, Refused, Server

_POLL = 0.02
_IDLE_SECONDS = 3.0
_AGAIN_SECONDS = 0.5
# omero.threads.background_threads, of which an import takes two while it is submitted (etc/omero.properties).
_THREADS = 5
_LOGGER = "o.s.blitz.repo.ManagedImportRequestI"
# omero.cmd.Helper logs by the name of its request, with a dot before the @.
_HELPER = "o.s.b.r.ManagedImportRequestI.@5e5d171f"
_STEPS = ("read only", SAVE, PIXELS, THUMBNAILS, "processing", "response")
_EXCEPTION = re.compile(r"[\w.$]+(Exception|Error)\b")


class Answered(Failed):
    """The server could not import it; the message is that of its response."""


def serve(server: Server, *, forever: bool) -> None:
    """Do what is submitted, until nothing has been for a while, or a server's program runs; or for ever."""
    last = time.monotonic()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="Background") as pool:
        while forever or (time.monotonic() - last < _IDLE_SECONDS and server.node == 0):
            for (fileset,) in server.query(
                "UPDATE request SET state = 'running' WHERE state = 'submitted' RETURNING fileset"
            ):
                pool.submit(_do, server, int(fileset))
            if server.query("SELECT 1 FROM request WHERE state = 'running' LIMIT 1"):
                last = time.monotonic()
            time.sleep(_POLL)


def wait(server: Server, fileset: int) -> tuple[int, ...]:
    """The images, once the server is done. Raises Answered, and Failed or Refused when the server is gone."""
    began = 0.0
    while True:
        state, message = server.query("SELECT state, message FROM request WHERE fileset = ?", fileset)[0]
        if state == "done":
            return tuple(row[0] for row in server.query("SELECT id FROM images WHERE fileset = ? ORDER BY id", fileset))
        if state == "failed":
            raise Answered(str(message))
        if state == "dead":
            raise Failed("Ice.ConnectionLostException")
        server.check_answers()
        if time.monotonic() - began > _AGAIN_SECONDS:
            ensure(server)
            began = time.monotonic()
        time.sleep(_POLL)


def ensure(server: Server) -> None:
    """Where no server's program has ever run, start one for imports alone, unless there is one."""
    if server.node or locks.is_held(server.data, locks.ENGINE):
        return
    subprocess.Popen(
        [sys.executable, "-S", "-m", "scripts.rehearsal.stand_ins.omero.engine"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _do(server: Server, fileset: int) -> None:
    work = json.loads(server.query("SELECT work FROM request WHERE fileset = ?", fileset)[0][0])
    state, message, began = "done", "", False
    try:
        for number, step in enumerate(_STEPS):
            _begin(server, work)
            began = True
            repository.write_log(server, fileset, "DEBUG", _LOGGER, f"Step {number}")
            _do_step(server, fileset, work, step)
    except Exception as error:
        state, message = "failed", str(error)
    if began:
        repository.write_log(server, fileset, "INFO", _LOGGER, "Cleaning up import.")
    server.query("UPDATE request SET state = ?, message = ? WHERE fileset = ?", state, message, fileset)


def _begin(server: Server, work: dict[str, Any]) -> None:
    """Who closes a session closes its handles, and with them what has not begun. Raises Failed."""
    try:
        server.user_of(work["key"])
    except Refused as error:
        raise Failed(_response("not-ready")) from error
    if work.get("cancelled"):
        raise Failed(_response("not-ready"))


def _do_step(server: Server, fileset: int, work: dict[str, Any], step: str) -> None:
    try:
        _meet(server, work, step)
        owner = _session(server, work["key"])
        if step == SAVE:
            repository.save(server, owner, fileset, work)
        elif step == PIXELS:
            server.query("UPDATE images SET pixels = 1 WHERE fileset = ?", fileset)
        _session(server, work["key"])  # the size of the log is stored
    except Exception as error:
        repository.write_log(server, fileset, "INFO", _HELPER, "Cancelled")
        about = str(error)
        thrown = about if _EXCEPTION.match(about) else f"java.io.IOException: {about}"
        of_file = thrown.startswith(("java.io.", "loci.formats."))
        where = {"filename": str(server.data / "ManagedRepository" / work["path"])} if of_file else {}
        name = "import-file-exception" if of_file else "import-request-failure"
        stack = f"{thrown}\n\tat ome.services.blitz.repo.ManagedImportRequestI.step(ManagedImportRequestI.java:484)\n"
        # In the order of Java's HashMap.
        raise Failed(_response(name, **where, stacktrace=stack, message=thrown.partition(": ")[2])) from error


def _response(name: str, **parameters: str) -> str:
    """What the client makes of it (onFinished of ome.formats.importer.ImportLibrary)."""
    listed = ", ".join(f"{key}={value}" for key, value in parameters.items())
    return (
        "java.lang.RuntimeException: Failure response on import!\nCategory: ::omero::grid::ImportRequest\n"
        f"Name: {name}\nParameters: {{{listed}}}\n"
    )


def _session(server: Server, key: str) -> int:
    """The user of the session that the import is done in. Raises Failed once it is closed."""
    try:
        return server.user_of(key)[0]
    except Refused as error:
        raise Failed(f"ome.conditions.RemovedSessionException: No session with uuid: {key}") from error


def _meet(server: Server, work: dict[str, Any], point: str) -> None:
    for kind, seconds, message, at in work["faults"]:
        if at != point:
            continue
        if kind in ("slow", "late"):
            time.sleep(seconds)
        elif kind == "hold":
            server.hold(work["path"], point)
        elif kind == "cancel":
            work["cancelled"] = True
        elif kind == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == "fail":
            raise Failed(message or "java.io.IOException: bad file")


def main() -> None:
    server = Server(Path("/OMERO"))
    with locks.held(server.data, locks.ENGINE, wait=False) as mine:
        if mine:
            serve(server, forever=False)


if __name__ == "__main__":
    main()

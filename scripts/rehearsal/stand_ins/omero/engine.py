"""The server's own part of an import, from the verified upload on: it goes on whether its client lives or not.

omero-blitz's ManagedImportRequestI: `importMetadata` saves the images (saveToDB), `pixelData` names their file
(setPixelsFile), then come the thumbnails; each is a transaction of its own in the client's session, and fails once that
is closed. "Cleaning up import." ends the log of one that has come to its end, well or not.

The server's program does this (administration.py). Before one has ever run on a data folder, the importer starts
`python -m scripts.rehearsal.stand_ins.omero.engine`, which outlives it, though not its container.
"""

from __future__ import annotations

import json
import os
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
    """The images, once the server is done. Raises Failed, and Refused when the server is gone."""
    began = 0.0
    while True:
        state, message = server.query("SELECT state, message FROM request WHERE fileset = ?", fileset)[0]
        if state == "done":
            return tuple(row[0] for row in server.query("SELECT id FROM images WHERE fileset = ? ORDER BY id", fileset))
        if state == "failed":
            raise Failed(str(message))
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
    state, message = "done", ""
    try:
        _steps(server, fileset, work)
    except Exception as error:
        state, message = "failed", str(error)
        repository.write_log(server, fileset, "ERROR", _LOGGER, f"Failure on import: {error}")
    repository.write_log(server, fileset, "INFO", _LOGGER, "Cleaning up import.")
    server.query("UPDATE request SET state = ?, message = ? WHERE fileset = ?", state, message, fileset)


def _steps(server: Server, fileset: int, work: dict[str, Any]) -> None:
    for point in (SAVE, PIXELS, THUMBNAILS):
        _meet(server, work, point)
        owner = _session(server, work["key"])
        repository.write_log(server, fileset, "INFO", _LOGGER, f"Step: {point}")
        if point == SAVE:
            repository.save(server, owner, fileset, work)
        elif point == PIXELS:
            server.query("UPDATE images SET pixels = 1 WHERE fileset = ?", fileset)


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
        elif kind == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == "fail":
            raise Failed(
                message
                or "java.lang.RuntimeException: Failure response on import!\nCategory: ::omero::grid::"
                "ImportRequest\nName: import-request-failure\nParameters: {message=java.io.IOException: bad file}"
            )


def main() -> None:
    server = Server(Path("/OMERO"))
    with locks.held(server.data, locks.ENGINE, wait=False) as mine:
        if mine:
            serve(server, forever=False)


if __name__ == "__main__":
    main()

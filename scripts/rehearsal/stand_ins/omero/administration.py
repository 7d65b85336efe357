"""The server itself: `admin`, `config` and `load`. Settings and the state of DropBox are the container's own."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from scripts.rehearsal.stand_ins.omero import engine, locks, repository
from scripts.rehearsal.stand_ins.omero.log_in import DATA
from scripts.rehearsal.stand_ins.omero.schema import hashed
from scripts.rehearsal.stand_ins.omero.state import SERVER_HOME, Refused, Server

_VAR_LOG = SERVER_HOME / "var/log"


def configure(commands: Any, run: Callable[[list[str]], int]) -> None:
    """Add the commands; `run` runs one."""
    administration = commands.add_parser("admin").add_subparsers(dest="admin", required=True)
    status = administration.add_parser("status")
    status.set_defaults(func=_status)
    administration.add_parser("deploy").set_defaults(func=_deploy)
    start = administration.add_parser("start")
    start.add_argument("--foreground", action="store_true")
    start.set_defaults(func=_serve)
    stop = administration.add_parser("stop")
    stop.add_argument("--wait", type=float, default=300)
    stop.set_defaults(func=_stop)
    ice = administration.add_parser("ice")
    ice.add_argument("words", nargs="*")
    ice.set_defaults(func=_ice)
    config = commands.add_parser("config").add_subparsers(dest="config", required=True)
    for name, func in (("get", _get), ("set", _set)):
        parser = config.add_parser(name)
        parser.add_argument("key", nargs="?" if name == "get" else None)
        if name == "set":
            parser.add_argument("value", nargs="?")
        parser.set_defaults(func=func)
    load = commands.add_parser("load")
    load.add_argument("files", nargs="+")
    load.set_defaults(func=lambda args: _load(args, run))


def _kept(name: str) -> tuple[Path, dict[str, Any]]:
    """A file of the container's own, and what is in it."""
    place = SERVER_HOME / "etc" / f"stand-in-{name}.json"
    return place, json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}


def _keep(place: Path, values: dict[str, Any]) -> None:
    """Whole at any moment: a server that starts sets its properties while people set others."""
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name(f"{place.name}.{os.getpid()}")
    new.write_text(json.dumps(values), encoding="utf-8")
    new.replace(place)


def _get(args: argparse.Namespace) -> int:
    _, found = _kept("config")
    if args.key is None:
        sys.stdout.writelines(f"{key}={value}\n" for key, value in sorted(found.items()))
    elif args.key in found:
        sys.stdout.write(f"{found[args.key]}\n")
    return 0


def _set(args: argparse.Namespace) -> int:
    """Without a value the property is removed, as by omero-py."""
    place, found = _kept("config")
    found.pop(args.key, None)
    _keep(place, found if args.value is None else {**found, args.key: args.value})
    return 0


def _load(args: argparse.Namespace, run: Callable[[list[str]], int]) -> int:
    """Run a file's lines as commands."""
    codes = [
        run(words)
        for file in args.files
        for line in Path(file).read_text(encoding="utf-8").splitlines()
        if (words := shlex.split(line, comments=True))
    ]
    return max(codes, default=0)


def _deploy(_args: argparse.Namespace) -> int:
    """Refused while the server runs: `rewrite`, which this does first, in omero-py's plugins/admin.py."""
    if locks.is_held(Server(DATA).serving_in, locks.SERVING):
        sys.stderr.write("Can't regenerate templates the server is running!\n")
        return 100
    sys.stderr.write("error: couldn't reach the IceGrid registry\n")
    return 1


def _ice(args: argparse.Namespace) -> int:
    """`server enable|disable|start|stop|state DropBox` and `application update`, as icegridadmin has them.

    A server takes the application's properties when it starts, and keeps to them.
    """
    words = shlex.split(" ".join(args.words))
    place, found = _kept("grid")
    if words[:2] == ["application", "update"]:
        _keep(place, {**found, "deployed": _kept("config")[1]})
        return 0
    if len(words) != 3 or words[0] != "server" or words[2] != "DropBox" or found.get("left_out"):
        sys.stderr.write(f"error: couldn't find server `{words[-1] if words else ''}'\n")
        return 1
    enabled, active = found.get("enabled", True), found.get("active", True)
    what = words[1]
    if what == "state":
        running = "active (pid = 4242, " if active else "inactive ("
        sys.stdout.write(f"{running}{'enabled' if enabled else 'disabled'})\n")
    elif what == "start" and not enabled:
        sys.stderr.write("error: the server `DropBox' couldn't be started: the server is disabled\n")
        return 1
    elif what == "stop" and not active:
        sys.stderr.write("error: the server `DropBox' is not active\n")
        return 1
    elif what in ("enable", "disable"):
        enabled = what == "enable"
    elif what in ("start", "stop"):
        active = what == "start"
        if active:
            _start_dropbox(found.get("deployed", {}))
    _keep(place, {**found, "enabled": enabled, "active": active})
    return 0


def _start_dropbox(properties: dict[str, str]) -> None:
    """Say what it runs with, as fsDropBox.py does: to Ice an empty property is none."""
    names = ("omero.fs.importUsers", "omero.fs.watchDir", "omero.fs.importArgs")
    users, watch, args = (properties.get(name, "").strip() for name in names)
    said = {users or "default": {"watchDir": watch, "importArgs": args}}
    _VAR_LOG.mkdir(parents=True, exist_ok=True)
    with (_VAR_LOG / "DropBox.log").open("a", encoding="utf-8") as log:
        log.write(f"{time.strftime('%F %T')},000 INFO  [{'fsclient.DropBox':>40}] (MainThread) ")
        log.write(f"Monitor parameters = {said}\n")


def _status(args: argparse.Namespace) -> int:
    """Whether it has its lock or not. A read-only server answers in its own container."""
    try:
        server = Server(DATA)
    except OSError:
        return 1
    try:
        server.check_answers()
        up = True
    except Refused:
        up = False
    sys.stdout.write(f"Server {'' if up else 'not '}reachable\n")
    return 0 if up else 1


def _serve(args: argparse.Namespace) -> int:
    """Hold the repository's lock and be the server until SIGTERM; wait for the lock as long as another has it.

    A read-only server takes no lock of the repository and writes nothing (openmicroscopy#5684).
    """
    server = Server(DATA)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    (SERVER_HOME / "var/serving.pid").write_text(str(os.getpid()), encoding="ascii")
    _start_grid(_kept("config")[1])
    if server.is_read_only:
        with locks.held(server.serving_in, locks.SERVING):
            _accept()
    if password := os.environ.get("ROOTPASS"):
        # Only when the database is new.
        server.query(
            "UPDATE experimenter SET password = ? WHERE id = 0 AND password = ?", hashed(password), hashed("omero")
        )
    with locks.held(server.serving_in, locks.SERVING, shared=True), server.lock_file().open("a") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as Java locks a file
        except OSError:
            _log("waiting for the repository's lock")
            fcntl.lockf(lock, fcntl.LOCK_EX)
        with locks.held(DATA, locks.ENGINE):
            server.begin_serving(repository.mount())
            threading.Thread(target=engine.serve, args=(server,), kwargs={"forever": True}, daemon=True).start()
            _accept()


def _stop(args: argparse.Namespace) -> int:
    """End the server of this container, and wait until it is gone; 1 where there is none, and 44 as omero-py's."""
    place = SERVER_HOME / "var/serving.pid"
    if not place.exists():
        sys.stderr.write("Server not running\n")
        return 1
    pid = int(place.read_text(encoding="ascii"))
    end = time.monotonic() + args.wait
    try:
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < end:
            os.kill(pid, 0)
            time.sleep(0.05)
    except ProcessLookupError:
        return 0
    return 44


def _start_grid(properties: dict[str, str]) -> None:
    """What of DropBox a new server has: nothing where the node's description leaves it out."""
    parts = properties.get("omero.server.nodedescriptors", "")
    left_out = bool(parts) and "DropBox" not in parts.partition(":")[2].split(",")
    _keep(_kept("grid")[0], {"deployed": properties, "left_out": left_out})
    if not left_out:
        _start_dropbox(properties)


def _accept() -> NoReturn:
    _log("OMERO.blitz now accepting connections.")
    while True:
        time.sleep(3600)


def _log(line: str) -> None:
    _VAR_LOG.mkdir(parents=True, exist_ok=True)
    with (_VAR_LOG / "Blitz-0.log").open("a", encoding="utf-8") as log:
        log.write(f"{line}\n")
    sys.stderr.write(f"{line}\n")

"""Log-in options, and sessions kept in files as omero-py does: `<folder>/<host>/<user>/<key>`."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path

from scripts.rehearsal.stand_ins.omero.state import DENIED, UNREACHABLE, Refused, Server

DATA = Path("/OMERO")
_TRIES = 3


def add_arguments(parser: argparse.ArgumentParser, *, again: bool = False, quiet: bool = True) -> None:
    """`again`: they are those of a command of a command, and leave alone what was given before its name. `quiet`: that
    option is among them."""
    none: str | None = argparse.SUPPRESS if again else None
    for short, long in (("-C", "--create"), *([("-q", "--quiet")] if quiet else [])):
        parser.add_argument(short, long, action="store_true", default=none or False)
    for words in (
        *(("-s", "--server"), ("-g", "--group"), ("-u", "--user"), ("-w", "--password"), ("-k", "--key")),
        *(("-t", "--timeout"), ("--sudo",)),
    ):
        parser.add_argument(*words, default=none)
    parser.add_argument("-p", "--port", default=none or "4064")


def folder() -> Path:
    named = os.environ.get("OMERO_SESSIONDIR")
    return Path(named) if named else Path.home() / "omero" / "sessions"


def key(args: argparse.Namespace) -> str:
    """The key of a valid session, as omero-py's `login` finds it; exits with its code if there is none.

    The one given; else one of the same host, user and group that is there, whatever the password; else a new one.
    """
    server = Server(DATA)
    host = args.server or _current_host() or "localhost"
    try:
        if args.key:
            found, action = _joined(server, host, args.key), "Joined"
        elif not args.create and (present := _present(server, host, args.user, args.group)):
            found, action = present, "Using"
        else:
            found, action = _created(server, args), "Created"
        _, user, _, group = server.user_of(found)
    except Refused as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.code % 256)
    _remember(host, user, found)
    if not args.quiet:
        sys.stderr.write(
            f"{action} session for {user}@{host}:{args.port}. Idle timeout: 10 min. Current group: {group}\n"
        )
    return found


def _joined(server: Server, host: str, given: str) -> str:
    try:
        server.user_of(given)
    except Refused as error:
        raise Refused(f"Bad session key. Cannot join {given} on {host}.", 523) from error
    return given


def _created(server: Server, args: argparse.Namespace) -> str:
    if not args.server and not _current_host():
        _require_terminal("cannot request server")
    if not args.user:
        _require_terminal("cannot request username")
    password = args.password or os.environ.get("OMERO_PASSWORD")
    for _ in range(_TRIES):
        if not password:
            _require_terminal("cannot request password")
            password = getpass.getpass(f"Password for {args.sudo}:" if args.sudo else "Password:")
        try:
            return server.log_in(args.user, password, sudo=args.sudo, group=args.group)
        except Refused as error:
            if error.code != DENIED:
                raise
            sys.stderr.write(f"{error}\n")
            password = None
    raise Refused("3 incorrect password attempts", 524)


def _require_terminal(what: str) -> None:
    """SessionsControl._require_tty of omero-py. Nothing but a password is asked for here. Raises Refused."""
    for name, stream in (("stdin", sys.stdin), ("stdout", sys.stdout)):
        if not stream.isatty():
            raise Refused(f"{name} is not a terminal: {what}", DENIED)
    if "password" not in what:
        raise Refused(f"{what}: say it in an option", DENIED)


def _current_host() -> str:
    place = folder() / "._LASTHOST_"
    return place.read_text(encoding="utf-8") if place.exists() else ""


def _present(server: Server, host: str, user: str | None, group: str | None) -> str | None:
    last = folder() / host / "._LASTUSER_"
    if not user and last.exists():
        user = last.read_text(encoding="utf-8")
    found = (folder() / host / user).glob("*") if user else []
    for each in sorted(found, key=lambda each: each.stat().st_mtime, reverse=True):
        try:
            if group in (None, server.user_of(each.name)[3]):
                return each.name
        except Refused as error:
            if error.code == UNREACHABLE:
                raise
            each.unlink(missing_ok=True)
    return None


def _remember(host: str, user: str, made: str) -> None:
    place = folder() / host / user
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    (place / made).write_text(f"omero.host={host}\nomero.sess={made}\nomero.user={user}\n", encoding="utf-8")
    (folder() / "._LASTHOST_").write_text(host, encoding="utf-8")
    (folder() / host / "._LASTUSER_").write_text(user, encoding="utf-8")


def forget(made: str) -> None:
    for place in folder().glob(f"*/*/{made}"):
        place.unlink(missing_ok=True)

"""Log-in options, and sessions kept in files as omero-py does: `<folder>/<host>/<user>/<key>`."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path

from local_aws.stand_ins.omero.state import Refused, Server

DATA = Path("/OMERO")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-C", "--create", action="store_true")
    parser.add_argument("-s", "--server")
    parser.add_argument("-p", "--port", default="4064")
    parser.add_argument("-g", "--group")
    parser.add_argument("-u", "--user")
    parser.add_argument("-w", "--password")
    parser.add_argument("-k", "--key")
    parser.add_argument("-t", "--timeout")
    parser.add_argument("--sudo", metavar="ADMIN")
    parser.add_argument("-q", "--quiet", action="store_true")


def folder() -> Path:
    named = os.environ.get("OMERO_SESSIONDIR")
    return Path(named) if named else Path.home() / "omero" / "sessions"


def key(args: argparse.Namespace, *, create: bool = False) -> str:
    """The key of a valid session: the one given, the current one or a new one. Exits with 1 if there is none."""
    server = Server(DATA)
    host = args.server or _current_host() or "localhost"
    try:
        if args.key:
            _remember(host, server.user_of(args.key)[1], args.key)
            return str(args.key)
        asked = args.create or create or args.sudo or args.password
        if not asked and (present := _present(server, host, args.user)):
            return present
        if not args.user:
            raise Refused("Login required, and there is no user: give -u, or -k")
        made = server.log_in(args.user, _password(args), sudo=args.sudo, group=args.group)
    except Refused as error:
        sys.stderr.write(f"InternalException: Failed to connect: exception {error}\n")
        sys.exit(1)
    _remember(host, args.user, made)
    group = server.user_of(made)[3]
    if not args.quiet:
        sys.stderr.write(
            f"Created session for {args.user}@{host}:{args.port}. Idle timeout: 10 min. Current group: {group}\n"
        )
    return made


def _password(args: argparse.Namespace) -> str:
    given = args.password or os.environ.get("OMERO_PASSWORD")
    if given is not None:
        return str(given)
    if not sys.stdin.isatty():
        raise Refused("Login required, and there is no password: give -w or OMERO_PASSWORD")
    return getpass.getpass("Password:")


def _current_host() -> str:
    place = folder() / "._LASTHOST_"
    return place.read_text(encoding="utf-8") if place.exists() else ""


def _present(server: Server, host: str, user: str | None) -> str | None:
    names = [user] if user else []
    last = folder() / host / "._LASTUSER_"
    if not user and last.exists():
        names = [last.read_text(encoding="utf-8")]
    for name in names:
        found = sorted((folder() / host / name).glob("*"), key=lambda each: each.stat().st_mtime, reverse=True)
        for each in found:
            try:
                server.user_of(each.name)
            except Refused:
                each.unlink(missing_ok=True)
                continue
            return each.name
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

"""Log-in, and `omero sessions`: with the words and the exit codes of SessionsControl of omero-py."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from scripts.rehearsal.stand_ins.omero import log_in, tables
from scripts.rehearsal.stand_ins.omero.log_in import DATA
from scripts.rehearsal.stand_ins.omero.state import SUDO, Server


def configure(add: Callable[..., argparse.ArgumentParser], group: Callable[[str], Any]) -> None:
    """`add` makes a command, `group` one that has commands of its own."""
    add("login", _login, log_in_too=True).add_argument("connection", nargs="?")
    add("logout", _logout, log_in_too=True)
    sessions = group("sessions")
    add("login", _login, sessions, log_in_too=True).add_argument("connection", nargs="?")
    add("logout", _logout, sessions)
    add("key", _key, sessions)
    for name in ("list", "who"):
        add(name, _sessions, sessions)
    parser = add("open", _open, sessions)
    user = parser.add_mutually_exclusive_group(required=True)
    user.add_argument("--user-id", type=int)
    user.add_argument("--user-name")
    of_group = parser.add_mutually_exclusive_group()
    of_group.add_argument("--group-id", type=int)
    of_group.add_argument("--group-name")
    parser.add_argument("--timeout", nargs="?", type=int, default=0)
    add("close", _close, sessions).add_argument("session", nargs="?")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _login(args: argparse.Namespace) -> int:
    if args.connection:
        user, _, host = args.connection.rpartition("@")
        args.server, args.user = host.partition(":")[0], user or args.user
    log_in.key(args)
    return 0


def _logout(args: argparse.Namespace) -> int:
    key = log_in.key(args)
    Server(DATA).close_session(key)
    log_in.forget(key)
    return 0


def _open(args: argparse.Namespace) -> int:
    """The key of a new session of somebody else's, on stdout."""
    server = Server(DATA)
    if not server.may(log_in.key(args), SUDO):
        sys.stderr.write("SecurityViolation: Admins only!\n")
        return 111
    user = server.query("SELECT omeName FROM experimenter WHERE omeName = ? OR id = ?", args.user_name, args.user_id)
    if not user:
        sys.stderr.write(f"User not found: {args.user_name or args.user_id}\nNo user found\n")
        return 156
    group = server.query("SELECT name FROM experimentergroup WHERE name = ? OR id = ?", args.group_name, args.group_id)
    name = str(group[0][0]) if group else None
    key = server.open_session(str(user[0][0]), name)
    within = f" in group {name}" if name else ""
    sys.stderr.write(
        f"Session created for user {user[0][0]}{within} (timeToIdle: {args.timeout or 600} sec, timeToLive: 0 sec)\n"
    )
    _print(key)
    return 0


def _close(args: argparse.Namespace) -> int:
    """Exit code 0 and the same words where there is no such session, and where the server could not look it up."""
    server = Server(DATA)
    server.user_of(log_in.key(args))
    if not server.is_lookup_lost() and server.close_session(args.session):
        _print(f"Session {args.session} closed.")
    else:
        sys.stderr.write("No session with the given ID found.\n")
    return 0


def _key(args: argparse.Namespace) -> int:
    _print(log_in.key(args))
    return 0


def _sessions(args: argparse.Namespace) -> int:
    user = Server(DATA).user_of(log_in.key(args))
    _print(tables.text(["Server", "User", "Group"], [[args.server or "localhost", user[1], user[3]]], None))
    return 0

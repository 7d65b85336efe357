"""The commands beside `import` that scripts use: hql, obj, fs, chgrp, search, user and group, and sessions.py's."""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

from scripts.rehearsal.stand_ins.omero import hql, locks, log_in, repository, sessions, tables
from scripts.rehearsal.stand_ins.omero.log_in import DATA
from scripts.rehearsal.stand_ins.omero.state import CHGRP, READ_SESSION, Refused, Server

_OBJECTS = {
    "Project",
    "Dataset",
    "Screen",
    "ProjectDatasetLink",
    "DatasetImageLink",
    "Image",
    "Fileset",
    "ScreenPlateLink",
    "Plate",
}


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def configure(commands: Any) -> None:
    """The log-in options are where omero-py has them: mostly before the name of a command's command."""

    def add(
        name: str, func: Callable[[argparse.Namespace], int], to: Any = commands, *, log_in_too: bool = False
    ) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = to.add_parser(name)
        if log_in_too:
            log_in.add_arguments(parser, again=to is not commands)
        parser.set_defaults(func=func)
        return parser

    def group(name: str) -> Any:
        parser = commands.add_parser(name)
        log_in.add_arguments(parser)
        return parser.add_subparsers(dest="subcommand", required=True)

    sessions.configure(add, group)
    parser = add("hql", _hql, log_in_too=True)
    parser.add_argument("query")
    parser.add_argument("--all", "--admin", action="store_true", dest="every")
    parser.add_argument("--ids-only", action="store_true")
    parser.add_argument("--limit", type=int, default=25)
    parser.add_argument("--offset", type=int, default=0)
    parser.add_argument("--style", choices=tables.STYLES)
    objects = group("obj")
    for name, func in (("new", _new), ("get", _get), ("update", _update)):
        parser = add(name, func, objects)
        parser.add_argument("object")
        parser.add_argument("values", nargs="*")
    files = group("fs")
    for name in ("sets", "images", "repos"):
        parser = add(name, _fs, files)
        parser.add_argument("--style", choices=tables.STYLES)
        parser.add_argument("--limit", type=int, default=25)
        parser.add_argument("--offset", type=int, default=0)
        parser.add_argument("--without-images", action="store_true")
        parser.add_argument("--managed", action="store_true")
    parser = add("search", _search, log_in_too=True)
    parser.add_argument("type")
    parser.add_argument("text")
    parser.add_argument("--style", choices=tables.STYLES)
    for kind, names in (("user", ("list", "info")), ("group", ("list", "info"))):
        listed = group(kind)
        for name in names:
            parser = add(name, _users if kind == "user" else _groups, listed, log_in_too=True)
            parser.add_argument("name", nargs="?")
            parser.add_argument("--style", choices=tables.STYLES)
    parser = add("chgrp", _chgrp)
    parser.add_argument("grp")
    parser.add_argument("objects", nargs="+", metavar="obj")
    commands.add_parser("version").set_defaults(func=_version)


def _version(_args: argparse.Namespace) -> int:
    sys.stderr.write("OMERO.py version:\n")
    _print("5.23.0")
    return 0


def _hql(args: argparse.Namespace) -> int:
    server = Server(DATA)
    key = log_in.key(args)
    user, _, admin, _ = server.user_of(key)
    if args.every and not admin:
        sys.stderr.write("ERROR: SecurityViolation: Current user is not an admin and cannot use '--admin'\n")
        return 53
    try:
        reader = None if server.may(key, READ_SESSION) else user
        statement, whole = hql.translate(args.query, reader=reader)
        # As omero-py: a limit below 0 is none.
        rows = server.query(f"{statement} LIMIT ? OFFSET ?", args.limit, args.offset)
    except (hql.BadQuery, sqlite3.Error) as error:
        sys.stderr.write(f"ERROR: Bad query: {error}\n")
        return 52
    if whole:
        head = ["#", "Class", "Id"]
    else:
        head = ["#", *(f"Col{index}" for index in range(1, len(rows[0]) + 1 if rows else 1))]
    _print(tables.text(head, [[number, *row] for number, row in enumerate(rows)], args.style))
    if sys.stdout.isatty() and not args.quiet:  # as the real one, which waits for an answer on a terminal
        sys.stdout.write("\nTo see details for object, enter line number.\nTo quit, enter 'q' or just enter.\n")
        sys.stdin.readline()
    return 0


def _parsed(values: list[str]) -> dict[str, str]:
    pairs = (value.partition("=") for value in values)
    return {name: value for name, _, value in pairs}


def _new(args: argparse.Namespace) -> int:
    server = Server(DATA)
    owner = server.user_of(log_in.key(args))[0]
    if args.object not in _OBJECTS - {"Image", "Fileset"}:
        sys.stderr.write(f"ERROR: Unknown type: {args.object}\n")
        return 1
    given: dict[str, Any] = _parsed(args.values)
    for name in ("parent", "child"):
        if name in given:
            kind, _, number = given[name].partition(":")
            if not server.query(f"SELECT 1 FROM {kind.lower()} WHERE id = ?", int(number)):
                sys.stderr.write(f"ERROR: ValidationException: could not reassociate {given[name]}\n")
                return 1
            given[name] = int(number)
    names, marks = ", ".join([*given, "owner"]), ", ".join("?" * (len(given) + 1))
    with closing(server.connect()) as database:
        made = database.execute(
            f"INSERT INTO {args.object.lower()} ({names}) VALUES ({marks})",
            (*given.values(), owner),
        )
    _print(f"{args.object}:{made.lastrowid}")
    return 0


def _found(server: Server, name: str) -> tuple[str, dict[str, Any]] | None:
    kind, _, number = name.partition(":")
    if kind not in _OBJECTS or not number.isdecimal():
        return None
    with closing(server.connect()) as database:
        database.row_factory = sqlite3.Row
        row = database.execute(f"SELECT * FROM {kind.lower()} WHERE id = ?", (int(number),)).fetchone()
    return None if row is None else (kind, dict(row))


def _get(args: argparse.Namespace) -> int:
    server = Server(DATA)
    server.user_of(log_in.key(args))
    found = _found(server, args.object)
    if found is None:
        sys.stderr.write(f"ERROR: No object found: {args.object}\n")
        return 1
    if args.values:
        _print(str(found[1].get(args.values[0]) or ""))
    else:
        for name, value in sorted(found[1].items()):
            if name not in ("owner", "pixels"):
                _print(f"{name}={'' if value is None else value}")
    return 0


def _update(args: argparse.Namespace) -> int:
    server = Server(DATA)
    server.user_of(log_in.key(args))
    found = _found(server, args.object)
    if found is None:
        sys.stderr.write(f"ERROR: No object found: {args.object}\n")
        return 1
    table = "images" if found[0] == "Image" else found[0].lower()
    for name, value in _parsed(args.values).items():
        server.query(f"UPDATE {table} SET {name} = ? WHERE id = ?", value, found[1]["id"])
    _print(args.object)
    return 0


def _chgrp(args: argparse.Namespace) -> int:
    """Filesets with their images: links to containers, which stay in their group, go (omero-blitz: Chgrp2I).

    The exit code is 0 as well if the server says no: GraphControl of omero-py prints that, and leaves it there.
    """
    server = Server(DATA)
    key = log_in.key(args)
    group = server.query("SELECT id FROM experimentergroup WHERE name = ?", args.grp)
    if not group:
        sys.stderr.write(f"Failed to find group: {args.grp}\n")
        return 196
    if not server.may(key, CHGRP):
        sys.stderr.write(f"Current user is not member of group: {group[0][0]}\n")
        return 197
    for each in args.objects:
        sys.stdout.write(f"omero.cmd.Chgrp2 {each} ")
        found = _found(server, each)
        if found is None or server.get("graph"):
            sys.stderr.write(f"failed: 'graph-fail'\nfailed: {server.get('graph', f'there is no {each}')}\n")
            continue
        mine = "SELECT id FROM images WHERE fileset = ?"
        server.query("UPDATE images SET egroup = ? WHERE fileset = ?", group[0][0], found[1]["id"])
        server.query(f"DELETE FROM datasetimagelink WHERE child IN ({mine})", found[1]["id"])
        _print("ok")
    return 0


def _fs(args: argparse.Namespace) -> int:
    server = Server(DATA)
    server.user_of(log_in.key(args))
    if args.subcommand == "repos":
        head, rows = ["#", "Id", "UUID", "Type", "Path"], [(1, server.uuid, "Public", "/OMERO")]
        # Offered only by a server that has the lock; who asks in a container asks that of its own task.
        has_it = locks.is_held(DATA, locks.ENGINE) and repository.mount() in ("", server.mount)
        locked = server.get("lock") or (server.node and not has_it)
        rows += [] if locked else [(2, f"{server.uuid}-m", "Managed", "/OMERO/ManagedRepository")]
        rows = [row for row in rows if row[2] == "Managed" or not args.managed]
    elif args.subcommand == "sets":
        head = ["#", "Id", "Prefix", "Images", "Files", "Transfer"]
        rows = server.query(
            "SELECT f.id, f.templatePrefix, (SELECT count(*) FROM image i WHERE i.fileset = f.id), "
            "(SELECT count(*) FROM filesetentry e WHERE e.fileset = f.id), coalesce(f.transfer, '') FROM fileset f "
            f"{'WHERE f.id NOT IN (SELECT fileset FROM image)' if args.without_images else ''} "
            "ORDER BY f.id DESC LIMIT ? OFFSET ?",
            *(args.limit, args.offset),
        )
    else:
        head, rows = (
            ["#", "Image", "Name", "FS"],
            server.query(
                "SELECT id, name, fileset FROM image ORDER BY id DESC LIMIT ? OFFSET ?", args.limit, args.offset
            ),
        )
    _print(tables.text(head, [[number, *row] for number, row in enumerate(rows)], args.style))
    return 0


def _search(args: argparse.Namespace) -> int:
    server = Server(DATA)
    server.user_of(log_in.key(args))
    if args.type not in ("Image", "Dataset", "Project", "Screen"):
        sys.stderr.write(f"ERROR: Unknown type: {args.type}\n")
        return 1
    like = "%" + args.text.strip('*"') + "%"
    rows = server.query(f"SELECT id, name FROM {args.type.lower()} WHERE name LIKE ?", like)
    if not rows:
        sys.stderr.write("No results found.\n")
        return 1
    listed = [[number, f"{args.type}I", *row] for number, row in enumerate(rows)]
    _print(tables.text(["#", "Class", "Id", "name"], listed, args.style))
    return 0


def _users(args: argparse.Namespace) -> int:
    server = Server(DATA)
    server.user_of(log_in.key(args))
    rows = server.query(
        "SELECT x.id, x.omeName, CASE x.admin WHEN 1 THEN 'Yes' ELSE '' END, group_concat(m.egroup) "
        "FROM experimenter x LEFT JOIN member m ON m.experimenter = x.id "
        "WHERE ? IS NULL OR x.omeName = ? GROUP BY x.id ORDER BY x.id",
        *(args.name, args.name),
    )
    if args.name and not rows:
        sys.stderr.write(f"ERROR: User not found: {args.name}\n")
        return 1
    _print(tables.text(["id", "login", "admin", "member of"], [list(row) for row in rows], args.style))
    return 0


def _groups(args: argparse.Namespace) -> int:
    server = Server(DATA)
    server.user_of(log_in.key(args))
    rows = server.query("SELECT id, name FROM experimentergroup ORDER BY id")
    _print(tables.text(["id", "name"], [list(row) for row in rows], args.style))
    return 0


def refused(error: Refused) -> int:
    """What the command line says when the server refuses."""
    sys.stderr.write(f"{error}\n")
    return error.code % 256

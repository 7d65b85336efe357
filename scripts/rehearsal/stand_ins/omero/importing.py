"""`omero import`: what the Python side does before and after it starts the JVM (omero-py's plugins/import.py)."""

from __future__ import annotations

import argparse
import csv
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import yaml

from scripts.rehearsal.stand_ins.omero import log_in

_SKIPS = {
    "checksum": "--checksum-algorithm=File-Size-64",
    "thumbnails": "--no-thumbnails",
    "minmax": "--no-stats-info",
    "upgrade": "--no-upgrade-check",
}
_TO_JAVA = [
    "name",
    "description",
    "report",
    "upload",
    "logs",
    "email",
    "annotation_ns",
    "annotation_text",
    "annotation_link",
    "readers",
    "target",
    "output",
    "encrypted",
    "transfer",
    "exclude",
    "checksum_algorithm",
    "no_stats_info",
    "no_thumbnails",
    "no_upgrade_check",
    "parallel_upload",
    "parallel_fileset",
]
_SHORT = ("f", "c", "d", "r")
_PYTHON = (
    "file",
    "errs",
    "logprefix",
    "depth",
    "skip",
    "bulk",
    "password",
    "user",
    "server",
    "port",
    "group",
    "key",
    "sudo",
)


def configure(parser: argparse.ArgumentParser) -> None:
    log_in.add_arguments(parser)
    for name in ("bulk", "logprefix", "file", "errs"):
        parser.add_argument(f"--{name}", nargs="?")
        parser.add_argument(f"---{name}", nargs="?", dest=name, help=argparse.SUPPRESS, default=argparse.SUPPRESS)
    for name in ("clientdir", "logback", "email", "annotation-ns", "annotation-text", "annotation-link"):
        parser.add_argument(f"--{name}")
    parser.add_argument("-n", "--name")
    parser.add_argument("-x", "--description")
    for name in ("report", "upload", "logs", "no-stats-info", "no-thumbnails", "no-upgrade-check", "javahelp"):
        parser.add_argument(f"--{name}", action="store_true")
    for name in _SHORT[:2]:
        parser.add_argument(f"-{name}", action="store_true")
    parser.add_argument("-l", "--readers")
    parser.add_argument("-d")
    parser.add_argument("-r")
    parser.add_argument("-T", "--target")
    parser.add_argument(
        "--debug", dest="java_debug", choices=["ALL", "DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"]
    )
    parser.add_argument("--output", choices=["ids", "legacy", "yaml"])
    parser.add_argument("--encrypted", choices=["true", "false"])
    for name in ("transfer", "exclude", "checksum-algorithm"):
        parser.add_argument(f"--{name}", nargs="?")
    parser.add_argument("--parallel-upload")
    parser.add_argument("--parallel-fileset")
    parser.add_argument("--depth", default=4, type=int)
    parser.add_argument("--skip", choices=["all", *_SKIPS], action="append")
    parser.add_argument("path", nargs="*")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    if args.bulk and args.path:
        return _die(104, "When using bulk import, omit paths")
    login = (
        [] if args.f or args.javahelp else ["-s", args.server or "localhost", "-p", args.port, "-k", log_in.key(args)]
    )
    base = [*login, *(["-h"] if args.javahelp else []), *_skips(args.skip or []), *_java(vars(args))]
    if args.bulk:
        return _bulk(args, base)
    return _start(args, base, args.path, "w")


def _java(given: dict[str, Any]) -> list[str]:
    options = []
    for name in _SHORT:
        if value := given.get(name):
            options += [f"-{name}"] if value is True else [f"-{name}", str(value)]
    for name in _TO_JAVA:
        value, option = given.get(name), f"--{name.replace('_', '-')}"
        if value:
            options.append(option if value is True else f"{option}={value}")
    return options


def _skips(wanted: list[str]) -> list[str]:
    return [option for name, option in _SKIPS.items() if name in wanted or "all" in wanted]


def _die(code: int, message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return code


def _start(args: argparse.Namespace, base: list[str], paths: list[str], mode: str) -> int:
    out, err = (_open(each, args.logprefix, mode) for each in (args.file, args.errs))
    debug = [f"--debug={args.java_debug}"] if args.java_debug else []
    module = [
        sys.executable,
        "-S",
        "-m",
        "scripts.rehearsal.stand_ins.omero.java",
        f"-Domero.import.depth={args.depth}",
    ]
    try:
        sys.stdout.flush()
        return subprocess.run([*module, *base, *paths, *debug], stdout=out, stderr=err, check=False).returncode
    finally:
        for each in (out, err):
            if each:
                each.close()


def _open(name: str | None, prefix: str | None, mode: str) -> IO[str] | None:
    if not name:
        return None
    place = Path(prefix, name) if prefix else Path(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    return place.open(mode)


def _bulk(args: argparse.Namespace, base: list[str]) -> int:
    """Each line is a JVM of its own; exit codes are added up."""
    contents: list[tuple[Path, dict[str, Any]]] = []
    name: str | None = args.bulk
    while name:
        place = Path(name).resolve()
        data = yaml.safe_load(place.read_text(encoding="utf-8"))
        contents.append((place.parent, data))
        name = data.get("include")
        os.chdir(place.parent)
    bulk: dict[str, Any] = {}
    for folder, data in reversed(contents):
        bulk |= data
        os.chdir(folder)
    bulk.pop("include", None)
    dry_run = str(bulk.pop("dry_run", "false"))
    goes_on = "continue" in bulk
    more = ["-c"] if bulk.pop("continue", False) else []
    if "skip" in bulk:
        more += _skips(bulk.pop("skip"))
    if "path" not in bulk:
        return _die(107, "No path specified")
    listed, columns = str(bulk.pop("path")), bulk.pop("columns", None)
    unknown = [key for key in bulk if key not in (*_TO_JAVA, *_SHORT, *_PYTHON)]
    if unknown:
        return _die(200, f"Unknown argument: {unknown[0]}")
    failed = total = 0
    for number, (path, own) in enumerate(_lines(listed, columns), start=1):
        options = [*more, *_java({**bulk, **own})]
        if dry_run.lower() != "false":
            text = " ".join(f'"{each}"' for each in [*options, path])
            if dry_run.lower() == "true":
                sys.stdout.write(f"{text}\n")
            else:
                Path(dry_run % number).write_text(f"{sys.argv[0]} import {text}\n", encoding="utf-8")
            continue
        code = _start(args, [*base, *options], [path], "w" if number == 1 else "a")
        if code:
            failed += 1
            total += code
            if not goes_on:
                return _die(106, "Import failed. Use -c to continue after errors")
            sys.stderr.write(f"Import failed with error code: {code}. Continuing\n")
        if failed:
            sys.stderr.write(f"{failed:x} failed imports\n")
    return total


def _lines(listed: str, columns: list[str] | None) -> Iterator[tuple[str, dict[str, str]]]:
    with Path(listed).open(encoding="utf-8", newline="") as lines:
        if not columns:
            yield from ((line.strip(), {}) for line in lines)
            return
        if listed.endswith((".tsv", ".csv")):
            rows: Any = csv.reader(lines, delimiter="\t" if listed.endswith(".tsv") else ",")
        else:
            rows = (shlex.split(line) for line in lines)
        for row in rows:
            named = dict(zip(columns, row, strict=False))
            yield named.pop("path"), named

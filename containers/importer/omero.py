"""OMERO's command line: log in, query, import. The password goes by the environment, never by a command line."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from . import entries
from .job import JobError
from .paths import client_path, is_of

Filesets = dict[int, set[int]]
REPOSITORY = b"/OMERO/ManagedRepository"
COMMAND = "/opt/omero/server/venv3/bin/omero"
# Of one question; a JVM or a Python of OMERO's takes seconds to start.
ANSWER_SECONDS = 180
TRIES = 3
# A literal of a query travels in one argument of a command line, which Linux limits to 128 KiB.
QUERY_BYTES = 60_000
TEXT_BYTES = 2_000_000
UNREACHABLE = (
    "ConnectionRefused",
    "ConnectionLost",
    "DNSException",
    "ConnectTimeout",
    "ConnectionTimeout",
    "SocketException",
)


class Omero:
    """One OMERO, as its administrator `admin`, and for `user` where one is named."""

    def __init__(self, *, host: str, admin: str, user: str = "", group: str = "") -> None:
        self._folder = tempfile.mkdtemp(prefix="importer-")
        self._where = ["-s", host, "-p", "4064"]
        self._admin = [*self._where, "-u", admin]
        self._user = [*self._where, "--sudo", admin, "-u", user] if user else self._admin
        if group:
            self._user = [*self._user, "-g", group]
        self._host, self._admin_name, self._user_name = host, admin, user
        self.user = user or admin
        # Keys of sessions are in it: nobody else's after this program.
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)

    def log_in(self) -> None:
        """Prove that both sessions can be had.

        Raises:
            JobError: OMERO does not answer, does not know the user or the password.
        """
        self._log_in(self._admin, "admin")
        if self._user_name:
            self._log_in(self._user, "user")

    def _log_in(self, words: Sequence[str], who: str) -> None:
        for left in reversed(range(TRIES)):
            code, _, said = self._run(["login", *words], who)
            if not code:
                return
            if any(word in said for word in UNREACHABLE) and left:
                time.sleep(2)
                continue
            raise JobError(self._log_in_fault(said, who))

    def _log_in_fault(self, said: str, who: str) -> str:
        if any(word in said for word in UNREACHABLE):
            return (
                f"OMERO.server does not answer at {self._host}:4064; `aws ecs describe-services` and the server's log "
                "say why, and once it is healthy run this again"
            )
        if who == "user":
            return (
                f"OMERO has no user {self._user_name}, or {self._admin_name} may not act for them "
                f"({_last_line(said)}); `exec -- omero user list` shows the users there are"
            )
        return (
            f"OMERO does not let {self._admin_name} in with the password of the importer's secret "
            f"({_last_line(said)}); if it was changed in OMERO, put the new one into that secret with `aws "
            "secretsmanager put-secret-value`"
        )

    def of_paths(self, paths: Iterable[bytes]) -> dict[bytes, Filesets]:
        """The filesets and their images that OMERO has of each file. A fileset without images is not imported yet."""
        found: dict[bytes, Filesets] = {}
        for some in _chunks(paths):
            by_name: dict[str, list[bytes]] = {}
            for path in some:
                by_name.setdefault(client_path(path), []).append(path)
            # Doubled quotes are all that HQL knows to escape; nothing else ends a literal.
            quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in by_name)
            query = (
                "select entry.clientPath, fileset.id, image.id, file.path, file.name from FilesetEntry entry "  # noqa: S608
                "join entry.fileset fileset join entry.originalFile file left outer join fileset.images image "
                f"where entry.clientPath in ({quoted})"
            )
            for name, fileset, image, folder, file in self.query(query):
                inside = os.path.join(REPOSITORY, os.fsencode(folder), os.fsencode(file))
                for path in by_name.get(name, ()):
                    if is_of(inside, path):
                        images = found.setdefault(path, {}).setdefault(int(fileset), set())
                        if image and image != "None":
                            images.add(int(image))
        return found

    def query(self, text: str, *, as_user: bool = False) -> list[list[str]]:
        """The rows of a query: over all groups, or in the user's own."""
        whose = self._user if as_user else ["--all", *self._admin]
        rows = self._rows(["hql", "--limit", "1000000", *whose, text], "user" if as_user else "admin")
        return [[row[name] for name in sorted(row, key=_column) if name != "#"] for row in rows]

    def rows(self, words: Sequence[str]) -> list[dict[str, str]]:
        """The table that a command prints, by its columns' names."""
        return self._rows([*words, *self._admin], "admin")

    def _rows(self, words: Sequence[str], who: str) -> list[dict[str, str]]:
        for left in reversed(range(TRIES)):
            code, out, said = self._run([*words, "--style", "json"], who)
            if not code:
                break
            if not left:
                raise JobError(
                    f"OMERO did not answer a query ({_last_line(said)}); see the server's log, and run this again"
                )
            time.sleep(2)
        start = out.find("[")
        found: list[dict[str, str]] = json.loads(out[start:]) if start >= 0 else []
        return found

    def run(self, words: Sequence[str]) -> tuple[int, str, str]:
        """Run a command as the user; exit code, output, errors."""
        # The options of the log-in at the end: those of commands with commands of their own are not taken before them.
        return self._run([*words, *self._user], "user")

    def import_(self, paths: Sequence[bytes], options: Sequence[str], *, until: threading.Event) -> Import:
        """One JVM imports all of `paths`; ended at once when `until` is set."""
        out, errs = os.path.join(self._folder, "out"), os.path.join(self._folder, "errs")
        fixed = ["import", "-c", "--output", "yaml", *self._user]
        command = [os.fsencode(word) for word in (COMMAND, *fixed, *options)]
        with open(out, "wb") as output, open(errs, "wb") as errors:
            process = subprocess.Popen(
                [*command, *paths],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=self._environ("user"),
                start_new_session=True,
            )
            while process.poll() is None:
                if until.wait(0.2):
                    _end(process)
        return Import(process.returncode, _read(out), _read(errs))

    def _run(self, words: Sequence[str], who: str) -> tuple[int, str, str]:
        command = [COMMAND, *words]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=self._environ(who),
                timeout=ANSWER_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 1, "", f"no answer within {ANSWER_SECONDS} s (ConnectTimeout)"
        return done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8", "replace")

    def _environ(self, who: str) -> dict[str, str]:
        """Each of the two has a folder of sessions: which one is current is kept there."""
        sessions = os.path.join(self._folder, who)
        os.makedirs(sessions, mode=0o700, exist_ok=True)
        return {**os.environ, "OMERO_SESSIONDIR": sessions, "LC_ALL": "C.UTF-8"}


class Import(NamedTuple):
    """How an importer ended, what it printed, and what it complained about."""

    code: int
    out: str
    errors: str

    def filesets(self) -> Filesets:
        """The images by fileset, of `--output=yaml`."""
        found: Filesets = {}
        images: set[int] = set()
        in_images = False
        for line in self.out.splitlines():
            key, colon, rest = line.strip().lstrip("- ").partition(":")
            if colon and key == "Fileset":
                images, in_images = found.setdefault(int(rest), set()), False
            elif colon:
                in_images = key == "Image"
            else:
                rest = line
            if in_images:
                images.update(map(int, re.findall(r"\d+", rest)))
        return found

    def reason(self, path: bytes) -> str:
        """What the importer said of a file; empty if it did not name it."""
        name = os.fsdecode(path)
        at = self.errors.find(name)
        while at >= 0:
            line = self.errors[self.errors.rfind("\n", 0, at) + 1 : at]
            if re.search(r"EXCEPTION|ERROR|UNKNOWN_FORMAT|MISSING_LIBRARY|[Ff]ail", line):
                return _reason(line, self.errors[at + len(name) :])
            at = self.errors.find(name, at + 1)
        return ""

    def last(self) -> str:
        """The last that it said."""
        if self.code < 0:
            return f"the importer was ended by signal {-self.code}"
        return f"the importer ended with exit code {self.code}: {_last_line(self.errors)}"


def _reason(before: str, after: str) -> str:
    """The kind of error, and the exception after it: the last cause if it tells causes, else the first that is said."""
    kind = re.search(r"[A-Z]+_(EXCEPTION|FORMAT|LIBRARY)", before)
    block = []
    for line in after.splitlines()[:60]:
        if re.match(r"\d{4}-\d\d-\d\d ", line):
            break
        text = " ".join(line.split()).lstrip(": ")
        if text and not text.startswith(("at ", "... ")):
            block.append(text)
    causes = [text for text in block if text.startswith("Caused by: ")]
    said = causes[-1] if causes else " ".join(block[:3])
    return ": ".join(part for part in (kind[0] if kind else "", said[:500]) if part)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("at ")]
    return lines[-1][-400:] if lines else "it said nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the importer with its JVM: both are in the session that it began."""
    for signal in (15, 9):
        try:
            os.killpg(process.pid, signal)
        except ProcessLookupError:
            break
        try:
            process.wait(10)
            break
        except subprocess.TimeoutExpired:
            continue


def _chunks(paths: Iterable[bytes]) -> Iterable[list[bytes]]:
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


def _column(name: str) -> int:
    return int(name[3:]) if name.startswith("Col") else 0


def _read(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(TEXT_BYTES).decode("utf-8", "surrogateescape")


def new_id(out: str) -> int:
    """The id in the last line of `omero obj new`, such as `Dataset:5`."""
    found: Any = re.search(r"(\w+):(\d+)\s*$", out.strip())
    if not found:
        raise JobError(f"OMERO did not say what it made: {entries.shown(out.encode())[:200]}")
    return int(found[2])

"""OMERO's command line: sessions, queries, imports. The password goes by the environment, never by a command line.

Log-in options stand behind the first word: commands of `fs`, `obj` and `sessions` take none of their own (omero-py).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from . import entries
from .faults import JobError, Unreachable

REPOSITORY = b"/OMERO/ManagedRepository"
COMMAND = "/opt/omero/server/venv3/bin/omero"
# Containers of a task share their network.
HOST, PORT = "localhost", "4064"
# Who the importer's JVM runs as: the owner of what it reads and links.
USER = "omero-server"
# Of one question; a Python of OMERO's takes seconds to start.
ANSWER_SECONDS = 180
TRIES = 3
TEXT_BYTES = 2_000_000
# All that the importer is given of the worker's environment: no credentials of AWS's, no password.
KEPT = ("JAVA_HOME", "JAVA_OPTS", "LANG", "OMERODIR", "OMERO_TMPDIR", "PATH", "TZ")
UNREACHABLE = (
    "ConnectionRefused",
    "ConnectionLost",
    "DNSException",
    "ConnectTimeout",
    "ConnectionTimeout",
    "SocketException",
)
# The same, as Java and omero-py print an exception. Elsewhere in a line it may be a file's name.
NO_ANSWER = re.compile(rf"^(?:[A-Z][\w ]*: )*Ice\.(?:{'|'.join(UNREACHABLE)})", re.MULTILINE)
# A session's uuid. Whoever may write requests may write something else where the worker keeps it.
KEY = re.compile(r"[0-9a-f-]{32,36}")
# Of what an importer says of one file: Java's stack traces are long.
REASON_LINES = 400
# As the importer's logback-cli.xml has it, and what follows until the next date: `Error on import`, with the server's
# message behind it if there is one, names no file (`importCandidates` of omero-blitz's ImportLibrary).
ERROR = re.compile(
    r"^\d{4}-\d\d-\d\d \S+ .*? ERROR +\S*(?:ImportLibrary|CommandLineImporter) - (.*)\n"
    r"((?:(?!\d{4}-\d\d-\d\d ).*\n?)*)",
    re.MULTILINE,
)
# JVMs with -XX:+ExitOnOutOfMemoryError exit with 3 (HotSpot); the kernel ends one with SIGKILL.
OUT_OF_MEMORY = "java.lang.OutOfMemoryError"


class Omero:
    """One OMERO, as its administrator `admin`; `password` is asked for when one is needed."""

    def __init__(self, *, admin: str, password: Callable[[], str], mark: Mapping[str, str] | None = None) -> None:
        self._folder = tempfile.mkdtemp(prefix="omero-")
        self._words = ["-s", HOST, "-p", PORT, "-u", admin]
        self._password = password
        self._mark = dict(mark or {})
        self._home = ""
        self.admin = admin

    def close(self) -> None:
        """Log out, and forget the sessions' keys."""
        self._run(["logout", "-s", HOST, "-p", PORT], "admin")
        for folder in (self._folder, self._home):
            if folder:
                shutil.rmtree(folder, ignore_errors=True)

    def log_in(self) -> None:
        """Prove that the administrator's session can be had.

        Raises:
            Unreachable: OMERO does not answer.
            JobError: it does not take the password.
        """
        code, _, said = self._run(["login", *self._words], "admin")
        if not code:
            return
        if _is_unreachable(said):
            raise Unreachable(
                f"OMERO.server does not answer at {HOST}:{PORT}; its log says why, and what is asked for waits for it"
            )
        raise JobError(
            f"OMERO does not let {self.admin} in with the password of the importer's secret ({_last_line(said)}); if "
            "it was changed in OMERO, put the new one into that secret with `aws secretsmanager put-secret-value`"
        )

    def open_session(self, user: str, group: str) -> str:
        """The uuid of a new session of a user's, in a group of theirs or their default one.

        Raises:
            Unreachable: OMERO does not answer.
            JobError: there is no such user or group, or the administrator may not act for them.
        """
        words = ["sessions", *self._words, "open", "--user-name", user or self.admin]
        code, out, said = self._run([*words, *(["--group-name", group] if group else [])], "admin")
        found = [line for line in out.splitlines() if KEY.fullmatch(line)]
        if not code and found:
            return found[-1]
        if _is_unreachable(said):
            raise Unreachable(f"OMERO.server did not open a session ({_last_line(said)})")
        whom = f"{user or self.admin} in group {group}" if group else user or self.admin
        raise JobError(
            f"OMERO opens no session for {whom} ({_last_line(said)}); `omero-aws imports users` shows who there is, "
            f"and {self.admin} has to be an administrator with the privilege Sudo"
        )

    def close_session(self, uuid: str) -> None:
        """End a session for everybody; one that there is not is no fault. Raises Unreachable."""
        if not KEY.fullmatch(uuid):
            return
        is_open = f"select s.id from Session s where s.uuid = '{uuid}' and s.closed is null"  # noqa: S608
        # omero-py's exit code is 0, and its words are the same, for a session that there is not and for one that the
        # server could not look up (`close` in its plugins/sessions.py). Of one that the server has ended without being
        # able to write that down, the database says for ever that it is open.
        for _ in range(2):
            code, out, said = self._run(["sessions", *self._words, "close", uuid], "admin")
            if code:
                raise Unreachable(f"OMERO.server did not close a session ({_last_line(said)})")
            if f"Session {uuid} closed." in out or not self.query(is_open):
                return

    def query(self, text: str, *, session: str = "") -> list[list[str]]:
        """The rows of a query: over all groups, or as the user of a session. Raises Unreachable."""
        whose = ["-s", HOST, "-p", PORT, "-k", session] if session else ["--all", *self._words]
        rows = self._rows(["hql", *whose, "--limit", "1000000", "--style", "json", text], session or "admin")
        return [[row[name] for name in sorted(row, key=_column) if name != "#"] for row in rows]

    def repositories(self) -> list[dict[str, str]]:
        """The managed repositories that OMERO offers. Raises Unreachable."""
        return self._rows(["fs", *self._words, "repos", "--managed", "--style", "json"], "admin")

    def users(self) -> list[list[str]]:
        """The name, the full name and the id of each user. Raises Unreachable."""
        return self.query("select e.omeName, e.firstName, e.lastName, e.id from Experimenter e order by e.omeName")

    def make(self, session: str, kind: str, *fields: str) -> int:
        """The id of a new object of the session's user.

        Raises:
            JobError: OMERO did not make it.
        """
        words = ["obj", "-s", HOST, "-p", PORT, "-k", session, "new", kind, *fields]
        code, out, said = self._run(words, session)
        found: Any = re.search(r"(\w+):(\d+)\s*$", out.strip())
        if code or not found:
            raise JobError(f"OMERO did not make the {kind} {', '.join(fields)}: {' '.join(said.split())[-300:]}")
        return int(found[2])

    def hide(self, fileset: int) -> str:
        """Move a fileset with its images into the group of administrators, as an administrator with the privilege
        Chgrp; why not, if it could not be. Nothing is deleted but the links to the containers that they were in."""
        # It takes no log-in options of its own, and its exit code is 0 if the server says no (omero-py's GraphControl).
        code, out, said = self._run([*self._words, "chgrp", "system", f"Fileset:{fileset}"], "admin")
        return "" if not code and out.split()[-1:] == ["ok"] else _last_line(said)

    def _rows(self, words: Sequence[str], who: str) -> list[dict[str, str]]:
        for left in reversed(range(TRIES)):
            code, out, said = self._run(words, who)
            if not code:
                break
            if "Bad query" in said:
                raise JobError(f"OMERO refused a query ({_last_line(said)}); its log says why")
            if not left:
                raise Unreachable(f"OMERO.server did not answer a query ({_last_line(said)}); its log says why")
            time.sleep(2)
        start = out.find("[")
        found: list[dict[str, str]] = json.loads(out[start:]) if start >= 0 else []
        return found

    def start_import(self, session: str, paths: Sequence[bytes], options: Sequence[str]) -> Importing:
        """Start one JVM that imports all of `paths` in a session."""
        # Its check for a newer OMERO would wait 10 seconds for what no security group lets out (UpgradeCheck.java).
        fixed = [
            "import",
            "-s",
            HOST,
            "-p",
            PORT,
            "-k",
            session,
            "-c",
            "--output",
            "yaml",
            "--skip",
            "upgrade",
            *options,
        ]
        command = [os.fsencode(word) for word in (*_as_user(), COMMAND, *fixed)]
        return Importing(command, paths, self._importer_environ())

    def _importer_environ(self) -> dict[str, str]:
        if not self._home:
            made = subprocess.run([*_as_user(), "mktemp", "-d"], stdout=subprocess.PIPE, text=True, check=True)
            self._home = made.stdout.strip()
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {**kept, **self._mark, "HOME": self._home, "OMERO_SESSIONDIR": self._home, "LC_ALL": "C.UTF-8"}

    def _run(self, words: Sequence[str], who: str) -> tuple[int, str, str]:
        """Each session has a folder of its own: which one is current is kept there."""
        sessions = os.path.join(self._folder, who)
        os.makedirs(sessions, mode=0o700, exist_ok=True)
        environ = {**os.environ, "OMERO_SESSIONDIR": sessions, "LC_ALL": "C.UTF-8"}
        if who == "admin":
            environ["OMERO_PASSWORD"] = self._password()
        try:
            done = subprocess.run(
                [COMMAND, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=environ,
                timeout=ANSWER_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 1, "", f"no answer within {ANSWER_SECONDS} s (ConnectTimeout)"
        return done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8", "replace")


def _as_user() -> list[str]:
    """The words before a command that has to run as the importer's user."""
    return ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []


class Importing:
    """OMERO's importer while it runs, with its JVM."""

    def __init__(self, command: Sequence[bytes], paths: Sequence[bytes], environ: Mapping[str, str]) -> None:
        self._paths = tuple(paths)
        self._out = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process has ended
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [*command, *paths],
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._errors,
            env=environ,
            start_new_session=True,
        )
        # It is the one to go if memory is short, before the worker is.
        with contextlib.suppress(OSError), open(f"/proc/{self._process.pid}/oom_score_adj", "w") as file:
            file.write("1000")

    def wait(self, until: threading.Event) -> Import | None:
        """How it ended; None if `until` was set before."""
        while self._process.poll() is None:
            if until.wait(0.2):
                return None
        return self._ended()

    def end(self, *, kill: bool = False) -> Import:
        """End it with its JVM: both are in the session that it began."""
        for number in (signal.SIGKILL,) if kill else (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
                break
        return self._ended()

    def _ended(self) -> Import:
        # Its JVM may live on when the Python that started it does not.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return Import(self._process.returncode or 0, _read(self._out), _read(self._errors), self._paths)


@dataclass(frozen=True)
class Import:
    """How an importer ended, what it printed, what it complained about, and what it was to import."""

    code: int
    out: str
    errors: str
    paths: Sequence[bytes] = ()

    @property
    def out_of_memory(self) -> bool:
        """Whether the JVM's heap or the container's memory did not suffice."""
        return OUT_OF_MEMORY in self.errors or OUT_OF_MEMORY in self.out or self.code in (137, -signal.SIGKILL)

    @property
    def general(self) -> bool:
        """Whether it could not begin at all: no JARs, wrong usage."""
        return self.code in (103, 108, 200, 202)

    @cached_property
    def unreachable(self) -> bool:
        """Whether the server did not answer it: a sender may have given a file such a name, and a line break before."""
        said = self.errors
        for path in self.paths:
            said = said.replace(os.fsdecode(path), "")
        return bool(NO_ANSWER.search(said))

    def reason(self, *paths: bytes) -> str:
        """What the importer said of the first of these files that it named; empty if it named none."""
        return next(filter(None, map(self._reason_of, paths)), "")

    def error(self) -> str:
        """The last error of an import that it told, of whichever file; empty if it told none."""
        found = ERROR.findall(self.errors)
        if not found:
            return ""
        message, after = found[-1]
        said = message.removeprefix("Error on import").lstrip(": ")
        return said or _reason("", after)

    def _reason_of(self, path: bytes) -> str:
        name = os.fsdecode(path)
        at = self.errors.find(name)
        while at >= 0:
            line, after = self.errors[self.errors.rfind("\n", 0, at) + 1 : at], self.errors[at + len(name) :]
            # It ends its line (`toLog` of ErrorHandler's events); or it is the beginning of another's.
            if after[:1] in ("", "\n") and re.search(r"EXCEPTION|ERROR|MISSING_LIBRARY", line):
                return _reason(line, after)
            at = self.errors.find(name, at + 1)
        return ""

    def last(self) -> str:
        """The last that it said."""
        if self.code < 0:
            return f"the importer was ended by signal {-self.code}"
        return f"the importer ended with exit code {self.code}: {_last_line(self.errors)}"


def _reason(before: str, after: str) -> str:
    """The kind of error, and the exception after it: the last cause if it tells causes, else the server's own if it is
    the server's, else the first that is said."""
    kind = re.search(r"[A-Z]+_(EXCEPTION|FORMAT|LIBRARY)", before)
    block = []
    for line in after.splitlines()[:REASON_LINES]:
        if re.match(r"\d{4}-\d\d-\d\d ", line):
            break
        text = " ".join(line.split()).lstrip(": ")
        if text and not text.startswith(("at ", "... ")):
            block.append(text)
    causes = [text for text in block if text.startswith("Caused by: ")]
    # `onFinished` of ImportLibrary (omero-blitz) prints the response's parameters.
    servers = [text.partition("stacktrace=")[2] for text in block if text.startswith("Parameters: ")]
    said = causes[-1] if causes else next(filter(None, servers), " ".join(block[:4]))
    return ": ".join(part for part in (kind[0] if kind else "", said[:500]) if part)


def _is_unreachable(said: str) -> bool:
    return any(word in said for word in UNREACHABLE)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("at ")]
    return entries.shown(lines[-1][-400:].encode("utf-8", "surrogateescape")) if lines else "it said nothing"


def _column(name: str) -> int:
    return int(name[3:]) if name.startswith("Col") else 0


def _read(file: Any) -> str:
    """The beginning and the end of what it wrote."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    content: bytes = file.read(TEXT_BYTES)
    if size > 2 * TEXT_BYTES:
        file.seek(size - TEXT_BYTES)
    content += file.read()
    return content.decode("utf-8", "surrogateescape")


@contextlib.contextmanager
def user_session(omero: Omero, user: str, group: str) -> Iterator[str]:
    """A session of a user's for a few questions, closed afterwards. Raises as `open_session` does."""
    uuid = omero.open_session(user, group)
    try:
        yield uuid
    finally:
        with contextlib.suppress(Unreachable):
            omero.close_session(uuid)

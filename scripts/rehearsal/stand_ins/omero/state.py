"""The server: its database, in `.omero/stand-in` of its data folder, and what tests ask and inject.

Every process that has the same data folder shares it; a change is one transaction.
"""

from __future__ import annotations

import fcntl
import hashlib
import secrets
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import uuid4


def hashed(password: str) -> str:
    """What is kept of a password: OMERO keeps no other, and a search for leaked secrets should find none."""
    return hashlib.sha256(f"OMERO {password}".encode()).hexdigest()


_NOW = "(julianday('now') - 2440587.5) * 86400.0"
# A fileset is there as soon as its import begins, and stays if it fails; its images come when the server is done.
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS experimenter (
    id INTEGER PRIMARY KEY, omeName TEXT UNIQUE, password TEXT, admin INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS experimentergroup (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS member (experimenter INTEGER, egroup INTEGER, PRIMARY KEY (experimenter, egroup));
CREATE TABLE IF NOT EXISTS session (
    uuid TEXT PRIMARY KEY, experimenter INTEGER, egroup INTEGER, closed INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS project (id INTEGER PRIMARY KEY, name TEXT, description TEXT, owner INTEGER);
CREATE TABLE IF NOT EXISTS dataset (id INTEGER PRIMARY KEY, name TEXT, description TEXT, owner INTEGER);
CREATE TABLE IF NOT EXISTS screen (id INTEGER PRIMARY KEY, name TEXT, description TEXT, owner INTEGER);
CREATE TABLE IF NOT EXISTS projectdatasetlink (id INTEGER PRIMARY KEY, parent INTEGER, child INTEGER, owner INTEGER);
CREATE TABLE IF NOT EXISTS datasetimagelink (id INTEGER PRIMARY KEY, parent INTEGER, child INTEGER, owner INTEGER);
CREATE TABLE IF NOT EXISTS fileset (
    id INTEGER PRIMARY KEY, templatePrefix TEXT, owner INTEGER, transfer TEXT);
CREATE TABLE IF NOT EXISTS originalfile (
    id INTEGER PRIMARY KEY, name TEXT, path TEXT, size INTEGER, hash TEXT, owner INTEGER);
CREATE TABLE IF NOT EXISTS filesetentry (
    id INTEGER PRIMARY KEY, fileset INTEGER, originalFile INTEGER, clientPath TEXT, position INTEGER);
CREATE TABLE IF NOT EXISTS images (
    id INTEGER PRIMARY KEY, name TEXT, description TEXT, fileset INTEGER, series INTEGER, owner INTEGER,
    visible REAL);
CREATE TABLE IF NOT EXISTS annotation (id INTEGER PRIMARY KEY, ns TEXT, textValue TEXT);
CREATE TABLE IF NOT EXISTS imageannotationlink (id INTEGER PRIMARY KEY, parent INTEGER, child INTEGER);
CREATE INDEX IF NOT EXISTS entries_by_path ON filesetentry (clientPath);
CREATE INDEX IF NOT EXISTS entries_by_fileset ON filesetentry (fileset);
CREATE INDEX IF NOT EXISTS images_by_fileset ON images (fileset);
CREATE INDEX IF NOT EXISTS links_by_image ON datasetimagelink (child);
CREATE TABLE IF NOT EXISTS jvm (id INTEGER PRIMARY KEY, time REAL, arguments TEXT);
CREATE TABLE IF NOT EXISTS fault (
    id INTEGER PRIMARY KEY, kind TEXT, match TEXT, seconds REAL, message TEXT, left INTEGER);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT);
CREATE VIEW IF NOT EXISTS image AS SELECT * FROM images WHERE visible <= {_NOW};
INSERT OR IGNORE INTO experimenter (id, omeName, password, admin)
    VALUES (0, 'root', '{hashed("omero")}', 1), (1, 'guest', NULL, 0);
INSERT OR IGNORE INTO experimentergroup (id, name) VALUES (0, 'system'), (1, 'user'), (2, 'guest'), (3, 'default');
INSERT OR IGNORE INTO member VALUES (0, 0), (0, 1);
"""
_BUSY_SECONDS = 60


@dataclass(frozen=True)
class Image:
    """An image, with the client path of its fileset's first file."""

    id: int
    name: str
    fileset: int
    series: int
    client_path: str
    owner: str
    dataset: str | None
    project: str | None
    transfer: str


@dataclass(frozen=True)
class Fault:
    kind: str
    seconds: float
    message: str


UNREACHABLE, DENIED, FORBIDDEN, OTHER = 554, 564, 557, 556


class Refused(Exception):
    """What the server answers instead of a result; `code` is omero-py's, of which an exit code has the lower 8 bits."""

    def __init__(self, message: str, code: int = OTHER) -> None:
        super().__init__(message)
        self.code = code


class Server:
    """OMERO's server whose data folder (what containers see as /OMERO) is `data`."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._held: IO[str] | None = None
        self._place = data / ".omero" / "stand-in" / "server.sqlite"
        if not self._place.exists():
            self._place.parent.mkdir(parents=True, exist_ok=True)
            with closing(self.connect()) as database:
                database.execute("PRAGMA journal_mode = WAL")
                database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")

    def connect(self) -> sqlite3.Connection:
        """A connection of one's own; statements commit by themselves unless a transaction is begun."""
        database = sqlite3.connect(self._place, timeout=_BUSY_SECONDS, isolation_level=None)
        database.execute("PRAGMA synchronous = OFF")  # a stand-in need not outlive the machine
        return database

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(self.connect()) as database:
            return database.execute(statement, values).fetchall()

    # What a test asks and injects.

    def add_user(self, name: str, *, password: str, groups: tuple[str, ...] = ("default",), admin: bool = False) -> int:
        """The id of a new user, or of the one of that name, whose password is changed."""
        with closing(self.connect()) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute(
                "INSERT INTO experimenter (omeName, password, admin) VALUES (?, ?, ?) ON CONFLICT (omeName) DO UPDATE "
                "SET password = excluded.password, admin = excluded.admin",
                (name, hashed(password), int(admin)),
            )
            user = int(database.execute("SELECT id FROM experimenter WHERE omeName = ?", (name,)).fetchone()[0])
            for group in groups:
                database.execute("INSERT OR IGNORE INTO experimentergroup (name) VALUES (?)", (group,))
                found = database.execute("SELECT id FROM experimentergroup WHERE name = ?", (group,)).fetchone()
                database.execute("INSERT OR IGNORE INTO member VALUES (?, ?)", (user, found[0]))
            database.execute("COMMIT")
        return user

    def fault(
        self, kind: str, match: str = "", *, seconds: float = 0, message: str = "", times: int | None = None
    ) -> None:
        """Have the next `times` filesets (None: all) meet it whose client path contains `match`."""
        if kind not in ("slow", "fail", "crash", "kill", "hang", "late"):
            raise ValueError(f"{kind!r} is no fault; slow, fail, crash, kill, hang and late are")
        self.query(
            "INSERT INTO fault (kind, match, seconds, message, left) VALUES (?, ?, ?, ?, ?)",
            *(kind, match, seconds, message, times),
        )

    def clear_faults(self) -> None:
        self.query("DELETE FROM fault")

    def set(self, name: str, value: str) -> None:
        self.query(
            "INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value
        )

    def get(self, name: str, otherwise: str = "") -> str:
        found = self.query("SELECT value FROM setting WHERE name = ?", name)
        return str(found[0][0]) if found else otherwise

    def down(self) -> None:
        """Let nobody log in, as while the server starts."""
        self.set("state", "down")

    def up(self) -> None:
        self.set("state", "up")
        self.set("lock", "")
        if self._held:
            self._held.close()
            self._held = None

    def lock(self, holder: str = "another-host") -> None:
        """Have another host hold the repository's lock: the server answers, but cannot import."""
        self._held = self.lock_file().open("a")
        fcntl.lockf(self._held, fcntl.LOCK_EX)
        self.set("lock", holder)

    @property
    def uuid(self) -> str:
        """The database's, which names the folder of the repository's lock."""
        if not (found := self.get("uuid")):
            self.query("INSERT OR IGNORE INTO setting VALUES ('uuid', ?)", str(uuid4()))
            found = self.get("uuid")
        return found

    def lock_file(self) -> Path:
        """Where Blitz holds its lock. The file stays when the server ends, held by nobody."""
        folder = self.data / ".omero" / "repository" / self.uuid
        folder.mkdir(parents=True, exist_ok=True)
        return folder / ".lock"

    def images(self) -> list[Image]:
        rows = self.query(
            "SELECT i.id, i.name, i.fileset, i.series, e.clientPath, x.omeName, d.name, p.name, f.transfer "
            "FROM image i JOIN fileset f ON f.id = i.fileset "
            "JOIN filesetentry e ON e.fileset = f.id AND e.position = 0 "
            "JOIN experimenter x ON x.id = i.owner LEFT JOIN datasetimagelink l ON l.child = i.id "
            "LEFT JOIN dataset d ON d.id = l.parent LEFT JOIN projectdatasetlink pl ON pl.child = d.id "
            "LEFT JOIN project p ON p.id = pl.parent GROUP BY i.id ORDER BY i.id"
        )
        return [Image(*row) for row in rows]

    def count_by_client_path(self) -> dict[str, int]:
        """How many filesets with images there are for each client path of a first file."""
        rows = self.query(
            "SELECT clientPath FROM filesetentry WHERE position = 0 AND fileset IN (SELECT fileset FROM image)"
        )
        return dict(Counter(str(row[0]) for row in rows))

    def jvm_starts(self) -> list[tuple[float, str]]:
        """When a JVM of the importer started, and its arguments."""
        return [
            (float(at), str(arguments)) for at, arguments in self.query("SELECT time, arguments FROM jvm ORDER BY id")
        ]

    # What the stand-in programs do.

    def jvm_started(self, arguments: str) -> None:
        self.query("INSERT INTO jvm (time, arguments) VALUES (?, ?)", time.time(), arguments)

    def take_faults(self, client_path: str) -> list[Fault]:
        with closing(self.connect()) as database:
            if database.execute("SELECT 1 FROM fault LIMIT 1").fetchone() is None:
                return []
            database.execute("BEGIN IMMEDIATE")
            found = []
            rows = database.execute("SELECT id, kind, match, seconds, message, left FROM fault ORDER BY id").fetchall()
            for number, kind, match, seconds, message, left in rows:
                if match in client_path and left != 0:
                    found.append(Fault(kind, seconds, message))
                    database.execute("UPDATE fault SET left = left - 1 WHERE id = ?", (number,))
            database.execute("COMMIT")
        return found

    def log_in(self, name: str, password: str | None, *, sudo: str | None = None, group: str | None = None) -> str:
        """A session's key. `sudo` is the administrator whose password it is. Raises Refused."""
        if self.get("state", "up") == "down":
            raise Refused("Ice.ConnectionRefusedException: the server isn't running", UNREACHABLE)
        rows = self.query("SELECT password, admin FROM experimenter WHERE omeName = ?", sudo or name)
        if not rows or rows[0][0] is None or rows[0][0] != hashed(password or ""):
            raise Refused("Password check failed", DENIED)
        if sudo and not rows[0][1]:
            raise Refused(f"SecurityViolation: {sudo} is not an admin", FORBIDDEN)
        found = self.query("SELECT id FROM experimenter WHERE omeName = ?", name)
        if not found:
            raise Refused(f"InternalException: Failed to connect: No such user: {name}")
        groups = self.query(
            "SELECT g.id, g.name FROM member m JOIN experimentergroup g ON g.id = m.egroup WHERE m.experimenter = ?",
            found[0][0],
        )
        chosen = [number for number, title in groups if group in (None, title)]
        if not chosen:
            raise Refused(f"SecurityViolation: User {name} is not a member of group {group}", FORBIDDEN)
        key = secrets.token_hex(16)
        self.query("INSERT INTO session (uuid, experimenter, egroup) VALUES (?, ?, ?)", key, found[0][0], chosen[0])
        return key

    def user_of(self, key: str) -> tuple[int, str, bool, str]:
        """Id, name, whether an administrator, and group of a session. Raises Refused."""
        if self.get("state", "up") == "down":
            raise Refused("Ice.ConnectionRefusedException: the server isn't running", UNREACHABLE)
        rows = self.query(
            "SELECT x.id, x.omeName, x.admin, g.name FROM session s JOIN experimenter x ON x.id = s.experimenter "
            "JOIN experimentergroup g ON g.id = s.egroup WHERE s.uuid = ? AND s.closed = 0",
            key,
        )
        if not rows:
            raise Refused("PermissionDeniedException: No such session")
        return int(rows[0][0]), str(rows[0][1]), bool(rows[0][2]), str(rows[0][3])

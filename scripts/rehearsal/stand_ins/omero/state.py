"""The server: its database, in `.omero/stand-in` of its data folder, and what tests ask and inject.

Every process that has the same data folder shares it; a change is one transaction.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from scripts.rehearsal.stand_ins.omero import locks
from scripts.rehearsal.stand_ins.omero.schema import SCHEMA, hashed

SERVER_HOME = Path("/opt/omero/server/OMERO.server")
_BUSY_SECONDS = 60
_HELD_POLL = 0.02
_HELD = "SELECT clientPath, point FROM held WHERE released = 0 ORDER BY id"


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
    point: str


# What a fault does to a fileset, and where: while it is prepared, before its upload is verified, and in the server
# before the metadata is saved, between that and the pixels' file, and before the thumbnails.
KINDS = ("slow", "hold", "kill", "die", "cancel", "fail", "crash", "late", "hang", "memory")
PREPARE, VERIFY, SAVE, PIXELS, THUMBNAILS = POINTS = ("prepare", "verify", "save", "pixels", "thumbnails")
_USUAL = {"slow": PREPARE, "hang": PREPARE, "memory": PREPARE, "kill": VERIFY}

# Privileges of administrators (the enumeration AdminPrivilege of omero-model).
CHGRP, READ_SESSION, SUDO = "Chgrp", "ReadSession", "Sudo"
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
        # A read-only server writes nothing there (openmicroscopy#5684): who asks its container asks that server.
        self.serving_in = SERVER_HOME if self.is_read_only else data
        self._held: IO[str] | None = None
        self._place = data / ".omero" / "stand-in" / "server.sqlite"
        if not self._place.exists():
            self._create()

    @property
    def is_read_only(self) -> bool:
        """Whether this container's server is one."""
        return os.environ.get("CONFIG_omero_cluster_read__only_repo") == "true"  # noqa: SIM112 - OMERO's own name

    def _create(self) -> None:
        """Make the database whole, then give it its name: of several processes one is the first."""
        self._place.parent.mkdir(parents=True, exist_ok=True)
        new = self._place.with_name(f"{uuid4()}.sqlite")
        with closing(sqlite3.connect(new, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(f"BEGIN; {SCHEMA} COMMIT;")
        with suppress(FileExistsError):
            self._place.hardlink_to(new)
        new.unlink()

    def connect(self) -> sqlite3.Connection:
        """A connection of one's own; statements commit by themselves unless a transaction is begun."""
        database = sqlite3.connect(self._place, timeout=_BUSY_SECONDS, isolation_level=None)
        database.execute("PRAGMA synchronous = OFF")  # a stand-in need not outlive the machine
        database.create_function("ctime", 1, lambda seconds: None if seconds is None else time.ctime(seconds))
        return database

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(self.connect()) as database:
            return database.execute(statement, values).fetchall()

    # What a test asks and injects.

    def add_user(
        self,
        name: str,
        *,
        password: str,
        groups: tuple[str, ...] = ("default",),
        admin: bool = False,
        lacks: tuple[str, ...] = (),
    ) -> int:
        """The id of a new user, or of the one of that name, whose password is changed. `lacks` are privileges."""
        with closing(self.connect()) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute(
                "INSERT INTO experimenter (omeName, password, admin, lacks) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (omeName) DO UPDATE SET password = excluded.password, admin = excluded.admin, "
                "lacks = excluded.lacks",
                (name, hashed(password), int(admin), " ".join(lacks)),
            )
            user = int(database.execute("SELECT id FROM experimenter WHERE omeName = ?", (name,)).fetchone()[0])
            for group in groups:
                database.execute("INSERT OR IGNORE INTO experimentergroup (name) VALUES (?)", (group,))
                found = database.execute("SELECT id FROM experimentergroup WHERE name = ?", (group,)).fetchone()
                database.execute("INSERT OR IGNORE INTO member VALUES (?, ?)", (user, found[0]))
            database.execute("COMMIT")
        return user

    def fault(
        self,
        kind: str,
        match: str = "",
        *,
        at: str = "",
        seconds: float = 0,
        message: str = "",
        times: int | None = None,
    ) -> None:
        """Have the next `times` filesets (None: all) meet it whose client path contains `match`: see README.md."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no fault; {', '.join(KINDS)} are")
        if at and at not in POINTS:
            raise ValueError(f"{at!r} is no point of an import; {', '.join(POINTS)} are")
        self.query(
            "INSERT INTO fault (kind, match, seconds, message, left, point) VALUES (?, ?, ?, ?, ?, ?)",
            *(kind, match, seconds, message, times, at or _USUAL.get(kind, SAVE)),
        )

    def held(self) -> list[tuple[str, str]]:
        """Client path and point of each import that a fault `hold` holds."""
        return [(str(path), str(point)) for path, point in self.query(_HELD)]

    def release(self) -> None:
        """Let go on what is held, and hold nothing from now on."""
        self.query("DELETE FROM fault WHERE kind = 'hold'")
        self.query("UPDATE held SET released = 1")

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

    def delete_fileset(self, number: int | None) -> None:
        """As a person does with one whose import did not come to its end: `omero delete Fileset:5`."""
        self.query("DELETE FROM images WHERE fileset = ?", number)
        self.query("DELETE FROM filesetentry WHERE fileset = ?", number)

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

    def jvm_started(self, arguments: str, heap: str) -> None:
        self.query("INSERT INTO jvm (time, arguments, heap) VALUES (?, ?, ?)", time.time(), arguments, heap)

    def take_faults(self, client_path: str) -> list[Fault]:
        with closing(self.connect()) as database:
            if database.execute("SELECT 1 FROM fault LIMIT 1").fetchone() is None:
                return []
            database.execute("BEGIN IMMEDIATE")
            found = []
            rows = database.execute(
                "SELECT id, kind, match, seconds, message, left, point FROM fault ORDER BY id"
            ).fetchall()
            for number, kind, match, seconds, message, left, point in rows:
                if match in client_path and left != 0:
                    found.append(Fault(kind, seconds, message, point))
                    database.execute("UPDATE fault SET left = left - 1 WHERE id = ?", (number,))
            database.execute("COMMIT")
        return found

    def hold(self, client_path: str, point: str) -> None:
        """Stay here until a test lets go."""
        with closing(self.connect()) as database:
            made = database.execute("INSERT INTO held (clientPath, point) VALUES (?, ?)", (client_path, point))
            asked = (f"SELECT 1 FROM held WHERE id = {made.lastrowid} AND released = 0",)
            while database.execute(*asked).fetchone():
                time.sleep(_HELD_POLL)

    @property
    def node(self) -> int:
        """The server that runs, or ran last."""
        return int(self.query("SELECT max(id) FROM node")[0][0])

    @property
    def mount(self) -> str:
        """That of the server that runs, or ran last; "" outside of containers."""
        return str(self.query("SELECT mount FROM node ORDER BY id DESC LIMIT 1")[0][0])

    def check_answers(self) -> None:
        """Raises Refused while no server runs. Before one has ever run, every container does as if one did."""
        serves = locks.is_held(self.serving_in, locks.SERVING)
        # SQLite opens no database of this kind without writing beside it; OMERO's own is not on the file system.
        begun = self.is_read_only or self.node > 0
        if (begun and not serves) or (not self.is_read_only and self.get("state", "up") == "down"):
            raise Refused("Ice.ConnectionRefusedException: the server isn't running", UNREACHABLE)

    def begin_serving(self, mount: str) -> int:
        """A new server, whose mount has this identity: the id of its node. What the others had is over.

        As omero-blitz's Ring does when it finds managers that do not answer: `purgeNode` closes their sessions, and
        sets their nodes down.
        """
        now = time.time()
        with closing(self.connect()) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("UPDATE session SET closed = ? WHERE closed IS NULL", (now,))
            database.execute("UPDATE node SET down = ? WHERE down IS NULL", (now,))
            database.execute("UPDATE request SET state = 'dead' WHERE state IN ('submitted', 'running')")
            database.execute("DELETE FROM held")
            made = database.execute("INSERT INTO node (uuid, mount, up) VALUES (?, ?, ?)", (str(uuid4()), mount, now))
            database.execute("COMMIT")
        return int(made.lastrowid or 0)

    def log_in(self, name: str, password: str | None, *, sudo: str | None = None, group: str | None = None) -> str:
        """A session's key. `sudo` is the administrator whose password it is. Raises Refused."""
        self.check_answers()
        rows = self.query("SELECT password, admin FROM experimenter WHERE omeName = ?", sudo or name)
        if not rows or rows[0][0] is None or rows[0][0] != hashed(password or ""):
            raise Refused("Password check failed", DENIED)
        if sudo and not rows[0][1]:
            raise Refused(f"SecurityViolation: {sudo} is not an admin", FORBIDDEN)
        return self.open_session(name, group)

    def open_session(self, name: str, group: str | None = None) -> str:
        """A session's key, for one who need not know a password. Raises Refused."""
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
        key = str(uuid4())
        self.query(
            "INSERT INTO session (uuid, experimenter, egroup, node, started) VALUES (?, ?, ?, ?, ?)",
            *(key, found[0][0], chosen[0], self.node, time.time()),
        )
        return key

    def lose_lookups(self, times: int) -> None:
        """Have the next `times` look-ups of a session end in an exception, as while the database does not answer."""
        self.set("lookups", str(times))

    def is_lookup_lost(self) -> bool:
        """Whether this look-up is one of those."""
        lost = "UPDATE setting SET value = value - 1 WHERE name = 'lookups' AND value > 0 RETURNING value"
        return bool(self.query(lost))

    def close_session(self, key: str) -> bool:
        """Whether there was such a session, open until now."""
        closed = self.query(
            "UPDATE session SET closed = ? WHERE uuid = ? AND closed IS NULL RETURNING id", time.time(), key
        )
        return bool(closed)

    def may(self, key: str, privilege: str) -> bool:
        """Whether a session is an administrator's who has a privilege. Raises Refused."""
        user, _, admin, _ = self.user_of(key)
        return admin and privilege not in self.query("SELECT lacks FROM experimenter WHERE id = ?", user)[0][0].split()

    def user_of(self, key: str) -> tuple[int, str, bool, str]:
        """Id, name, whether an administrator, and group of a session. Raises Refused."""
        self.check_answers()
        rows = self.query(
            "SELECT x.id, x.omeName, x.admin, g.name FROM session s JOIN experimenter x ON x.id = s.experimenter "
            "JOIN experimentergroup g ON g.id = s.egroup WHERE s.uuid = ? AND s.closed IS NULL",
            key,
        )
        if not rows:
            raise Refused("PermissionDeniedException: No such session")
        return int(rows[0][0]), str(rows[0][1]), bool(rows[0][2]), str(rows[0][3])

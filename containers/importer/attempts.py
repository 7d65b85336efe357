"""An attempt: filesets that one JVM imports, in one session of OMERO's that is its fence.

Its row is there before anything else, and has the session before the JVM starts. So whoever comes later knows all that
may still be going on: he closes the session, and asks OMERO what has become of the filesets.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import entries, evidence, formats, hostile
from .entries import ATTEMPT, FAILED, IMPORTED, IMPORTING, INCOMPLETE, PENDING
from .evidence import BROKEN, FINISHED, PARTLY, RUNS
from .faults import JobError, Unreachable
from .ledger import Entry, Ledger
from .omero import Import, Omero
from .table import Table

# Attempts at a fileset before it is left to a person. The later ones have an importer of their own.
ATTEMPTS = 4
# How an importer ends that has come to its end: 1 nothing to import, 2 an import failed.
CERTAIN = (0, 1, 2)
MISSING = "the file is no longer there; put it back, or say that it is not needed with `omero-aws imports dismiss`"
CHANGED = "the file has changed since the scan, so it may still be arriving; scan again"
# The line of a log that somebody is told of.
REFUSED = "importer refused"
NO_READER = "OMERO has no reader for this file: Bio-Formats does not know what is in it, whatever its name says"
# Workers that were killed while they had a fileset, before it is left to a person.
INTERRUPTIONS = 20
KILLED = "its importer, or the server, was ended before it had done"
# Of an import whose session was closed under it, or whose server went (ome.conditions, Glacier2 and Ice).
# "not-ready" and "cancel-called" are HandleI's (omero-blitz): who closes a session cancels what it does.
SESSION_GONE = (
    *("No such session", "ObjectNotExist", "SessionException", "SessionNotExist"),
    *("Name: not-ready", "Name: cancel-called"),
)
Counts = dict[str, int]


@dataclass
class Attempt:
    """`holder` is the worker's that began it; `work` what its request asks for; `session` its uuid in OMERO, or "".

    `members` are the other files of what is imported, by the main file, for as long as this worker is at it.
    """

    id: str
    request: str
    holder: str
    work: dict[str, Any]
    ids: list[str]
    who: str
    session: str = ""
    members: dict[bytes, list[bytes]] = field(default_factory=dict)

    @classmethod
    def of(cls, row: dict[str, Any]) -> Attempt:
        """A row as the table has it."""
        ids = entries.unpack(row.get("ids", b""))
        work = json.loads(row["work"])
        return cls(row["row"], row["request"], row["holder"], work, ids, row["who"], row.get("session", ""))

    @property
    def key(self) -> dict[str, Any]:
        """Of its row."""
        return entries.row_key(ATTEMPT, self.id)


class Attempts:
    """Those of this worker, and those that earlier ones have left.

    `start_import` is told of each importer, so that it can be ended from outside; `log` is where its output goes.
    """

    def __init__(self, ledger: Ledger, requests: Table, omero: Omero, *, holder: str, log: str) -> None:
        self._ledger = ledger
        self._requests = requests
        self._omero = omero
        self._holder = holder
        self._log = log
        self._known: set[str] = set()
        self.importing: Any = None

    def left(self) -> list[Attempt]:
        """Those that are not settled, as they are now."""
        return [Attempt.of(row) for row in self._requests.rows(ATTEMPT)]

    def take_over(self) -> None:
        """Fence all that earlier workers have begun: no session can be added, and those that others had are closed.

        What this worker's supervisor has started before is dead already; its sessions stay, for OMERO may be about to
        end by itself what it has begun in them. Raises Unreachable.
        """
        for attempt in self.left():
            when = "attribute_exists(#part)"
            self._requests.update(entries.update(attempt.key, {"fenced": self._holder}, when=when))
            row = self._requests.get(attempt.key)
            session = row.get("session", "") if row else ""
            if session and attempt.holder != self._holder:
                self._omero.close_session(session)

    def release_stray(self, entry: Entry) -> None:
        """Give back what a revoked worker has claimed after its attempt was settled: it got no session any more.

        So is what an earlier version of this program was importing: it knew no attempts.
        """
        if entry.get("attempt") in self._known:
            return
        # An attempt is there before its filesets are claimed, and goes after they are settled.
        self._known = {attempt.id for attempt in self.left()}
        if entry.get("attempt") not in self._known:
            attempts = entry.get("attempts", 0)
            self._ledger.change(
                entry,
                PENDING,
                {"attempts": max(0, attempts - 1)},
                remove=("attempt",),
                when="#state = :state and #attempts = :attempts",
                given={"state": IMPORTING, "attempts": attempts},
                event="released",
            )

    def run(
        self,
        wanted: Sequence[Entry],
        work: dict[str, Any],
        *,
        request: str,
        who: str,
        stop: threading.Event,
        say: Callable[[str], None],
        alone: bool = False,
    ) -> Counts:
        """Import what OMERO does not have yet. What came of it; what OMERO is still at is settled later.

        Raises:
            JobError: nothing could be imported, for a reason that is no fileset's.
            Unreachable: OMERO does not answer; what was claimed is settled later.
        """
        attempt = Attempt(uuid.uuid4().hex, request, self._holder, work, [each["id"] for each in wanted], who)
        self._requests.put(
            {
                "part": ATTEMPT,
                "row": attempt.id,
                "request": request,
                "holder": self._holder,
                "work": json.dumps(work),
                "ids": entries.pack(attempt.ids),
                "who": who,
                "at": entries.now_text(),
            }
        )
        claimed = self._ledger.claim(attempt.id, request, wanted, who)
        say("look")
        counts, left = self._looked_at(attempt, claimed)
        if left:
            attempt.session = self._session(attempt)
            done = self._imported(attempt, left, stop=stop, say=say, alone=alone)
            say("confirm")
        else:
            done = None
        more, _ = self.settle(attempt, done=done)
        return _sum(counts, more)

    def _looked_at(self, attempt: Attempt, claimed: Sequence[Entry]) -> tuple[Counts, list[Entry]]:
        """What OMERO has of it already, or is at, or cannot import; and what is left."""
        found = evidence.of_paths(self._omero, [entry["path"] for entry in claimed])
        seen = formats.Seen()
        counts: Counts = {}
        left = []
        for entry in claimed:
            before = found.get(entry["path"], [])
            if any(each.state in (FINISHED, RUNS, PARTLY) for each in before):
                kind = self._judged(attempt, entry, before, None, alone=False)
                counts = _sum(counts, {kind: 1} if kind else {})
            elif fault := _fault(entry, now := formats.one(entry["path"], seen)):
                self._failed(entry, fault, final=True)
                counts = _sum(counts, {"failed": 1})
            else:
                left.append(entry)
                folder = os.path.dirname(entry["path"])
                attempt.members[entry["path"]] = [os.path.join(folder, each) for each in now.members] if now else []
        return counts, left

    def _session(self, attempt: Attempt) -> str:
        """A session for the attempt, in its row; closed again if the attempt is no longer this worker's."""
        try:
            session = self._omero.open_session(attempt.work.get("user", ""), attempt.work.get("group", ""))
        except JobError:
            self.settle(attempt, done=None)
            raise
        when = "attribute_exists(#part) and attribute_not_exists(#fenced)"
        if not self._requests.update(entries.update(attempt.key, {"session": session}, when=when)):
            self._omero.close_session(session)
            raise JobError("another worker has taken over; it does what is left")
        return session

    def _imported(
        self, attempt: Attempt, left: Sequence[Entry], *, stop: threading.Event, say: Callable[[str], None], alone: bool
    ) -> Import | None:
        """How the importer ended; None if it was this worker that ended it, to stop."""
        say("import")
        paths = [entry["path"] for entry in left]
        self.importing = self._omero.start_import(attempt.session, paths, _options(attempt.work, alone=alone))
        done: Import | None = self.importing.wait(stop)
        ended: Import = done or self.importing.end()
        self.importing = None
        sys.stdout.write(ended.out)
        sys.stderr.write(ended.errors)
        sys.stdout.flush()
        return done

    def settle(self, attempt: Attempt, *, done: Import | None) -> tuple[Counts, bool]:
        """Judge what its importer has left, which does not run any more; and whether OMERO is at none of it.

        Called again later, it goes on. `done` is how the importer ended, None if nobody saw it. Raises Unreachable.
        """
        counts, running = self._judge_all(attempt, done, dead=False)
        if running:
            return counts, False
        if attempt.session:
            # Nothing that the server does needs it any more; what it would still begin cannot.
            self._omero.close_session(attempt.session)
        more, running = self._judge_all(attempt, done, dead=True)
        if running:
            return _sum(counts, more), False
        self._requests.delete(attempt.key)
        self._known.discard(attempt.id)
        return _sum(counts, more), True

    def _judge_all(self, attempt: Attempt, done: Import | None, *, dead: bool) -> tuple[Counts, bool]:
        """Settle what can be told. `dead`: the session is closed, so that what has not begun will not."""
        mine = [each for each in self._ledger.get_all(attempt.ids).values() if _is_of(each, attempt)]
        found = evidence.of_paths(self._omero, [entry["path"] for entry in mine]) if mine else {}
        if dead and done and (done.general or done.unreachable) and not found:
            for entry in mine:
                self._ledger.settle(entry, PENDING, {"attempts": max(0, entry["attempts"] - 1)}, event="released")
            if mine and done.unreachable:
                raise Unreachable(f"OMERO.server did not answer the importer ({done.last()})")
            if mine:
                raise JobError(f"{done.last()}; nothing of this batch was imported")
        counts: Counts = {}
        running = False
        for entry in mine:
            filesets = found.get(entry["path"], [])
            if any(each.state == FINISHED for each in filesets) or dead:
                kind = self._judged(attempt, entry, filesets, done, alone=len(attempt.ids) == 1)
                counts = _sum(counts, {kind: 1} if kind else {})
                running = running or not kind
            else:
                running = running or any(each.state == RUNS and each.uploaded for each in filesets)
        return counts, running

    def _judged(
        self, attempt: Attempt, entry: Entry, filesets: Sequence[evidence.Fileset], done: Import | None, *, alone: bool
    ) -> str:
        """Settle one; its kind in the counts, "" if OMERO is at it."""
        finished = [each for each in filesets if each.state == FINISHED]
        if finished:
            own = [each for each in finished if each.session == attempt.session and attempt.session]
            return self._succeeded(attempt, entry, (own or finished)[0], already=not own)
        if any(each.state == RUNS for each in filesets):
            return ""
        members = attempt.members.get(entry["path"], ())
        told = done.reason(entry["path"], *members) if done and not done.unreachable else ""
        if done and alone and not told and not done.unreachable and not done.out_of_memory:
            told = done.error()
        partly = [each for each in filesets if each.state == PARTLY]
        if partly:
            values = {"fileset": partly[0].id, "images": entries.ranges(partly[0].images)}
            self._ledger.settle(entry, INCOMPLETE, {**values, "reason": _partly(partly[0], told), **self._place()})
            return "incomplete"
        broken = [each for each in filesets if each.state == BROKEN and each.session == attempt.session]
        if broken and not told:
            told = evidence.error_of(broken[-1].log)
        # What a server says that went away, or whose session was closed, is not about the file.
        gone = any(word in told for word in SESSION_GONE)
        if told and not gone:
            self._failed(entry, told, final=True)
            return "failed"
        if done is None or done.unreachable or broken or gone:
            return self._interrupted(entry)
        return self._without_reason(entry, filesets, done, alone=alone)

    def _without_reason(self, entry: Entry, filesets: Sequence[evidence.Fileset], done: Import, *, alone: bool) -> str:
        """Nobody named it: its importer was ended, or knew nothing of it."""
        if done.out_of_memory:
            last = (
                "out of memory: the importer's JVM did not have enough for it; raise omero.importer.memory_mib, "
                "deploy, and retry it"
            )
        else:
            last = done.last()
        final = entry["attempts"] >= ATTEMPTS or (alone and done.code in CERTAIN)
        # An error may be this file's: it is told when the file is alone with it.
        if done.code in CERTAIN and not filesets and not done.out_of_memory and not done.error():
            last, final = NO_READER, True
        if filesets:
            last += f" (fileset {filesets[-1].id} was begun, and has no image)"
        self._failed(entry, last, final=final)
        return "failed" if final else "pending"

    def _interrupted(self, entry: Entry) -> str:
        """Its worker or the server went away: that is not to its account, unless it happens again and again."""
        times = entry.get("interrupted", 0) + 1
        final = times >= INTERRUPTIONS
        values = {"attempts": max(0, entry["attempts"] - 1), "interrupted": times, "reason": KILLED}
        self._ledger.settle(entry, FAILED if final else PENDING, values)
        return "failed" if final else "pending"

    def _succeeded(self, attempt: Attempt, entry: Entry, fileset: evidence.Fileset, *, already: bool) -> str:
        values = {
            "fileset": fileset.id,
            "images": entries.ranges(fileset.images),
            "count": len(fileset.images),
            "owner": fileset.owner,
            **entries.within(fileset.dataset),
            "imported_at": entries.now_text(),
        }
        if fileset.outside:
            return self._refused(entry, fileset, values)
        note = self._note(attempt, fileset) if already else ""
        remove = ["reason", "by", "changed", "differs", *([] if note else ["note"])]
        remove += [] if fileset.dataset else ["dataset", "dataset_name"]
        self._ledger.settle(
            entry,
            IMPORTED,
            {**values, **self._place(), **({"note": note} if note else {})},
            remove=remove,
            event="already in OMERO" if already else "imported",
        )
        return "already" if already else "imported"

    def _refused(self, entry: Entry, fileset: evidence.Fileset, values: dict[str, Any]) -> str:
        """It has made OMERO take a file from elsewhere, which may be another sender's, or OMERO's own."""
        hidden = self._omero.hide(fileset.id)
        where = (
            "its images are in OMERO's group system, where only administrators see them"
            if not hidden
            else f"its images could not be hidden ({hidden}): see to them at once"
        )
        reason = (
            f"it made OMERO read {entries.shown(fileset.outside)}, which is not in its folder; {where}. Ask who sent "
            f"it; fileset {fileset.id} can be deleted in OMERO"
        )
        # An alarm looks for these words: stacks/services/importer.py.
        sys.stdout.write(f"{REFUSED} {json.dumps(entries.shown(entry['path']))}: fileset {fileset.id}\n")
        sys.stdout.flush()
        self._ledger.settle(entry, FAILED, {**values, "reason": reason, **self._place()})
        return "failed"

    def _note(self, attempt: Attempt, fileset: evidence.Fileset) -> str:
        """What of the images is not as it was asked for now: they were there before."""
        asked = attempt.work.get("user") or self._omero.admin
        said = [f"already {fileset.owner}'s"] if fileset.owner != asked else []
        target = attempt.work.get("target", "")
        kind, _, id_ = target.partition(":")
        if kind == "Dataset" and id_.isdecimal():
            images = ", ".join(map(str, sorted(fileset.images)[:1000]))
            query = f"select link.parent.id from DatasetImageLink link where link.child.id in ({images})"  # noqa: S608
            if id_ not in {row[0] for row in self._omero.query(query)}:
                said.append(f"not in {target}")
        return ", ".join(said)

    def _failed(self, entry: Entry, reason: str, *, final: bool) -> None:
        """Leave it to a person, or to a later attempt."""
        state = FAILED if final else PENDING
        self._ledger.settle(entry, state, {"reason": reason, **self._place()})

    def _place(self) -> dict[str, str]:
        return {"log": self._log} if self._log else {}


def _is_of(entry: Entry, attempt: Attempt) -> bool:
    return bool(entry["state"] == IMPORTING and entry.get("attempt") == attempt.id)


def _partly(fileset: evidence.Fileset, told: str) -> str:
    return (
        f"OMERO has images of it (fileset {fileset.id}), and their import did not come to its end: they may lack "
        f"pixels. Delete them (`omero-aws exec -- omero delete Fileset:{fileset.id}`) and retry the file, or dismiss it"
        f"{'; OMERO said: ' if told else ''}{told}"
    )


def _options(work: dict[str, Any], *, alone: bool) -> list[str]:
    parallel = 1 if alone else int(work["parallel_filesets"])
    options = ["--transfer", str(work["transfer"]), "--parallel-fileset", str(parallel)]
    for each in work["skip"]:
        options += ["--skip", each]
    if work["target"]:
        options += ["--target", work["target"]]
    return options


def _fault(entry: Entry, now: formats.Fileset | None) -> str:
    """Why a file should not be imported as it is now."""
    if not os.path.lexists(entry["path"]):
        return MISSING
    if now is None or now.print != entry["print"]:
        return CHANGED
    return now.fault or hostile.fault(now.main, now.members)


def _sum(one: Counts, other: Counts) -> Counts:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}

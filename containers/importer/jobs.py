"""What people ask for beside imports: each is done in a thread of its own, while imports go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from . import entries
from .entries import DISMISSED, FAILED, IMPORTED, IMPORTING, INCOMPLETE, PENDING
from .faults import JobError
from .ledger import Entry, Ledger
from .omero import Omero
from .scan import scan
from .verify import verify

Say = Callable[..., None]
KINDS = ("scan", "verify", "retry", "replay", "dismiss", "users")
# Those that ask OMERO.
ASKING = ("verify", "users")


def do(
    kind: str, work: dict[str, Any], ledger: Ledger, omero: Omero | None, *, who: str, stop: threading.Event, say: Say
) -> dict[str, Any]:
    """The result of a job of `KINDS`; `omero` is there for those of `ASKING`.

    Raises:
        JobError: it cannot be done, or `stop` was set.
        Unreachable: OMERO does not answer.
    """
    if kind == "scan":
        return scan(work, ledger, who=who, stop=stop, say=say)
    if kind in ("retry", "replay"):
        return _retry({"files": [], **work}, ledger, who)
    if kind == "dismiss":
        return _dismiss(work, ledger, who)
    assert omero is not None  # noqa: S101 - of ASKING
    if kind == "users":
        return {"users": [[name, f"{first} {last}".strip(), int(id_)] for name, first, last, id_ in omero.users()]}
    ids = [each["id"] for each in ledger.imported(bytes.fromhex(work["under"]))]
    return verify(ids, ledger, omero, stop=stop, say=say)


def _retry(work: dict[str, Any], ledger: Ledger, who: str) -> dict[str, Any]:
    """Have settled filesets imported again; OMERO is asked first, as ever, and what it has is not imported twice."""
    if work["files"]:
        wanted = list(_named(work["files"], ledger))
        for entry in wanted:
            differs = entry["state"] == IMPORTED and entry.get("differs")
            if entry["state"] not in (FAILED, INCOMPLETE, DISMISSED) and not differs:
                raise JobError(
                    f"{entries.shown(entry['path'])} is {entry['state']}; give one that failed, is incomplete or "
                    "dismissed, or that `verify` found to differ"
                )
    else:
        # What is incomplete is looked at again: as long as OMERO has its images, it stays so.
        states = (FAILED, INCOMPLETE)
        wanted = [entry for entry in ledger.open(bytes.fromhex(work["under"])) if entry["state"] in states]
    old = ("by", "differs", "verified_at", "interrupted", "request", "changed")
    values = {"attempts": 0, "who": who, "since": int(time.time())}
    again = ledger.at_once(lambda entry: ledger.change(entry, PENDING, values, remove=old, event="retried"), wanted)
    return {"filesets": sum(again)}


def _dismiss(work: dict[str, Any], ledger: Ledger, who: str) -> dict[str, Any]:
    """Have filesets left alone, for a person has said so."""
    wanted = list(_named(work["files"], ledger))
    for entry in wanted:
        if entry["state"] == IMPORTING:
            raise JobError(f"{entries.shown(entry['path'])} is being imported; wait for its end, or cancel the request")
    values = {"who": who, "reason": work.get("reason") or "dismissed"}
    done = ledger.at_once(lambda entry: ledger.change(entry, DISMISSED, values, remove=("differs",)), wanted)
    return {"filesets": sum(done)}


def _named(files: list[str], ledger: Ledger) -> Iterator[Entry]:
    paths = {entries.fileset_id(path): path for path in map(bytes.fromhex, files)}
    found = ledger.get_all(paths)
    for id_, path in paths.items():
        if id_ not in found:
            raise JobError(
                f"{entries.shown(path)} is not in the ledger as a main file; scan its folder first, or see `report`"
            )
        yield found[id_]

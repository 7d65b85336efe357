"""What nobody is at is given back, and nothing else."""

from __future__ import annotations

from typing import Any

from containers.importer import entries
from containers.importer.attempts import Attempts
from containers.importer.entries import ATTEMPT, IMPORTING, PENDING
from containers.importer.ledger import Ledger
from containers.importer.table import Table

Tables = tuple[Table, Table]


def importing(ledger: Ledger, number: int, **more: Any) -> dict[str, Any]:
    path = f"/OMERO/in/{number}.tif".encode()
    id_ = entries.fileset_id(path)
    values = {"id": id_, "path": path, "state": IMPORTING, "queue": entries.queue(IMPORTING, id_), "at": "t", **more}
    made = {**values, "found": f"t#{number}", "attempts": 1, "who": "tester"}
    ledger.put_open([(id_, made["found"], made["path"])])
    assert ledger.put_new(made)
    return made


def test_only_what_has_no_attempt_is_given_back(ledger: Ledger, tables: Tables) -> None:
    requests = tables[1]
    attempts = Attempts(ledger, requests, None, holder="me", log="")  # type: ignore[arg-type]
    known = {"part": ATTEMPT, "row": "a", "request": "r", "holder": "me", "work": "{}", "who": "x"}
    requests.put(known)
    of_one = importing(ledger, 1, attempt="a")
    strays = [importing(ledger, 2, attempt="gone"), importing(ledger, 3)]  # the last by an earlier version

    def states() -> list[str]:
        for entry in ledger.open():
            if entry["state"] == IMPORTING:
                attempts.release_stray(entry)
        found = ledger.get_all([each["id"] for each in (of_one, *strays)])
        return [found[each["id"]]["state"] for each in (of_one, *strays)]

    assert states() == [IMPORTING, PENDING, PENDING]
    assert ledger.get_all([strays[0]["id"]])[strays[0]["id"]]["attempts"] == 0
    requests.put({**known, "row": "b"})
    importing(ledger, 4, attempt="b")
    assert states()[0] == IMPORTING
    assert ledger.get_all([entries.fileset_id(b"/OMERO/in/4.tif")]).popitem()[1]["state"] == IMPORTING

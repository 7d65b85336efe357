"""The worker's ledger: nothing is imported by two, nothing is lost, whatever answer is lost and whoever is killed."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from containers.importer import entries
from containers.importer.batches import COMMAND_BYTES, Limits, container_key, cut
from containers.importer.entries import DISMISSED, FAILED, IMPORTED, IMPORTING, PENDING
from containers.importer.ledger import Entry, Ledger
from containers.importer.table import Table
from containers.supervisor.signing import Aws, AwsError

Tables = tuple[Table, Table]


def values(number: int, state: str = PENDING, **more: Any) -> Entry:
    path = f"/OMERO/in/{number:05}.tif".encode()
    id_ = entries.fileset_id(path)
    known = {"id": id_, "path": path, "state": state, "queue": entries.queue(state, id_), "size": 1000, "files": 1}
    return {**known, "found": f"t#{number:010}", "attempts": 0, "at": "t", "who": "tester", **more}


def put(ledger: Ledger, number: int) -> Entry:
    made = values(number)
    ledger.put_open([(made["id"], made["found"], made["path"])])
    assert ledger.put_new(made)
    return made


def paths(found: Iterator[Entry]) -> list[bytes]:
    return [each["path"] for each in found]


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Actions of which the next answer is lost after DynamoDB has done what was asked."""
    actions: list[str] = []
    real = Aws.call

    def call(self: Aws, service: str, action: str, *arguments: Any, **more: Any) -> dict[str, Any]:
        answer = real(self, service, action, *arguments, **more)
        name = action.rpartition(".")[2]
        if name in actions:
            actions.remove(name)
            raise ConnectionResetError("the answer was lost")
        return answer

    monkeypatch.setattr(Aws, "call", call)
    return actions


def test_what_is_open_comes_in_the_order_in_which_it_was_found(ledger: Ledger) -> None:
    numbers = random.sample(range(1000), 220)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put(ledger, number), numbers))
    assert paths(ledger.open()) == [f"/OMERO/in/{number:05}.tif".encode() for number in sorted(numbers)]
    assert paths(ledger.open(b"/OMERO/in/00001.tif")) == [b"/OMERO/in/00001.tif"] * (1 in numbers)


def test_of_what_is_open_elsewhere_no_entry_is_read(
    ledger: Ledger, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sender's import does not cost more because another has delivered a million files."""
    made = [put(ledger, number) for number in range(3)]
    older = made[2]  # written by a release without paths in its rows
    tables[1].put(entries.plain(entries.todo_key(older["id"], older["found"])))
    read = list[str]()
    real = Ledger.get_all

    def get_all(self: Ledger, ids: Any) -> dict[str, Entry]:
        wanted = list(ids)
        read.extend(wanted)
        return real(self, wanted)

    monkeypatch.setattr(Ledger, "get_all", get_all)
    assert paths(ledger.open(made[0]["path"])) == [made[0]["path"]]
    assert read == [made[0]["id"], older["id"]]
    assert len(paths(ledger.open())) == 3


def test_what_two_claim_at_once_each_has_once(ledger: Ledger) -> None:
    for number in range(40):
        put(ledger, number)
    wanted = list(ledger.open())
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda name: ledger.claim(name, "r", wanted, "me"), ("one", "other"))
    assert Counter(each["id"] for each in (*one, *other)) == Counter(each["id"] for each in wanted)
    assert {each["attempt"] for each in ledger.open()} <= {"one", "other"}


@pytest.mark.parametrize("action", ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"])
def test_a_lost_answer_changes_nothing(ledger: Ledger, lost: list[str], action: str) -> None:
    lost += [action]
    put(ledger, 1)
    (entry,) = ledger.open()
    (claimed,) = ledger.claim("a", "r", [entry], "me")
    lost += ["UpdateItem"] * (action == "UpdateItem")
    assert ledger.settle(claimed, IMPORTED, {"fileset": 1})
    assert not lost
    assert list(ledger.open()) == []
    assert ledger.get_all([entry["id"]])[entry["id"]]["state"] == IMPORTED


def test_a_change_that_somebody_else_made_is_not_taken_for_ones_own(ledger: Ledger) -> None:
    (claimed,) = ledger.claim("a", "r", [put(ledger, 1)], "me")
    assert ledger.settle(claimed, PENDING, {})
    assert ledger.claim("b", "r", ledger.open(), "me")
    assert not ledger.settle(claimed, IMPORTED, {"fileset": 1})
    assert next(ledger.open())["attempt"] == "b"


WRITES = 11
READS = ("Query", "GetItem", "BatchGetItem")


@pytest.mark.parametrize("last", range(WRITES + 1))
def test_nothing_open_is_missing_wherever_a_worker_is_killed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    """Its last write is each one in turn: the list still has everything that is not settled."""
    left = [last]
    real = Aws.call

    def call(self: Aws, service: str, action: str, *arguments: Any, **more: Any) -> Any:
        left[0] -= action.rpartition(".")[2] not in READS
        if left[0] < 0:
            raise AwsError("Killed", "here")
        return real(self, service, action, *arguments, **more)

    entry = values(1)
    monkeypatch.setattr(Aws, "call", call)
    with suppress(AwsError):
        ledger.put_open([(entry["id"], entry["found"], entry["path"])])
        ledger.put_new(entry)
        (claimed,) = ledger.claim("a", "r", [entry], "me")
        ledger.settle(claimed, IMPORTED, {})
        ledger.change({**entry, "state": IMPORTED}, PENDING, {"attempts": 0})
        (claimed,) = ledger.claim("b", "r", [entry], "me")
        ledger.settle(claimed, FAILED, {"reason": "x"})
        ledger.change({**entry, "state": FAILED}, DISMISSED, {})
    monkeypatch.setattr(Aws, "call", real)
    now = ledger.get_all([entry["id"]]).get(entry["id"], {"state": DISMISSED})
    assert (entry["path"] in paths(ledger.open())) == (now["state"] not in entries.SETTLED)
    assert (left[0] >= 0) == (last == WRITES), "WRITES is how many there are"


def test_what_is_concluded_is_read_consistently(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index lags, and so does a read that is not asked to be consistent."""
    for number in range(3):
        put(ledger, number)
    asked: list[dict[str, Any]] = []
    real = Aws.call

    def call(self: Aws, service: str, action: str, arguments: dict[str, Any], **more: Any) -> Any:
        asked.extend(arguments.get("RequestItems", {"": arguments}).values())
        return real(self, service, action, arguments, **more)

    monkeypatch.setattr(Aws, "call", call)
    assert len(list(ledger.open())) == 3
    reads = [each for each in asked if isinstance(each, dict)]
    assert len(reads) > 16
    assert all(each.get("ConsistentRead") is True and "IndexName" not in each for each in reads)


def test_a_history_only_grows(ledger: Ledger) -> None:
    entry = put(ledger, 1)
    (claimed,) = ledger.claim("a", "r", [entry], "arn:alice")
    ledger.settle(claimed, FAILED, {"reason": "broken"})
    ledger.change({**entry, "state": FAILED}, PENDING, {"who": "arn:bob"}, event="retried")
    history = ledger.get_all([entry["id"]])[entry["id"]]["history"]
    assert [line.split(", ")[1] for line in history] == [PENDING, IMPORTING, FAILED, "retried"]
    assert "who arn:alice" in history[1]
    assert "reason broken" in history[2]
    assert "who arn:bob" in history[3]


def test_says_what_it_may_not(connection: Aws) -> None:
    with pytest.raises(AwsError, match="ResourceNotFoundException"):
        Table(connection, "no-such-table").get(entries.entry_key("x"))


def test_two_threads_read_one_table(ledger: Ledger) -> None:
    seen: list[Any] = []
    id_ = put(ledger, 7)["id"]
    threads = [threading.Thread(target=lambda: seen.append(ledger.get_all([id_]))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert all(seen)


def entry(number: int, *, size: int = 1, attempts: int = 0, together: str = "", path: bytes = b"") -> Entry:
    path = path or f"/OMERO/in/{number // 10}/{number}.tif".encode()
    return {"id": str(number), "path": path, "size": size, "attempts": attempts, "together": together}


def test_batches_hold_every_fileset_once_within_their_limits() -> None:
    for _ in range(50):
        limits = Limits(filesets=random.randrange(1, 40), size=random.randrange(1, 500))
        some = [entry(n, size=random.randrange(100), attempts=random.choice([0, 0, 0, 1, 2, 3])) for n in range(300)]
        key_of = container_key(random.choice(["", "regex:^.*in/(?<Container1>[0-9]*)"]))
        batches = list(cut(iter(some), limits, key_of))
        assert Counter(each["id"] for batch in batches for each in batch.entries) == Counter(e["id"] for e in some)
        for batch in batches:
            assert len(batch.entries) == 1 or batch.size <= limits.size or batch.entries[0]["attempts"]
            assert len(batch.entries) <= limits.filesets
            assert len({key_of(each["path"]) for each in batch.entries}) == 1
            assert len(batch.entries) == 1 or max(each["attempts"] for each in batch.entries) < 2


def test_what_may_be_one_fileset_stays_together() -> None:
    some = [entry(n, together="a" if 5 <= n < 25 else "") for n in range(40)]
    batches = list(cut(some, Limits(filesets=10), container_key("")))
    (holder,) = [batch for batch in batches if any(each["together"] for each in batch.entries)]
    assert sum(bool(each["together"]) for each in holder.entries) == 20


def test_a_command_line_holds_the_paths_of_a_batch() -> None:
    some = [entry(n, path=b"/OMERO/" + b"d" * 4000 + str(n).encode()) for n in range(1000)]
    assert all(
        batch.path_bytes <= COMMAND_BYTES + 5000 for batch in cut(some, Limits(filesets=1000), container_key(""))
    )

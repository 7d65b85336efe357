"""The ledger: nothing is imported by two, nothing is lost, whoever is killed or throttled."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from containers.importer import entries
from containers.importer.batch import ATTEMPTS
from containers.importer.entries import FAILED, IMPORTED, IMPORTING, PENDING, RUNNING
from containers.importer.table import Table, TableError
from local_aws.server import LocalAws
from local_aws.testing.ecs import Client
from scripts.ingest.imports.batches import COMMAND_BYTES, Limits, container_key, cut
from scripts.ingest.imports.ledger import Entry, Ledger, slot
from scripts.measure.bench_imports import make_ledger


@pytest.fixture
def name(client: Client) -> str:
    made = f"ledger-{uuid4().hex[:8]}"
    make_ledger(client("dynamodb"), made)
    return made


@pytest.fixture
def ledger(client: Client, name: str) -> Ledger:
    return Ledger(client("dynamodb"), name)


@pytest.fixture
def table(aws: LocalAws, name: str, monkeypatch: pytest.MonkeyPatch) -> Table:
    """The importer's own client of the same table."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", raising=False)
    return Table(name, aws.region, aws.endpoint)


def put(table: Table, number: int, state: str = PENDING, **more: Any) -> bytes:
    path = f"/OMERO/in/{number:05}.tif".encode()
    id_ = entries.fileset_id(path)
    values = {"id": id_, "path": path, "state": state, "queue": entries.queue(state, id_), "size": 1000}
    assert table.put_new(entries.wire({**values, "found": f"t#{number:010}", "attempts": 0, "files": 1, **more}))
    return path


def test_entries_come_in_the_order_in_which_they_were_found(ledger: Ledger, table: Table) -> None:
    numbers = random.sample(range(1000), 120)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put(table, number), numbers))
    assert [entry.path for entry in ledger.entries(PENDING)] == [
        f"/OMERO/in/{number:05}.tif".encode() for number in sorted(numbers)
    ]
    assert ledger.number(PENDING) == 120
    assert ledger.totals()[PENDING].bytes == 120_000
    assert [entry.path for entry in ledger.entries(under=b"/OMERO/elsewhere")] == []


def test_pages_are_followed(ledger: Ledger, table: Table) -> None:
    for number in range(40):
        put(table, number, reason="x" * 60_000)
    assert ledger.number(PENDING) == len(list(ledger.entries(PENDING))) == 40
    assert len(list(ledger.get_all(entry.id for entry in ledger.entries()))) == 40


def test_what_two_runners_claim_at_once_each_has_once(ledger: Ledger, table: Table) -> None:
    for number in range(150):
        put(table, number)
    wanted = list(ledger.entries(PENDING))
    with ThreadPoolExecutor(4) as pool:
        claimed = list(pool.map(lambda batch: ledger.claim(batch, wanted), ["a", "b", "c", "d"]))
    count = Counter(entry.id for some in claimed for entry in some)
    assert len(count) == 150
    assert set(count.values()) == {1}
    by_batch = Counter(entry.batch for entry in ledger.entries(IMPORTING))
    assert sorted(by_batch.values()) == sorted(len(some) for some in claimed if some)


def test_a_slot_has_one_job(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda _: ledger.take(slot(0), {"do": "import"}, [], "me"), range(8)))
    (token,) = [each for each in tokens if each]
    assert [job.batch for job in ledger.slots()] == [token]
    ledger.drop(slot(0), "another's token")
    assert ledger.slots()
    ledger.drop(slot(0), token)
    assert ledger.slots() == []


def test_a_job_that_was_taken_back_can_begin_no_more(ledger: Ledger) -> None:
    token = ledger.take(slot(1), {}, [], "me")
    assert token
    (job,) = ledger.slots()
    assert ledger.revoke(job)
    assert ledger.ready(slot(1), token, []), "it is claimed, as it was"
    (job,) = ledger.slots()
    assert ledger.revoke(job)
    assert not ledger.revoke(job), "somebody else was faster"


def test_only_the_batch_that_has_it_gives_a_fileset_back(ledger: Ledger, table: Table) -> None:
    put(table, 1)
    (entry,) = ledger.entries(PENDING)
    ledger.claim("a", [entry])
    assert ledger.give_back("b", [entry.id], "wrong", counted=True) == 0
    assert ledger.give_back("a", [entry.id], "spot", counted=False, wait=30) == 1
    (back,) = ledger.entries(PENDING)
    assert (back.attempts, back.reason, back.batch) == (0, "spot", "")
    assert back.after > time.time() + 25


def test_a_fileset_that_kills_its_importer_is_failed_in_the_end(ledger: Ledger, table: Table) -> None:
    path = put(table, 1)
    for _ in range(ATTEMPTS):
        (entry,) = ledger.entries(PENDING)
        ledger.claim("a", [entry])
        ledger.give_back("a", [entry.id], "out of memory", counted=True)
    found = ledger.get(path)
    assert found is not None
    assert (found.state, found.reason, found.attempts) == (FAILED, "out of memory", ATTEMPTS)
    assert ledger.retry(found)
    assert not ledger.retry(found)
    again = ledger.get(path)
    assert again is not None
    assert (again.state, again.attempts) == (PENDING, 0)


def test_filesets_of_a_batch_that_nobody_knows_are_found(ledger: Ledger, table: Table) -> None:
    put(table, 1)
    put(table, 2)
    first, second = ledger.entries(PENDING)
    token = ledger.take(slot(0), {}, [first.id], "me")
    assert token
    ledger.claim(token, [first])
    ledger.claim("gone", [second])
    assert [entry.id for entry in ledger.orphans()] == [second.id]


def test_the_importers_client_says_what_it_may_not(table: Table) -> None:
    path = put(table, 1)
    key = entries.fileset_id(path)
    assert not table.put_new({"id": {"S": key}})
    assert not table.update(entries.update(key, {"state": RUNNING}, when="#state = :state", given={"state": IMPORTED}))
    assert table.update(
        entries.update(key, {"size": 5}, remove=["files"], when="#state = :state", given={"state": PENDING})
    )
    assert entries.plain(dict(table.get(key) or {}))["size"] == 5
    with pytest.raises(TableError, match="ResourceNotFoundException"):
        Table("no-such-table", "eu-west-1", f"{table._endpoint.scheme}://{table._endpoint.netloc}").get("x")


def entry(number: int, *, size: int = 1, attempts: int = 0, together: str = "", path: bytes = b"") -> Entry:
    path = path or f"/OMERO/in/{number // 10}/{number}.tif".encode()
    return Entry(id=str(number), path=path, state=PENDING, size=size, attempts=attempts, together=together)


def test_batches_hold_every_fileset_once_within_their_limits() -> None:
    for _ in range(50):
        limits = Limits(filesets=random.randrange(1, 40), size=random.randrange(1, 500))
        some = [entry(n, size=random.randrange(100), attempts=random.choice([0, 0, 0, 1, 2, 3])) for n in range(300)]
        key_of = container_key(random.choice(["", "regex:^.*in/(?<Container1>[0-9]*)"]))
        batches = list(cut(iter(some), limits, key_of))
        assert Counter(each.id for batch in batches for each in batch.entries) == Counter(each.id for each in some)
        for batch in batches:
            assert len(batch.entries) == 1 or batch.size <= limits.size or batch.entries[0].attempts
            assert len(batch.entries) <= limits.filesets
            assert len({key_of(each.path) for each in batch.entries}) == 1
            assert len(batch.entries) == 1 or max(each.attempts for each in batch.entries) < 2


def test_what_may_be_one_fileset_stays_together() -> None:
    some = [entry(n, together="a" if 5 <= n < 25 else "") for n in range(40)]
    batches = list(cut(some, Limits(filesets=10), container_key("")))
    (holder,) = [batch for batch in batches if any(each.together for each in batch.entries)]
    assert sum(bool(each.together) for each in holder.entries) == 20


def test_a_command_line_holds_the_paths_of_a_batch() -> None:
    some = [entry(n, path=b"/OMERO/" + b"d" * 4000 + str(n).encode()) for n in range(1000)]
    assert all(
        batch.path_bytes <= COMMAND_BYTES + 5000 for batch in cut(some, Limits(filesets=1000), container_key(""))
    )


def test_two_threads_read_one_table(table: Table) -> None:
    seen: list[Any] = []
    path = put(table, 7)
    threads = [threading.Thread(target=lambda: seen.append(table.get(entries.fileset_id(path)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert all(seen)

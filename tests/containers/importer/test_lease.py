"""One worker at a time, whatever clocks, networks and processes do."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from containers.importer import lease as lease_module
from containers.importer.lease import KEY, Lease
from containers.importer.table import Table
from containers.supervisor.signing import Aws

Tables = tuple[Table, Table]
Make = Callable[..., Lease]
SECONDS = 2.0


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the process would have ended, with its thread."""
    times: list[float] = []

    def leave(_code: int) -> None:
        times.append(time.monotonic())
        raise SystemExit

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    return times


@pytest.fixture
def requests(tables: Tables, exits: list[float], monkeypatch: pytest.MonkeyPatch) -> Table:
    """Their table; a lease that is lost by mistake ends no process of the tests."""
    monkeypatch.setattr(lease_module, "LEASE_SECONDS", SECONDS)
    return tables[1]


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[int]]:
    """Threads that have lost their network."""
    without: set[int] = set()
    real = Aws.call

    def call(self: Aws, *arguments: Any, **more: Any) -> dict[str, Any]:
        if threading.get_ident() in without:
            time.sleep(0.05)
            raise TimeoutError("no route")
        return real(self, *arguments, **more)

    monkeypatch.setattr(Aws, "call", call)
    yield without
    without.clear()


@pytest.fixture
def lease(requests: Table) -> Iterator[Callable[..., Lease]]:
    """Makes leases; at the end nothing of them runs."""
    made: list[Lease] = []

    def of(holder: str = "one") -> Lease:
        made.append(Lease(requests, holder=holder, task="task-1"))
        return made[-1]

    yield of
    for each in made:
        each._ended.set()
        for thread in each._threads:
            if thread.ident:
                thread.join()


@pytest.fixture
def held(lease: Callable[..., Lease]) -> Callable[..., Lease]:
    """Takes leases that are free."""

    def of(holder: str = "one") -> Lease:
        made = lease(holder)
        assert made.take(threading.Event())
        return made

    return of


def test_another_takes_a_lease_only_once_its_holder_is_silent(held: Make, lease: Make, exits: list[float]) -> None:
    one = held()
    begun = time.monotonic()
    stop = threading.Event()
    other = lease("two")
    taking = threading.Thread(target=lambda: other.take(stop))
    taking.start()
    taking.join(3 * SECONDS)
    assert taking.is_alive(), "it was taken from a worker that renews it"
    one._ended.set()  # as if it were killed
    taking.join(3 * SECONDS)
    assert not taking.is_alive()
    assert time.monotonic() - begun > 4 * SECONDS
    assert not exits
    other.release()


def test_a_released_lease_is_taken_at_once(held: Make) -> None:
    held().release()
    begun = time.monotonic()
    held("two").release()
    assert time.monotonic() - begun < SECONDS


def test_the_next_worker_of_a_supervisor_does_not_wait(held: Make) -> None:
    """Its supervisor has ended the one before."""
    one = held("supervisor")
    one._ended.set()
    begun = time.monotonic()
    held("supervisor").release()
    assert time.monotonic() - begun < SECONDS


def test_who_does_not_want_to_wait_is_told_so(held: Make, lease: Make) -> None:
    one = held()
    assert not lease("two").take(threading.Event(), wait=False)
    one.release()
    assert lease("two").take(threading.Event(), wait=False)


def test_a_lease_that_cannot_be_renewed_ends_the_work_within_it(held: Make, exits: list[float], cut: set[int]) -> None:
    ended: list[float] = []
    one = held()
    one.on_loss(lambda: ended.append(time.monotonic()))
    begun = time.monotonic()
    cut.update(thread.ident for thread in one._threads if thread.ident)
    while not exits and time.monotonic() - begun < 3 * SECONDS:
        time.sleep(0.02)
    assert exits
    assert exits[0] - begun < SECONDS
    assert ended
    assert ended[0] <= exits[0], "the importer goes before the process"


def test_who_was_revoked_ends(held: Make, requests: Table, exits: list[float]) -> None:
    one = held()
    row = requests.get(KEY)
    assert row
    requests.put({**row, "token": "another"})
    time.sleep(SECONDS)
    assert exits
    assert one


def test_clocks_of_two_machines_are_not_compared(held: Make, lease: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three minutes ahead or behind, a living worker keeps its lease."""
    one = held()
    real = time.time
    for wrong in (-180, 180):
        monkeypatch.setattr(time, "time", lambda wrong=wrong: real() + wrong)
        stop = threading.Event()
        threading.Timer(2 * SECONDS, stop.set).start()
        assert not lease("two").take(stop)
    one.release()

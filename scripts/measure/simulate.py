"""Simulate the worker for days: how long images wait, how busy the importer is, and that nothing is lost or stuck.

Batches and their limits, and how often what fails is tried again, are the worker's own code. How long an import takes
is assumed (`Assumptions`): nobody has measured it on AWS, and a site knows its own slides better. docs/ingest/scale.md
has what comes of it.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import typer

from containers.importer.attempts import ATTEMPTS
from containers.importer.batches import Batch, Limits, container_key, cut
from scripts import console
from settings.omero_defaults import FILESETS

HOUR, DAY = 3600.0, 86_400.0
GB = 1000**3
# `broken`: OMERO says why it cannot be imported. `fatal`: the importer dies of it, and does not say of which file.
Fate = Literal["good", "broken", "fatal"]


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """Times in seconds. A fileset takes `fileset_seconds` and the time to read it `reads` times at `mb_per_second`,
    which all that are imported at once share."""

    parallel: int = FILESETS
    jvm_seconds: float = 20.0
    fileset_seconds: float = 10.0
    # The importer and the server each make a checksum (AbstractExecFileTransfer of ome/omero-blitz, and verifyUpload).
    reads: int = 2
    mb_per_second: float = 300.0
    # A folder is looked at so often, and a file is taken once it has not changed for so long.
    interval: float = 300.0
    settle: float = 60.0
    # From the end of an outage to the first import.
    restart_seconds: float = 120.0


@dataclass(frozen=True)
class Arrival:
    """The last byte of a fileset of `size` bytes came `at` seconds."""

    at: float
    size: int
    fate: Fate = "good"


@dataclass
class Outcome:
    """`waits` are seconds from the last byte to the image; `busy` of `seconds`, until all was done."""

    imported: int = 0
    failed: int = 0
    innocent: int = 0  # failed ones that were good
    jvms: int = 0
    busy: float = 0.0
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)

    def wait(self, share: float) -> float:
        """The wait that this share of the images did not exceed."""
        return sorted(self.waits)[max(0, math.ceil(share * len(self.waits)) - 1)]


def simulate(
    arrivals: Sequence[Arrival], outages: Iterable[tuple[float, float]] = (), given: Assumptions | None = None
) -> Outcome:
    """Import all of them, in the order of arrival; `outages` are when there is no server, from and to."""
    assumed, done = given or Assumptions(), Outcome()
    away, waiting = iter(sorted(outages)), iter(sorted(arrivals, key=lambda each: each.at))
    gone, coming = next(away, None), next(waiting, None)
    pending: list[dict[str, Any]] = []
    now = 0.0
    source: Iterator[Batch] = iter(())
    while True:
        batch = next(source, None)
        if batch is None:
            # From the beginning, as the worker does: with what was found meanwhile, and what is to be tried again.
            while coming and _found(coming, assumed) <= now:
                pending.append({"path": b"", "size": coming.size, "attempts": 0, "of": coming})
                coming = next(waiting, None)
            if not pending and coming is None:
                done.seconds = now
                return done
            if not pending and coming:
                now = _found(coming, assumed)
                continue
            source, pending = cut(pending, Limits(), container_key("")), []
            continue
        while gone and gone[0] <= now:
            now = max(now, gone[1] + assumed.restart_seconds)
            gone = next(away, None)
        end = _one_batch(batch, now, gone[0] if gone else math.inf, assumed, done, pending)
        done.busy += end - now
        now = end


def _found(arrival: Arrival, assumed: Assumptions) -> float:
    return math.ceil((arrival.at + assumed.settle) / assumed.interval) * assumed.interval


def _one_batch(
    batch: Batch, now: float, gone: float, assumed: Assumptions, done: Outcome, pending: list[dict[str, Any]]
) -> float:
    """When the batch is over. What was not imported is failed, or pending again."""
    done.jvms += 1
    lanes = [now + assumed.jvm_seconds] * assumed.parallel
    ends: list[float] = []
    for entry in batch.entries:
        reading = assumed.reads * entry["size"] / (assumed.mb_per_second * 1e6 / assumed.parallel)
        ends.append(lanes[0] + assumed.fileset_seconds + reading)
        heapq.heapreplace(lanes, ends[-1])
    fatal = min(
        (end for end, entry in zip(ends, batch.entries, strict=True) if entry["of"].fate == "fatal"), default=math.inf
    )
    last: float = min(fatal, gone, max(ends))
    for end, entry in zip(ends, batch.entries, strict=True):
        arrival: Arrival = entry["of"]
        if end <= last and arrival.fate == "good":
            done.imported += 1
            done.waits.append(end - arrival.at)
        elif end <= last and arrival.fate == "broken":
            done.failed += 1
        elif last == fatal and entry["attempts"] + 1 >= ATTEMPTS:
            done.failed += 1
            done.innocent += arrival.fate == "good"
        else:
            # An outage is not to a fileset's account.
            pending.append({**entry, "attempts": entry["attempts"] + (last == fatal)})
    return last


def day(number: int, *, hours: tuple[float, float] = (8, 18), mean_gb: float = 1.0, seed: int = 1) -> list[Arrival]:
    """As many slides within these hours, 1 % of them broken and 0.1 % fatal; sizes are lognormal, as scanners' are."""
    chance = random.Random(seed)  # noqa: S311 - for a simulation
    spread = 0.8
    return [
        Arrival(
            chance.uniform(*hours) * HOUR,
            round(chance.lognormvariate(math.log(mean_gb) - spread**2 / 2, spread) * GB),
            chance.choices(("good", "broken", "fatal"), (0.989, 0.01, 0.001))[0],
        )
        for _ in range(number)
    ]


def backlog(number: int, *, seed: int = 1) -> list[Arrival]:
    """As many files of 20 MB that are all there at the beginning; as many of them are broken as in `day`."""
    return [Arrival(0.0, each.size, each.fate) for each in day(number, mean_gb=0.02, seed=seed)]


SLIDES, FILES = 10_000, 1_000_000
# The server is replaced at noon, and is away for 40 minutes in the afternoon.
DAYS_OUTAGES = ((12 * HOUR, 12.1 * HOUR), (15 * HOUR, 15.7 * HOUR))


def capacity(mean_gb: float, assumed: Assumptions) -> float:
    """Images an hour while there is always more to do."""
    batch = min(Limits().filesets, Limits().size / (mean_gb * GB))
    each = assumed.fileset_seconds / assumed.parallel + assumed.reads * mean_gb * GB / (assumed.mb_per_second * 1e6)
    return HOUR / (each + assumed.jvm_seconds / batch)


# USD in eu-west-1, list prices of 2026: a GB-hour is of a month of 730 h.
PRICES = {
    "transfer_gb": 0.04,  # AWS Transfer Family, SFTP
    "efs_write_gb": 0.07,  # elastic throughput
    "efs_read_gb": 0.03,
    "efs_standard_gb_month": 0.33,
    "efs_ia_gb_month": 0.0176,
    "vcpu_hour": 0.04048,  # Fargate
    "gb_hour": 0.004445,
}


def cost(mean_gb: float, *, number: int = 1000, assumed: Assumptions | None = None) -> dict[str, float]:
    """USD for so many images that come by SFTP: once, and for each month that they are kept.

    `importer` is what the default server (4 vCPUs, 10 GB) costs for the time; it runs, and is paid for, anyway.
    """
    given, gigabytes = assumed or Assumptions(), number * mean_gb
    server_hour = 4 * PRICES["vcpu_hour"] + 10 * PRICES["gb_hour"]
    return {
        "SFTP": gigabytes * PRICES["transfer_gb"],
        "EFS, written": gigabytes * PRICES["efs_write_gb"],
        "EFS, read for checksums": gigabytes * given.reads * PRICES["efs_read_gb"],
        "importer": number / capacity(mean_gb, given) * server_hour,
        "a month in Standard": gigabytes * PRICES["efs_standard_gb_month"],
        "a month in Infrequent Access": gigabytes * PRICES["efs_ia_gb_month"],
    }


app = typer.Typer(add_completion=False)


@app.command()
def simulate_imports() -> None:
    """Print how long images would wait on a day of 10,000 slides, and how long a million files would take."""
    at_once = [Arrival(9 * HOUR, each.size, each.fate) for each in day(SLIDES)]
    cases = {
        "5,000 slides in a day": simulate(day(SLIDES)[: SLIDES // 2], DAYS_OUTAGES),
        "10,000 slides in a day": simulate(day(SLIDES), DAYS_OUTAGES),
        "10,000 slides at once": simulate(at_once),
        "1,000,000 files of 20 MB": simulate(backlog(FILES), [(n * DAY, n * DAY + HOUR / 10) for n in range(1, 60)]),
    }
    rows = [
        (
            name,
            f"{done.imported:,}",
            f"{done.failed:,}",
            f"{done.jvms:,}",
            f"{done.wait(0.5) / HOUR:.1f}",
            f"{done.wait(1) / HOUR:.1f}",
            f"{done.busy / HOUR:.1f}",
        )
        for name, done in cases.items()
    ]
    console.table(("case", "imported", "failed", "JVMs", "median wait, h", "longest, h", "busy, h"), rows)
    sizes = (0.02, 0.2, 1.0, 5.0)
    rates = [(f"{size:g} GB", f"{capacity(size, Assumptions()):,.0f}") for size in sizes]
    console.table(("mean size", "images an hour"), rates)
    for size in sizes:
        spent = [(name, f"{usd:,.2f}") for name, usd in cost(size).items()]
        console.table((f"1,000 images of {size:g} GB", "USD"), spent)

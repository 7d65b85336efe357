"""The simulation of arrivals: nothing is lost or stuck in it, and the page quotes what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.measure.simulate import DAYS_OUTAGES, HOUR, Arrival, Assumptions, capacity, cost, day, simulate

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "ingest" / "scale.md").read_text(encoding="utf-8")
SIZES = (0.02, 0.2, 1.0, 5.0)


@pytest.mark.parametrize("outages", [(), DAYS_OUTAGES, [(hour * HOUR, (hour + 0.5) * HOUR) for hour in range(8, 20)]])
def test_every_arrival_is_imported_or_failed_for_its_own_fault(outages: list[tuple[float, float]]) -> None:
    arrivals = day(1000)
    done = simulate(arrivals, outages)
    good = sum(each.fate == "good" for each in arrivals)
    assert (done.imported, done.failed, done.innocent) == (good, len(arrivals) - good, 0)
    assert min(done.waits) > Assumptions().jvm_seconds


def test_what_ends_its_importer_takes_no_other_with_it_for_good() -> None:
    arrivals = [Arrival(0, 10**8, "fatal" if number % 40 == 0 else "good") for number in range(400)]
    done = simulate(arrivals)
    assert (done.imported, done.failed, done.innocent) == (390, 10, 0)


def test_an_outage_is_waited_out() -> None:
    assumed = Assumptions()
    done = simulate([Arrival(0, 0)], [(0, 10 * HOUR)])
    assert done.waits == [10 * HOUR + assumed.restart_seconds + assumed.jvm_seconds + assumed.fileset_seconds]


def test_a_lone_image_takes_what_the_assumptions_say() -> None:
    assumed = Assumptions(parallel=1, reads=1, mb_per_second=100)
    done = simulate([Arrival(0, 10**9)], given=assumed)
    assert done.waits == [assumed.interval + assumed.jvm_seconds + assumed.fileset_seconds + 10]


def test_the_page_quotes_a_day() -> None:
    done = simulate(day(10_000)[:5000], DAYS_OUTAGES)
    figures = (f"{done.wait(share) / HOUR:.1f}" for share in (0.5, 1))
    row = f"| {done.imported:,} | {done.failed} | {done.jvms} | {' | '.join(figures)} | {done.busy / HOUR:.1f} |"
    assert f"| 5,000 slides in a day {row}" in PAGE


@pytest.mark.parametrize("size", SIZES)
def test_the_page_quotes_rates_and_costs(size: float) -> None:
    assert f"| {size:g} GB | {capacity(size, Assumptions()):,.0f} |" in PAGE
    spent = cost(size)
    assert f"| 1,000 images of | {' | '.join(spent)} |" in PAGE
    assert f"| {size:g} GB | {' | '.join(f'{usd:,.2f}' for usd in spent.values())} |" in PAGE

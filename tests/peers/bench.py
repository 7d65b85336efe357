"""Measure the real OMERO.web by gunicorn's workers and threads: `make bench-web`. docs/web.md has the figures.

Needs Linux, for the memory of processes; those of other machines are of use only beside each other.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import main
from scripts import console
from settings import load
from tests.conftest import container, read_stacks
from tests.peers.web import Cache, Web

COMBINATIONS = ((5, 1), (2, 16), (3, 16), (5, 4), (5, 16), (5, 32))
"""Workers and threads. The first is what OMERO.web has where nothing is set."""
REQUESTS = 400
CLIENTS = 8
TRANSFERS = 9


def measure() -> None:
    """Print a row a combination."""
    folder = Path(tempfile.mkdtemp(prefix="bench-web-"))
    main.build(load("rw-tls"), outdir=str(folder / "out"))
    definition = container(read_stacks(folder / "out")["omero"], "web")
    cache = Cache(folder)
    rows = []
    try:
        for workers, threads in COMBINATIONS:
            rows.append((str(workers), str(threads), *_measured(definition, cache, workers, threads)))
            console.say("  ".join(rows[-1]))
    finally:
        cache.close()
    columns = ("workers", "threads", "start, s", "MB", "/index/ a second", "log-in page a second", "under transfers, s")
    console.table(columns, rows)


def _measured(definition: dict[str, Any], cache: Cache, workers: int, threads: int) -> tuple[str, ...]:
    variables = {
        "CONFIG_omero_web_wsgi__workers": str(workers),
        "CONFIG_omero_web_wsgi__threads": str(threads),
        # Of one thread, nine slow transfers would take the time-out of gunicorn's.
        "CONFIG_omero_web_wsgi__timeout": "600",
    }
    begun = time.monotonic()
    web = Web(definition, Path(tempfile.mkdtemp(prefix="bench-web-")), cache=cache, variables=variables)
    try:
        web.wait_until_well()
        started = time.monotonic() - begun
        # Every worker has loaded its apps, with which it begins at its first request.
        _rate(web, "/webclient/login/", 20 * workers)
        rates = [_rate(web, path, REQUESTS) for path in ("/index/", "/webclient/login/")]
        return (f"{started:.0f}", f"{_memory_mb(web):.0f}", *(f"{rate:.0f}" for rate in rates), _under_transfers(web))
    finally:
        web.close()


def _rate(web: Web, path: str, requests: int) -> float:
    with ThreadPoolExecutor(CLIENTS) as clients:
        begun = time.monotonic()
        answers = list(clients.map(lambda _: web.ask(path).status, range(requests)))
    assert set(answers) == {200}, set(answers)
    return requests / (time.monotonic() - begun)


def _under_transfers(web: Web) -> str:
    """The median and the longest time of /index/ under slow transfers; where they take all threads, it never comes."""
    web.hold()
    with ExitStack() as under_way, ThreadPoolExecutor(TRANSFERS) as clients:
        begun = [clients.submit(web.begin, "/peers_probe/download/") for _ in range(TRANSFERS)]
        time.sleep(2)  # all that can be begun is
        asked = clients.submit(_seconds, web) if all(each.done() for each in begun) else None
        said = "none: all threads are taken"
        if asked:
            seconds = asked.result()
            said = f"{statistics.median(seconds):.3f}, {max(seconds):.3f}"
        web.release()
        for each in begun:
            under_way.enter_context(each.result()).end()
    return said


def _seconds(web: Web) -> list[float]:
    seconds = []
    for _ in range(50):
        begun = time.monotonic()
        web.ask("/index/")
        seconds.append(time.monotonic() - begun)
    return seconds


def _memory_mb(web: Web) -> float:
    """What gunicorn's processes hold, with what they share counted once."""
    found = 0
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and f":{web.port}" in (process / "cmdline").read_text():
                lines = (process / "smaps_rollup").read_text().splitlines()
                found += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return found * 1024 / 1_000_000


if __name__ == "__main__":
    measure()

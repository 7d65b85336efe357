"""Show how far a request is: a bar with rate and time left on a terminal, a line every 20 s elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from scripts import console
from scripts.ingest.imports.report import duration
from scripts.ingest.imports.requests import Request

LINE_SECONDS = 20.0
# Of a run: what of its filesets is done with.
DONE = ("imported", "already", "failed", "incomplete")

Show = Callable[[Request], None]


@contextmanager
def shown(total: int) -> Iterator[Show]:
    """What shows a request: a bar for `total` filesets, else a line that changes, or one every 20 s elsewhere."""
    begun = time.monotonic()
    if console.err.is_terminal and total:
        words = TextColumn("{task.description}", markup=False)
        with Progress(words, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console.err) as bar:
            task = bar.add_task("waiting for the worker", total=total)

            def move(request: Request) -> None:
                text = console.text(_words(request, total, begun)).plain
                bar.update(task, completed=_done(request), description=text)

            yield move
        return
    with console.status("waiting for the worker") as status:
        said = [time.monotonic()]

        def say(request: Request) -> None:
            text = _words(request, total, begun)
            status(text)
            if not console.err.is_terminal and time.monotonic() - said[0] >= LINE_SECONDS:
                said[0] = time.monotonic()
                console.say(text)

        yield say


def _done(request: Request) -> int:
    counts = request.progress.get("counts", {})
    return sum(counts.get(name, 0) for name in DONE)


def _words(request: Request, total: int, begun: float) -> str:
    """Where a request is, in a line."""
    progress = dict(request.progress)
    if waiting := progress.pop("waiting", ""):
        return f"{request.do}: waiting: {waiting}"
    if paused := progress.pop("paused", ""):
        return f"{request.do}: paused by {paused}; `omero-aws imports resume` lets it go on"
    counts = progress.pop("counts", {})
    facts = [f"{name} {value}" for name, value in {**progress, **counts}.items() if value not in ("", 0)]
    done, seconds = _done(request), time.monotonic() - begun
    if done and total > done and seconds > 1:
        rate = done / seconds
        facts.append(f"{rate * 60:.0f} filesets/min, {duration((total - done) / rate)} left")
    return f"{request.do}: {', '.join(facts) or request.state}"

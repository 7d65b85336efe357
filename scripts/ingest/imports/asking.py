"""Ask the worker for something and wait for it, on this terminal; Ctrl-C ends the waiting, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from containers.importer.entries import CANCELLED
from scripts import console
from scripts.errors import Failed
from scripts.ingest.imports.context import ImportContext
from scripts.ingest.imports.report import duration
from scripts.ingest.imports.requests import SILENT_SECONDS, Lease, Request
from scripts.ingest.imports.worker_state import absence

LINE_SECONDS = 20.0
# Of a run: what of its filesets is done with.
DONE = ("imported", "already", "failed", "incomplete")

Show = Callable[[Request], None]


def answer(at: ImportContext, do: str, work: Mapping[str, Any], *, total: int = 0) -> dict[str, Any]:
    """The worker's result for a new request; `total` filesets are expected of a run.

    Raises:
        Failed: there is no worker, it could not do it, or somebody has cancelled it.
    """
    return wait(at, at.requests.ask(do, work), total=total)


def wait(at: ImportContext, id_: str, *, total: int = 0) -> dict[str, Any]:
    """The worker's result for a request. Raises as `answer` does."""

    def absent(lease: Lease | None) -> None:
        raise Failed(
            f"no worker has been seen for {SILENT_SECONDS:.0f} s: {absence(at.deployment, lease)}. The request {id_} "
            f"stays, and is done once there is one; `omero-aws imports cancel '{id_}'` takes it back."
        )

    with _shown(id_, total) as show:
        try:
            request = at.requests.watch(id_, show, absent)
        except KeyboardInterrupt:
            console.say(
                f"the request goes on; `omero-aws imports watch '{id_}'` shows it again, and `imports cancel '{id_}'` "
                "ends it"
            )
            raise
    if request.state == CANCELLED:
        raise Failed(f"the request {id_} was cancelled; what was imported before is recorded.")
    if error := request.result.get("error"):
        raise Failed(f"{str(error).rstrip('.')}.")
    return dict(request.result)


@contextmanager
def _shown(id_: str, total: int) -> Iterator[Show]:
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

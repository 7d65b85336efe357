"""Show what a run of imports does: bars with rate and time left on a terminal, a line for each event elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from scripts import console
from scripts.ingest.imports.report import duration, size

LINE_SECONDS = 20.0
COUNTS = ("imported", "already", "failed", "pending")


class RunProgress:
    """Takes the events of `importing.Run`; `total` filesets are expected."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._begun = self._said = time.monotonic()
        self._progress: Progress | None = None
        self._bar: TaskID | None = None

    def __enter__(self) -> RunProgress:
        if console.err.is_terminal:
            words = TextColumn("{task.description}", markup=False)
            columns = (words, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._progress = Progress(*columns, console=console.err)
            self._progress.start()
            self._bar = self._progress.add_task("starting", total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()

    def __call__(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Take in an event."""
        if kind == "progress":
            self._show(facts)
        elif kind == "started":
            task = str(facts["task"]).rpartition("/")[2]
            console.say(
                f"{facts['key']}: an importer started for {facts['filesets']} filesets, {size(facts['bytes'])} ({task})"
            )
        elif kind == "ended":
            job, reason = facts["job"], facts["reason"]
            counts = ", ".join(f"{job.result[name]} {name}" for name in COUNTS if job.result.get(name))
            back = f", {facts['back']} released" if facts["back"] else ""
            why = f": {reason}" if reason else ""
            console.say(f"{job.key}: ended, {counts or 'nothing done'}{back}{why}")
        elif kind == "stop":
            console.say(f"{facts['job'].key}: stopped, because its lease has ended")
        else:
            console.say(f"{kind}: {facts.get('reason', '')}")

    def _show(self, facts: Mapping[str, Any]) -> None:
        done = facts["imported"] + facts["already"] + facts["failed"]
        now = time.monotonic()
        if self._progress and self._bar is not None:
            words = console.text(self._words(done, facts, now)).plain
            self._progress.update(self._bar, completed=done, description=words)
        elif now - self._said >= LINE_SECONDS:
            self._said = now
            console.say(f"{done} of {self._total}: {self._words(done, facts, now)}")

    def _words(self, done: int, facts: Mapping[str, Any], now: float) -> str:
        seconds = now - self._begun
        words = f"{len(facts['jobs'])} importers, {facts['failed']} failed"
        if done and seconds > 0:
            rate = done / seconds
            left = duration(max(0, self._total - done) / rate)
            words += f", {rate * 3600:.0f} filesets/h, {left} left"
        return words

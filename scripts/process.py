"""Run other programs: follow the long ones, read the short ones."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.status import Status

from scripts import console, trust
from scripts.console import counted
from scripts.errors import Failed
from settings.load import ROOT

# Seconds between two lines where there is no terminal to animate.
LINE_INTERVAL = 20.0
TAIL_LINES = 30
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# No questions, and one stream of text.
AS_TEXT: dict[str, Any] = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.PIPE,
    "stderr": subprocess.STDOUT,
    "text": True,
    "encoding": "utf-8",
    "errors": "replace",
}
FINISHED = re.compile(r"(Creation|Destruction|Modifications) complete")


class Progress:
    """What a step is doing: a spinner on a terminal, a line now and then elsewhere, and how long it took."""

    def __init__(self, output: Console, name: str) -> None:
        self._output = output
        self._name = name
        self._begun = self._said = time.monotonic()
        self._resources = 0
        self._status: Status | None = None

    def __enter__(self) -> Progress:
        if self._output.is_terminal:
            self._status = self._output.status(console.text(f"{self._name} ..."))
            self._status.start()
        else:
            self._output.print(console.text(f"{self._name} ..."))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()
        end = "failed" if kind else "done"
        count = f", {counted(self._resources, 'resource')}" if self._resources else ""
        self._output.print(console.text(f"{self._name}: {end} after {self._seconds():.1f} s{count}"))

    def saw(self, line: str) -> None:
        """Take in a line of the program's output."""
        self._resources += bool(FINISHED.search(line))
        now = time.monotonic()
        words = console.text(
            f"{self._name}: {counted(self._resources, 'resource')}, {self._seconds():.0f} s: {line[:90]}"
        )
        if self._status:
            self._status.update(words)
        elif now - self._said >= LINE_INTERVAL:
            self._said = now
            self._output.print(words)

    def _seconds(self) -> float:
        return time.monotonic() - self._begun


def stream(command: Sequence[str], *, environ: Mapping[str, str], log: Path, progress: Progress) -> None:
    """Run a program in the checkout's root, its output to `log` and, in short, to `progress`.

    Raises:
        Failed: its exit code was not 0; the end of its output is on stderr by then.
    """
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(list(command), cwd=ROOT, env=dict(environ), **AS_TEXT)
        try:
            for raw in process.stdout or ():
                line = ANSI.sub("", raw).rstrip()
                file.write(f"{line}\n")
                if line:
                    progress.saw(line)
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code:
        tail = log.read_text(encoding="utf-8").splitlines()[-TAIL_LINES:]
        words = " ".join(command[1:])
        for line in tail:
            console.say(f"  {line}")
        fault = trust.fault(log.read_text(encoding="utf-8"))
        why = f": {fault.rstrip('.')}" if fault else ""
        raise Failed(
            f"`{words}` ended with exit code {code}{why}; the end of its output is above, and all of it in {log}."
        )


def read(command: Sequence[str], *, environ: Mapping[str, str], folder: Path) -> tuple[int, str]:
    """Run a program in `folder`; its exit code and what it printed."""
    done = subprocess.run(list(command), cwd=folder, env=dict(environ), check=False, **AS_TEXT)
    return done.returncode, done.stdout

"""Rehearse many workspaces, several at a time, and print how each went.

A rehearsal waits most of its time (for the provider, which waits for AWS), so that a few of them fit
on two cores.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts import console
from scripts.errors import Failed
from scripts.rehearsal.run import FOLDER
from settings.load import EXAMPLES, ROOT, available, find, folder_of

FIRST = "demo"
"""What a new user rehearses first; the examples in `COVERING` have all that it has."""
COVERING = ("ways-in", "site", "rw-tls-nlb-s3fg", "existing")
"""Examples that together have every resource and attribute of all (`scripts.rehearsal.covering`; a test checks it)."""

AGAIN = "existing"
"""The quickest of them, whose network and data are deployed again."""
CHANGES = "changes-1"
"""The cheapest chain of changes, among which is that of the launch type (`scripts.rehearsal.matrix`)."""

LINES_SHOWN = 40
"""Of the log of a rehearsal that failed."""

STEPS = ("cdktf deploy '*'", "plan again", "cdktf destroy '*'")

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Outcome:
    """How one rehearsal went: its exit code, its seconds in all, and what it reported if it succeeded."""

    workspace: str
    code: int
    seconds: float
    report: dict[str, Any]


@app.command()
def e2e(
    workspaces: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"Workspaces, and {CHANGES} for the cheapest chain of changes; left out, the examples that cover all "
            "others, and that chain.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Rehearse every example.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Rehearsals at a time.")] = 7,
) -> None:
    """Rehearse the examples that cover all others and the cheapest chain of changes, several at a time.

    Of what is destroyed, only one network and its data are deployed again.
    """
    names = workspaces or ([FIRST, *available(folder_of() / EXAMPLES)] if every else [CHANGES, *COVERING])
    # The longest files have the most stacks: begun first, they are not waited for at the end.
    names.sort(key=lambda name: sys.maxsize if name == CHANGES else find(name).stat().st_size, reverse=True)
    FOLDER.mkdir(exist_ok=True)
    runs = [
        (name, ["changes", "--chain", "1"] if name == CHANGES else ["rehearse", name, *_options(name, every=every)])
        for name in names
    ]
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        outcomes = sorted(pool.map(lambda run: _rehearse(*run), runs), key=lambda outcome: outcome.workspace)
    _show(outcomes)
    failed = [outcome.workspace for outcome in outcomes if outcome.code]
    if failed:
        for name in failed:
            console.say(f"The end of {_log(name).relative_to(ROOT)}:\n{_end_of(_log(name))}")
        logs = ", ".join(str(_log(name).relative_to(ROOT)) for name in failed)
        raise Failed(f"{len(failed)} of {len(outcomes)} rehearsals failed: {', '.join(failed)}; see {logs}.")


def _log(name: str) -> Path:
    return FOLDER / f"{name}.log"


def _end_of(log: Path) -> str:
    """Its last lines, for whoever sees this output and not that file."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES_SHOWN:])


def _options(name: str, *, every: bool) -> list[str]:
    """Among all examples, each is deployed again, and the first deploys a bad image too: both take minutes."""
    if every:
        return ["--bad-image"] if name == FIRST else []
    return ["--again", "data" if name == AGAIN else "nothing"]


def _rehearse(name: str, words: list[str]) -> Outcome:
    console.say(f"{name}: begins")
    begun = time.monotonic()
    with _log(name).open("w", encoding="utf-8") as log:
        done = subprocess.run(
            [sys.executable, "-m", "scripts.main", *words, "--json"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            check=False,
        )
    seconds = time.monotonic() - begun
    console.say(f"{name}: {'failed' if done.returncode else 'passed'} after {seconds:.0f} s")
    return Outcome(name, done.returncode, seconds, {} if done.returncode else json.loads(done.stdout))


def _show(outcomes: list[Outcome]) -> None:
    columns = ("workspace", "outcome", "resources", "deploy", "plan again", "destroy", "all")
    rows = []
    for outcome in outcomes:
        seconds = outcome.report.get("seconds", {})
        row = (
            outcome.workspace,
            "failed" if outcome.code else "passed",
            str(sum(outcome.report.get("resources", {}).values()) or ""),
            *(f"{seconds[step]:.0f}" if step in seconds else "" for step in STEPS),
            f"{outcome.seconds:.0f}",
        )
        rows.append(row)
    console.table(columns, rows, caption="seconds")

"""What is known of AWS and OMERO, and whether the tests notice when a cure is taken out.

`tests/evidence.yaml` has a row for each fact: its source, a fault to plant (the code without the cure), and the test
that has to fail then. A test that passes with its fault planted proves nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from scripts import console
from scripts.deploy import toolchain
from scripts.errors import Failed, Refused
from scripts.options import JsonOption
from scripts.output import write_json
from settings.load import ROOT

FILE = ROOT / "tests" / "evidence.yaml"
DOCUMENT = ROOT / "docs" / "evidence.md"
HEAD = """# What AWS and OMERO really do, and how it is tested

Each row is a fact that a deployment depends on, with where it was learnt. The test fails as soon as the code no longer
takes the fact into account: `omero-aws evidence` takes each cure out of a copy of this checkout, and sees its test fail
(nightly). The last column is what a rehearsal shows without the cure. `make docs` writes this file from
`tests/evidence.yaml`.
"""
# What tests are started from; the rest of a checkout is tools and what was synthesised.
TOOLS = (".venv", ".tools", "node_modules")
FAILED_TESTS = 1  # of pytest's exit codes: tests ran, and some failed

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A fact of `part`, its `source`, the fault (`old` in `file` becomes `new`), and the `test` that fails with it.

    `seen`: what a rehearsal shows with the fault; empty where it shows nothing.
    """

    number: int
    part: str
    fact: str
    source: str
    file: str
    old: str
    new: str
    test: str
    seen: str

    def plant(self, root: Path) -> None:
        """Take the cure out of the checkout at `root`.

        Raises:
            Failed: the code is not there, or more than once.
        """
        path = root / self.file
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if (count := text.count(self.old)) != 1:
            raise Failed(
                f"row {self.number}: {self.file} has the code to plant the fault in {count} times; correct `old` in "
                f"{FILE.relative_to(ROOT)}."
            )
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


def rows() -> list[Row]:
    """Every row, numbered from 1."""
    found: list[Row] = []
    for part in yaml.safe_load(FILE.read_text(encoding="utf-8")):
        for row in part["rows"]:
            told: dict[str, Any] = {key: row[key] for key in ("fact", "source", "test")}
            found.append(
                Row(number=len(found) + 1, part=part["part"], **told, **row["plant"], seen=row.get("seen", ""))
            )
    return found


def document() -> str:
    """The content of docs/evidence.md."""
    lines, part = [HEAD], ""
    for row in rows():
        if row.part != part:
            part = row.part
            lines += [
                f"## {part}\n",
                "| | fact | source | cure in | test | in a rehearsal |",
                "|---|---|---|---|---|---|",
            ]
        test = row.test.removeprefix("tests/").replace("::", "`, `")
        lines.append(f"| {row.number} | {row.fact} | {row.source} | `{row.file}` | `{test}` | {row.seen} |")
        following = [each.part for each in rows() if each.number == row.number + 1]
        if following != [part]:
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def is_noticed(row: Row) -> bool:
    """Whether the row's test fails with its fault planted, in a copy of this checkout."""
    with tempfile.TemporaryDirectory(prefix="omero-aws-") as folder:
        root = Path(folder) / "checkout"
        for path in _tracked():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, root / path)
        for name in TOOLS:
            if (ROOT / name).exists():
                (root / name).symlink_to(ROOT / name)
        row.plant(root)
        # The copy comes before this checkout, which the virtual environment names.
        environ = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
        words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", row.test]
        done = subprocess.run(
            words, cwd=root, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode not in (0, FAILED_TESTS):
            raise Failed(f"row {row.number}: pytest could not run {row.test}: {done.stdout[-500:].strip()}")
        return done.returncode == FAILED_TESTS


def _tracked() -> Iterator[str]:
    """The files of this checkout, without what is ignored."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.decode()
    return (path for path in listed.split("\0") if path and (ROOT / path).is_file())


@app.command()
def evidence(
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="ROW", help="Numbers of rows; all if left out.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Tests at a time.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Take each cure out of a copy of this checkout, and see its test fail.

    Rows are those of docs/evidence.md. Exit code 1 if a test passes without its cure.
    """
    known = {row.number: row for row in rows()}
    for number in numbers or ():
        if number not in known:
            raise Refused(f"{number} is not a row; give 1 to {len(known)}.")
    toolchain.require()

    def run(row: Row) -> bool:
        noticed = is_noticed(row)
        console.say(f"row {row.number}: {'noticed by' if noticed else 'NOT noticed by'} {row.test}")
        return noticed

    wanted = [known[number] for number in numbers or known]
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        noticed = dict(zip((row.number for row in wanted), pool.map(run, wanted), strict=True))
    if as_json:
        write_json({"noticed": noticed})
    if missed := [number for number, was in noticed.items() if not was]:
        raise Failed(f"the tests of {len(missed)} of {len(wanted)} rows pass without the cure: {missed}.")

"""Audit the synthesised stacks with checkov: nothing fails, and every skip is declared beside its resource.

checkov reads no skip comments in Terraform's JSON, so a skip is declared in code (`modules.audit.skip`),
travels in the resource's `//` comment, and is matched here with what checkov found. An undeclared
finding fails the audit, and so does a declared skip that nothing needs any more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts import console
from scripts.deploy import toolchain
from scripts.errors import Failed, Refused
from scripts.options import JsonOption
from scripts.output import write_json
from settings import available, load
from settings.load import EXAMPLES, ROOT, VARIABLE, folder_of

CHECKOV = ROOT / ".tools" / "audit" / "bin" / "checkov"
COMMENT_KEY = "checkov_skips"

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, order=True, kw_only=True)
class Finding:
    """A check that a block of a stack does not pass; `block` is its name in Terraform, without the type."""

    stack: str
    block: str
    check: str

    def __str__(self) -> str:
        return f"{self.check} {self.stack}/{self.block}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What checkov found in a workspace. `title` maps a check to what it asks for."""

    passed: int
    found: frozenset[Finding]
    declared: dict[Finding, str]
    title: dict[str, str]

    @property
    def undeclared(self) -> list[Finding]:
        """Findings without a reason."""
        return sorted(self.found - self.declared.keys())

    @property
    def stale(self) -> list[Finding]:
        """Declared skips of checks that pass."""
        return sorted(self.declared.keys() - self.found)


@app.command()
def audit(
    workspaces: Annotated[
        list[str] | None,
        typer.Argument(help="Workspaces to audit [default: all, and the examples].", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run checkov over every stack of the workspaces and match its findings with the declared skips."""
    if not CHECKOV.is_file():
        raise Refused("checkov is not installed; run `make audit`, which installs it into .tools/audit.")
    names = workspaces or [*available(), *available(folder_of() / EXAMPLES)]
    for name in names:
        load(name)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        reports = dict(zip(names, pool.map(_audit, names), strict=True))
    if as_json:
        write_json({name: _plain(report) for name, report in reports.items()})
    _show(reports)
    faults = sum(len(report.undeclared) + len(report.stale) for report in reports.values())
    if faults:
        raise Failed(f"the audit has {faults} faults, listed above; fix the resource, or declare a skip beside it.")


def _audit(name: str) -> Report:
    console.say(f"audit: {name} ...")
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        synthesise(name, Path(folder))
        stacks = Path(folder) / "stacks"
        _leave_out_imports(stacks)
        return match(_checkov(stacks), declared_skips(stacks))


def synthesise(name: str, outdir: Path) -> None:
    """Write the stacks of a workspace below `outdir`.

    Raises:
        Failed: `main.py` did not succeed; its own words are on stderr.
    """
    environ = {**toolchain.environment(ROOT, os.environ), VARIABLE: name, "CDKTF_OUTDIR": str(outdir)}
    done = subprocess.run([sys.executable, "main.py"], cwd=ROOT, env=environ, check=False)
    if done.returncode:
        raise Failed(f"main.py ended with exit code {done.returncode} for the workspace {name}; its message is above.")


def _leave_out_imports(stacks: Path) -> None:
    """Take what is imported or let go out of the copies: checkov passes over a file with such blocks without a word."""
    for path in stacks.glob("*/cdk.tf.json"):
        stack = json.loads(path.read_text(encoding="utf-8"))
        kept = {key: value for key, value in stack.items() if key not in ("import", "removed")}
        path.write_text(json.dumps(kept, indent=2), encoding="utf-8")


def _checkov(stacks: Path) -> list[dict[str, Any]]:
    command = [
        str(CHECKOV), "--directory", str(stacks), "--framework", "terraform_json",
        "--output", "json", "--quiet", "--compact", "--skip-download",
    ]  # fmt: skip
    # It exits with 1 when a check fails; the JSON tells.
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "LOG_LEVEL": "ERROR"}
    )
    try:
        parsed = json.loads(done.stdout)
    except ValueError:
        raise Failed(f"checkov printed no JSON: {(done.stderr or done.stdout).strip()[-500:]}") from None
    return parsed if isinstance(parsed, list) else [parsed]


def match(reports: list[dict[str, Any]], declared: dict[Finding, str]) -> Report:
    """Put checkov's JSON and the declared skips side by side.

    Raises:
        Failed: checkov could not read a stack, or looked at nothing.
    """
    errors = [file for report in reports for file in report.get("results", {}).get("parsing_errors", [])]
    if errors:
        raise Failed(f"checkov could not read {', '.join(errors)}.")
    checks = [check for report in reports for check in report.get("results", {}).get("failed_checks", [])]
    passed = sum(report.get("summary", report).get("passed", 0) for report in reports)
    if not passed:
        raise Failed("checkov passed no checks, so it did not check the stacks.")
    found = frozenset(
        Finding(stack=Path(check["file_path"]).parent.name, block=_block(check["resource"]), check=check["check_id"])
        for check in checks
    )
    return Report(
        passed=passed,
        found=found,
        declared=declared,
        title={check["check_id"]: check["check_name"] for check in checks},
    )


def _block(resource: str) -> str:
    """checkov says `resource.NAME`, `data.NAME` or `TYPE.NAME`, by the kind of check."""
    return resource.rpartition(".")[2]


def declared_skips(stacks: Path) -> dict[Finding, str]:
    """Every declared skip below `stacks`, with its reason."""
    return {
        Finding(stack=path.parent.name, block=block, check=check): reason
        for path in sorted(stacks.glob("*/cdk.tf.json"))
        for block, comment in _comments(json.loads(path.read_text()))
        for check, reason in comment.get(COMMENT_KEY, {}).items()
    }


def _comments(stack: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("resource", "data"):
        for blocks in stack.get(kind, {}).values():
            for name, block in blocks.items():
                yield name, block.get("//", {})


def _plain(report: Report) -> dict[str, Any]:
    return {
        "passed": report.passed,
        "undeclared": [str(finding) for finding in report.undeclared],
        "stale": [str(finding) for finding in report.stale],
        "skipped": {str(finding): reason for finding, reason in sorted(report.declared.items())},
    }


def _show(reports: dict[str, Report]) -> None:
    rows = []
    for name, report in reports.items():
        skipped = len(report.declared) - len(report.stale)
        rows.append((name, report.passed, skipped, len(report.undeclared), len(report.stale)))
    columns = ("workspace", "passed", "skipped with a reason", "failed", "unneeded skips")
    console.table(columns, rows)
    for name, report in reports.items():
        for finding in report.undeclared:
            console.say(f"{name}: {finding} fails: {report.title[finding.check]}")
        for finding in report.stale:
            console.say(f"{name}: {finding} is skipped but passes; remove the skip ({report.declared[finding]})")

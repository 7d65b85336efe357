"""Run the tests of local_aws that apply the real Terraform, where they have something new to say.

They take minutes, and say the same as long as local_aws and the locked packages are the same. So a run in which all of
them passed writes down what it passed for, a digest of those files, into a file that is committed with them; with
`--if-changed` they run only where the digest is another one. Nothing else writes that file, and a run with a failure, a
skipped test or a change of the files meanwhile does not. What is not in the digest is found by running them always,
as the nightly run does: another Terraform, another machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree

import typer

from scripts import console
from scripts.deploy import terraform, toolchain
from scripts.errors import Failed, Refused
from settings.load import ROOT

TESTS = ROOT / "local_aws" / "tests"
PASSED = TESTS / "terraform_passed.json"
LOCKS = ("Pipfile.lock", "package-lock.json")
# What comes and goes without a change of the code; documents.
IGNORED_FOLDERS = {"__pycache__", ".pytest_cache", ".terraform", "build"}
IGNORED_ENDINGS = {".md", ".pyc"}

app = typer.Typer(add_completion=False)


def digest(root: Path = ROOT) -> str:
    """Of names and contents of the files that the tests depend on."""
    files = [path for path in (root / "local_aws").rglob("*") if path.is_file() and _counts(path.relative_to(root))]
    found = hashlib.sha256()
    for path in sorted([*files, *(root / name for name in LOCKS)]):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        found.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return found.hexdigest()


def _counts(path: Path) -> bool:
    if path == PASSED.relative_to(ROOT) or path.suffix in IGNORED_ENDINGS:
        return False
    return not any(part in IGNORED_FOLDERS or part.endswith(".egg-info") for part in path.parts)


def passed_for() -> str:
    """The digest of the files for which all tests passed; empty if that is not known."""
    try:
        return str(json.loads(PASSED.read_text(encoding="utf-8"))["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def outcome(report: Path) -> list[str]:
    """The names of the tests that passed. Raises Failed for a report with any other test, or with none."""
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 - pytest has just written it
    names = {f"{case.get('classname')}.{case.get('name')}": {child.tag for child in case} for case in cases}
    other = sorted(name for name, told in names.items() if told & {"failure", "error", "skipped"})
    if other or not names:
        raise Failed(f"{', '.join(other) or 'no test'} did not pass; see above, and run `make local-aws` again.")
    return sorted(names)


@app.command()
def terraform_tests(
    if_changed: Annotated[
        bool, typer.Option("--if-changed", help="Do nothing if the tests have already passed for these files.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Tests at a time; most of their time they wait.")] = 6,
) -> None:
    """Run the Terraform tests of local_aws, and record the files they passed for."""
    before = digest()
    if if_changed and before == passed_for():
        console.say(
            "local_aws and the lock files have not changed since the Terraform tests passed, so the tests are not run "
            "again."
        )
        return
    found = terraform.find(ROOT, os.environ)
    if found is None:
        raise Refused("no Terraform is new enough; run `make setup`.")
    environment = toolchain.environment()
    environment["PATH"] = os.pathsep.join([str(found.path.parent), environment["PATH"]])
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-m", "terraform", "-n", str(jobs), "--dist", "worksteal"]
        command += ["--durations", "0", "--junit-xml", str(report), str(TESTS)]
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
        if done.returncode or not report.is_file():
            raise Failed(f"the Terraform tests of local_aws ended with exit code {done.returncode}; see above.")
        names = outcome(report)
    if digest() != before:
        raise Failed("local_aws or a lock file changed while its Terraform tests ran; run `make local-aws` again.")
    PASSED.write_text(json.dumps({"digest": before, "passed": names}, indent=2) + "\n", encoding="utf-8")
    console.say(f"{len(names)} tests passed; commit {PASSED.relative_to(ROOT)} with your change.")

"""When the Terraform tests of local_aws run again, and what is recorded of a run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.deploy import terraform, toolchain
from scripts.errors import Failed
from scripts.maintain import terraform_tests

PASSING = '<testcase classname="a" name="x" />'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree with what the digest is of."""
    for name in ("local_aws/server.py", "local_aws/tests/terraform/main.tf", *terraform_tests.LOCKS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as it was")
    return tmp_path


@pytest.mark.parametrize("name", ["local_aws/server.py", "local_aws/tests/terraform/main.tf", "Pipfile.lock"])
def test_digest_sees_a_change(root: Path, name: str) -> None:
    before = terraform_tests.digest(root)
    (root / name).write_text("changed")
    assert terraform_tests.digest(root) != before


def test_digest_sees_a_new_file_and_a_renamed_one(root: Path) -> None:
    before = terraform_tests.digest(root)
    (root / "local_aws" / "server.py").rename(root / "local_aws" / "other.py")
    renamed = terraform_tests.digest(root)
    (root / "local_aws" / "new.py").write_text("")
    assert len({before, renamed, terraform_tests.digest(root)}) == 3


@pytest.mark.parametrize(
    "name",
    ["local_aws/README.md", "local_aws/__pycache__/a.pyc", "local_aws/tests/terraform_passed.json", "stacks/omero.py"],
)
def test_digest_leaves_out_what_the_tests_do_not_depend_on(root: Path, name: str) -> None:
    before = terraform_tests.digest(root)
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("changed")
    assert terraform_tests.digest(root) == before


Run = Callable[..., Path]


@pytest.fixture
def run(root: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in `root`, with a pytest that ends as it is told; gives the record."""
    monkeypatch.setattr(terraform_tests, "ROOT", root)
    monkeypatch.setattr(terraform_tests, "PASSED", root / "local_aws" / "tests" / "terraform_passed.json")
    monkeypatch.setattr(terraform_tests, "digest", lambda _digest=terraform_tests.digest: _digest(root))
    monkeypatch.setattr(toolchain, "environment", lambda: {"PATH": ""})

    def running(cases: str, *, code: int = 0, meanwhile: str = "as it was", if_changed: bool = False) -> Path:
        def pytest_run(command: list[str], **_more: Any) -> subprocess.CompletedProcess[str]:
            report = Path(command[command.index("--junit-xml") + 1])
            report.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
            (root / "local_aws" / "server.py").write_text(meanwhile)
            return subprocess.CompletedProcess(command, code)

        monkeypatch.setattr(terraform, "find", lambda *_: terraform.Terraform(root, (1, 11, 4)))
        monkeypatch.setattr(subprocess, "run", pytest_run)
        terraform_tests.terraform_tests(if_changed=if_changed, jobs=1)
        return terraform_tests.PASSED

    return running


def test_a_run_that_passed_is_recorded_and_not_repeated(run: Run) -> None:
    recorded = json.loads(run(PASSING).read_text())
    assert recorded == {"digest": terraform_tests.digest(), "passed": ["a.x"]}
    run("never run", code=1, if_changed=True)
    with pytest.raises(Failed):
        run("run all the same", code=1)


@pytest.mark.parametrize(
    ("cases", "code", "meanwhile"),
    [
        (PASSING, 1, "as it was"),
        ('<testcase classname="a" name="x"><skipped /></testcase>' + PASSING.replace("x", "y"), 0, "as it was"),
        ('<testcase classname="a" name="x"><failure /></testcase>', 0, "as it was"),
        ("", 0, "as it was"),
        (PASSING, 0, "changed while they ran"),
    ],
)
def test_any_other_run_is_not_recorded(run: Run, root: Path, cases: str, code: int, meanwhile: str) -> None:
    with pytest.raises(Failed):
        run(cases, code=code, meanwhile=meanwhile)
    assert not (root / "local_aws" / "tests" / "terraform_passed.json").exists()


def test_a_record_that_is_no_record_is_none(run: Run, root: Path) -> None:
    terraform_tests.PASSED.write_text("[]")
    with pytest.raises(Failed):
        run(PASSING, code=1, if_changed=True)

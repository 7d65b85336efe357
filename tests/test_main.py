"""`python main.py`: writes the stacks, or says in a sentence why not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import main
from settings.topology import TOPOLOGIES

ROOT = Path(__file__).resolve().parents[1]


def _main(out: Path, workspace: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "main.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_WORKSPACE": workspace, "CDKTF_OUTDIR": str(out)},
    )


@pytest.mark.parametrize(
    ("workspace", "said"), [("nosuch", "workspace nosuch is unknown"), ("Bad Name", "is not allowed; give 2 to 16")]
)
def test_refuses_a_workspace_that_is_not_there(tmp_path: Path, workspace: str, said: str) -> None:
    done = _main(tmp_path / "out", workspace)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_needs_no_credentials(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "main.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CDKTF_OUTDIR": str(tmp_path / "out")},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "stacks" / "omero" / "cdk.tf.json").is_file()


def test_lists_every_topology(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[1:]} == set(TOPOLOGIES)
    assert next(line for line in lines if line.startswith("rw-tls-nlb")).split()[1:3] == ["yes", "yes"]


def test_refuses_an_unknown_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--lits"]) == 2
    assert capsys.readouterr().err == "error: main.py does not know --lits; allowed: --list, or nothing.\n"

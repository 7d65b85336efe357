"""`python main.py`: writes the stacks, or says in a sentence why not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    ("workspace", "said"), [("nosuch", "workspace nosuch is unknown"), ("Bad Name", "is not allowed; it has 2 to 16")]
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

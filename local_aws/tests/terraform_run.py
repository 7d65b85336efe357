"""The real Terraform on a copy of one of the configurations beside this file.

It is the one on the PATH, 1.11 or newer. Where it takes the AWS provider from is said by its own settings
(TF_CLI_CONFIG_FILE, TF_PLUGIN_CACHE_DIR).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from local_aws.server import LocalAws

APPLY = ("-auto-approve", "-input=false", "-no-color", "-parallelism=20")
PLAN = ("plan", "-input=false", "-no-color", "-detailed-exitcode")
PLAN_FINDS_NOTHING = 0
_KEPT = ("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE")

Succeed = Callable[..., str]


def prepare(aws: LocalAws, configuration: str, tmp_path: Path) -> Succeed:
    """Runs Terraform against `aws`, and asserts its exit code; without Terraform the test fails."""
    program = shutil.which("terraform")
    if program is None:
        pytest.fail("there is no terraform on the PATH, and this test runs only where it is asked for")
    folder = shutil.copytree(Path(__file__).with_name(configuration), tmp_path / "configuration")
    environment = {
        name: value for name, value in os.environ.items() if name in _KEPT or not name.startswith(("AWS_", "TF_"))
    }

    def succeed(*arguments: str, expected: int = 0) -> str:
        done = subprocess.run(
            [program, *arguments],
            cwd=folder,
            env={**environment, **aws.environ(), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == expected, f"{arguments[0]}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    return succeed

"""The real Terraform on a copy of one of the configurations beside this file."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from scripts.deploy import terraform, toolchain

ROOT = Path(__file__).resolve().parents[2]
APPLY = ("-auto-approve", "-input=false", "-no-color", "-parallelism=20")
PLAN = ("plan", "-input=false", "-no-color", "-detailed-exitcode")
PLAN_FINDS_NOTHING = 0

Succeed = Callable[..., str]


def prepare(aws: LocalAws, configuration: str, tmp_path: Path) -> Succeed:
    """Runs Terraform against `aws`, and asserts its exit code; skips the test where it cannot be run."""
    found = terraform.find(ROOT, os.environ)
    if found is None:
        pytest.skip("there is no Terraform that is new enough")
    if not toolchain.provider(os.environ).from_mirror:
        pytest.skip("there is no mirror that holds the AWS provider")
    folder = shutil.copytree(Path(__file__).with_name(configuration), tmp_path / "configuration")
    config = toolchain.write_cli_config(tmp_path, os.environ)

    def succeed(*arguments: str, expected: int = 0) -> str:
        done = subprocess.run(
            [str(found.path), *arguments],
            cwd=folder,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))},
                **aws.environ(),
                "TF_CLI_CONFIG_FILE": str(config),
                "TF_IN_AUTOMATION": "1",
                "CHECKPOINT_DISABLE": "1",
            },
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == expected, f"{arguments[0]}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    return succeed

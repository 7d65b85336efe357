"""Real Terraform, with the real provider's schema, accepts every stack."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import main
from scripts.deploy import toolchain
from tests.conftest import workspace
from tests.stacks.test_every_stack import VARIANTS

ENVIRON: Mapping[str, str] = {**toolchain.environment(), "TF_WORKSPACE": "lab"}


def _terraform(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["terraform", *words],
        cwd=folder,
        env={**ENVIRON, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("stack", ["network", "data", "frontend", "omero"])
# The others are applied in rehearsals, or validated each night.
@pytest.mark.parametrize(
    "variant",
    [name if name == "everything" else pytest.param(name, marks=pytest.mark.nightly) for name in VARIANTS],
)
def test_terraform_finds_the_stack_valid(tmp_path: Path, variant: str, stack: str) -> None:
    changes: dict[str, Any] = VARIANTS[variant]
    main.build(workspace(**changes), outdir=str(tmp_path))
    folder = tmp_path / "stacks" / stack
    init = _terraform(folder, "init", "-backend=false", "-input=false", "-no-color")
    assert init.returncode == 0, init.stderr
    validate = json.loads(_terraform(folder, "validate", "-json").stdout)
    faults = [fault for fault in validate["diagnostics"] if fault["severity"] == "error"]
    assert validate["valid"], faults
    # DynamoDB's lock table is what the state's users ask for; Terraform 1.11 would rather lock in S3.
    assert {fault["summary"] for fault in validate["diagnostics"]} <= {"Deprecated Parameter"}


def test_terraform_refuses_it_in_another_workspace(tmp_path: Path) -> None:
    main.build(workspace(), outdir=str(tmp_path))
    folder = tmp_path / "stacks" / "network"
    assert _terraform(folder, "init", "-backend=false", "-input=false").returncode == 0
    validate = json.loads(_terraform(folder, "validate", "-json", TF_WORKSPACE="prod").stdout)
    (fault,) = [fault for fault in validate["diagnostics"] if fault["severity"] == "error"]
    assert "synthesised for the workspace lab, and the selected one is prod" in fault["detail"]

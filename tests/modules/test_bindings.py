"""The light stand-in for the provider's root module changes how fast, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modules import bindings

ROOT = Path(__file__).resolve().parents[2]


def _synthesise(out: Path, **environ: str) -> dict[str, bytes]:
    subprocess.run(
        [sys.executable, "main.py"],
        cwd=ROOT,
        check=True,
        env={**os.environ, "TF_WORKSPACE": "demo", "CDKTF_OUTDIR": str(out), **environ},
    )
    return {path.parent.name: path.read_bytes() for path in out.glob("stacks/*/cdk.tf.json")}


def test_imports_only_what_is_asked_for() -> None:
    program = (
        "import sys, modules.key;"
        "loaded = [name for name in sys.modules if name.startswith('cdktf_cdktf_provider_aws.')];"
        "assert 0 < len(loaded) < 50, len(loaded)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.nightly
def test_node_loads_less_and_the_output_is_the_same(tmp_path: Path) -> None:
    """jsii's Node tells at its end which of the provider's submodules it has loaded."""
    report = tmp_path / "loaded"
    spy = tmp_path / "spy.cjs"
    spy.write_text(
        "process.on('exit', () => {"
        "  const files = Object.keys(require('node:module')._cache);"
        "  const loaded = files.filter((file) => /provider-aws.lib.[^/]+.index.js/.test(file));"
        f"  if (loaded.length) require('node:fs').writeFileSync({str(report)!r}, String(loaded.length));"
        "});"
    )
    light = _synthesise(tmp_path / "light", NODE_OPTIONS=f'--require "{spy}"')
    assert 0 < int(report.read_text()) < 100
    full = _synthesise(tmp_path / "full", NODE_OPTIONS=f'--require "{spy}"', OMERO_FULL_BINDINGS="1")
    assert int(report.read_text()) > 1000
    assert set(light) == {"network", "data", "frontend", "omero"}
    assert light == full


def test_preload_is_named_once_and_quoted() -> None:
    once = bindings.with_preload("--max-old-space-size=4096")
    assert once.startswith('--max-old-space-size=4096 --require "')
    assert bindings.with_preload(once) == once


def test_leaves_a_root_alone_that_is_imported_already(monkeypatch: pytest.MonkeyPatch) -> None:
    there = object()
    monkeypatch.setitem(sys.modules, bindings.PACKAGE, there)
    bindings.install()
    assert sys.modules[bindings.PACKAGE] is there


def test_says_what_to_do_when_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bindings, "PACKAGE", "no_such_package_here")
    with pytest.raises(ModuleNotFoundError, match="make setup"):
        bindings.install()

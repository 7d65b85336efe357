"""Every output that is published or read is one of the contract's, and what scripts read is published somewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contract import sections
from contract.outputs import Output, Outputs
from tests.conftest import read_stacks

ROOT = Path(__file__).resolve().parents[2]
CLASSES = {outputs.__name__: outputs for outputs in sections.outputs()}


@pytest.fixture(scope="session")
def published(examples: dict[str, Path]) -> set[str]:
    """What the stacks of all examples publish, as `<stack>/<key>`."""
    return {
        f"{stack}/{key}"
        for out in examples.values()
        for stack, values in read_stacks(out).items()
        for key in _of_parameters(values)
    }


def _of_parameters(stack: dict[str, dict[str, dict[str, dict[str, str]]]]) -> Iterator[str]:
    for parameter in stack["resource"]["aws_ssm_parameter"].values():
        yield parameter["name"].rpartition("/")[2]


def _read() -> dict[str, Path]:
    """Each output that a script names, with a file that does."""
    found: dict[str, Path] = {}
    for path in (ROOT / "scripts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in CLASSES:
                value = getattr(CLASSES[node.value.id], node.attr)
                found |= {value.path: path} if isinstance(value, Output) else {}
    return found


def test_what_scripts_read_is_published_by_some_example(published: set[str]) -> None:
    read = _read()
    assert len(read) >= 20
    assert not read.keys() - published


def test_each_output_is_published_by_some_example(published: set[str]) -> None:
    assert {output.path for outputs in CLASSES.values() for output in outputs.all()} == published


def test_no_script_names_a_parameter_as_text() -> None:
    known = {output.path for outputs in CLASSES.values() for output in outputs.all()}
    for path in (ROOT / "scripts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.Constant) and node.value in known), path


def test_each_stack_publishes_its_own_only() -> None:
    from stacks.base import WorkspaceStack  # noqa: PLC0415 - cdktf takes seconds

    class Elsewhere(Outputs):
        stack = "elsewhere"
        key = Output("Of another stack.")

    assert (Elsewhere.key.path, Elsewhere.key.description) == ("elsewhere/key", "Of another stack.")
    network: Any = SimpleNamespace(node=SimpleNamespace(id="network"))
    with pytest.raises(ValueError, match="elsewhere/key is an output of the stack elsewhere, not of network"):
        WorkspaceStack.publish(network, Elsewhere.key, "x")

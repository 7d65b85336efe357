"""The package says what it needs, has and does not do."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local_aws.install import SERVICES

PACKAGE = Path(__file__).resolve().parents[1]
README = (PACKAGE / "README.md").read_text(encoding="utf-8")
IMPORTED_AS = {"pyyaml": "yaml"}
# What the server tells its own functions and stand-ins.
INTERNAL = {"LOCAL_AWS_ENDPOINT", "LOCAL_AWS_MOUNTED", "LOCAL_AWS_MOUNTED_AS_ROOT"}


def _project() -> dict[str, Any]:
    return tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _imported() -> dict[str, Path]:
    return {name: path for path in PACKAGE.rglob("*.py") for name in _imports(path)}


def test_imports_nothing_but_what_it_declares() -> None:
    project = _project()["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    allowed = {IMPORTED_AS.get(name := re.split(r"[\[=<>]", each)[0], name) for each in declared} | {"local_aws"}
    for name, path in _imported().items():
        assert name in allowed | set(sys.stdlib_module_names), f"{path} imports {name}"
    used = _imported().keys() | {"pytest-xdist"}
    assert {each for each in allowed if each not in used} == set()


def test_declares_the_moto_that_is_installed() -> None:
    assert f"moto[server]=={importlib.metadata.version('moto')}" in _project()["project"]["dependencies"]


def test_lists_its_packages() -> None:
    found = {
        ".".join(("local_aws", *path.parent.relative_to(PACKAGE).parts))
        for path in PACKAGE.rglob("__init__.py")
        if "tests" not in path.relative_to(PACKAGE).parts
    }
    assert set(_project()["tool"]["setuptools"]["packages"]) == found


def test_readme_has_every_setting() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py") if path != Path(__file__))
    read = set(re.findall(r"LOCAL_AWS_[A-Z_]*[A-Z]", code)) - INTERNAL
    assert set(re.findall(r"^\| `(LOCAL_AWS_\w+)` \|", README, re.MULTILINE)) == read


def test_readme_says_where_each_service_differs() -> None:
    listed = README.partition("## Where it and AWS disagree")[2]
    assert set(re.findall(r"^\| (\w+) \| ", listed, re.MULTILINE)) - {"service"} == set(SERVICES)

"""The house rules that a reader would otherwise have to check by eye."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.main import TREE

ROOT = Path(__file__).resolve().parents[1]
# Which packages of ours each may import, besides itself.
MAY_IMPORT = {
    "settings": set(),
    "modules": set(),
    "stacks": {"modules", "settings"},
    "local_aws": set(),
    "scripts": {"settings", "local_aws"},
}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    ours = {*MAY_IMPORT, "main", "tests"} - {package}
    for path in (ROOT / package).rglob("*.py"):
        assert set(_imports(path)) & ours <= MAY_IMPORT[package], path


def test_scripts_and_settings_never_import_cdktf() -> None:
    for package in ("scripts", "settings", "local_aws"):
        for path in (ROOT / package).rglob("*.py"):
            assert not {"cdktf", "constructs", "jsii"} & set(_imports(path)), path


def test_no_script_shadows_a_module() -> None:
    """Python puts the folder of a script that is run by its path first: a `secrets.py` there would be everyone's."""
    third_party = {"boto3", "botocore", "cdktf", "jmespath", "moto", "pydantic", "rich", "typer", "yaml"}
    for folder in (ROOT, ROOT / "scripts" / "deploy"):
        names = {path.stem for path in folder.glob("*.py")}
        assert not names & (set(sys.stdlib_module_names) | third_party | set(MAY_IMPORT)), folder


def test_lock_files_name_no_index() -> None:
    lock = json.loads((ROOT / "Pipfile.lock").read_text())
    assert lock["_meta"]["sources"] == []
    packages = [package for section, found in lock.items() if section != "_meta" for package in found.values()]
    assert len(packages) > 100
    assert all(package["hashes"] and "index" not in package for package in packages)
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()


def test_default_and_develop_lock_the_same_versions() -> None:
    """They share a virtual environment; the audit has one of its own, for checkov pins an old boto3."""
    lock = json.loads((ROOT / "Pipfile.lock").read_text())
    for name in lock["default"].keys() & lock["develop"].keys():
        assert lock["default"][name]["version"] == lock["develop"][name]["version"], name
    assert lock["default"]["boto3"]["version"] != lock["audit"]["boto3"]["version"]


def test_every_command_is_in_the_tree() -> None:
    """`omero-aws` has each module that makes commands; a part of another is added there."""
    trees = [path for path in (ROOT / "scripts").rglob("*.py") if "typer.Typer(" in path.read_text(encoding="utf-8")]
    for path in trees:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        added = f"add_typer({path.stem}.app" in "".join(each.read_text(encoding="utf-8") for each in trees)
        assert added or module == "scripts.main" or module in {entry.module for entry in TREE.values()}, module


def test_tracked_files_carry_no_path_of_a_home() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    home = str(Path.home()) + "/"
    for name in tracked:
        if (ROOT / name).is_file():
            assert home not in (ROOT / name).read_text(encoding="utf-8", errors="ignore"), name

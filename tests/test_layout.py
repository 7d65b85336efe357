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
# Which packages of ours each may import, besides itself. `main` stands above all; `tests` may import any.
MAY_IMPORT: dict[str, set[str]] = {
    "settings": set(),
    "contract": {"settings"},
    "containers": set(),
    "functions": set(),
    "hosts": {"containers"},
    "local_aws": set(),
    "modules": {"contract", "containers", "functions", "hosts"},
    "stacks": {"contract", "modules", "settings"},
    "scripts": {"contract", "containers", "local_aws", "settings"},
}
# `modules` know nothing of workspaces: of `contract` these parts only, which take values and no workspace.
MODULES_MAY_IMPORT = {"contract.names", "contract.omero", "contract.policy"}
# What travels into containers and Lambda has their own Python and nothing of ours beside it.
TRAVELS: dict[str, set[str]] = {"containers": set(), "functions": {"boto3", "botocore"}}
# What runs inside OMERO.web has what that has.
IN_OMERO_WEB = {"sign_in": {"Ice", "django", "omero", "omeroweb"}, "web": {"django", "gunicorn", "redis"}}


def _imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or in a function, by its whole name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in _imports(path)}


def _files(package: str) -> list[Path]:
    return [path for path in (ROOT / package).rglob("*.py") if "tests" not in path.relative_to(ROOT / package).parts]


def test_every_package_is_layered() -> None:
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    packages = {name.partition("/")[0] for name in tracked.split() if "/" in name}
    assert packages == MAY_IMPORT.keys() | {"tests"}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    ours = {*MAY_IMPORT, "main", "tests"} - {package}
    files = _files(package)
    assert files
    for path in files:
        assert _packages(path) & ours <= MAY_IMPORT[package], path


def test_layers_have_no_cycle() -> None:
    def below(package: str, seen: tuple[str, ...] = ()) -> None:
        assert package not in seen, seen
        for other in MAY_IMPORT[package]:
            below(other, (*seen, package))

    for package in MAY_IMPORT:
        below(package)


def test_modules_know_nothing_of_workspaces() -> None:
    for path in _files("modules"):
        ours = {name for name in _imports(path) if name.startswith("contract")}
        assert all(any(name.startswith(allowed) for allowed in MODULES_MAY_IMPORT) for name in ours), path


@pytest.mark.parametrize("package", TRAVELS)
def test_what_travels_needs_no_package_of_ours_or_anybodys(package: str) -> None:
    """`__init__.py` packs the others at synthesis, and stays at home."""
    for path in _files(package):
        others = {name for name in _packages(path) - set(sys.stdlib_module_names) - {package} if name}
        assert others <= TRAVELS[package] | IN_OMERO_WEB.get(path.parent.name, set()), path
    for path in (ROOT / "containers" / "importer").glob("*.py"):
        ours = {name for name in _imports(path) if name.startswith("containers")}
        assert all(name.startswith(("containers.importer", "containers.supervisor")) for name in ours), path


def test_only_what_builds_imports_cdktf() -> None:
    for package in MAY_IMPORT.keys() - {"modules", "stacks"}:
        for path in _files(package):
            assert not {"cdktf", "constructs", "jsii"} & _packages(path), path


def test_settings_and_contract_never_import_boto3() -> None:
    for package in ("settings", "contract"):
        for path in _files(package):
            assert not {"boto3", "botocore"} & _packages(path), path


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

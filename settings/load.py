"""Read and validate a workspace file; every fault at once, each in one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from settings.faults import faults
from settings.text import visible
from settings.workspace import NAME_RULE, Workspace, is_workspace_name

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "workspaces"
EXAMPLES = "examples"
VARIABLE = "TF_WORKSPACE"
FOLDER_VARIABLE = "OMERO_WORKSPACES"
DEFAULT = "demo"


class SettingsError(Exception):
    """A workspace that cannot be used; `faults` has one sentence a fault, each on one line and fit for a terminal."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(map(visible, faults))
        super().__init__("\n".join(self.faults))


def selected(environ: Mapping[str, str] = os.environ) -> str:
    """The name of the chosen workspace: `TF_WORKSPACE`, or `demo`."""
    return environ.get(VARIABLE) or DEFAULT


def folder_of(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of the workspace files: `OMERO_WORKSPACES`, or the checkout's own."""
    named = environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser().absolute() if named else FOLDER


def available(folder: Path | None = None) -> tuple[str, ...]:
    """The names of all workspace files in `folder`, by default the one of `folder_of`; sorted."""
    return tuple(sorted(path.stem for path in (folder or folder_of()).glob("*.yaml")))


def find(name: str, folder: Path | None = None) -> Path:
    """The file of a workspace, or of the example of that name.

    Raises:
        SettingsError: the name is not allowed, or there is no such file.
    """
    if not is_workspace_name(name):
        raise SettingsError([f"the workspace name {name!r} is not allowed; give {NAME_RULE}."])
    folder = folder or folder_of()
    paths = [folder / f"{name}.yaml", folder / EXAMPLES / f"{name}.yaml"]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise SettingsError([_unknown_workspace(name, paths[0], folder)])
    return found


def load(name: str | None = None, folder: Path | None = None) -> Workspace:
    """The settings of a workspace, by default of the selected one; the examples are known by name too.

    Raises:
        SettingsError: no such file, malformed YAML, or values that are not allowed.
    """
    name = selected() if name is None else name
    path = find(name, folder)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{_shown(path)} cannot be read as UTF-8 text ({error}); fix the file."]) from None
    return parse(text, name, _shown(path))


def parse(text: str, name: str, source: str) -> Workspace:
    """The settings in the YAML `text`; `source` is the file that messages name.

    Raises:
        SettingsError: as `load`.
    """
    try:
        values = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise SettingsError([_malformed(error, source)]) from None
    except (ValueError, RecursionError) as error:  # a date that does not exist, brackets without an end
        raise SettingsError([f"{source}: not valid YAML: {error}; fix it there."]) from None
    if not isinstance(values, dict):
        raise SettingsError([f"{source} is empty; give at least account_id, region and access."])
    if "name" in values:
        raise SettingsError(
            [f"{source}: name is not a setting; remove it, because the workspace is named after the file."]
        )
    try:
        return Workspace.model_validate({**values, "name": name})
    except ValidationError as error:
        found = faults(Workspace, {**values, "name": name})
        if not found:
            raise AssertionError("a fault that the walk over all sections does not find") from error
        raise SettingsError(f"{source}: {fault}" for fault in found) from None


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, and a key given twice is an error rather than silently the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} is not text; put it in quotes", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} is given twice; remove one", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _unknown_workspace(name: str, path: Path, folder: Path) -> str:
    names = available(folder)
    known = f"known: {', '.join(names)}" if names else "none exist yet"
    return f"workspace {name} is unknown: {_shown(path)} does not exist ({known}); set {VARIABLE}, or create the file."


def _malformed(error: yaml.YAMLError, source: str) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return (
            f"{source}, line {mark.line + 1}, column {mark.column + 1}: not valid YAML: {error.problem}; fix it there."
        )
    return f"{source}: not valid YAML: {' '.join(str(error).split())}; fix it there."

"""Read and validate a workspace file; every fault at once, each in one sentence."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from settings.fields import listed
from settings.workspace import NAME_RULE, Workspace, is_workspace_name

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "workspaces"
EXAMPLES = "examples"
VARIABLE = "TF_WORKSPACE"
FOLDER_VARIABLE = "OMERO_WORKSPACES"
DEFAULT = "demo"


class SettingsError(Exception):
    """A workspace that cannot be used; `faults` has one sentence a fault."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
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
        raise SettingsError([f"the workspace name {name!r} is not allowed; it has {NAME_RULE}."])
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
        raise SettingsError([f"{_shown(path)} cannot be read as UTF-8 text ({error}); mend the file."]) from None
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
        raise SettingsError([f"{source}: not valid YAML: {error}; mend it there."]) from None
    if not isinstance(values, dict):
        raise SettingsError([f"{source} holds no settings; it needs at least account_id, region, topology and access."])
    if "name" in values:
        raise SettingsError([f"{source}: name is not a setting; the file's name is the workspace's."])
    try:
        return Workspace.model_validate({**values, "name": name})
    except ValidationError as error:
        raise SettingsError(_sentence(fault, source) for fault in error.errors()) from None


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, and a key given twice is an error rather than silently the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, f"the key {key} is not text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _unknown_workspace(name: str, path: Path, folder: Path) -> str:
    names = available(folder)
    known = f"known: {', '.join(names)}" if names else "there is none yet"
    return f"workspace {name} is unknown: there is no file {_shown(path)} ({known}); set {VARIABLE} or write the file."


def _malformed(error: yaml.YAMLError, source: str) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return (
            f"{source}, line {mark.line + 1}, column {mark.column + 1}: not valid YAML: {error.problem}; mend it there."
        )
    return f"{source}: not valid YAML: {' '.join(str(error).split())}; mend it there."


def _sentence(fault: Any, source: str) -> str:
    location = [part for part in fault["loc"] if isinstance(part, int) or not part.startswith("function-")]
    key = ".".join(str(part) for part in location) or "(top level)"
    where = f"{source}: {key}"
    match fault["type"]:
        case "missing" if isinstance(location[-1], int):
            return f"{where} is required: the list has too few values."
        case "missing":
            return f"{where} is required: {_description(location)}"
        case "extra_forbidden":
            allowed = _keys(location[:-1])
            near = difflib.get_close_matches(str(location[-1]), allowed, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            return f"{where} is an unknown key{hint}; allowed: {listed(allowed)}."
        case "value_error":
            return f"{where}: {fault['ctx']['error']}."
        case "string_type":
            return f"{where}: {fault['input']!r} is not allowed: give text; a number or a date needs quotes."
        case "too_short" | "too_long" as kind:
            limit = fault["ctx"]["min_length" if kind == "too_short" else "max_length"]
            bound = "at least" if kind == "too_short" else "at most"
            return f"{where} has {fault['ctx']['actual_length']} values; allowed: {bound} {limit}."
        case "model_type" | "dict_type":
            return f"{where}: {fault['input']!r} is not allowed: give keys and values below it, or leave it out."
        case _:
            return f"{where}: {fault['input']!r} is not allowed: {fault['msg'][0].lower()}{fault['msg'][1:]}."


def _model_at(location: list[Any]) -> type[BaseModel]:
    """The model that the keys of `location` lead to, through `Section | None` fields."""
    model: type[BaseModel] = Workspace
    for part in location:
        annotation = model.model_fields[part].annotation
        options = getattr(annotation, "__args__", (annotation,))
        model = next(option for option in options if isinstance(option, type) and issubclass(option, BaseModel))
    return model


def _keys(location: list[Any]) -> list[str]:
    return [key for key in _model_at(location).model_fields if key != "name"]


def _description(location: list[Any]) -> str:
    field = _model_at(location[:-1]).model_fields[location[-1]]
    return " ".join((field.description or "give a value.").split())

"""Change one value in the file of a workspace, and leave every other character as it is."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from scripts.errors import Refused
from settings import SettingsError
from settings.load import parse

INDENT = 2


def write(path: Path, name: str, values: Mapping[str, str]) -> None:
    """Give the workspace `name`, whose file this is, these values, by keys such as `omero.web.image`.

    The file is replaced at once, or not at all.

    Raises:
        Refused: the file could not be changed without a doubt, or the settings would have a fault.
    """
    path = path.resolve()
    # Not read as text, which would turn the line ends of Windows into others.
    text = path.read_bytes().decode("utf-8")
    for key, value in values.items():
        text = changed(text, key, value)
    try:
        parse(text, name, str(path))
    except SettingsError as error:
        raise Refused("\n".join(error.faults)) from None
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(beside).chmod(path.stat().st_mode & 0o777)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink()
        raise


def changed(text: str, key: str, value: str) -> str:
    """`text` with `value` at `key`.

    Raises:
        Refused: the file's YAML would not say what it said before, but for that value.
    """
    parts = key.split(".")
    wanted = _with(yaml.safe_load(text), parts, value)
    made = _edited(text, parts, value)
    if made is None or _read(made) != wanted:
        raise Refused(f"the file has {key} in a way that cannot be changed safely; write it yourself: {key}: {value}")
    return made


def _with(values: Any, parts: Sequence[str], value: str) -> Any:
    """The values as they are to be. What an alias shares is copied: only one of its places may change."""
    if not parts:
        return value
    if not isinstance(values, dict):
        return None
    return {**values, parts[0]: _with(values.get(parts[0], {}), parts[1:], value)}


def _read(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _edited(text: str, parts: Sequence[str], value: str) -> str | None:
    """The text with the value put in; None where there is no way. Positions are PyYAML's own."""
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    parent_key: Any = None
    for number, part in enumerate(parts):
        if not isinstance(node, yaml.MappingNode):
            return None
        found = next(((key, below) for key, below in node.value if key.value == part), None)
        if found is None:
            return _inserted(text, node, parent_key, parts[number:], value)
        parent_key, node = found
    if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">") or node.start_mark.line != node.end_mark.line:
        return None
    quote = node.style or ""
    return text[: node.start_mark.index] + f"{quote}{value}{quote}" + text[node.end_mark.index :]


def _inserted(text: str, node: Any, parent_key: Any, parts: Sequence[str], value: str) -> str | None:
    """The text with keys that the mapping `node` lacks."""
    if node.flow_style:
        inner = f'"{value}"'
        for part in reversed(parts[1:]):
            inner = f"{{{part}: {inner}}}"
        at = node.start_mark.index + 1
        return f"{text[:at]}{parts[0]}: {inner}{', ' if node.value else ''}{text[at:]}"
    column = node.start_mark.column
    lines = [f"{' ' * (column + INDENT * depth)}{part}:" for depth, part in enumerate(parts)]
    lines[-1] += f" {value}"
    block = "\n".join(lines) + "\n"
    if parent_key is None:
        return f"{text}{'' if text.endswith(chr(10)) else chr(10)}{block}"
    # Below its parent's line: a comment above the first key stays with that key.
    end = re.compile(r"\n").search(text, parent_key.end_mark.index)
    return None if end is None else text[: end.end()] + block + text[end.end() :]

"""What AWS checks of every request before it looks at the resources: the constraints of the service's own model."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from botocore.model import Shape
from moto.core.utils import get_service_model

# Java's classes, in which the models write their patterns; Unicode's marks are left out.
_CLASSES = {
    r"\p{Print}": r"\x20-\x7e",
    r"\p{L}": r"a-zA-Z\u00aa-\uffff",
    r"\p{M}": "",
    r"\p{N}": r"0-9",
    r"\p{S}": r"$+<=>^`|~",
    r"\p{P}": r"!-#%-*,-/:;?@\[-\]_{}",
    r"\p{Z}": r" \u00a0",
}


def violations(service: str, action: str, asked: dict[str, Any]) -> str:
    """All that is wrong with a request, in the words of AWS; empty if nothing is."""
    shape = get_service_model(service).operation_model(action).input_shape
    wrong = list(_wrong(shape, asked, "")) if shape else []
    if not wrong:
        return ""
    return f"{len(wrong)} validation error{'s' if len(wrong) > 1 else ''} detected: " + "; ".join(wrong)


def _wrong(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            here = f"{path}.{_camel(name)}" if path else _camel(name)
            if value.get(name) is not None:
                yield from _wrong(member, value[name], here)
            elif name in shape.required_members:
                yield f"Value null at '{here}' failed to satisfy constraint: Member must not be null"
        return
    broken = list(_broken(shape, value))
    sensitive = shape.metadata.get("sensitive")
    shown = "Value" if sensitive else f"Value '{value}'"
    yield from (f"{shown} at '{path}' failed to satisfy constraint: Member must {each}" for each in broken)
    if shape.type_name == "list":
        for number, each in enumerate(value, start=1):
            yield from _wrong(shape.member, each, f"{path}.{number}.member")


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    limits, is_number = shape.metadata, isinstance(value, int)
    what, size = ("value", value) if is_number else ("length", len(value))
    if size < limits.get("min", size):
        yield f"have {what} greater than or equal to {limits['min']}"
    if size > limits.get("max", size):
        yield f"have {what} less than or equal to {limits['max']}"
    if "enum" in limits and value not in limits["enum"]:
        yield f"satisfy enum value set: [{', '.join(limits['enum'])}]"
    if "pattern" in limits and not _pattern(limits["pattern"]).fullmatch(value):
        yield f"satisfy regular expression pattern: {limits['pattern']}"


@functools.cache
def _pattern(java: str) -> re.Pattern[str]:
    for theirs, ours in _CLASSES.items():
        java = java.replace(theirs, ours)
    return re.compile(java, re.ASCII)


def _camel(name: str) -> str:
    return name[0].lower() + name[1:]

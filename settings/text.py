"""Text that somebody else may have written, made fit to be shown."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

# Besides categories that are controls: what turns the direction of the text after it (Unicode, UAX #9).
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_CONTROLS = frozenset(("Cc", "Cs", "Zl", "Zp"))
# Characters of a value that are shown in a message.
MOST = 80


def visible(text: str) -> str:
    """`text` on one line, with what a terminal would obey (escapes, returns, bidi marks) as `\\x1b`, `\\r`, `\\u202e`.

    A tab stays as it is.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character != "\t" and (character in _DIRECTIONS or unicodedata.category(character) in _CONTROLS):
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character


def short(text: str) -> str:
    """`text`, or its beginning if it is long."""
    return text if len(text) <= MOST else f"{text[: MOST - 4]} ..."


def yaml_value(value: Any) -> str:
    """A value as people write it in YAML, in short."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, list | tuple | dict) and len(value) > 3:
        return f"a {'mapping' if isinstance(value, dict) else 'list'} of {len(value)} values"
    if isinstance(value, list | tuple):
        return short(f"[{', '.join(yaml_value(each) for each in value)}]")
    if isinstance(value, dict):
        return short(f"{{{', '.join(f'{key}: {yaml_value(each)}' for key, each in value.items())}}}")
    return short(repr(value) if isinstance(value, str) else str(value))

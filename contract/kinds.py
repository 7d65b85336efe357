"""Kinds of things that stacks create, and the calls of AWS that list them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The boto3 `service` and `operation` that lists a kind of thing, and where its ids are (JMESPath)."""

    service: str
    operation: str
    ids: str
    arguments: tuple[tuple[str, Any], ...] = ()

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


@dataclass(frozen=True, kw_only=True)
class ScriptMade:
    """A kind of thing that scripts make, and that keeps stacks below it from being destroyed.

    `what` it is for people; `rows` (JMESPath) gives id and ARN from the answer of `operation`; its tags are what
    ListTagsForResource answers to `tags_argument`. `stands_on`: the stacks that cannot go before it.
    """

    what: str
    service: str
    operation: str
    rows: str
    tags_argument: str
    stands_on: tuple[str, ...]

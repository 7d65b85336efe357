"""Filters of tasks and executions: which paths they let through.

https://docs.aws.amazon.com/datasync/latest/userguide/filtering.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from local_aws.services.datasync.state import Json, refused

MOST_CHARACTERS = 102_400  # of one filter
# What DataSync never transfers: snapshots, and what it and other services of AWS put there.
_NEVER = ("*.snapshot", "/.aws-datasync", "/.awssync", "/.zfs")


class Filter:
    """Patterns such as `/folder|*.tmp`, matched against paths such as `/folder/file.tif`."""

    def __init__(self, text: str) -> None:
        self.patterns = [_compile(pattern) for pattern in _split(text)]

    def matches(self, path: str) -> bool:
        """Whether a pattern matches the path, or a folder that it is in."""
        while path:
            if any(pattern.fullmatch(path) for pattern in self.patterns):
                return True
            path = path.rpartition("/")[0]
        return False


class Selection:
    """What is left of the source by an include filter, an exclude filter and what DataSync never transfers."""

    def __init__(self, includes: list[Json] | None, excludes: list[Json] | None) -> None:
        self.includes = [Filter(each["Value"]) for each in includes or []]
        self.excludes = [Filter(each["Value"]) for each in excludes or []] + [Filter("|".join(_NEVER))]

    def holds(self, path: str) -> bool:
        if any(each.matches(path) for each in self.excludes):
            return False
        return not self.includes or any(each.matches(path) for each in self.includes)


def check(kind: str, rules: Iterable[Json] | None) -> None:
    """Raises InvalidRequestException for filters that DataSync does not take. `kind`: Includes or Excludes."""
    found = list(rules or [])
    if len(found) > 1:
        raise refused(f"Request parameters are invalid: {kind} can have at most 1 filter rule, not {len(found)}.")
    for rule in found:
        if rule.get("FilterType", "SIMPLE_PATTERN") != "SIMPLE_PATTERN":
            raise refused(f"Request parameters are invalid: FilterType {rule['FilterType']} is not supported.")
        value = rule.get("Value") or ""
        if not value or "\0" in value or len(value) > MOST_CHARACTERS:
            raise refused(
                f"Request parameters are invalid: a filter has 1 to {MOST_CHARACTERS} characters, not {len(value)}."
            )
        wild = [_is_wild_before_its_end(pattern) for pattern in _split(value)]
        if kind == "Includes" and any(wild):
            raise refused(
                "Request parameters are invalid: Include filters support the wildcard (*) character only as the "
                "rightmost character in a pattern."
            )


def _split(text: str) -> list[list[str]]:
    """Patterns as lists of characters, each as it is written: `\\|` stays two characters."""
    patterns: list[list[str]] = [[]]
    for token in re.findall(r"\\.|[^\\]|\\$", text, re.DOTALL):
        if token == "|":
            patterns.append([])
        else:
            patterns[-1].append(token)
    return [pattern for pattern in patterns if pattern]


def _is_wild_before_its_end(pattern: list[str]) -> bool:
    return "*" in pattern[:-1]


def _compile(pattern: list[str]) -> re.Pattern[str]:
    if len(pattern) > 1 and pattern[-1] == "/":
        pattern = pattern[:-1]  # /dir/ is /dir: both are the folder and what it holds
    parts = [
        ".*" if token == "*" else re.escape(token[1:] if token[0] == "\\" and token[1:] else token) for token in pattern
    ]
    return re.compile("".join(parts), re.DOTALL)

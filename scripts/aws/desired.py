"""The desired state of something in AWS, property by property: read, compared, and set where it differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from scripts.changes import Changes


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property of a bucket, a table and the like.

    `read` gives its value, None where it has none; `desired` makes of that the value that it is to have, which
    keeps what others put there; `write` sets a value. `shown` is the desired value for people.
    """

    name: str
    shown: str
    read: Callable[[], Any]
    desired: Callable[[Any], Any]
    write: Callable[[Any], object]

    def needed(self, exists: bool = True) -> Any:
        """The value to set, or None where it is right already; `exists` is whether there is anything to read."""
        current = self.read() if exists else None
        desired = self.desired(current)
        return None if desired == current else desired


def ensure(properties: Iterable[Property], owner: str, changes: Changes, *, exists: bool) -> None:
    """Set what differs. `owner` is named in the sentences; `exists` is false where a dry run would have made it."""
    for each in properties:
        value = each.needed(exists)
        if value is not None:
            changes.do(
                f"{owner}: {each.name} set to {each.shown}",
                lambda each=each, value=value: each.write(value),  # type: ignore[misc]
            )

"""What waits in the watched folders, for how long and why, from the ledger and from what the worker says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from containers.importer.arrivals import FOLDER, is_by_folder
from containers.importer.entries import FAILED, IMPORTING, INCOMPLETE, PENDING
from containers.importer.ledger import is_under
from scripts.ingest.imports.ledger import Entry

STATES = (PENDING, IMPORTING, FAILED, INCOMPLETE)


@dataclass
class Waiting:
    """Of one delivery: a watched folder, or one directly below it. `owner` is the OMERO user; "" is the importer's own.

    `arriving` filesets still changed when they were scanned; `waits` were found and are not imported, the oldest
    `since`; `replaced` were imported, and then their files changed; `loose` files lie beside the folders that would say
    whose they are; `error` is why nothing is imported.
    """

    path: bytes
    owner: str = ""
    arriving: int = 0
    waits: int = 0
    since: str = ""
    failed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    replaced: int = 0
    loose: int = 0
    error: str = ""

    @property
    def is_trouble(self) -> bool:
        """Whether a person has to do something."""
        return bool(self.failed or self.error or self.loose or self.replaced)

    def add(self, entry: Entry) -> None:
        """Count a fileset that is not imported."""
        if entry.state in (FAILED, INCOMPLETE):
            self.failed += 1
            self.reasons[entry.reason] = self.reasons.get(entry.reason, 0) + 1
        else:
            self.waits += 1
            found = entry.found.partition("#")[0]
            self.since = min(self.since or found, found)


def waiting(
    settings: Mapping[str, Any], said: Mapping[bytes, Mapping[str, Any]], entries: Iterable[Entry]
) -> list[Waiting]:
    """Everything in watched folders that is known, in the order of the folders."""
    found: dict[bytes, Waiting] = {}

    def of(path: bytes, folder: Mapping[str, Any]) -> Waiting:
        name = os.fsdecode(path.rpartition(b"/")[2])
        owner = folder["owners"].get(name) or folder["user"].replace(FOLDER, name)
        return found.setdefault(path, Waiting(path, owner))

    for path, says in said.items():
        if folder := _folder_of(settings, path):
            each = of(path, folder)
            each.arriving, each.replaced, each.loose = (says.get(name, 0) for name in ("arriving", "replaced", "loose"))
            each.error = str(says.get("error", ""))
    for entry in entries:
        if folder := _folder_of(settings, entry.path):
            of(_delivery(folder, entry.path), folder).add(entry)
    return [found[path] for path in sorted(found)]


def _folder_of(settings: Mapping[str, Any], path: bytes) -> Mapping[str, Any] | None:
    folders: Iterator[Mapping[str, Any]] = iter(settings["folders"])
    return next((each for each in folders if is_under(path, os.fsencode(each["path"]))), None)


def _delivery(folder: Mapping[str, Any], path: bytes) -> bytes:
    root = os.fsencode(folder["path"])
    below = path[len(root) + 1 :].split(b"/")
    return root + b"/" + below[0] if is_by_folder(dict(folder)) and len(below) > 1 else root


def age(since: str, now: datetime) -> str:
    """For how long something waits, in words of two letters or three."""
    if not since:
        return ""
    minutes = int((now - datetime.strptime(since, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)).total_seconds() // 60)
    if minutes < 120:
        return f"{max(minutes, 0)} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"

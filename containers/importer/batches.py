"""Cut what is to be imported into batches, one importer each: few enough to lose little, enough that a JVM pays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .faults import JobError

Entry = dict[str, Any]

# A command line holds 2 MiB (Linux, a quarter of an 8 MiB stack), and the environment is in it.
COMMAND_BYTES = 1024 * 1024
# Filesets whose keys an attempt's row holds (400 KB, see `entries.pack`).
MOST = 10_000
# After a failure that named no file: with fewer others, then alone, so that the reason is its own.
LATER = {1: 20}
# Batches that are open at a time, each for another target.
OPEN = 64


class Limits(NamedTuple):
    """Of one batch: `filesets`, and `size` in bytes, which one fileset alone may exceed."""

    filesets: int = 200
    size: int = 200 * 1000**3


@dataclass
class Batch:
    """`key` is the container that its images go to, as far as that follows from their paths."""

    key: str
    entries: list[Entry] = field(default_factory=list)
    size: int = 0
    path_bytes: int = 0

    def add(self, entry: Entry) -> None:
        """Take one more in."""
        self.entries.append(entry)
        self.size += entry.get("size", 0)
        self.path_bytes += len(entry["path"]) + 9  # its end, and its place in the list of arguments


def cut(entries: Iterable[Entry], limits: Limits, key_of: Callable[[bytes], str]) -> Iterator[Batch]:
    """Batches in the order of the entries; as few are open at a time as there are targets beside each other.

    Entries that may be one fileset of OMERO's (`together`) stay in one batch, as far as a command line and a row hold
    them, whatever became of some of them before: a series in two importers would be two images.
    """
    open_batches: dict[tuple[str, int], Batch] = {}
    for entry in entries:
        attempts = 0 if entry.get("together") else min(entry.get("attempts", 0), 2)
        target = (key_of(entry["path"]), attempts)
        batch = open_batches.get(target)
        if batch and _is_full(batch, entry, limits, attempts):
            yield open_batches.pop(target)
            batch = None
        if batch is None:
            if len(open_batches) == OPEN:
                yield open_batches.pop(max(open_batches, key=lambda each: len(open_batches[each].entries)))
            batch = open_batches[target] = Batch(target[0])
        batch.add(entry)
    yield from open_batches.values()


def _is_full(batch: Batch, entry: Entry, limits: Limits, attempts: int) -> bool:
    if batch.path_bytes + len(entry["path"]) > COMMAND_BYTES:
        return True
    if attempts:
        return len(batch.entries) >= min(LATER.get(attempts, 1), limits.filesets)
    if entry.get("together") and batch.entries[-1].get("together") == entry["together"]:
        return len(batch.entries) >= MOST
    return len(batch.entries) >= limits.filesets or batch.size + entry.get("size", 0) > limits.size


def container_key(target: str) -> Callable[[bytes], str]:
    """What tells the container of a path under a target: for `regex:`, what its groups match; else one for all.

    Raises:
        JobError: the expression is none, or one that Java alone understands.
    """
    if not target.startswith("regex:"):
        return lambda path: ""
    text = re.sub(r"^regex:([-+%@]?name:)?", "", target)
    try:
        pattern = re.compile(text.replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!"))
    except re.error as error:
        raise JobError(
            f"the target {target} is not a regular expression that both Java and Python accept ({error}); one "
            "looks like regex:^.*/images/(?<Container1>.*?)."
        ) from None
    if "Container1" not in pattern.groupindex:
        raise JobError(
            f"the target {target} has no group for the container; add a group (?<Container1>...), which becomes the "
            "name of the dataset or screen."
        )

    def key(path: bytes) -> str:
        # OMERO matches the whole folder of the file, without the slash at the beginning.
        folder = path.decode("utf-8", "surrogateescape").rpartition("/")[0].lstrip("/")
        found = pattern.fullmatch(folder) or pattern.fullmatch("/" + folder)
        return "/".join(value or "" for value in found.groups()) if found else ""

    return key

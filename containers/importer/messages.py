"""The text of one message about arrivals: what was imported, what failed and why, where to look, what to type next.

Names and reasons are strangers'. Each is on a line of its own, behind a dash, and the subject has none.
"""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import entries
from .entries import IMPORTED
from .ledger import Entry, is_under

# SNS takes 256 KiB (its API reference, Publish); the row that keeps a message until it is sent, 400 KB with its keys.
TEXT_BYTES = 100_000
# SNS takes less than 100 (the same).
SUBJECT_CHARACTERS = 99
DATASETS, REASON_CHARACTERS = 100, 500


@dataclass(frozen=True)
class Message:
    """`settled` are entries that are imported, failed or incomplete; `arriving` filesets still changed when they were
    scanned. `settings` are the worker's, as `contract.arrivals` writes them."""

    number: str
    settled: Sequence[Entry]
    arriving: int
    settings: dict[str, Any]

    @property
    def subject(self) -> str:
        """A line of ASCII."""
        text = f"OMERO {self.settings['workspace']}: {self._imported} imported, {len(self._failed)} failed"
        return text[:SUBJECT_CHARACTERS]

    @property
    def text(self) -> str:
        """All that fits; it says how much does not."""
        head = [
            f"What arrived for OMERO, workspace {self.settings['workspace']}. Message {self.number}: if it comes "
            "twice, nothing happened twice.",
            "",
            f"imported: {self._imported}",
            f"failed: {len(self._failed)}",
            f"still arriving: {self.arriving}",
            "",
            *self._datasets(),
        ]
        tail = ["", *self._commands()]
        room = TEXT_BYTES - sum(len(line.encode()) + 1 for line in (*head, *tail))
        return "\n".join((*head, *_fitting(self._reasons(), room), *tail)) + "\n"

    @property
    def _failed(self) -> list[Entry]:
        return [each for each in self.settled if each["state"] != IMPORTED]

    @property
    def _imported(self) -> int:
        return len(self.settled) - len(self._failed)

    def _datasets(self) -> Iterator[str]:
        where: Counter[tuple[str, str]] = Counter()
        links: dict[tuple[str, str], str] = {}
        for each in self.settled:
            if each["state"] == IMPORTED:
                named = (
                    f"dataset {entries.shown_text(each.get('dataset_name', ''))}" if "dataset" in each else "no dataset"
                )
                image = next(entries.numbers(each.get("images", "")), None)
                shown = f"dataset-{each['dataset']}" if "dataset" in each else f"image-{image}"
                # Of datasets of one name, each is told apart by its link.
                key = (f"{entries.shown_text(each['owner'])}, {named}", shown if "dataset" in each else "")
                where[key] += 1
                links.setdefault(key, shown)
        for key, count in where.most_common(DATASETS):
            # OMERO.web's user guide, "Linking to OMERO.web": `?show=dataset-5`.
            yield f"- {count} of {key[0]}: {self.settings['web_url']}/webclient/?show={links[key]}"
        if len(where) > DATASETS:
            yield f"- and {sum(where.values()) - sum(n for _, n in where.most_common(DATASETS))} in other datasets"

    def _reasons(self) -> list[str]:
        found = sorted(self._failed, key=lambda each: bytes(each["path"]))
        return [
            f"- {entries.shown(each['path'])}: {entries.shown_text(each.get('reason', ''))[:REASON_CHARACTERS]}"
            for each in found
        ]

    def _commands(self) -> Iterator[str]:
        workspace = f"--workspace {self.settings['workspace']}"
        yield f"What waits, and what failed: omero-aws arrivals status {workspace}"
        if self._failed:
            yield f"After mending: omero-aws arrivals replay {workspace}{self._under()}"

    def _under(self) -> str:
        """The folder that has all that failed, for a shell, if it is watched and can be typed."""
        folder = os.path.commonpath([os.path.dirname(each["path"]) for each in self._failed])
        watched = any(is_under(folder, os.fsencode(each["path"])) for each in self.settings["folders"])
        text = os.fsdecode(folder)
        return f" --under {shlex.quote(text)}" if watched and text.isprintable() else ""


def _fitting(lines: Iterable[str], room: int) -> Iterator[str]:
    """As many lines as fit into `room` bytes, and how many do not."""
    all_ = list(lines)
    if all_:
        yield ""
        yield "Failed:"
    for index, line in enumerate(all_):
        room -= len(line.encode()) + 1
        if room < 100:  # of the line that says so
            yield f"- and {len(all_) - index} more"
            return
        yield line

"""What an import's log says of it. The lines are those of omero-blitz: ManagedImportRequestI, and omero.cmd.Helper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from containers.importer import evidence
from containers.importer.evidence import BROKEN, FINISHED, PARTLY, RUNS

REQUEST = "[    o.s.blitz.repo.ManagedImportRequestI] (Background)"
STEPS = [f"DEBUG {REQUEST} Step {number}" for number in range(6)]
# Of its name and hash, which the pattern of etc/logback.xml shortens to 40 characters.
CANCELLED = "INFO  [ o.s.b.r.ManagedImportRequestI.@5e5d171f] (Background) Cancelled"
CLEANING = f"INFO  {REQUEST} Cleaning up import."
FORMAT = f"INFO  {REQUEST} File format: Aperio SVS"
READER_ERROR = (
    "ERROR [                   l.formats.in.SVSReader] (Background) Label is missing\njava.io.IOException: no"
)


def _state(folder: Path, lines: Sequence[str], *, images: bool) -> str:
    log = folder / "1.log"
    log.write_text("".join(f"2026-01-01 00:00:00,{at:03} {line}\n" for at, line in enumerate(lines)))
    job = evidence._Job("a session", closed=False, node_down=False, uploaded=True, log=bytes(log))
    return evidence._state(frozenset([1] if images else []), job)


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ([FORMAT, *STEPS], RUNS),
        ([FORMAT, *STEPS, CLEANING], FINISHED),
        ([FORMAT, *STEPS[:3], CANCELLED, CLEANING], PARTLY),
        ([FORMAT, *STEPS[:2], CLEANING], PARTLY),
        ([FORMAT, READER_ERROR, *STEPS, CLEANING], FINISHED),
        ([FORMAT, *STEPS, CANCELLED, CLEANING], PARTLY),
        # logback opens a log anew after half an hour without a line.
        ([STEPS[3], *STEPS[4:], CLEANING], FINISHED),
        ([CANCELLED, CLEANING], PARTLY),
        # Of a site that has raised the level.
        ([FORMAT, CLEANING], FINISHED),
        ([FORMAT, READER_ERROR, CLEANING], PARTLY),
    ],
    ids=[
        *("at it", "done", "a step failed", "its session was closed between two steps", "a reader complained"),
        *(
            "the log's size was not stored",
            "opened anew",
            "failed after that",
            "without steps",
            "an error without steps",
        ),
    ],
)
def test_images_are_whole_if_the_last_step_began_and_none_failed(tmp_path: Path, lines: list[str], state: str) -> None:
    assert _state(tmp_path, lines, images=True) == state


@pytest.mark.parametrize("lines", [[FORMAT, CANCELLED, CLEANING], [FORMAT, *STEPS[:2], CLEANING]])
def test_an_import_that_ended_without_images_has_failed(tmp_path: Path, lines: list[str]) -> None:
    assert _state(tmp_path, lines, images=False) == BROKEN


def test_the_last_error_of_a_log_is_told_without_where_and_when(tmp_path: Path) -> None:
    log = tmp_path / "1.log"
    log.write_text(f"2026-01-01 00:00:00,000 {READER_ERROR}\n2026-01-01 00:00:00,001 {CLEANING}\n")
    assert evidence.error_of(str(log)) == "Label is missing"

"""Ask OMERO again about filesets that the ledger has as imported; what differs is recorded."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

from . import entries, evidence, formats
from .entries import IMPORTED
from .evidence import FINISHED, Fileset
from .faults import JobError
from .ledger import CHUNK, Entry, Ledger, chunks
from .omero import Omero

NO_IMAGE = "OMERO has no image of this file any more"


def verify(
    ids: Sequence[str], ledger: Ledger, omero: Omero, *, stop: threading.Event, say: Callable[..., None]
) -> dict[str, Any]:
    """How many are as in the ledger, and how many differ.

    Raises:
        JobError: `stop` was set, so that it has to begin again.
        Unreachable: OMERO does not answer; what it did not answer is not taken for missing.
    """
    counts = {"same": 0, "differs": 0}
    for some in chunks(ids, CHUNK):
        if stop.is_set():
            raise JobError("the worker is being stopped")
        say(phase="ask", left=len(ids) - sum(counts.values()))
        found = [each for each in ledger.get_all(some).values() if each["state"] == IMPORTED]
        filesets = evidence.of_paths(omero, [each["path"] for each in found])
        for each in found:
            theirs = filesets.get(each["path"], [])
            differs = _difference(each, theirs)
            within = entries.within(theirs[0].dataset) if theirs else {}
            values = {"verified_at": entries.now_text(), **({"differs": differs} if differs else {}), **within}
            gone = [name for name in ("differs", "dataset", "dataset_name") if name not in values]
            ledger.note(each, values, remove=gone)
            counts["differs" if differs else "same"] += 1
    return counts


def _difference(entry: Entry, filesets: Sequence[Fileset]) -> str:
    imported = [each for each in filesets if each.images]
    if not imported:
        return NO_IMAGE
    if len(imported) > 1:
        return f"OMERO has it {len(imported)} times: filesets {', '.join(str(each.id) for each in imported)}"
    (fileset,) = imported
    if fileset.id != entry.get("fileset") or entries.ranges(fileset.images) != entry.get("images"):
        return f"OMERO has it as fileset {fileset.id} with the images {entries.ranges(fileset.images)}"
    if fileset.state != FINISHED:
        return f"the import of fileset {fileset.id} did not come to its end; its images may lack pixels"
    if fault := formats.no_reader(os.path.basename(entry["path"])):
        return f"what OMERO has is not the slide, but at most its thumbnail: {fault}"
    if fileset.outside:
        return f"it uses {entries.shown(fileset.outside)}, which is not in its folder and may be somebody else's"
    if not os.path.lexists(entry["path"]):
        return "the file itself is no longer there; an image that was imported in place is lost without it"
    if entry.get("changed"):
        return f"OMERO has an earlier content (fileset {fileset.id})"
    return ""

"""What a verification says of images that were imported before this program knew better."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from containers.importer import verify
from containers.importer.evidence import FINISHED, Fileset
from scripts.rehearsal.deliveries import put


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("a.mrxs", {}, "not the slide, but at most its thumbnail: OMERO has no reader for .mrxs; convert it first"),
        ("a.svs", {"outside": b"/in/bob/b.tif"}, "it uses /in/bob/b.tif, which is not in its folder"),
        ("a.svs", {}, ""),
    ],
)
def test_tells_of_what_should_not_have_been_imported(
    tmp_path: Path, name: str, more: dict[str, Any], said: str
) -> None:
    path = bytes(put(tmp_path / name, "x"))
    fileset = Fileset(5, frozenset({7}), "root", "", FINISHED, "", **more)
    entry = {"path": path, "fileset": 5, "images": "7"}
    differs = verify._difference(entry, [fileset])
    assert said in differs
    assert bool(differs) is bool(said)

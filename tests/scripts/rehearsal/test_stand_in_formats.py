"""The stand-in's filesets are those that Bio-Formats has made of the same folders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.rehearsal.deliveries import DELIVERIES, jpeg
from scripts.rehearsal.stand_ins.omero import formats
from tests.containers.importer.witness import Witness, witness

# Bio-Formats wants more of a LEI file than there is in this one.
KNOWN = [name for name in DELIVERIES if name != "lei"]


@pytest.fixture(scope="module")
def bioformats() -> Iterator[Witness]:
    with witness() as asked:
        yield asked


def answers() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(formats.ANSWERS.read_text(encoding="utf-8"))
    return content


def asked(bioformats: Witness, folder: Path) -> dict[str, Any]:
    """What the file has: to be written anew with `python -m tests.scripts.rehearsal.test_stand_in_formats`."""
    version, readers = bioformats.readers()
    filesets = {}
    for name in KNOWN:
        DELIVERIES[name](folder / name)
        groups = bioformats.groups(folder / name).values()
        filesets[name] = sorted(sorted(str(each.relative_to(folder / name)) for each in used) for used in groups)
    return {"version": version, "readers": {each.name: list(each.suffixes) for each in readers}, "filesets": filesets}


def test_what_is_recorded_is_what_bioformats_says(bioformats: Witness, tmp_path: Path) -> None:
    assert asked(bioformats, tmp_path) == answers()


@pytest.mark.parametrize("name", KNOWN)
def test_makes_the_same_filesets(tmp_path: Path, name: str) -> None:
    DELIVERIES[name](tmp_path)
    found, errors = formats.scan([str(tmp_path)], depth=10)
    assert not errors
    made = sorted(sorted(str(each.relative_to(tmp_path)) for each in one.used) for one in found)
    # A plate's texts beside its `Images` are left out here.
    said = [[each for each in used if not each.endswith("layout.txt")] for used in answers()["filesets"][name]]
    assert made == sorted(said)


def test_a_slide_that_has_no_reader_is_its_thumbnail(tmp_path: Path) -> None:
    slide = jpeg(tmp_path / "a.mrxs")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "Slidedat.ini").write_text("[GENERAL]\n")
    (found,) = formats.scan([str(tmp_path)], depth=10)[0]
    assert found.used == (slide,)
    slide.write_bytes(b"no JPEG")
    assert formats.scan([str(tmp_path)], depth=10) == ([], [])


def _record(folder: Path) -> None:
    with witness() as bioformats:
        text = json.dumps(asked(bioformats, folder), indent=1, ensure_ascii=False)
    formats.ANSWERS.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        _record(Path(made))

"""The rules of `readers` against Bio-Formats itself."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from containers.importer import formats
from containers.importer.readers import NO_READER, READERS, RULES, TOGETHER
from scripts.rehearsal.deliveries import DELIVERIES, SEVERAL, jpeg, put
from tests.containers.importer.witness import Witness, witness

# What Bio-Formats opens that is never handed to it here: texts.
TEXTS = ("TextReader",)
# What it cannot open of a delivery, for the little that is in its files; which reader it is, it says all the same.
UNOPENED = ("exp.lei", "exp_0.tif", "exp_1.tif")


@pytest.fixture(scope="module")
def bioformats() -> Iterator[Witness]:
    with witness() as asked:
        yield asked


def walked(folder: Path) -> list[formats.Fileset]:
    return list(formats.filesets(os.fsencode(folder), formats.Seen()))


def files_of(found: formats.Fileset) -> frozenset[Path]:
    main = Path(os.fsdecode(found.main))
    return frozenset((main, *(main.parent / os.fsdecode(each) for each in found.members)))


def test_the_table_is_its_list_of_readers(bioformats: Witness) -> None:
    _, readers = bioformats.readers()
    listed = {each.name: each.suffixes for each in readers}
    assert listed == READERS
    assert list(listed) == list(READERS)


def test_every_rule_is_of_a_reader_that_takes_its_main_file() -> None:
    for each in (*RULES, *TOGETHER):
        for reader in each.reader.split(", "):
            ends = tuple(f".{suffix}" for suffix in READERS[reader])
            assert any(pattern.endswith(ends) for pattern in each.main), each


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_each_image_is_one_fileset(bioformats: Witness, tmp_path: Path, delivery: str) -> None:
    DELIVERIES[delivery](tmp_path)
    agree(bioformats, tmp_path)


@pytest.mark.parametrize("name", SEVERAL)
def test_what_rehearsals_deliver_is_one_fileset_of_several_files(
    bioformats: Witness, tmp_path: Path, name: str
) -> None:
    SEVERAL[name](tmp_path)
    found = walked(tmp_path)
    (used,) = bioformats.groups(tmp_path).values()
    assert len(used) > 1
    assert set().union(*map(files_of, found)) >= set(used)
    # A series of DICOM is found as its slices, which one importer gets together.
    assert len(found) == 1 or (len({each.together for each in found}) == 1 and found[0].together)


@pytest.mark.parametrize("seed", range(8))
def test_each_image_is_one_fileset_whatever_lies_beside_it(bioformats: Witness, tmp_path: Path, seed: int) -> None:
    """Several deliveries in one folder, and some of them in folders of each other's."""
    chance = random.Random(seed)
    for name in chance.sample(sorted(DELIVERIES), 4):
        DELIVERIES[name](tmp_path / chance.choice(["", "", "sub", "data", "well 1"]))
    agree(bioformats, tmp_path)


def agree(bioformats: Witness, folder: Path) -> None:
    """No file of an image is handed to OMERO as another image, and no image is taken for a part of another one."""
    found = walked(folder)
    assert not any(each.fault for each in found)
    images = bioformats.groups(folder)
    assert images
    for main, files in images.items():
        # A plate's texts beside `Images` are no pixels, and nothing is lost if they come later.
        used = {each for each in files if main.parent.name != "Images" or main.parent in each.parents}
        owners = [each for each in found if files_of(each) & used]
        # All of it, or parts that one importer gets together.
        together = {each.together for each in owners}
        assert any(used <= files_of(each) for each in owners) or (len(together) == 1 and "" not in together), main
    for each in found:
        whole = [main for main, used in images.items() if used <= files_of(each)]
        others = [main for main in whole if Path(os.fsdecode(each.main)) not in images[main]]
        # What lies in two images is not lost in either.
        assert all(sum(images[main] <= files_of(other) for other in found) > 1 for main in others)


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_its_main_file_opens_all_of_it(bioformats: Witness, tmp_path: Path, delivery: str) -> None:
    DELIVERIES[delivery](tmp_path)
    for each in walked(tmp_path):
        main = Path(os.fsdecode(each.main))
        opened = bioformats.open(main)
        assert opened.reader
        assert opened.reader not in TEXTS
        assert not opened.fault or main.name in UNOPENED, (main, opened)
        beside = {used for used in opened.used if used.suffix != ".txt" or used.name == "metadata.txt"}
        assert each.together or beside <= files_of(each)


def test_what_has_no_reader_is_opened_as_something_else_or_not_at_all(bioformats: Witness, tmp_path: Path) -> None:
    """Why `.mrxs` is refused: the slide's thumbnail is what would be imported."""
    slide = jpeg(tmp_path / "a.mrxs")
    put(tmp_path / "a" / "Slidedat.ini", "[GENERAL]\n")
    assert bioformats.open(slide)[:3] == ("JPEGReader", "", (slide,))
    suffixes = {suffix for each in bioformats.readers()[1] for suffix in each.suffixes}
    assert not suffixes & set(NO_READER)
    (found,) = walked(tmp_path)
    assert found.fault.startswith("OMERO has no reader for .mrxs; convert it first")

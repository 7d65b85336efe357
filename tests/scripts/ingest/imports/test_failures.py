"""What could not be imported: why, as OMERO says it, and what a person has to do with images that may lack pixels."""

from __future__ import annotations

import pytest

from containers.importer.attempts import NO_READER
from containers.importer.entries import FAILED, IMPORTED, INCOMPLETE
from tests.scripts.ingest.imports.imports_help import Importing


def test_a_bad_file_fails_with_omeros_reason_and_the_others_are_imported(importing: Importing) -> None:
    good, bad = importing.image("good.tif"), importing.image("bad.tif")
    importing.server.fault("fail", "bad.tif", message="the tile at 3,4 is broken")
    importing.scan()
    done = importing.run()
    assert (done["imported"], done["failed"], done["left"]) == (1, 1, 0)
    assert importing.states() == {good: IMPORTED, bad: FAILED}
    entry = importing.at.ledger.get(bad)
    assert entry is not None
    assert "the tile at 3,4 is broken" in entry.reason
    assert entry.log
    assert importing.run()["failed"] == 0, "a run fails for what it did, and not for what others left"


def test_a_reason_that_names_no_file_is_told_of_the_one_that_is_alone_with_it(importing: Importing) -> None:
    good, bad = importing.image("good.tif"), importing.image("bad.tif")
    letter = importing.image("letter.spe", b"Dear reader, this is no image.")
    said = "java.lang.IllegalArgumentException: Cannot link to target"
    importing.server.fault("fail", "bad.tif", at="prepare", message=said)
    importing.scan()
    done = importing.run()
    assert (done["imported"], done["failed"], done["left"]) == (1, 2, 0)
    told = {entry.path: entry.reason for entry in importing.at.ledger.entries()}
    assert told == {good: "", bad: said, letter: NO_READER}


def test_a_file_of_no_known_format_is_told_at_once(importing: Importing) -> None:
    good, letter = importing.image("good.tif"), importing.image("letter.spe", b"Dear reader, this is no image.")
    importing.scan()
    assert importing.run()["failed"] == 1
    assert importing.states() == {good: IMPORTED, letter: FAILED}
    assert importing.reasons() == {"", NO_READER}
    assert len(importing.server.jvm_starts()) == 1


def test_a_jvm_without_enough_memory_costs_its_file_and_not_the_worker(importing: Importing) -> None:
    small, large = importing.image("small.tif"), importing.image("large.tif")
    importing.server.fault("memory", "large.tif")
    importing.scan()
    importing.run()
    assert importing.states() == {small: IMPORTED, large: FAILED}
    entry = importing.at.ledger.get(large)
    assert entry is not None
    assert "out of memory" in entry.reason
    assert "raise omero.importer.memory_mib" in entry.reason


def test_images_without_a_clean_end_wait_for_a_person(importing: Importing) -> None:
    path = importing.image("half.tif")
    importing.server.fault("die", "half.tif", at="pixels", times=1)
    importing.scan()
    done = importing.run()
    assert (done["imported"], done["incomplete"]) == (0, 1)
    entry = importing.at.ledger.get(path)
    assert entry is not None
    assert (entry.state, entry.count or entry.images) == (INCOMPLETE, entry.images)
    assert f"omero delete Fileset:{entry.fileset}" in entry.reason
    assert importing.answer(importing.ask("retry", files=[path.hex()], under=""))["filesets"] == 1
    assert importing.run()["incomplete"] == 1, "as long as they are there, they are not imported again"
    importing.server.delete_fileset(entry.fileset)
    importing.answer(importing.ask("retry", files=[path.hex()], under=""))
    assert importing.run()["imported"] == 1
    assert set(importing.once().values()) == {1}


@pytest.mark.parametrize(
    ("kind", "point", "said"),
    [
        ("fail", "pixels", "loci.formats.FormatException: the tile is broken"),
        ("cancel", "save", "Name: not-ready"),
    ],
)
def test_images_whose_pixels_omero_has_not_read_wait_for_a_person(
    importing: Importing, kind: str, point: str, said: str
) -> None:
    """OMERO saves images before it reads all of their pixels, and keeps them when it cannot."""
    path = importing.image("half.tif")
    importing.server.fault(kind, "half.tif", at=point, message=said)
    importing.scan()
    assert (importing.run()["incomplete"], len(importing.server.images())) == (1, 1)
    entry = importing.at.ledger.get(path)
    assert entry is not None
    assert (entry.state, f"omero delete Fileset:{entry.fileset}" in entry.reason) == (INCOMPLETE, True)
    assert said in entry.reason
    assert importing.answer(importing.ask("replay", under=""))["filesets"] == 1
    assert importing.run()["incomplete"] == 1, "as long as they are there"
    importing.server.clear_faults()
    importing.server.delete_fileset(entry.fileset)
    assert importing.answer(importing.ask("replay", under=""))["filesets"] == 1
    assert (importing.run()["imported"], set(importing.once().values())) == (1, {1})

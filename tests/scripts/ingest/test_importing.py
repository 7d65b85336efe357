"""Imports by tasks: every image in OMERO exactly once, and the ledger says so."""

from __future__ import annotations

from containers.importer.entries import FAILED, IMPORTED
from tests.scripts.ingest.imports_help import Importing


def test_what_was_found_is_imported_once(importing: Importing) -> None:
    paths = [importing.image(f"a/{number}.tif") for number in range(5)]
    found = importing.scan()
    assert (found["filesets"], found["new"]) == (5, 5)
    importing.run()
    assert importing.states() == dict.fromkeys(paths, IMPORTED)
    assert importing.once() == {path.decode().lstrip("/"): 1 for path in paths}
    images = {image.client_path: image for image in importing.server.images()}
    for entry in importing.ledger.entries():
        image = images[entry.path.decode().lstrip("/")]
        assert (entry.images, entry.fileset, entry.count) == (str(image.id), image.fileset, 1)
        assert image.transfer == "ln_s"
    assert len(importing.server.jvm_starts()) == 1
    importing.scan()
    importing.run()
    assert set(importing.once().values()) == {1}
    assert len(importing.server.jvm_starts()) == 1


def test_a_bad_file_fails_with_omeros_reason_and_the_others_are_imported(importing: Importing) -> None:
    good, bad = importing.image("good.tif"), importing.image("bad.tif")
    importing.server.fault("fail", "bad.tif", message="the tile at 3,4 is broken")
    importing.scan()
    importing.run()
    assert importing.states() == {good: IMPORTED, bad: FAILED}
    entry = importing.ledger.get(bad)
    assert entry is not None
    assert "the tile at 3,4 is broken" in entry.reason
    assert entry.log

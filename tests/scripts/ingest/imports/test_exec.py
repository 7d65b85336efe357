"""`run --transport exec`: one pass of the worker's program in the server's own container."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from containers.importer.entries import IMPORTED
from local_aws.testing.ecs import until
from scripts.ingest.imports.exec_pass import one_pass
from tests.scripts.ingest.imports.exec_help import run_server
from tests.scripts.ingest.imports.imports_help import SERVER, Importing, run_work


@pytest.fixture
def alone(workspace_of_imports: Importing, plugin: Path) -> Iterator[Importing]:
    """OMERO.server without a worker beside it."""
    with run_server(workspace_of_imports, entry_point=["/bin/sh", "-c", SERVER]):
        yield workspace_of_imports


def test_a_pass_does_what_is_asked_for_and_ends(alone: Importing) -> None:
    path = alone.image("a 'b' $(c).tif")
    scanned = alone.ask("scan", path=b"/OMERO/in".hex(), data_dir="/OMERO", settle_seconds=0, checksum=False)
    request = alone.ask("run", **run_work())
    one_pass(alone.at)
    assert alone.answer(scanned)["new"] == 1
    alone.answer(request)
    if alone.states() != {path: IMPORTED}:  # the run was before the scan's end
        again = alone.ask("run", **run_work())
        one_pass(alone.at)
        assert alone.answer(again)["imported"] == 1
    assert alone.states() == {path: IMPORTED}
    assert set(alone.once().values()) == {1}
    until(lambda: alone.at.requests.lease() is None, seconds=20)


def test_a_pass_leaves_the_work_to_the_worker_that_is_there(
    importing: Importing, plugin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = importing.image("a.tif")
    importing.scan()
    request = importing.ask("run", **run_work())
    one_pass(importing.at)
    assert "the worker beside OMERO.server is at work, and does it" in capsys.readouterr().err
    assert importing.answer(request)["imported"] == 1
    assert importing.states() == {path: IMPORTED}

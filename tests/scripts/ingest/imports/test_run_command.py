"""`imports run` as a whole: what it says when it is done."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from scripts.ingest.imports import command as imports
from scripts.ingest.imports import sources
from tests.scripts.ingest.imports.imports_help import Importing


@pytest.mark.parametrize("as_json", [True, False])
def test_says_what_was_imported_and_what_is_in_the_ledger(
    importing: Importing, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    importing.image("a.tif")
    importing.scan()
    monkeypatch.setattr(imports, "import_context", lambda _name: importing.import_context)
    monkeypatch.setattr(sources, "check_server", lambda _opened: None)  # none runs as a service here
    done = CliRunner().invoke(imports.app, ["run", *(["--json"] if as_json else [])])
    assert done.exit_code == 0, done.stderr
    assert "1 imported and 0 already in OMERO" in done.stderr
    if as_json:
        told = json.loads(done.stdout)
        states = {state: total["filesets"] for state, total in told["states"].items()}
        assert (told["imported"], states) == (1, {"pending": 0, "importing": 0, "imported": 1, "failed": 0})

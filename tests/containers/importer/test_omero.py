"""What the worker asks OMERO's command line for."""

from __future__ import annotations

import pytest

from containers.importer.omero import Omero


@pytest.mark.parametrize("key", ["", "--help", "x' or '1' = '1", "0d7fa2c1-29c5-4bd4-8b58-6f5f0b3a1f11\n--help"])
def test_what_is_no_key_of_a_session_reaches_no_command(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    omero = Omero(admin="root", password=lambda: "secret")
    monkeypatch.setattr(Omero, "_run", lambda *_: pytest.fail("a command was run"))
    omero.close_session(key)

"""Several rehearsals at a time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.errors import Failed
from scripts.rehearsal import e2e


def test_shows_the_end_of_the_log_of_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who reads the output of a pipeline has no other file of it."""
    program = tmp_path / "python"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfor n in range(100): print('line', n, file=sys.stderr)\nexit(1)\n"
    )
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(e2e, "ROOT", tmp_path)
    monkeypatch.setattr(e2e, "FOLDER", tmp_path / ".rehearsal")
    with pytest.raises(Failed, match=r"^1 of 1 rehearsals failed: demo; see \.rehearsal/demo\.log\.$"):
        e2e.e2e(["demo"])
    said = capsys.readouterr().err
    assert "line 99" in said
    assert "line 1\n" not in said

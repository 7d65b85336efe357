"""Long programs are followed, and their failure is told with its end."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from rich.console import Console

from scripts import process
from scripts.errors import Failed

ENVIRON = dict(os.environ)


def _stream(tmp_path: Path, program: str) -> str:
    output = io.StringIO()
    with process.Progress(Console(file=output, width=200), "deploy") as progress:
        process.stream([sys.executable, "-c", program], environ=ENVIRON, log=tmp_path / "log", progress=progress)
    return output.getvalue()


def test_counts_resources_and_keeps_the_log(tmp_path: Path) -> None:
    said = _stream(
        tmp_path,
        "print('data aws_kms_key.key: Creation complete after 1s');"
        "print('\\x1b[1mnetwork\\x1b[0m: Destruction complete')",
    )
    assert "deploy ..." in said
    assert "2 resources" in said.splitlines()[-1]
    assert (tmp_path / "log").read_text() == (
        "data aws_kms_key.key: Creation complete after 1s\nnetwork: Destruction complete\n"
    )


def test_says_a_line_now_and_then_where_there_is_no_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LINE_INTERVAL", 0.0)
    assert "working [on it]" in _stream(tmp_path, "print('working [on it]')")


def test_fails_with_the_end_of_what_was_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Failed, match=r"exit code 3; .*log"):
        _stream(tmp_path, "import sys; print('the reason'); sys.exit(3)")
    assert "the reason" in capsys.readouterr().err

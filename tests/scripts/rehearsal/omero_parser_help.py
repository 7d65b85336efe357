"""OMERO's own parser, for tests: it runs on the Python of `make setup-omero`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.rehearsal.stand_ins import IMAGES
from scripts.rehearsal.stand_ins.omero.parser import Verdict, ask

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".tools" / "omero" / "bin" / "python"
NOT_INSTALLED = "OMERO's own parser is not installed: `make setup-omero` does that, or says what it needs"


@pytest.fixture(scope="session")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which it is to be asked."""
    assert PYTHON.exists(), NOT_INSTALLED
    folder = tmp_path_factory.mktemp("parser")
    with subprocess.Popen([PYTHON, IMAGES.parent / "omero_parser.py", folder], stdin=subprocess.PIPE) as process:
        yield folder
        assert process.stdin is not None
        process.stdin.close()


def said(parser: Path, *words: str) -> Verdict:
    verdict = ask(parser, words)
    assert verdict is not None
    return verdict

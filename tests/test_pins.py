"""Releases of OMERO that are deployed, installed and written about: none that has a known vulnerability."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from settings.omero import Server, Web
from settings.upload_host import UploadHost

ROOT = Path(__file__).parent.parent
# Bio-Formats up to 8.3.0 reads files that a crafted Leica XLEF names (CVE-2026-22186) and trusts cache files beside
# images (CVE-2026-22187), as their records at CVE.org say. OMERO.server 5.6.17 was the first with Bio-Formats 8.4.0
# (OMERO's version history).
LEAST_SERVER = (5, 6, 17)
# Of OMERO.server, its importer and its image; OMERO.web's releases have other numbers.
SERVER_RELEASE = re.compile(r"\b5\.6\.(\d+)\b")
WRITTEN = ("README.md", "docs/**/*.md", "workspaces/**/*.yaml", "workspaces/schema.json", "settings/*.py")


def _release(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _written() -> Iterator[tuple[Path, tuple[int, ...]]]:
    for pattern in WRITTEN:
        for path in ROOT.glob(pattern):
            for found in SERVER_RELEASE.finditer(path.read_text()):
                yield path.relative_to(ROOT), _release(found.group())


def test_server_and_importer_are_the_same_release_above_the_floor() -> None:
    server = _release(Server().image.rpartition(":")[2].partition("-")[0])
    assert server >= LEAST_SERVER
    assert server == _release(UploadHost().importer_version)


def test_web_is_a_release_that_omeros_own_charts_run_beside_this_server() -> None:
    assert _release(Web().image.rpartition(":")[2]) >= (5, 31, 1)


def test_nothing_that_people_copy_names_a_release_below_the_floor() -> None:
    written = list(_written())
    assert written
    assert [each for each in written if each[1] < LEAST_SERVER] == []

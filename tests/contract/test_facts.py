"""OMERO's facts, where code that travels into containers, Lambda and hosts has to say them again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contract.omero import DATA_DIR, GID, SERVER_PORT, TRANSPORTS, UID, WEB_PORT

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("file", "pattern", "value"),
    [
        ("functions/sftp_folders.py", r"^OMERO = (\d+)$", UID),
        ("hosts/upload_host.sh", r"^PERSON_UID=(\d+)$", UID),
        ("containers/importer/omero.py", r'^HOST, PORT = "localhost", "(\d+)"$', SERVER_PORT),
    ],
)
def test_what_travels_says_the_same(file: str, pattern: str, value: int) -> None:
    (found,) = re.findall(pattern, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert int(found) == value


@pytest.mark.parametrize("package", ["modules", "stacks", "scripts"])
def test_nobody_else_has_a_copy(package: str) -> None:
    """A number of OMERO's in the code is one from `contract.omero`; messages and documents may name it."""
    numbers = {str(port) for port in (*TRANSPORTS.values(), WEB_PORT)}
    for path in (ROOT / package).rglob("*.py"):
        if "stand_ins" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        code = re.sub(r'"""[\s\S]*?"""|"[^"\n]*"|#.*', "", text)
        assert not numbers & set(re.findall(r"\b\d{4}\b", code)), path
        assert not re.search(r"\b(uid|gid|owner_uid|owner_gid)=1000\b", code), path
        assert not re.search(rf'(?<!["/\w]){DATA_DIR}"$', code, re.MULTILINE), path


def test_user_and_group_are_those_of_the_images() -> None:
    assert (UID, GID) == (1000, 1000)

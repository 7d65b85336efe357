"""Set-up of Bio-Formats: which Java, and what it is pinned to. No network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.deploy import bioformats_parts, bootstrap
from scripts.deploy.terraform import Stop


def java(folder: Path, modules: str) -> dict[str, str]:
    program = folder / "java"
    program.write_text(f"#!/bin/sh\nprintf '{modules}'\n")
    program.chmod(0o755)
    return {"PATH": str(folder)}


def test_wants_a_java_that_compiles(tmp_path: Path) -> None:
    with pytest.raises(
        Stop, match=r"there is no java: install a JDK of version 11 or newer .*apt install openjdk"
    ) as none:
        bioformats_parts.check_java({"PATH": ""})
    with pytest.raises(Stop, match=r"java cannot compile .*as a JRE has none.*: install a JDK") as jre:
        bioformats_parts.check_java(java(tmp_path, r"java.base@17\n"))
    for caught in (none, jre):
        assert str(caught.value).count(". ") == 0, "one sentence"
    bioformats_parts.check_java(java(tmp_path, r"java.base@17\njdk.compiler@17\n"))


def test_is_pinned_with_its_hash_and_without_an_index() -> None:
    text = (bootstrap.ROOT / "tools" / "bioformats.txt").read_text().replace("\\\n", "")
    (line,) = [line for line in text.splitlines() if not line.startswith("#")]
    assert re.fullmatch(r"python-bioformats==4\.1\.0 +--hash=sha256:[0-9a-f]{64}", line)

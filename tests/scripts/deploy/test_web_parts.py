"""Set-up of OMERO.web and its cache. No network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.deploy import web_parts
from scripts.deploy.bootstrap import ROOT
from scripts.deploy.terraform import Stop
from settings.omero import Web
from tests.scripts.deploy.test_omero_parts import program


def test_the_machines_own_server_comes_first(tmp_path: Path) -> None:
    valkey = program(tmp_path / "bin/valkey-server", "true")
    assert web_parts.cache_server(tmp_path, {"PATH": str(valkey.parent)}) == (valkey, {})
    assert web_parts.cache_step(tmp_path, {"PATH": str(valkey.parent)}) is None


def test_what_was_unpacked_finds_its_libraries(tmp_path: Path) -> None:
    server = program(tmp_path / ".tools/cache/usr/bin/redis-server", "true")
    library = tmp_path / ".tools/cache/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
    library.parent.mkdir(parents=True)
    library.touch()
    found = web_parts.cache_server(tmp_path, {"PATH": ""})
    assert found == (server, {"LD_LIBRARY_PATH": str(library.parent)})


def test_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Stop, match=r"this machine has none: install it .*apt install redis-server.*setup-web") as said:
        web_parts.cache_server(tmp_path, {"PATH": ""})
    assert str(said.value).count(". ") == 0, "one sentence"


def test_the_real_omero_web_is_of_the_release_that_is_deployed() -> None:
    release = Web().image.rpartition(":")[2]
    assert re.search(rf"^omero-web=={re.escape(release)} ", (ROOT / "tools" / "web.txt").read_text(), re.MULTILINE)

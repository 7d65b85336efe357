"""Set-up of OMERO's own parts: which Python, what is missing, and what is compiled once. No network."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from scripts.deploy import bootstrap, omero_parts
from scripts.deploy.terraform import Stop


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_finds_pyenvs_python_where_the_one_on_the_path_does_not_run(tmp_path: Path) -> None:
    """pyenv's shims are on the PATH for every version, and fail for those that nobody has chosen."""
    program(tmp_path / "shims/python3.10", "echo 'pyenv: python3.10: command not found' >&2; exit 127")
    program(tmp_path / "pyenv/versions/3.10.2/bin/python3.10", "printf '/the/python\\n/the/headers\\n'")
    env = {"PATH": str(tmp_path / "shims"), "PYENV_ROOT": str(tmp_path / "pyenv")}
    assert omero_parts.find_python(env) == (Path("/the/python"), Path("/the/headers"))
    with pytest.raises(Stop, match=r"needs Python 3\.10, which is neither on the PATH nor in .*: install it") as caught:
        omero_parts.find_python({"PATH": str(tmp_path / "shims"), "PYENV_ROOT": str(tmp_path)})
    assert str(caught.value).count(". ") == 0, "one sentence"


@pytest.mark.parametrize("missing", ["Python.h", "openssl/ssl.h", "bzlib.h"])
def test_says_which_header_is_missing(tmp_path: Path, missing: str) -> None:
    program(tmp_path / "g++", f"! /bin/grep -q {missing}")
    with pytest.raises(Stop, match=f"g.. does not find {re.escape(missing)}: install it .*apt install"):
        omero_parts.check_compiler(tmp_path, {"PATH": str(tmp_path)})
    with pytest.raises(Stop, match=r"there is no g\+\+: install it .*apt install g\+\+ libssl-dev libbz2-dev"):
        omero_parts.check_compiler(tmp_path, {"PATH": ""})


def test_compiles_once_for_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def compiled(root: Path, python: Path, folder: Path) -> Path:
        made.append(root)
        (folder / "zeroc_ice.whl").write_text("wheel")
        return folder / "zeroc_ice.whl"

    monkeypatch.setattr(omero_parts, "find_python", lambda _env: (Path(sys.executable), tmp_path))
    monkeypatch.setattr(omero_parts, "check_compiler", lambda *_: None)
    monkeypatch.setattr(omero_parts, "_compiled", compiled)
    root = tmp_path / "checkout"
    (root / "tools").mkdir(parents=True)
    for name in ("zeroc-ice.txt", "zeroc-ice-build.txt"):
        (root / "tools" / name).write_bytes((bootstrap.ROOT / "tools" / name).read_bytes())
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    first = omero_parts.wheel(root, env)
    assert first.read_text() == "wheel"
    assert omero_parts.wheel(root, env) == first
    (root / "tools" / "zeroc-ice.txt").write_text("zeroc-ice==3.6.6\n")
    assert omero_parts.wheel(root, env) != first
    assert len(made) == 2


@pytest.mark.parametrize("name", ["omero.txt", "web.txt", "zeroc-ice.txt", "zeroc-ice-build.txt"])
def test_everything_is_pinned_with_hashes_and_without_an_index(name: str) -> None:
    text = (bootstrap.ROOT / "tools" / name).read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( +--hash=sha256:[0-9a-f]{64})+", line)

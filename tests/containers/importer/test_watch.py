"""Looks at a folder: what has changed is found, and what has not is not read again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from containers.importer import watch
from containers.importer.watch import Watched


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The folders that are read."""
    found: list[bytes] = []
    scandir = os.scandir

    def noted(path: bytes) -> Any:
        found.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", noted)
    return found


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def pass_(seconds: float) -> None:
        now[0] += seconds

    return pass_


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a/1.tif", "a/deep/2.tif", "b/3.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"II*\0")
    return tmp_path


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a/new.tif").write_bytes(b""),
        lambda folder: _append(folder / "a/deep/2.tif"),
        lambda folder: (folder / "b/3.tif").unlink(),
        lambda folder: (folder / "b/3.tif").rename(folder / "b/4.tif"),
        lambda folder: (folder / "a/deep").rename(folder / "b/deep"),
        lambda folder: (folder / "c").mkdir(),
        lambda folder: os.utime(folder / "a/1.tif", (1, 1)),
    ],
)
def test_each_change_is_found_once(folder: Path, change: Callable[[Path], Any]) -> None:
    watched = Watched(os.fsencode(folder))
    assert watched.changed()
    assert not watched.changed()
    change(folder)
    assert watched.changed()
    assert not watched.changed()


def test_what_has_been_quiet_is_not_read_but_at_night(
    folder: Path, read: list[bytes], later: Callable[[float], None]
) -> None:
    watched = Watched(os.fsencode(folder))
    watched.changed()
    later(watch.WARM_SECONDS + 1)
    read.clear()
    assert not watched.changed()
    assert read == []
    _append(folder / "a/1.tif")
    assert not watched.changed(), "its folder has not changed"
    assert watched.changed(whole=True)
    assert len(read) == 4
    read.clear()
    assert not watched.changed()
    assert read == [os.fsencode(folder / "a")], "an upload may stall, and go on"


def test_a_new_file_in_a_quiet_folder_reads_that_folder_alone(
    folder: Path, read: list[bytes], later: Callable[[float], None]
) -> None:
    watched = Watched(os.fsencode(folder))
    watched.changed()
    later(watch.WARM_SECONDS + 1)
    read.clear()
    (folder / "b" / "5.tif").write_bytes(b"")
    assert watched.changed()
    assert read == [os.fsencode(folder / "b")]


def test_links_hidden_folders_and_what_cannot_be_read_are_passed_over(folder: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / "b/link").symlink_to(folder / "a")
    (folder / "b/loop").symlink_to(folder)
    os.mkfifo(folder / "b/pipe")
    (folder / os.fsdecode(b"n\xff\nme")).mkdir()
    watched = Watched(os.fsencode(folder))
    assert watched.changed()
    (folder / ".hidden" / "a.tif").write_bytes(b"")
    assert not watched.changed()


def test_a_folder_that_is_not_there_yet_is_found_when_it_comes(tmp_path: Path) -> None:
    watched = Watched(os.fsencode(tmp_path / "sender"))
    assert not watched.changed()
    (tmp_path / "sender").mkdir()
    assert watched.changed()
    (tmp_path / "sender").rmdir()
    assert watched.changed()
    assert not watched.changed()

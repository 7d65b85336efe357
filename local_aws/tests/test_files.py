"""Folders for file systems: owners on record, and paths that stay inside."""

from __future__ import annotations

import multiprocessing
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from local_aws import files
from local_aws.files import Owner

OMERO = Owner(1000, 1000, 0o750)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LOCAL_AWS_FILES", str(tmp_path / "files"))
    return files.folder("fs-0123456789abcdef0")


def test_root_is_the_named_folder(system: Path, tmp_path: Path) -> None:
    assert files.root() == (tmp_path / "files").resolve()
    assert stat.S_IMODE(files.root().stat().st_mode) == 0o700
    assert system == files.root() / "fs-0123456789abcdef0"
    assert system.is_dir()


def test_temporary_root_goes_with_its_process() -> None:
    program = "from local_aws import files; print(files.folder('fs-1')); assert files.root() == files.root()"
    environment = {name: value for name, value in os.environ.items() if name != "LOCAL_AWS_FILES"}
    made = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert not Path(made.stdout.strip()).parent.exists()


@pytest.mark.parametrize("name", ["", "..", "a/b", "fs-1/../fs-2", "fs 1"])
def test_refuses_names_that_are_no_file_system(system: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no file system's id"):
        files.folder(name)


def test_owners_are_recorded(system: Path) -> None:
    path = system / "a b" / "ü'\"\n"
    assert files.owner(path) is None
    files.own(path, OMERO)
    assert files.owner(path) == OMERO
    files.own(path, Owner(0, 0, 0o644))
    assert files.owner(path) == Owner(0, 0, 0o644)
    undecodable = system / os.fsdecode(b"\xff")
    files.own(undecodable, OMERO)
    assert files.owner(undecodable) == OMERO


@pytest.mark.parametrize("owner", [(-1, 0, 0), (0, 2**32, 0), (0, 0, 0o10000)])
def test_refuses_impossible_owners(owner: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="is allowed"):
        Owner(*owner)


def test_refuses_owners_outside_of_the_root(system: Path) -> None:
    for path in (Path("/etc/passwd"), system / ".." / ".." / "x", files.root()):
        with pytest.raises(ValueError, match="is not below"):
            files.own(path, OMERO)


def test_subtrees_move_and_go(system: Path) -> None:
    for name in ("a", "a/b", "a/b/c", "a.b", "a0", "new", "new/old"):
        files.own(system / name, OMERO)
    files.moved(system / "a", system / "new")
    owned = [
        name
        for name in ("a", "a/b", "a/b/c", "new/b", "new/b/c", "new/old", "a.b", "a0", "new")
        if files.owner(system / name)
    ]
    assert owned == ["new/b", "new/b/c", "a.b", "a0", "new"]
    files.forget(system / "new")
    assert files.owner(system / "new/b/c") is None
    assert files.owner(system / "a.b") == OMERO


@pytest.mark.parametrize(
    ("relative", "expected"),
    [
        ("", "."),
        ("/", "."),
        ("a/b", "a/b"),
        ("/a//b/", "a/b"),
        ("../../etc/passwd", "etc/passwd"),
        ("a/../../../b", "b"),
        ("out/etc/passwd", "etc/passwd"),
        ("up/up2", "up2"),
        ("deep/in/file", "real/file"),
        ("deep/in/../file", "file"),
    ],
)
def test_paths_stay_inside(system: Path, relative: str, expected: str) -> None:
    (system / "real").mkdir()
    (system / "deep").mkdir()
    (system / "out").symlink_to("/")
    (system / "up").symlink_to("../../..")
    (system / "deep" / "in").symlink_to("/real")
    assert files.inside(system, relative) == system / expected


def test_last_link_may_be_left_alone(system: Path) -> None:
    (system / "link").symlink_to("/target")
    assert files.inside(system, "link", follow=False) == system / "link"
    assert files.inside(system, "link") == system / "target"
    (system / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        files.inside(system, "loop/x")
    with pytest.raises(ValueError, match="NUL"):
        files.inside(system, "a\0b")


def _access_point(system: Path, root: dict[str, object]) -> SimpleNamespace:
    return SimpleNamespace(file_system_id=system.name, root_directory=root)


def test_access_point_makes_its_folder_once(system: Path) -> None:
    creation = {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0750"}
    point = _access_point(system, {"Path": "/omero/import", "CreationInfo": creation})
    made = files.access_point_folder(point)
    assert made == system / "omero" / "import"
    assert made.is_dir()
    assert files.owner(made) == files.owner(made.parent) == OMERO
    files.own(made, Owner(1, 1, 0o700))
    assert files.access_point_folder(point) == made
    assert files.owner(made) == Owner(1, 1, 0o700)
    assert files.access_point_folder(_access_point(system, {"Path": "/"})) == system
    with pytest.raises(FileNotFoundError):
        files.access_point_folder(_access_point(system, {"Path": "/missing"}))


def _own_many(system: Path, prefix: str) -> None:
    for number in range(50):
        files.own(system / f"{prefix}-{number}", OMERO)


def test_many_threads_and_processes_record_at_once(system: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers: list[threading.Thread | multiprocessing.process.BaseProcess] = [
        threading.Thread(target=_own_many, args=(system, f"thread{index}")) for index in range(4)
    ]
    workers += [context.Process(target=_own_many, args=(system, f"process{index}")) for index in range(3)]
    for worker in workers[::-1]:  # processes first: a fork of a process with threads is none of this test's business
        worker.start()
    for worker in workers:
        worker.join()
    names = [f"thread{index}" for index in range(4)] + [f"process{index}" for index in range(3)]
    assert all(files.owner(system / f"{name}-{number}") for name in names for number in range(50))

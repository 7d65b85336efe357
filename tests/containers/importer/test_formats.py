"""Which files make one fileset."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from containers.importer import formats


def make(folder: Path, *names: str, text: str = "x") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def found(folder: Path) -> dict[str, int]:
    """The main files, by their place below `folder`, with the number of files of each."""
    seen = formats.Seen()
    root = os.fsencode(folder)
    return {os.fsdecode(each.main).removeprefix(f"{folder}/"): each.files for each in formats.filesets(root, seen)}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("a.svs", "b.ndpi", "c.tiff"), {"a.svs": 1, "b.ndpi": 1, "c.tiff": 1}),
        (("a.mrxs", "a/Data0001.dat", "a/Slidedat.ini", "a/more/thumb.jpg", "b.tif"), {"a.mrxs": 4, "b.tif": 1}),
        (("a.vsi", "_a_/stack1/frame_t.ets", "_a_/stack2/frame_t.ets"), {"a.vsi": 3}),
        (("a.oif", "a.oif.files/s_C001.tif"), {"a.oif": 2}),
        (("a.ics", "a.ids"), {"a.ics": 2}),
        (("a.dv", "a.dv.log", "b.dv"), {"a.dv": 2, "b.dv": 1}),
        (("a.czi", "a (1).czi", "a (2).czi", "b (1).czi"), {"a.czi": 3, "b (1).czi": 1}),
        (("p/p.HTD", "p/p_A01_w1.TIF", "p/TimePoint_1/p_A01.TIF"), {"p/p.HTD": 3}),
        (("e.nd", "e_w1.TIF", "e_w2.TIF", "other.tif"), {"e.nd": 3, "other.tif": 1}),
        (("notes.txt", "Thumbs.db", ".DS_Store", "._a.tif", "a.tif"), {"a.tif": 1}),
        (("sub/deeper/a.TIF",), {"sub/deeper/a.TIF": 1}),
    ],
)
def test_groups_by_names(tmp_path: Path, names: tuple[str, ...], expected: dict[str, int]) -> None:
    make(tmp_path, *names)
    assert found(tmp_path) == expected


def test_a_main_file_names_its_others(tmp_path: Path) -> None:
    make(tmp_path, "a_1.ome.tif", "a_2.ome.tif", "own.ome.tif", "s_0.ndpi", "s_1.ndpi")
    make(tmp_path, "a.companion.ome", text='<TiffData><UUID FileName="a_1.ome.tif"/><UUID FileName="a_2.ome.tif"/>')
    make(tmp_path, "set.ndpis", text="[NanoZoomer Digital Pathology Image Set]\nImage0=s_0.ndpi\r\nImage1=s_1.ndpi\r\n")
    assert found(tmp_path) == {"a.companion.ome": 3, "own.ome.tif": 1, "set.ndpis": 3}


def test_links_are_counted_and_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "real/a.tif")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "b.tif").symlink_to(tmp_path / "real" / "a.tif")
    seen = formats.Seen()
    assert len(list(formats.filesets(os.fsencode(tmp_path), seen))) == 1
    assert seen.links == 2


def test_a_change_of_any_file_is_another_content(tmp_path: Path) -> None:
    make(tmp_path, "a.mrxs", "a/Data0001.dat")
    (before,) = formats.filesets(os.fsencode(tmp_path), formats.Seen())
    make(tmp_path, "a/Data0001.dat", text="more")
    (after,) = formats.filesets(os.fsencode(tmp_path), formats.Seen())
    assert before.main == after.main
    assert before.print != after.print


def test_one_sees_what_a_walk_sees(tmp_path: Path) -> None:
    make(tmp_path, "a.mrxs", "a/Data0001.dat", "b.czi", "b (1).czi", "p/p.htd", "p/1.tif")
    for each in formats.filesets(os.fsencode(tmp_path), formats.Seen()):
        assert formats.one(each.main, formats.Seen()) == each


def test_says_what_cannot_be_imported(tmp_path: Path) -> None:
    make(tmp_path, "empty.tif", text="")
    (tmp_path / os.fsdecode(b"\xff.tif")).write_text("x")
    faults = {
        each.main.rpartition(b"/")[2]: each.fault for each in formats.filesets(os.fsencode(tmp_path), formats.Seen())
    }
    assert faults[b"empty.tif"].startswith("the file is empty")
    assert "not UTF-8" in faults[b"\xff.tif"]


def test_says_whose_a_file_is_that_omero_may_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.tif")
    (tmp_path / "a.tif").chmod(0o600)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # this user may be a superuser
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (found,) = formats.filesets(os.fsencode(tmp_path), formats.Seen())
    owner = (tmp_path / "a.tif").stat().st_uid
    assert f"owned by uid {owner} with mode 0600, and OMERO.server (uid 1000) may not read it" in found.fault


def test_omeros_own_folders_are_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "ManagedRepository/a.tif", "in/b.tif")
    skip = frozenset({os.fsencode(tmp_path / "ManagedRepository")})
    mains = [each.main for each in formats.filesets(os.fsencode(tmp_path), formats.Seen(), skip)]
    assert mains == [os.fsencode(tmp_path / "in" / "b.tif")]


def test_a_folder_is_read_once_for_all_that_are_asked_for_in_it(tmp_path: Path) -> None:
    make(tmp_path, *(f"{number}.svs" for number in range(50)))
    seen = formats.Seen()
    mains = [os.fsencode(tmp_path / f"{number}.svs") for number in range(50)]
    told = [formats.one(main, seen) for main in mains]
    assert [each.main for each in told if each] == mains
    assert seen.folders == 1

"""What a walk makes of folders: each of these was once imported in part, twice, or as something else."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from containers.importer import formats
from containers.importer.batches import Batch, Entry, Limits, cut
from scripts.rehearsal.deliveries import (
    DELIVERIES,
    companion,
    dicom,
    jpeg,
    lei,
    oir,
    ome_xml,
    operetta,
    put,
    svs,
    tiff,
)


class Noted(formats.Seen):
    """Which files were left out, and why."""

    def __init__(self) -> None:
        super().__init__()
        self.left: dict[Path, str] = {}

    def ignore(self, path: bytes, reason: str) -> None:
        super().ignore(path, reason)
        self.left[Path(os.fsdecode(path))] = reason


def walk(folder: Path, seen: formats.Seen | None = None) -> dict[str, formats.Fileset]:
    """The filesets by their main files, from the folder on."""
    found = formats.filesets(os.fsencode(folder), seen or formats.Seen())
    return {os.fsdecode(os.path.relpath(each.main, os.fsencode(folder))): each for each in found}


def mains(folder: Path) -> dict[str, int]:
    return {name: each.files for name, each in walk(folder).items()}


@pytest.mark.parametrize("suffix", ["mrxs", "isyntax"])
def test_a_slide_that_has_no_reader_is_not_imported_as_its_thumbnail(tmp_path: Path, suffix: str) -> None:
    jpeg(tmp_path / f"patient.{suffix}")
    assert f"no reader for .{suffix}; convert it first" in walk(tmp_path)[f"patient.{suffix}"].fault


def test_neither_is_a_zarr_taken_apart(tmp_path: Path) -> None:
    tiff(tmp_path / "a.zarr" / "0" / "thumb.tif")
    (found,) = walk(tmp_path).values()
    assert "no reader for .zarr; convert it first" in found.fault
    assert formats.one(found.main, formats.Seen()) == found


def test_a_main_file_owns_what_it_names_and_no_other_patients_slide(tmp_path: Path) -> None:
    lei(tmp_path / "exp.lei", "exp_0.tif")
    tiff(tmp_path / "exp_0.tif")
    svs(tmp_path / "patient7.svs")
    svs(tmp_path / "alice" / "patient8.svs")
    assert mains(tmp_path) == {"exp.lei": 2, "patient7.svs": 1, "alice/patient8.svs": 1}


def test_two_images_that_share_a_file_are_the_same_when_they_are_looked_at_again(tmp_path: Path) -> None:
    DELIVERIES["afi"](tmp_path)
    found = walk(tmp_path)
    assert {name: each.files for name, each in found.items()} == {"a.afi": 3, "b.afi": 2, "other.svs": 1}
    for each in found.values():
        assert formats.one(each.main, formats.Seen()) == each


def test_a_plate_of_harmonys_is_one_fileset(tmp_path: Path) -> None:
    operetta(tmp_path / "plate" / "Images", *(f"r01c{well:02}.tiff" for well in range(1, 13)))
    assert mains(tmp_path) == {"plate/Images/Index.xml": 13}
    put(tmp_path / "web" / "Index.xml", "<sitemap/>")
    assert mains(tmp_path) == {"plate/Images/Index.xml": 13}


def test_a_companion_names_files_in_folders_and_with_entities(tmp_path: Path) -> None:
    companion(
        tmp_path / "a.companion.ome",
        "one & two.ome.tif",
        "sub/b.ome.tif",
        names=["one &amp; two.ome.tif", "sub/b.ome.tif"],
    )
    tiff(tmp_path / "sub" / "other.tif")
    assert mains(tmp_path) == {"a.companion.ome": 3, "sub/other.tif": 1}
    put(tmp_path / "sub" / "b.ome.tif", b"")
    assert "its file sub/b.ome.tif is empty" in walk(tmp_path)["a.companion.ome"].fault


def test_an_index_of_which_nothing_has_come_is_not_imported(tmp_path: Path) -> None:
    put(tmp_path / "a.companion.ome", ome_xml("a_1.ome.tif"))
    assert "none of the files that belong to it is there" in walk(tmp_path)["a.companion.ome"].fault


def test_a_part_that_is_still_arriving_changes_the_whole(tmp_path: Path) -> None:
    oir(tmp_path / "a.oir", 1)
    before = walk(tmp_path)["a.oir"]
    put(tmp_path / "a_00001", bytes(128))
    after = walk(tmp_path)["a.oir"]
    assert (before.files, after.files) == (2, 2)
    assert before.print != after.print
    put(tmp_path / "a_00002", bytes(64))
    assert walk(tmp_path)["a.oir"].files == 3


def test_a_series_changes_with_any_of_its_files_and_no_other_series_does(tmp_path: Path) -> None:
    for at in range(1, 4):
        dicom(tmp_path / f"1.2.3.{at}", series="1.2.3", instance=at)
        dicom(tmp_path / f"IM{at}", series="1.2.4", instance=at)
    before = walk(tmp_path)
    assert len(before) == 6
    assert len({each.together for each in before.values()}) == 1
    dicom(tmp_path / "IM4", series="1.2.4", instance=4)
    after = walk(tmp_path)
    assert {name for name in before if before[name].print != after[name].print} == {"IM1", "IM2", "IM3"}
    for each in after.values():
        assert formats.one(each.main, formats.Seen()) == each


@pytest.mark.parametrize("attempts", [0, 1, 3])
def test_one_importer_gets_all_of_a_series(attempts: int) -> None:
    entries: list[Entry] = [
        {"id": f"{at}", "path": b"/in/IM%06d" % at, "size": 5, "together": "series", "attempts": attempts}
        for at in range(3000)
    ]
    others: list[Entry] = [{"id": f"o{at}", "path": b"/in/o%d.svs" % at, "size": 5} for at in range(300)]
    batches: list[Batch] = list(cut([*others, *entries], Limits(filesets=200), lambda path: ""))
    series = [sum("together" in entry for entry in batch.entries) for batch in batches]
    assert sorted(series, reverse=True)[:2] == [3000, 0]


def test_lists_apart_what_may_be_an_image(tmp_path: Path) -> None:
    for name in ("a.svs ", "scan.raw", "notes.txt", ".hidden.tif", "letter"):
        put(tmp_path / name, "x")
    put(tmp_path / "a.nii.gz", "x")
    put(tmp_path / "a.ome.xml", "x")
    dicom(tmp_path / "IM1", series="1.2", instance=1)
    seen = formats.Seen()
    assert sorted(walk(tmp_path, seen)) == ["IM1", "a.nii.gz", "a.ome.xml"]
    assert seen.not_taken == {".svs ": 1, ".raw": 1}
    assert seen.ignored == {".txt": 1, ".tif": 1, "no suffix": 1}


@pytest.fixture
def removed(tmp_path: Path) -> Iterator[Path]:
    """A folder that is gone at the end: Python's own way to remove it does not go so deep."""
    yield tmp_path
    subprocess.run(["rm", "-rf", tmp_path], check=True)


def test_a_tree_as_deep_as_folders_go(removed: Path) -> None:
    """Its paths end up longer than Linux takes: those folders are told, and the rest is found."""
    svs(removed / "a.svs")
    deep(removed, 1500)
    svs(removed / "deep" / "deep" / "b.svs")
    svs(removed / "z" / "c.svs")
    seen = formats.Seen()
    assert sorted(walk(removed, seen)) == ["a.svs", "deep/deep/b.svs", "z/c.svs"]
    assert len(seen.unreadable) == 1
    assert seen.tree.unreadable[seen.unreadable[0]] == "File name too long"


def test_a_deep_folder_of_ones_own_too(removed: Path) -> None:
    put(removed / "a.vsi", "x")
    put(removed / "_a_" / "frame_t.ets", "x")
    deep(removed / "_a_", 1500)
    assert mains(removed) == {"a.vsi": 2}


def deep(folder: Path, depth: int) -> None:
    """Folders in folders, too many for one path."""
    at = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("deep", dir_fd=at)
        below = os.open("deep", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def test_what_is_no_file_is_counted_and_not_opened(tmp_path: Path) -> None:
    """Opening a pipe would wait for ever."""
    os.mkfifo(tmp_path / "a.svs")
    (tmp_path / "b.svs").symlink_to("/etc/passwd")
    seen = Noted()
    assert not walk(tmp_path, seen)
    assert seen.left == {tmp_path / "a.svs": formats.ODD, tmp_path / "b.svs": formats.LINK}


@pytest.mark.parametrize("odd", ["link", "pipe", "folder"])
def test_an_image_with_a_link_or_a_pipe_for_a_file_is_not_imported(tmp_path: Path, odd: str) -> None:
    secret = put(tmp_path / "secret", "x")
    put(tmp_path / "in" / "a.vsi", "x")
    place = tmp_path / "in" / "_a_" / "stack1"
    put(place / "frame_t.ets", "x")
    if odd == "link":
        (place / "frame_u.ets").symlink_to(secret)
    elif odd == "pipe":
        os.mkfifo(place / "frame_u.ets")
    else:
        (tmp_path / "in" / "_a_").rename(tmp_path / "elsewhere")
        (tmp_path / "in" / "_a_").symlink_to(tmp_path / "elsewhere")
    (found,) = walk(tmp_path / "in").values()
    assert " is a symbolic link; put the file itself " in found.fault or " is a pipe, a socket " in found.fault


@pytest.mark.parametrize("name", ["../bob/b.ome.tif", "&#46;./bob/b.ome.tif", "{}/bob/b.ome.tif"])
def test_an_image_that_names_somebody_elses_file_is_not_imported(tmp_path: Path, name: str) -> None:
    tiff(tmp_path / "bob" / "b.ome.tif")
    put(tmp_path / "alice" / "a.companion.ome", ome_xml("x", names=[name.format(tmp_path)]))
    assert "is outside of its folder; put the file itself" in walk(tmp_path)["alice/a.companion.ome"].fault


def test_a_giant_that_is_not_there_is_not_imported(tmp_path: Path) -> None:
    with (tmp_path / "a.tif").open("wb") as file:
        file.write(b"II*\0")
        file.truncate(1 << 40)
    assert "claims 1099511627776 bytes, of which" in walk(tmp_path)["a.tif"].fault


NAMES = ("a", "a_1", "a (1)", "é", "x y", "[1]", "a*", "a\n", "B", "run_w1", "_a_", "a.b", "{stem}", "%s", "İ")
SUFFIXES = (
    *(".svs", ".tif", ".ome.tif", ".TIF", ".czi", ".oir", ".vsi", ".ics", ".ids", ".hdr", ".img", ".nhdr", ".raw"),
    *(".dv", ".dv.log", ".nd", ".htd", ".lei", ".afi", ".companion.ome", ".txt", "", "_00001", ".mrxs", ".zarr"),
    *(".xml", ".spc"),
)
FOLDERS = ("_a_", "data", "sub", "a", "a.oif.files", "Pos_1", "x.zarr")


def generated(folder: Path, seed: int) -> None:
    """Folders of files whose names may belong together, and texts that name some of them."""
    chance = random.Random(seed)
    places = [folder]
    for _ in range(chance.randrange(5)):
        places.append(chance.choice(places) / chance.choice(FOLDERS))
    files = {chance.choice(places) / (chance.choice(NAMES) + chance.choice(SUFFIXES)) for _ in range(30)}
    for path in sorted(files):
        words = " ".join(f'"{os.path.relpath(each, path.parent)}"' for each in chance.sample(sorted(files), 4))
        content = chance.choice(["", "x", words, ome_xml(*(each.name for each in chance.sample(sorted(files), 2)))])
        if not path.is_dir() and not any(each.is_file() for each in path.parents):
            put(path, content)
    for name in chance.sample(sorted(DELIVERIES), 2):
        DELIVERIES[name](chance.choice(places) / "delivered")


def one_of(found: list[formats.Fileset], main: Path) -> formats.Fileset:
    return next(each for each in found if each.main == os.fsencode(main))


@pytest.mark.parametrize("seed", range(60))
def test_every_file_is_of_an_image_or_said_not_to_be(tmp_path: Path, seed: int) -> None:
    generated(tmp_path, seed)
    seen = Noted()
    found = list(formats.filesets(os.fsencode(tmp_path), seen))
    again = formats.Seen()
    mine: dict[Path, list[formats.Fileset]] = {}
    for each in found:
        assert formats.one(each.main, formats.Seen()) == each
        assert formats.one(each.main, again) == each
        main = Path(os.fsdecode(each.main))
        below = main.rglob("*") if main.is_dir() else [main]
        for file in (*below, *(main.parent / os.fsdecode(member) for member in each.members)):
            mine.setdefault(file, []).append(each)
    main_files = {Path(os.fsdecode(each.main)) for each in found}
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert (file in mine) != (file in seen.left), file
            owners = [each for each in mine.get(file, ()) if Path(os.fsdecode(each.main)) != file]
            # Only what uses others as well is an image of its own and another's file: as OMERO has it.
            assert not owners or file not in main_files or one_of(found, file).files > len(owners), file
    assert len(main_files) == len(found)

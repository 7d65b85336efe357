"""Which files make a fileset: a small part of what Bio-Formats knows, held to what Bio-Formats itself has said.

`bioformats.json` has its readers with their suffixes, and its answers about folders of many formats, as
tests/scripts/rehearsal/test_stand_in_formats.py has asked for them. What a file has in it hardly matters here: an image
is what has the suffix of one, and something in it.
"""

from __future__ import annotations

import html
import json
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ANSWERS = Path(__file__).with_name("bioformats.json")
# Suffixes that Bio-Formats has a reader for and that are no image without what lies beside, or are texts.
_NOT_ALONE = {
    *("ids", "img", "raw", "log", "set", "hdr", "xml", "txt", "csv", "htm", "html", "dat", "db", "bin", "h5", "zip"),
    *("cfg", "ets"),
}
# What a main file calls its others: XML's and JSON's file names, Harmony's, a list of slides', a header's.
_NAMED = re.compile(
    rb"(?:FileName\"? *[=:] *|<URL>|<Path>|data file: |MetadataFile=)[\"']?([^\"'<>\r\n]+)", re.IGNORECASE
)
_SERIES = re.compile(rb"\x20\x00\x0e\x00UI..([0-9.]+)", re.DOTALL)
_LETTER = re.compile(rb"[A-Za-z,.\s]{16,}")
_HEAD_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Candidate:
    """A fileset to be: the file that it is named by, all of its files, and how many images it has."""

    file: Path
    used: tuple[Path, ...]
    images: int = 1


class Unreadable(Exception):
    """A file that cannot be read."""


def scan(paths: list[str], depth: int) -> tuple[list[Candidate], list[str]]:
    """The candidates below `paths`, in order, and errors: as ImportCandidates finds them.

    A file that a fileset before has used is not opened any more; what others use more than it uses others is none, and
    neither is what does not use the file that it was opened by.
    """
    found: list[Candidate] = []
    errors: list[str] = []
    used: dict[Path, int] = {}
    _mains.cache_clear()
    for path in paths:
        place = Path(os.path.abspath(path))  # noqa: PTH100  # as Java: links are kept
        listed = _below(place, depth) if place.is_dir() else [place]
        for each in (file for file in listed if file not in used and _is_text(file) and file.exists()):
            try:
                candidate = _candidate(each)
            except (OSError, Unreadable) as error:
                errors.append(f"{each}\njava.io.IOException: {error}")
                continue
            if candidate is not None:
                found.append(candidate)
                for other in candidate.used:
                    used[other] = used.get(other, 0) + 1
    kept = [one for one in found if one.file in one.used and used[one.file] <= len(one.used)]
    return [Candidate(one.used[0], one.used, one.images) for one in kept], errors


def _is_text(file: Path) -> bool:
    """Whether Java finds it: a name that is no UTF-8 becomes another one there."""
    return os.fsencode(file).decode("utf-8", "replace") == str(file)


def _below(folder: Path, depth: int) -> list[Path]:
    found = []
    for at, folders, names in os.walk(folder):
        if len(Path(at).relative_to(folder).parts) >= depth:
            folders.clear()
        folders.sort()
        found += [Path(at, name) for name in names if not name.startswith(".")]
    return sorted(found)


def _candidate(file: Path) -> Candidate | None:
    if not os.access(file, os.R_OK):
        raise Unreadable("Permission denied")
    name = file.name.lower()
    if name.endswith(".fake"):
        series = re.search(r"&series=(\d+)", name)
        return Candidate(file, (file,), int(series[1]) if series else 1)
    if not file.stat().st_size:
        return None
    for main in (file, *_mains(file.parent)):
        # Of a folder of Micro-Manager's no TIFF is an image of its own.
        position = main.name == "metadata.txt" and name.endswith(".tif") and not name.endswith(".ome.tif")
        others = _used(main)
        if len(others) > 1 and (file in others or position):
            return Candidate(file, tuple(others))
    return Candidate(file, (file,), 2 if name.endswith(".lif") else 1) if _is_image(file) else None


def _is_image(file: Path) -> bool:
    """By its suffix, unless it is a letter; a JPEG and DICOM are known by what is in them, whatever they are called."""
    name = file.name.lower()
    if _LETTER.fullmatch(_head(file, 4096)):
        return False
    if any(name.endswith(f".{suffix}") for suffix in _suffixes()):
        return True
    head = _head(file, 132)
    return head.startswith(b"\xff\xd8\xff") or head[128:] == b"DICM"


@cache
def _suffixes() -> frozenset[str]:
    readers = json.loads(ANSWERS.read_text(encoding="utf-8"))["readers"]
    return frozenset(suffix for suffixes in readers.values() for suffix in suffixes) - _NOT_ALONE


@cache
def _mains(folder: Path) -> tuple[Path, ...]:
    """The files of a folder that others may belong to."""
    return tuple(sorted(each for each in folder.iterdir() if each.is_file() and _gathers(each)))


def _gathers(file: Path) -> bool:
    name = file.name.lower()
    ends = (".companion.ome", ".afi", ".htd", ".nd", ".ics", ".nhdr", ".hdr", ".vsi", ".dv", ".czi", "index.idx.xml")
    return name.endswith(ends) or name in ("index.xml", "metadata.txt")


def _used(file: Path) -> list[Path]:
    """All files of the image that a file opens."""
    name, stem = file.name.lower(), file.stem
    folder = file.parent
    if name.endswith(".vsi"):
        return [file, *_all_of(file.with_name(f"_{stem}_"))]
    if name.endswith(".dv"):
        return [file, *_there(folder, [f"{file.name}.log"])]
    if name.endswith((".ics", ".hdr")):
        other = ".ids" if name.endswith(".ics") else ".img"
        return [file, *_there(folder, [stem + other, stem + other.upper()])]
    if name.endswith(".htd"):
        return [file, *sorted(each for each in folder.glob("*") if each.name.startswith(f"{stem}_"))]
    if name.endswith(".nd"):
        return [file, *sorted(each for each in folder.glob("*") if re.match(re.escape(stem) + "_w[0-9]", each.name))]
    if name.endswith(".czi"):
        return [file, *sorted(each for each in folder.glob("*") if re.match(re.escape(stem) + r" ?\(\d+\)", each.name))]
    if name == "metadata.txt":
        return _positions(file) if b"micro-manager" in _head(file).lower() else [file]
    if _head(file, 132)[128:] == b"DICM":
        return _series(file)
    return [file, *_there(folder, _names(file))] if _gathers(file) or _is_tiff(file) else [file]


def _is_tiff(file: Path) -> bool:
    return file.name.lower().endswith((".tif", ".tiff")) and b"<OME" in _head(file)


def _positions(file: Path) -> list[Path]:
    """Of Micro-Manager's positions beside each other one image."""
    folders = [file.parent]
    if "Pos_" in file.parent.name:
        folders = sorted(each for each in file.parent.parent.iterdir() if "Pos_" in each.name)
    found = []
    for each in folders:
        text = each / file.name
        found += [text, *_there(each, _names(text))]
    return found


def _series(file: Path) -> list[Path]:
    number = _SERIES.search(_head(file))
    beside = sorted(each for each in file.parent.iterdir() if each.is_file())
    others = [each for each in beside if (found := _SERIES.search(_head(each))) and number and found[1] == number[1]]
    return others or [file]


def _names(file: Path) -> list[str]:
    named = [html.unescape(each.decode("utf-8", "replace")) for each in _NAMED.findall(_head(file))]
    return [each for each in dict.fromkeys(named) if each != file.name]


def _there(folder: Path, names: list[str]) -> list[Path]:
    """As Java's Location has them: a name may lead anywhere."""
    places = [Path(os.path.normpath(folder / each)) for each in names]
    return [each for each in places if each.is_file() and each.stat().st_size]


def _all_of(folder: Path) -> list[Path]:
    return sorted(each for each in folder.rglob("*") if each.is_file()) if folder.is_dir() else []


def _head(file: Path, size: int = _HEAD_BYTES) -> bytes:
    with file.open("rb") as content:
        return content.read(size)

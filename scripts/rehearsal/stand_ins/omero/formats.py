"""Which files make a fileset: a small part of what Bio-Formats knows, by the ending of a name alone."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

SINGLE = (
    *(".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".dcm", ".dicom", ".czi", ".nd2", ".svs", ".ndpi", ".scn"),
    *(".lif", ".ims", ".lsm", ".oib", ".zvi", ".stk", ".bmp", ".gif", ".fake", ".dv", ".r3d"),
)


@dataclass(frozen=True)
class Candidate:
    """A fileset to be: the file that it is named by, all of its files, and how many images it has."""

    file: Path
    used: tuple[Path, ...]
    images: int = 1


class Unreadable(Exception):
    """A file that cannot be read."""


def scan(paths: list[str], depth: int) -> tuple[list[Candidate], list[str]]:
    """The candidates below `paths`, in order, and errors. A file that another fileset uses is no candidate."""
    found: list[Candidate] = []
    errors: list[str] = []
    for path in paths:
        place = Path(os.path.abspath(path))  # noqa: PTH100  # as Java: links are kept
        listed = _below(place, depth) if place.is_dir() else [place]
        for each in (file for file in listed if _is_text(file) and file.exists()):
            try:
                candidate = _candidate(each)
            except (OSError, Unreadable) as error:
                errors.append(f"{each}: {error}")
                continue
            if candidate is not None:
                found.append(candidate)
    companions = {used for each in found for used in each.used if used != each.file}
    unique: dict[Path, Candidate] = {}
    for one in found:
        if one.file not in companions:
            unique.setdefault(one.file, one)
    return list(unique.values()), errors


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
    name = file.name.lower()
    if name.endswith(".mrxs"):
        return Candidate(file, (file, *_all_of(file.with_suffix(""))))
    if name.endswith(".vsi"):
        return Candidate(file, (file, *_all_of(file.with_name(f"_{file.stem}_"))))
    if name.endswith(".companion.ome"):
        named = re.findall(r'FileName="([^"]+)"', _text(file))
        used = [file.with_name(each) for each in dict.fromkeys(named)]
        return Candidate(file, (file, *used)) if all(each.exists() for each in used) else None
    if not name.endswith(SINGLE):
        return None
    if not os.access(file, os.R_OK):
        raise Unreadable("Permission denied")
    if not name.endswith(".fake") and file.stat().st_size == 0:
        return None
    if name.endswith(".fake"):
        series = re.search(r"&series=(\d+)", name)
        return Candidate(file, (file,), int(series[1]) if series else 1)
    log = file.with_name(f"{file.name}.log")
    used_files = (file, log) if name.endswith(".dv") and log.exists() else (file,)
    return Candidate(file, used_files, 2 if name.endswith(".lif") else 1)


def _all_of(folder: Path) -> list[Path]:
    return sorted(each for each in folder.rglob("*") if each.is_file()) if folder.is_dir() else []


def _text(file: Path) -> str:
    if not os.access(file, os.R_OK):
        raise Unreadable("Permission denied")
    return file.read_text(encoding="utf-8", errors="replace")

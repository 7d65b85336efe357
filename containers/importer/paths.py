"""Client paths: what OMERO keeps of the place that a file was imported from, and which file that was.

OMERO makes each part of a path safe for every platform (omero-blitz: MakePathComponentSafe, with the rules "Windows
required" and "UNIX required"), so that `a?.tif` and `a%.tif` have the same one. Which of them a fileset is of, its file
in the managed repository tells.
"""

from __future__ import annotations

import os
import posixpath
from fnmatch import fnmatchcase

from .readers import INNER
from .tree import lower

_INSTEAD = dict.fromkeys(range(32), "_")
_INSTEAD.update({ord(unsafe): safe for unsafe, safe in zip('"*:<>?\\|', "'x;[]%!!")})  # noqa: B905 - Python 3.9
_NAMES = ["AUX", "CLOCK$", "CON", "NUL", "PRN", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))]
_PREFIXES = (*(name + "." for name in _NAMES), "$")
# Of files that were copied, and have the same size: their beginnings and ends.
_COMPARED_BYTES = 1024 * 1024


def client_path(path: bytes) -> str:
    """Of an absolute path; without the slash at its beginning."""
    return "/".join(_safe(part) for part in os.fsdecode(path).split("/") if part)


def _safe(name: str) -> str:
    upper = name.upper()
    if upper in _NAMES:
        name += "_"
    for prefix in _PREFIXES:
        if upper.startswith(prefix):
            name = "_" + name
    return name.translate(_INSTEAD)


def is_of(repository_file: bytes, path: bytes) -> bool:
    """Whether a file of the managed repository is the file at `path`, by a link or as a copy."""
    try:
        if os.path.islink(repository_file):
            return os.readlink(repository_file) == path
        inside, outside = os.stat(repository_file), os.stat(path)
    except OSError:
        # Either is gone: that is for a verification to find, not for an importer to import it again.
        return True
    if os.path.samestat(inside, outside):
        return True
    return inside.st_size == outside.st_size and _ends(repository_file) == _ends(path)


def is_below(repository_file: bytes, name: str, main: bytes) -> bool:
    """Whether a file that OMERO has taken, by its client path, lies in the folder of a main file, or below it.

    Of plates and the like the folder above is theirs as well (`readers.INNER`). A link in the managed repository tells
    the very file, and where that one leads to, if it is a link itself.
    """
    folder = os.path.dirname(main)
    if any(fnmatchcase(lower(os.path.basename(folder)), inner) for inner in INNER):
        folder = os.path.dirname(folder)
    if not _is_under(posixpath.normpath("/" + name), "/" + client_path(folder)):
        return False
    try:
        taken = os.readlink(repository_file)
    except OSError:  # it is a copy, or gone
        return True
    return _is_under(os.fsdecode(os.path.realpath(taken)), os.fsdecode(os.path.realpath(folder)))


def _is_under(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _ends(path: bytes) -> tuple[bytes, bytes]:
    with open(path, "rb") as file:
        first = file.read(_COMPARED_BYTES)
        file.seek(-min(_COMPARED_BYTES, os.fstat(file.fileno()).st_size), os.SEEK_END)
        return first, file.read()

"""Which files are images, and which files make one fileset: `readers` has the rules, this applies them to folders.

What a rule does not know is one fileset a file; where OMERO may see it otherwise (`readers.TOGETHER`), one importer
gets all of them at once and OMERO groups them itself.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

from . import dicoms
from .members import NONE, Members, in_order, members, rule_of
from .readers import COMMON, NO_READER, SUFFIXES, TOGETHER, Rule, Together
from .tree import Folder, Tree, lower

# Why a file is not imported.
HIDDEN, LINK, ODD, NO_IMAGE, NOT_TAKEN = "hidden", "link", "odd", "no image", "not taken"
KINDS = 200
# A file this large of which so little is on the disk holds no image: reading it, or copying it, would take for ever.
SPARSE_BYTES, SPARSE_SHARE = 64 * 1024**3, 0.01


class Fileset(NamedTuple):
    """`main` is its path, and `members` those of its other files, from its folder on; `files`, `size` and `print` are
    of all of them. `together` is what may belong to it; `fault` says why it cannot be imported."""

    main: bytes
    files: int
    size: int
    print: str
    together: str = ""
    fault: str = ""
    members: tuple[bytes, ...] = ()


class Seen:
    """What a walk saw that is no fileset: files by suffix, links, and folders that could not be read."""

    def __init__(self) -> None:
        self.tree = Tree()
        self.ignored: dict[str, int] = {}
        self.not_taken: dict[str, int] = {}
        self.links = 0
        self.odd = 0

    @property
    def folders(self) -> int:
        """How many were read."""
        return self.tree.count

    @property
    def unreadable(self) -> list[bytes]:
        """Folders that could not be read, or whose path is too long."""
        return list(self.tree.unreadable)

    def ignore(self, path: bytes, reason: str) -> None:
        """Count a file that is not imported."""
        name = os.path.basename(path)
        if reason == LINK:
            self.links += 1
        elif reason == ODD:
            self.odd += 1
        else:
            counts = self.not_taken if reason == NOT_TAKEN else self.ignored
            suffix = "." + suffix_of(name) if b"." in name.lstrip(b".") else "no suffix"
            if len(counts) > KINDS and suffix not in counts:
                suffix = "others"
            counts[suffix] = counts.get(suffix, 0) + 1


def filesets(root: bytes, seen: Seen, skip: frozenset[bytes] = frozenset()) -> Iterator[Fileset]:
    """The filesets below a folder, folder by folder, always in the same order. Links are not followed."""
    todo = [root]
    # What main files have taken in folders that come later.
    taken: dict[bytes, set[bytes]] = {}
    while todo:
        path = todo.pop()
        if path in skip:
            continue
        folder = seen.tree.read(path)
        mine = taken.pop(path, set())
        if folder is None:
            continue
        owned: set[bytes] = set()
        for name, rule, found in _images(seen, folder, mine):
            for each in found.files:
                below, last = os.path.split(each)
                (taken.setdefault(os.path.join(path, below), set()) if below else mine).add(last)
            owned |= found.whole
            yield _fileset(seen.tree, folder, name, rule, found)
        for name, what in folder.odd.items():
            seen.ignore(os.path.join(path, name), LINK if "link" in what else ODD)
        below_it = []
        for name in folder.folders:
            if name in owned or name.startswith(b"."):
                continue
            if suffix_of(name) in NO_READER:
                yield _unread(folder, name)
            else:
                below_it.append(os.path.join(path, name))
        todo += reversed(below_it)


def one(path: bytes, seen: Seen) -> Fileset | None:
    """The fileset whose main file is at `path`, as `filesets` finds it; None if there is none.

    Who asks for many at once gives them one `seen`: each folder is then read once, whatever it holds.
    """
    at, name = os.path.split(path)
    folder = seen.tree.read(at)
    if folder is None:
        return None
    if name in folder.folders and suffix_of(name) in NO_READER:
        return _unread(folder, name)
    if name not in folder.files:
        return None
    rule = rule_of(folder, name)
    return _fileset(seen.tree, folder, name, rule, members(seen.tree, folder, name, rule))


def _images(seen: Seen, folder: Folder, taken: set[bytes]) -> Iterator[tuple[bytes, Rule | None, Members]]:
    """The main files of a folder with their other files, but for those that are taken; others are counted."""
    free = [name for name in folder.files if name not in taken and not name.startswith(b".")]
    several: dict[bytes, tuple[Rule, Members]] = {}
    users: dict[bytes, int] = {}
    for name, rule in in_order(folder, free):
        if name in taken:
            continue
        found = members(seen.tree, folder, name, rule)
        if not _lacks(rule, found) or _is_image(folder, name):
            several[name] = rule, found
            taken.update((name, *found.files))
            for each in found.files:
                users[each] = users.get(each, 0) + 1
    for name, (rule, found) in several.items():
        # What others use more than it uses others is no image by itself: as in ImportCandidates of omero-blitz.
        if users.get(name, 0) <= len(found.files):
            yield name, rule, found
    for name in free:
        if name in taken:
            continue
        if suffix_of(name) in NO_READER:
            # Its rule is none; what is its own all the same is in its folder.
            yield name, None, members(seen.tree, folder, name, None)
        elif _is_image(folder, name):
            yield name, None, NONE
        else:
            seen.ignore(os.path.join(folder.path, name), NOT_TAKEN if _may_be_image(name) else NO_IMAGE)
    for name in folder.files:
        if name.startswith(b".") and name not in taken:
            seen.ignore(os.path.join(folder.path, name), HIDDEN)


@lru_cache(maxsize=64)  # of one file it is asked several times in a row
def suffix_of(name: bytes) -> str:
    """Its suffix in lower case, `ome.tif` and the like as one."""
    parts = lower(name).split(".")
    for count in (2, 1):
        suffix = ".".join(parts[-count:])
        if len(parts) > count and (count == 1 or suffix in SUFFIXES):
            return suffix
    return ""


def _lacks(rule: Rule, found: Members) -> bool:
    return rule.needs and not found.files and not found.odd


def _is_image(folder: Folder, name: bytes) -> bool:
    return suffix_of(name) in SUFFIXES or name in series_in(folder)


def _may_be_image(name: bytes) -> bool:
    """Whether Bio-Formats may open what this program does not hand it: listed apart, for it may be missed."""
    return suffix_of(name) in COMMON or suffix_of(name.strip()) in SUFFIXES


def series_in(folder: Folder) -> dict[bytes, str]:
    """The DICOM files of a folder, whatever their names are, with their series."""
    if folder.series is None:
        folder.series = {}
        for name in folder.files:
            named = suffix_of(name) in _DICOM
            if named or (dicoms.NAMES.fullmatch(name) and not name.startswith(b".")):
                found = dicoms.series(os.path.join(folder.path, name))
                if named or found is not None:
                    folder.series[name] = found or ""
    return folder.series


_DICOM = tuple(pattern[2:] for each in TOGETHER if each.reader == "DicomReader" for pattern in each.main)
# A folder may hold a million files: each is compared with few.
_TOGETHER: dict[str, list[Together]] = {}
for _each in TOGETHER:
    for _pattern in _each.main:
        _TOGETHER.setdefault(_pattern.rpartition(".")[2], []).append(_each)


def _together(folder: Folder, name: bytes) -> str:
    """What tells the files that OMERO may make one image of."""
    low, path = lower(name), folder.path
    for each in _TOGETHER.get(low.rpartition(".")[2], ()):
        if not any(fnmatchcase(low, pattern) for pattern in each.main):
            continue
        if each.folder and not fnmatchcase(lower(os.path.basename(path)), each.folder):
            continue
        if each.beside and not any(folder.matching(each.beside)):
            continue
        return hashlib.sha256(os.path.dirname(path) if each.folder else path).hexdigest()[:16]
    return hashlib.sha256(path).hexdigest()[:16] if name in series_in(folder) else ""


def _fileset(tree: Tree, folder: Folder, name: bytes, rule: Rule | None, found: Members) -> Fileset:
    all_ = {name: folder.files[name], **found.files}
    content = hashlib.sha256()
    for each, about in all_.items():
        content.update(_line(each, about))
    content.update(_of_series(folder, name))
    path = os.path.join(folder.path, name)
    size = sum(about.st_size for about in all_.values())
    fault = _fault(path, rule, found, all_)
    return Fileset(path, len(all_), size, content.hexdigest()[:32], _together(folder, name), fault, tuple(found.files))


def _line(name: bytes, about: os.stat_result) -> bytes:
    return b"%s\0%d %d\n" % (name, about.st_size, about.st_mtime_ns)


def _of_series(folder: Folder, name: bytes) -> bytes:
    """What changes with any file of its series: a series of which a part is still arriving is not complete."""
    series = series_in(folder)
    if name not in series:
        return b""
    key = series[name]
    if key not in folder.digests:
        others = [each for each, other in series.items() if other == key]
        lines = b"".join(_line(each, folder.files[each]) for each in others)
        folder.digests[key] = hashlib.sha256(lines).digest() if len(others) > 1 else b""
    return folder.digests[key]


def _unread(folder: Folder, name: bytes) -> Fileset:
    """A folder that is an image, of which OMERO has no reader."""
    path = os.path.join(folder.path, name)
    return Fileset(path, 1, 0, hashlib.sha256(name).hexdigest()[:32], fault=no_reader(name))


def no_reader(name: bytes) -> str:
    """Why OMERO cannot open it, by its name alone."""
    suffix = suffix_of(name)
    return (
        f"OMERO has no reader for .{suffix}; convert it first ({NO_READER[suffix]}), then scan what came of it"
        if suffix in NO_READER
        else ""
    )


def _fault(path: bytes, rule: Rule | None, found: Members, files: dict[bytes, os.stat_result]) -> str:
    """Why OMERO could not import it, whatever is in it."""
    about = files[os.path.basename(path)]
    for each in (path, *found.files):
        try:
            each.decode()
        except UnicodeDecodeError:
            which = "the name is" if each == path else f"the name of its file {os.fsdecode(each)!a} is"
            return f"{which} not UTF-8, and OMERO takes no other; rename the file, then scan again"
    if fault := no_reader(os.path.basename(path)):
        return fault
    if not about.st_size:
        return "the file is empty; copy it again"
    if found.odd:
        return found.odd
    if rule and _lacks(rule, found):
        return "none of the files that belong to it is there; copy them to where it names them, then scan again"
    for each, member in found.files.items():
        if not member.st_size and rule and suffix_of(each).rpartition(".")[2] in rule.names:
            return f"its file {os.fsdecode(each)} is empty; copy it again"
    for each, member in files.items():
        if member.st_size >= SPARSE_BYTES and member.st_blocks * 512 < member.st_size * SPARSE_SHARE:
            return (
                f"{os.fsdecode(each)} claims {member.st_size} bytes, of which {member.st_blocks * 512} are there; copy "
                "it again"
            )
    if not os.access(path, os.R_OK):
        return (
            f"the file is owned by uid {about.st_uid} with mode {about.st_mode & 0o7777:04o}, and OMERO.server (uid "
            f"{os.geteuid()}) may not read it; let it read the file (chmod o+r), then scan again"
        )
    return ""

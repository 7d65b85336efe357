"""Which files are images, and which files make one fileset.

Rules after Bio-Formats' list of formats ("Supported Formats" and "Dataset Structure Table" of its documentation), for
the formats whose files are told by their names. What a rule does not know is one fileset a file; where OMERO may see it
otherwise (`TOGETHER`), one importer gets all of them at once and OMERO groups them itself.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

SUFFIXES = frozenset(
    """
    afi al3d am amiramesh apl avi bif bip bmp btf c01 cr2 crw cxd czi dcm dicom dm2 dm3 dm4 dti dv eps fake fff ffr fits
    flex fli frm gel gif grey hdf hdr his htd hx i2i ics im3 ima ims inr ipl ipm ipw j2k jp2 jpeg jpg jpk jpx klb l2d
    lei lif liff lim lof lsm mnc mod mov mrc mrcs mrw mrxs msr mtb mvd2 naf nd nd2 ndpi ndpis nef nhdr nii nrrd obf
    obsep oib oif oir pbm pcoraw pcx pds pgm pic pict png pnl ppm pr3 ps psd qptiff r3d rcpnl scn sdt sif sld sldy sm2
    sm3 spc spe spi st stk svs sxm tf2 tf8 tfr tga thm tif tiff tnb vff vms vmu vsi vws wat xdce xlef xqd xqf xv xys zfp
    zfr zvi
    """.split()  # noqa: SIM905 - one a line would fill two pages
)
# Suffix of the main file -> folders beside it that are its own, by its stem.
FOLDERS = {"mrxs": ("{stem}",), "vsi": ("_{stem}_",), "oif": ("{name}.files",), "mvd2": ("Data",)}
# Suffix of the main file -> suffixes of files of the same stem that are its own.
BESIDE = {
    "dv": ("dv.log", "log"),
    "hdr": ("img",),
    "ics": ("ids",),
    "nhdr": ("raw", "raw.gz"),
    "r3d": ("r3d.log", "log"),
    "spc": ("set",),
    "lim": ("log",),
    "sld": ("log",),
}
# Suffixes of main files that name their other files in their own text.
LISTING = ("afi", "companion.ome", "nd", "ndpis", "vms", "vmu", "xlef", "obsep")
# Names of files that make all of their folder, and what is below it, one fileset.
WHOLE = ("*.htd", "*.xdce", "index.idx.xml", "index.ref.xml", "*.lei", "*.mvd2", "measurementindex.xml")
TOGETHER = ("ome.tif", "ome.tiff", "ome.tf2", "ome.tf8", "ome.btf", "dcm", "dicom", "flex", "c01")
# Longest text in which names are looked for, in bytes.
LISTING_BYTES = 8 * 1024 * 1024
NAMES = re.compile(rb'[^<>"=\r\n;,\t]+')


class Fileset(NamedTuple):
    """`main` is its path; `files`, `size` and `print` are of all of its files; `together` is what may belong to it."""

    main: bytes
    files: int
    size: int
    print: str
    together: str = ""
    fault: str = ""


class Seen:
    """What a walk saw that is no fileset: files by suffix, links, and folders that could not be read."""

    def __init__(self) -> None:
        self.folders = 0
        self.ignored: dict[str, int] = {}
        self.links = 0
        self.unreadable: list[bytes] = []

    def ignore(self, name: bytes) -> None:
        suffix = "." + suffix_of(name) if b"." in name.lstrip(b".") else "no suffix"
        if len(self.ignored) > 200 and suffix not in self.ignored:
            suffix = "others"
        self.ignored[suffix] = self.ignored.get(suffix, 0) + 1


Files = dict[bytes, os.stat_result]
Folder = tuple[Files, list[bytes]]


def filesets(folder: bytes, seen: Seen, skip: frozenset[bytes] = frozenset()) -> Iterator[Fileset]:
    """The filesets below a folder, folder by folder, always in the same order. Links are not followed."""
    if folder in skip:
        return
    read = _read(folder, seen)
    if read is None:
        return
    files, folders = read
    mains = [name for name in files if _whole(name)]
    if len(mains) == 1:
        yield _fileset(folder, mains[0], files, set(files) - {mains[0]}, folders, seen)
        return
    rest, owned = dict(files), set()
    for name in sorted(files, key=lambda name: (not _gathers(name), _part(name), name)):
        if name not in rest:
            continue
        kind = suffix_of(name)
        if name.startswith(b".") or not _is_image(kind):
            continue
        beside = _beside(folder, name, kind, rest)
        below = [each for each in _own_folders(name, kind) if each in folders]
        for taken in (name, *beside):
            del rest[taken]
        owned.update(below)
        yield _fileset(folder, name, files, beside, below, seen)
    for name in rest:
        seen.ignore(name)
    for each in folders:
        if each not in owned and not each.startswith(b"."):
            yield from filesets(os.path.join(folder, each), seen, skip)


def one(path: bytes, seen: Seen, folders_read: dict[bytes, Folder | None] | None = None) -> Fileset | None:
    """The fileset whose main file is at `path`; None if there is none.

    Who asks for many at once gives them a dictionary to share: each folder is then read once, whatever it holds.
    """
    folder, name = os.path.split(path)
    known = {} if folders_read is None else folders_read
    if folder not in known:
        known[folder] = _read(folder, seen)
    read = known[folder]
    if read is None or name not in read[0]:
        return None
    files, folders = read
    if _whole(name):
        return _fileset(folder, name, files, set(files) - {name}, folders, seen)
    kind = suffix_of(name)
    below = [each for each in _own_folders(name, kind) if each in folders]
    return _fileset(folder, name, files, _beside(folder, name, kind, files), below, seen)


def suffix_of(name: bytes) -> str:
    """Its suffix in lower case, `ome.tif` and the like as one."""
    parts = os.fsdecode(name).lower().split(".")
    if len(parts) > 2 and parts[-2] in ("ome", "companion"):
        return ".".join(parts[-2:])
    return parts[-1] if len(parts) > 1 else ""


def _is_image(kind: str) -> bool:
    if kind == "companion.ome":
        return True
    return kind.rpartition(".")[2] in SUFFIXES


def _gathers(name: bytes) -> bool:
    kind = suffix_of(name)
    return kind in FOLDERS or kind in BESIDE or kind in LISTING or kind in ("companion.ome", "czi")


def _part(name: bytes) -> bool:
    """Whether it looks like a further part, `a (2).czi`, which comes after the file that may own it."""
    return re.search(rb"\(\d+\)\.[^.]*$", name) is not None


def _whole(name: bytes) -> bool:
    low = os.fsdecode(name).lower()
    return any(low.endswith(one[1:]) and len(low) >= len(one) if one[0] == "*" else low == one for one in WHOLE)


def _own_folders(name: bytes, kind: str) -> list[bytes]:
    stem = os.fsdecode(name)[: -len(kind) - 1]
    return [os.fsencode(each.format(stem=stem, name=os.fsdecode(name))) for each in FOLDERS.get(kind, ())]


def _beside(folder: bytes, name: bytes, kind: str, files: Files) -> set[bytes]:
    """The other files of a main file, in its own folder."""
    stem = name[: -len(kind) - 1] if kind else name
    found = {stem + b"." + each.encode() for each in BESIDE.get(kind, ())}
    if kind in LISTING:
        found |= _listed(os.path.join(folder, name))
    if kind == "czi":
        # The parts of a large one: `a.czi`, `a (1).czi`, `a (2).czi`. Looked up, for a folder may hold thousands.
        for number in itertools.count(1):
            parts = {stem + form % number + name[len(stem) :] for form in (b" (%d)", b"(%d)")} & files.keys()
            if not parts:
                break
            found |= parts
    if kind == "nd":
        found |= {other for other in files if other.startswith(stem + b"_") and suffix_of(other) in ("stk", "tif")}
    if kind in ("vms", "vmu"):
        found |= {other for other in files if other.startswith(stem) and other.lower().endswith((b".jpg", b".opt"))}
    return {other for other in found if other in files and other != name}


def _listed(path: bytes) -> set[bytes]:
    try:
        with open(path, "rb") as file:
            text = file.read(LISTING_BYTES)
    except OSError:
        return set()
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = text.decode("utf-16", "replace").encode()
    found = {os.path.basename(word.strip().replace(b"\\", b"/")) for word in NAMES.findall(text)}
    return found - {b""}


def _read(folder: bytes, seen: Seen) -> Folder | None:
    """Files and folders in order of their names; None if the folder cannot be read."""
    files: Files = {}
    folders: list[bytes] = []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_symlink():
                    seen.links += 1
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    files[entry.name] = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # it went while we looked
        return files, folders
    except OSError:
        seen.unreadable.append(folder)
        return None
    seen.folders += 1
    return files, folders


def _fileset(folder: bytes, main: bytes, files: Files, beside: Any, below: Any, seen: Seen) -> Fileset:
    members = [(name, files[name]) for name in (main, *sorted(beside))]
    for each in below:
        members += _all_below(os.path.join(folder, each), each, seen)
    content = hashlib.sha256()
    for name, about in members:
        content.update(b"%s\0%d %d\n" % (name, about.st_size, about.st_mtime_ns))
    path = os.path.join(folder, main)
    together = hashlib.sha256(folder).hexdigest()[:16] if suffix_of(main) in TOGETHER else ""
    size = sum(about.st_size for _, about in members)
    return Fileset(path, len(members), size, content.hexdigest()[:32], together, _fault(path, files[main]))


def _all_below(folder: bytes, relative: bytes, seen: Seen) -> list[tuple[bytes, os.stat_result]]:
    read = _read(folder, seen)
    if read is None:
        return []
    found = [(os.path.join(relative, name), about) for name, about in read[0].items()]
    for each in read[1]:
        found += _all_below(os.path.join(folder, each), os.path.join(relative, each), seen)
    return found


def _fault(path: bytes, about: os.stat_result) -> str:
    """Why OMERO could not import it, whatever is in it."""
    try:
        path.decode()
    except UnicodeDecodeError:
        return "the name is not UTF-8, and OMERO takes no other; rename the file, then scan again"
    if not about.st_size:
        return "the file is empty; copy it again"
    if not os.access(path, os.R_OK):
        return (
            f"the file is owned by uid {about.st_uid} with mode {about.st_mode & 0o7777:04o}, and OMERO.server (uid "
            f"{os.geteuid()}) may not read it; let it read the file (chmod o+r), then scan again"
        )
    return ""

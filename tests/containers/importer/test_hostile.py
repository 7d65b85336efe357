"""What a sender may put into a file for the programs that parse it."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from containers.importer import hostile, tiffs
from containers.importer.paths import is_below
from containers.importer.tree import opened
from scripts.rehearsal.deliveries import DESCRIPTION, ome_xml, put, svs, tiff

DOCTYPE = '<!DOCTYPE OME [<!ENTITY key SYSTEM "file:///OMERO/certs/server.key">]>'
XML = ome_xml("x.tif", before=DOCTYPE)


def fault(path: Path, *members: str) -> str:
    return hostile.fault(os.fsencode(path), [os.fsencode(each) for each in members])


def big_tiff(path: Path, description: bytes) -> Path:
    """A BigTIFF of one directory with a description."""
    entry = struct.pack("<HHQQ", DESCRIPTION, 2, len(description), 16 + 8 + 20 + 8)
    return put(path, b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + struct.pack("<Q", 1) + entry + bytes(8) + description)


def sub_directory(path: Path, description: bytes) -> Path:
    """A TIFF whose first directory has another one below it (330), with a description."""
    first = struct.pack("<H", 1) + struct.pack("<HHII", 330, 4, 1, 26) + bytes(4)
    second = struct.pack("<H", 1) + struct.pack("<HHII", DESCRIPTION, 2, len(description), 44) + bytes(4)
    return put(path, b"II*\0" + struct.pack("<I", 8) + first + second + description)


CASES: dict[str, Callable[[Path], object]] = {
    "companion": lambda at: put(at, XML),
    "late": lambda at: put(at, f"<OME>{' ' * (3 * hostile.PIECE_BYTES - 12)}{DOCTYPE}</OME>"),
    "entity": lambda at: put(at, '<?xml version="1.0"?><!ENTITY a "b"><OME/>'),
    "utf-16": lambda at: put(at, XML.encode("utf-16")),
    "utf-16 without a mark": lambda at: put(at, XML.encode("utf-16-be")),
    "utf-32": lambda at: put(at, XML.encode("utf-32-le")),
    "ebcdic": lambda at: put(at, '<?xml version="1.0" encoding="Cp037"?>'.encode("cp037")),
    "utf-7": lambda at: put(at, '<?xml version="1.0" encoding="UTF-7"?>+ADw-!DOCTYPE a+AD4-<OME/>'),
    "description": lambda at: tiff(at, XML),
    "description of a later page": lambda at: tiff(at, "", "", XML),
    "description in wide characters": lambda at: tiff(at, more={700: "\0".join(DOCTYPE)}),
    "another tag": lambda at: tiff(at, more={65500: XML}),
    "bigtiff": lambda at: big_tiff(at, XML.encode()),
    "sub-directory": lambda at: sub_directory(at, XML.encode()),
    "header of a binary": lambda at: put(at, b"p\0\0\0*" + XML.encode("utf-16-le")),
}


@pytest.mark.parametrize("case", CASES)
def test_a_document_type_is_a_fault_wherever_it_stands(tmp_path: Path, case: str) -> None:
    CASES[case](tmp_path / "a.ome")
    said = fault(tmp_path / "a.ome")
    assert "ask who sent it" in said
    put(tmp_path / "main.companion.ome", ome_xml("a.ome"))
    assert fault(tmp_path / "main.companion.ome", "a.ome") == said


def test_what_microscopes_write_is_none(tmp_path: Path) -> None:
    put(tmp_path / "a.companion.ome", ome_xml("x.tif"))
    put(tmp_path / "b.xml", ome_xml("x.tif").replace("UTF-8", "ISO-8859-1"))
    put(tmp_path / "c.xml", ome_xml("x.tif").replace("UTF-8", "UTF-16").encode("utf-16"))
    tiff(tmp_path / "d.ome.tif", ome_xml("d.ome.tif"))
    svs(tmp_path / "e.svs")
    assert not fault(tmp_path / "a.companion.ome", "b.xml", "c.xml", "d.ome.tif", "e.svs")


@pytest.mark.parametrize(
    "content", [b"II*\0", b"II*\0\x08\0\0\0\xff\xff", b"MM\0+" + b"\xff" * 40, b"II*\0" + b"\x08\0\0\0" * 9]
)
def test_a_broken_tiff_ends(tmp_path: Path, content: bytes) -> None:
    with opened(os.fsencode(put(tmp_path / "a.tif", content))) as file:
        assert not any(b"<" in text for text in tiffs.texts(file))


def test_directories_in_a_circle_end(tmp_path: Path) -> None:
    content = b"II*\0" + struct.pack("<I", 8) + struct.pack("<HHHIII", 1, 330, 4, 1, 8, 8)
    assert not fault(put(tmp_path / "a.tif", content))


def test_what_came_in_its_place_is_not_opened(tmp_path: Path) -> None:
    """Between the look and the import: a pipe would keep the worker for ever, a link lead it elsewhere."""
    os.mkfifo(tmp_path / "pipe.tif")
    (tmp_path / "link.tif").symlink_to("/etc/passwd")
    for name in ("pipe.tif", "link.tif", "gone.tif"):
        assert " cannot be read (" in fault(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("in/alice/a.tif", True),
        ("in/alice/sub/a.tif", True),
        ("in/bob/a.tif", False),
        ("in/alice/../bob/a.tif", False),
        ("in/alice2/a.tif", False),
        ("OMERO/certs/server.key", False),
    ],
)
def test_what_omero_has_taken_is_in_the_folder(tmp_path: Path, name: str, inside: bool) -> None:
    assert is_below(os.fsencode(tmp_path / "copy"), name, b"/in/alice/main.ome") is inside


def test_of_plates_the_folder_above_is_theirs(tmp_path: Path) -> None:
    copy = os.fsencode(tmp_path / "copy")
    assert is_below(copy, "in/plate/Assay/layout.xml", b"/in/plate/Images/Index.xml")
    assert not is_below(copy, "in/other/a.tif", b"/in/plate/Images/Index.xml")


def test_a_link_tells_the_very_file(tmp_path: Path) -> None:
    alice, bob = tmp_path / "alice", put(tmp_path / "bob" / "b.tif", "x")
    put(alice / "a.tif", "x")
    (alice / "link.tif").symlink_to(bob)
    for name, inside in (("a.tif", True), ("link.tif", False)):
        taken = tmp_path / f"repository-{name}"
        taken.symlink_to(alice / name)
        client_path = str(alice / name).lstrip("/")
        assert is_below(os.fsencode(taken), client_path, os.fsencode(alice / "main.ome")) is inside

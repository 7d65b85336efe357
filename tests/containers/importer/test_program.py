"""The importer's program: its paths, its texts, and that Python 3.9 takes it."""

from __future__ import annotations

import ast
import os
import random
from pathlib import Path

import pytest

import containers
from containers.importer import entries
from containers.importer.omero import Import
from containers.importer.paths import client_path, is_of

FOLDER = Path(containers.__file__).parent
SOURCES = sorted(path for part in ("importer", "supervisor") for path in (FOLDER / part).glob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_is_python_3_9_of_the_standard_library_alone(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Match)]
    assert "from __future__ import annotations" in path.read_text(encoding="utf-8") or path.name == "__init__.py"


def test_image_ids_are_kept_short_and_whole() -> None:
    for _ in range(200):
        numbers = {random.randrange(60) for _ in range(random.randrange(40))}
        assert set(entries.numbers(entries.ranges(numbers))) == numbers
    assert entries.ranges(range(1, 10_001)) == "1-10000"
    assert entries.ranges([]) == ""


def test_ids_are_packed_in_their_order() -> None:
    ids = [entries.fileset_id(os.urandom(8)) for _ in range(50)]
    assert entries.unpack(entries.pack(ids)) == ids


@pytest.mark.parametrize(
    ("path", "client"),
    [
        (b"/OMERO/in/a.tif", "OMERO/in/a.tif"),
        (b'/OMERO/"a*b:c<d>e?f|g\\h.tif', "OMERO/'axb;c[d]e%f!g!h.tif"),
        (b"/OMERO/new\nline.tif", "OMERO/new_line.tif"),
        (b"/OMERO/con.tif", "OMERO/_con.tif"),
        (b"/OMERO/aux/$x.tif", "OMERO/aux_/_$x.tif"),
    ],
)
def test_client_paths_are_as_omero_makes_them(path: bytes, client: str) -> None:
    assert client_path(path) == client


def test_files_with_the_same_client_path_are_told_apart(tmp_path: Path) -> None:
    first, second = tmp_path / "a?.tif", tmp_path / "a%.tif"
    first.write_bytes(b"one")
    second.write_bytes(b"two")
    link, hard, copy = tmp_path / "link", tmp_path / "hard", tmp_path / "copy"
    link.symlink_to(first)
    hard.hardlink_to(first)
    copy.write_bytes(b"one")
    for inside in (link, hard, copy):
        assert is_of(os.fsencode(inside), os.fsencode(first))
        assert not is_of(os.fsencode(inside), os.fsencode(second))


def test_an_image_whose_file_is_gone_is_still_that_files(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "gone.tif")
    assert is_of(os.fsencode(link), os.fsencode(tmp_path / "gone.tif"))


def test_says_omeros_reason() -> None:
    errors = (
        "2025-01-01 10:00:00,000 1 [main] ERROR ome.formats.importer.ErrorHandler - FILE_EXCEPTION: /OMERO/a b.tif\n"
        "loci.formats.FormatException: Invalid TIFF\n\tat loci.formats.in.X\nCaused by: java.io.EOFException: short\n"
        "2025-01-01 10:00:01,000 1 [main] INFO something else about /OMERO/a b.tif.old\n"
    )
    done = Import(2, "", errors)
    assert done.reason(b"/OMERO/a b.tif") == "FILE_EXCEPTION: Caused by: java.io.EOFException: short"
    assert done.reason(b"/OMERO/other.tif") == ""


def test_a_file_is_not_taken_for_another_whose_name_begins_alike() -> None:
    errors = "2025-01-01 10:00:00,000 1 [main] ERROR a.ErrorHandler - FILE_EXCEPTION: /OMERO/a.tif.tif\njava.io.E: no\n"
    done = Import(0, "", errors)
    assert (done.reason(b"/OMERO/a.tif"), done.reason(b"/OMERO/a.tif.tif")) == ("", "FILE_EXCEPTION: java.io.E: no")


def test_says_the_servers_reason() -> None:
    """INTERNAL_EXCEPTION of ErrorHandler, with the response that ImportLibrary's `onFinished` has."""
    stack = "loci.formats.FormatException: Invalid tile size\n\tat loci.formats.in.X.a(X.java:1)\n" + "\tat b\n" * 80

    def said(parameters: str) -> str:
        response = (
            "java.lang.RuntimeException: Failure response on import!\nCategory: ::omero::grid::ImportRequest\n"
            f"Name: import-file-exception\nParameters: {{{parameters}}}\n\n\tat ome.formats.importer.ImportLibrary\n"
        )
        head = "2025-01-01 10:00:00,000 1 [l.Client-0] ERROR ome.formats.importer.cli.ErrorHandler - INTERNAL_EXCEPTION"
        return Import(2, "", f"{head}: /OMERO/a b.tif\n{response}{response}").reason(b"/OMERO/a b.tif")

    thrown = "INTERNAL_EXCEPTION: loci.formats.FormatException: Invalid tile size"
    assert said(f"filename=/OMERO/ManagedRepository/a b.tif, stacktrace={stack}, message=Invalid tile size") == thrown
    cause = f"stacktrace={stack}Caused by: java.io.EOFException: short\n\t... 9 more\n, message=null"
    assert said(cause) == "INTERNAL_EXCEPTION: Caused by: java.io.EOFException: short"
    assert "Name: import-file-exception Parameters: {}" in said("")


def test_a_fileset_is_known_by_the_file_of_its_that_could_not_be_transferred() -> None:
    errors = (
        "2025-01-01 10:00:00,000 1 [2-thread-1] ERROR ome.formats.importer.cli.ErrorHandler - FILE_EXCEPTION: "
        "/OMERO/a/sub/2.ome.tif\njava.lang.RuntimeException: Check failed\n\tat a.b\n"
    )
    done = Import(0, "", errors)
    assert done.reason(b"/OMERO/a/a.companion.ome") == ""
    said = done.reason(b"/OMERO/a/a.companion.ome", b"/OMERO/a/1.ome.tif", b"/OMERO/a/sub/2.ome.tif")
    assert said == "FILE_EXCEPTION: java.lang.RuntimeException: Check failed"


@pytest.mark.parametrize(
    ("message", "trace", "said"),
    [
        ("Error on import", "java.io.IOException: no\n\tat a.b\n", "java.io.IOException: no"),
        ("Error on import: it is too long", 'omero.FilePathNamingException\n    clientPath = "a"\n', "it is too long"),
        ("Error during import process.", "", "Error during import process."),
    ],
)
def test_the_last_error_that_names_no_file_is_told(message: str, trace: str, said: str) -> None:
    """`importCandidates` of omero-blitz's ImportLibrary; the summary comes behind it."""
    head = "2025-01-01 10:00:00,000 9 [2-thread-1]"
    logger = "ome.formats.importer.ImportLibrary"
    errors = f"{head} ERROR {logger} - an older one\n{head} ERROR     {logger} - {message}\n{trace}"
    errors += f"{head} ERROR loci.formats.in.SVSReader - a label is missing\n"
    errors += f"{head} INFO a.B - Continuing after error\n\n==> Summary\n0 files uploaded, 0 errors in 0:00:01\n"
    assert Import(0, "", errors).error() == said


@pytest.mark.parametrize(
    "errors",
    [
        "2025-01-01 10:00:00,000 1 [main] ERROR ome.formats.importer.cli.CommandLineImporter - Error during import "
        "process.\nIce.ConnectionLostException\n    error = 0\n\tat IceInternal.ConnectRequestHandler\n",
        "java.lang.RuntimeException: no\n\tat a.b\nCaused by: Ice.SocketException\n    error = 0\n",
        "Ice.ConnectionRefusedException: localhost:4064 isn't running\n",  # omero-py's `login`
    ],
)
def test_a_server_that_does_not_answer_is_known_by_ices_exceptions(errors: str) -> None:
    assert Import(2, "", errors).unreachable


@pytest.mark.parametrize("name", [b"ConnectionLost.tif", b"a\nIce.ConnectionLostException", b"Ice.SocketException: a"])
def test_no_name_of_a_file_says_that_the_server_does_not_answer(name: bytes) -> None:
    path = b"/OMERO/in/" + name
    shown = path.decode()
    said = f"2025-01-01 10:00:00,000 1 [main] ERROR a.B - FILE_EXCEPTION: {shown}\njava.io.IOException: no {shown}"
    assert not Import(2, "", said, (path,)).unreachable


def test_names_are_shown_on_one_line_and_obey_nobody() -> None:
    assert entries.shown(b"/OMERO/a b.tif") == "/OMERO/a b.tif"
    for name in (b"/OMERO/\x1b[2J.tif", b"/OMERO/a\nb.tif", b"/OMERO/\xff.tif"):
        text = entries.shown(name)
        assert text.isprintable()
        assert "\n" not in text

"""The page for browsers, as a parser of HTML reads it; tests/peers has a browser read it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from containers.importer import entries
from containers.importer.entries import FAILED, IMPORTED, PENDING
from scripts.errors import Refused
from scripts.ingest.imports import page
from scripts.ingest.imports.ledger import Entry

BIDI = "safe\N{RIGHT-TO-LEFT OVERRIDE}fit.exe"
HOSTILE = (
    "</script><script>document.title = 'run'</script>.tif",
    "<img src=x onerror=\"document.title='run'\">.tif",
    "<!--<script>.tif",
    "\"><svg onload=alert(1)>'.tif",
    "new\nline\u2028and {{template}} ${code}.tif",
    BIDI,
    "x" * 4000,
)


class Read(HTMLParser):
    """`elements` with their attributes, and the text directly within each, in the order of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        words: list[str] = []
        self.elements.append((tag, dict(attrs), words))
        if tag not in ("meta", "input", "img", "br"):
            self._open.append(words)

    def handle_endtag(self, _tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1].append(data)

    def all(self, tag: str) -> Iterator[tuple[dict[str, str | None], str]]:
        return ((about, "".join(words)) for name, about, words in self.elements if name == tag)

    def one(self, tag: str, id_: str) -> str:
        (found,) = (text for about, text in self.all(tag) if about.get("id") == id_)
        return found


def entry(name: str | bytes, state: str = PENDING, **more: Any) -> Entry:
    path = b"/OMERO/in/" + os.fsencode(name)
    return Entry(id=entries.fileset_id(path), path=path, state=state, size=1500, at="2026-01-02T03:04:05Z", **more)


def written(*found: Entry, web: str | None = "https://omero.example.org/") -> str:
    out = io.StringIO()
    page.write(found, out, workspace="lab", at="2026-01-02T03:04:05Z", web=web)
    return out.getvalue()


def rows(read: Read) -> list[dict[str, Any]]:
    data = json.loads(read.one("script", "data"))
    return [dict(zip(data["columns"], row, strict=True)) for row in data["rows"]]


def test_every_fileset_is_there_with_what_people_ask_for() -> None:
    imported = entry("a.tif", IMPORTED, images="101-104,110", count=5, owner="alice", dataset=7, dataset_name="slides")
    read = Read(written(imported, entry("b.tif", FAILED, reason="it is empty"), entry("c.tif")))
    first, second, third = rows(read)
    assert first == {
        "path": "/OMERO/in/a.tif",
        "state": IMPORTED,
        "reason": "",
        "size": 1500,
        "files": 1,
        "owner": "alice",
        "dataset": "slides",
        "images": 5,
        "when": "2026-01-02T03:04:05Z",
        "differs": 0,
        "dataset_id": 7,
        "image": 101,
    }
    assert (second["state"], second["reason"]) == (FAILED, "it is empty")
    assert (third["dataset_id"], third["image"]) == (None, None)
    assert "3 filesets with 3 files of 4.5 kB, 5 images" in "".join(text for _, text in read.all("p"))
    assert [about["value"] for about, _ in read.all("input") if about["type"] == "checkbox"] == [
        PENDING,
        IMPORTED,
        FAILED,
        "differs",
    ]


def test_an_imported_one_that_differs_says_how() -> None:
    (row,) = rows(Read(written(entry("a.tif", IMPORTED, differs="OMERO has it 2 times", note="already bob's"))))
    assert (row["differs"], row["reason"]) == (1, "OMERO has it 2 times")


@pytest.mark.parametrize("name", [*HOSTILE, b"not-\xff.tif"])
def test_names_are_text(name: str | bytes) -> None:
    text = os.fsdecode(name)
    hostile = entry(name, FAILED, reason=text, owner=text, dataset_name=text)
    read = Read(written(hostile))
    plain = Read(written(entry("plain.tif", FAILED)))
    assert [(tag, about) for tag, about, _ in read.elements] == [(tag, about) for tag, about, _ in plain.elements]
    (row,) = rows(read)
    assert row["path"] == entries.shown(hostile.path)
    # On one line, and nothing that would turn the line around.
    assert all(row[column].isprintable() for column in ("path", "reason", "owner", "dataset"))


def test_a_workspace_cannot_write_into_the_page_either() -> None:
    out = io.StringIO()
    page.write((), out, workspace="<b>lab", at="", web=None)
    assert not list(Read(out.getvalue()).all("b"))


def test_the_policy_allows_what_is_in_the_page_and_nothing_else() -> None:
    read = Read(written(entry("a.tif")))
    (policy,) = (about["content"] for about, _ in read.all("meta") if about.get("http-equiv"))
    assert policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    hashed = {
        kind: f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for kind, (about, text) in (
            ("style-src", next(read.all("style"))),
            ("script-src", next(each for each in read.all("script") if not each[0])),
        )
        if not about
    }
    assert rules == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", **hashed}
    outside = [(tag, name) for tag, about, _ in read.elements for name in about if name in ("src", "href", "style")]
    assert not outside
    assert not [name for _, about, _ in read.elements for name in about if name.startswith("on")]


def test_it_can_be_used_with_a_keyboard_and_a_screen_reader() -> None:
    read = Read(written(entry("a.tif")))
    assert [tag for tag, _, _ in read.elements if tag in ("h1", "h2", "h3")] == ["h1", "h2"]
    assert next(read.all("html"))[0] == {"lang": "en"}
    heads = [about for about, _ in read.all("th")]
    assert {(about["scope"], about["aria-sort"]) for about in heads} == {("col", "none")}
    # Each head is a button, and the column that it sorts by is in the data.
    assert len(heads) == len(list(read.all("button")))
    assert {about["data-column"] for about in heads} <= set(page.COLUMNS)
    assert ("status", "shown") in {(about.get("role"), about.get("id")) for about, _ in read.all("p")}


def test_without_an_address_nothing_is_linked() -> None:
    assert json.loads(Read(written(entry("a.tif"), web=None)).one("script", "data"))["web"] == ""


def test_a_file_is_its_owners_and_the_old_one_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "imports.html"
    write: Callable[..., None] = lambda found: page.write_file(file, found, workspace="lab", at="", web=None)  # noqa: E731
    write([entry("a.tif")])
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_text(encoding="utf-8")

    def broken() -> Iterator[Entry]:
        yield entry("b.tif")
        raise OSError("the network is gone")

    with pytest.raises(OSError, match="network"):
        write(broken())
    assert file.read_text(encoding="utf-8") == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(("name", "said"), [("", "is a folder"), ("missing/imports.html", "cannot be written")])
def test_refuses_what_cannot_be_written(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        page.write_file(tmp_path / name, (), workspace="lab", at="", web=None)

"""The ledger as one HTML file for browsers: every fileset, to be searched, sorted, filtered and printed.

It needs no network and may not use one: its Content-Security-Policy allows its own style and script alone, by their
hashes.
Names come from strangers: they travel as JSON without `<`, and the script sets them as text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO, cast

from containers.importer import entries
from containers.importer.entries import STATES
from scripts.console import counted
from scripts.errors import Refused
from scripts.ingest.imports.ledger import Entry, Total
from scripts.ingest.imports.report import size

HERE = Path(__file__).parent
# What a row has, in this order; the last three are not columns of the table.
COLUMNS = (
    "path",
    "state",
    "reason",
    "size",
    "files",
    "owner",
    "dataset",
    "images",
    "when",
    "differs",
    "dataset_id",
    "image",
)
# The table's: name, title, class.
HEADS = (
    ("path", "File", "path"),
    ("state", "State", "state"),
    ("reason", "Reason", "words"),
    ("size", "Size", "number"),
    ("files", "Files", "number"),
    ("owner", "Owner", ""),
    ("dataset", "Dataset", "words"),
    ("images", "Images", "number"),
    ("when", "Last change", "time"),
)


def write(found: Iterable[Entry], out: TextIO, *, workspace: str, at: str, web: str | None) -> None:
    """The page; rows are written while they are read. `at` is when, as ISO 8601; `web` is OMERO.web's address, without
    which nothing is linked."""
    style, script = (HERE / name for name in ("page.css", "page.js"))
    title = html.escape(f"Imports of {workspace}")
    out.write(
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{style.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n"
    )
    totals = _write_data(found, out, web)
    out.write(
        f'<header>\n<h1>{title}</h1>\n<p class="quiet">{html.escape(at)}: {_summary(totals)}</p>\n</header>\n<main>\n'
        "<noscript><p>Your browser runs no JavaScript, which this page needs to show filesets; "
        "<code>omero-aws imports report --format csv</code> has the same.</p></noscript>\n"
        f'{_controls(totals)}\n<h2 id="list">Filesets</h2>\n<p class="quiet" id="shown" role="status"></p>\n'
        '<div class="board" role="region" aria-labelledby="list" tabindex="0">\n'
        '<table id="filesets" aria-labelledby="list">\n'
        f"<thead>\n<tr>{''.join(_head(*each) for each in HEADS)}</tr>\n</thead>\n<tbody></tbody>\n</table>\n</div>\n"
        f'<div id="end"></div>\n</main>\n<script>{script.read_text(encoding="utf-8")}</script>\n</body>\n</html>\n'
    )


def write_file(path: Path, found: Iterable[Entry], *, workspace: str, at: str, web: str | None) -> None:
    """As `write`, into a file that only its owner may read: paths may name patients. What is there stays until the new
    page is whole.

    Raises:
        Refused: there can be no such file.
    """
    if path.is_dir():
        raise Refused(f"{path} is a folder; give the name of a file, such as {path / 'imports.html'}.")
    try:
        out = tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".imports-", delete=False)  # noqa: SIM115
    except OSError as error:
        raise Refused(f"the file {path} cannot be written: {error.strerror}; give another one.") from None
    try:
        with out:
            write(found, cast("TextIO", out), workspace=workspace, at=at, web=web)
        Path(out.name).replace(path)
    except BaseException:
        Path(out.name).unlink()
        raise


def _policy(style: Path, script: Path) -> str:
    of_style, of_script = (
        f"'sha256-{base64.b64encode(hashlib.sha256(each.read_bytes()).digest()).decode()}'" for each in (style, script)
    )
    return f"default-src 'none'; style-src {of_style}; script-src {of_script}; base-uri 'none'; form-action 'none'"


def _write_data(found: Iterable[Entry], out: TextIO, web: str | None) -> dict[str, Total]:
    totals = {state: Total() for state in STATES}
    head = {"web": web.rstrip("/") if web else "", "columns": COLUMNS}
    out.write(f'<script type="application/json" id="data">{_json(head)[:-1]}, "rows": [')
    for number, entry in enumerate(found):
        totals[entry.state].add(entry)
        out.write((",\n" if number else "\n") + _json(_row(entry)))
    out.write("\n]}</script>\n")
    return totals


def _json(value: Any) -> str:
    """JSON in ASCII that ends no element and begins none."""
    return json.dumps(value).replace("<", "\\u003c")


def _row(entry: Entry) -> list[Any]:
    first, _, _ = entry.images.partition(",")[0].partition("-")
    return [
        entries.shown(entry.path),
        entry.state,
        _shown(entry.differs or entry.reason or entry.note),
        entry.size,
        entry.files,
        _shown(entry.owner),
        _shown(entry.dataset_name),
        entry.count,
        entry.at,
        int(bool(entry.differs)),
        entry.dataset,
        int(first) if first else None,
    ]


def _shown(text: str) -> str:
    return entries.shown(text.encode("utf-8", "surrogateescape"))


def _summary(totals: dict[str, Total]) -> str:
    filesets, files, bytes_, images = (
        sum(getattr(total, name) for total in totals.values()) for name in ("filesets", "files", "bytes", "images")
    )
    return (
        f"{counted(filesets, 'fileset')} with {counted(files, 'file')} of {size(bytes_)}, "
        f"{counted(images, 'image')} in OMERO"
    )


def _controls(totals: dict[str, Total]) -> str:
    boxes = [f"{_box(state, state)} {total.filesets:,}</label>" for state, total in totals.items() if total.filesets]
    return (
        '<div class="controls" role="search">\n<label class="search">Search in all columns'
        '<input type="search" id="search" autocomplete="off"></label>\n'
        f"<fieldset>\n<legend>Only these states</legend>\n{''.join(boxes)}"
        f"{_box('differs', 'differs in OMERO')}</label>\n</fieldset>\n</div>"
    )


def _box(value: str, name: str) -> str:
    return f'<label><input type="checkbox" value="{value}">{name}'


def _head(name: str, title: str, kind: str) -> str:
    about = f'scope="col" class="{kind}" data-column="{name}" aria-sort="none"'
    return f'<th {about}><button type="button">{title}</button></th>'

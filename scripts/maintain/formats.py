"""docs/formats.md: the formats that are imported, beside Bio-Formats' own list of readers."""

from __future__ import annotations

from collections.abc import Iterable

from containers.importer.readers import BESIDE, COMMON, NO_READER, READERS, RULES, SUFFIXES, TOGETHER, Rule
from settings.load import ROOT

DOCUMENT = ROOT / "docs" / "formats.md"
HEAD = """# Formats

Which files are images, and which files are one image, is decided by Bio-Formats' readers in OMERO. `imports scan`
follows the same rules, so that it hands OMERO main files only, waits until all files of an image have arrived, and
never takes another image's file. `make docs` writes this page from
[`containers/importer/readers.py`](../containers/importer/readers.py).

A test asks Bio-Formats 7.3.1 for its readers, their suffixes, and what it makes of folders of these formats; that list
is the same in the sources of 8.1.0. OMERO.server 5.6.18 has 8.5.0.

## Not imported

| what | why, and what to do |
|---|---|
{unread}

After an import, each file that OMERO has used must lie in the main file's folder or below; for plates in `Images`,
`Well...`, `Pos_...` and the like also in the folder above. If one does not, the fileset is `failed`, and its images are
moved to OMERO's group `system`, which only administrators see; their links to datasets go with that, and nothing else.
The alarm `...-importer-refused` tells the importer's `alarm_emails`.

## Images of several files

`{{stem}}` is the main file's name without its suffix. An image is imported when none of its files has changed between
two looks.

| main file | its other files | reader |
|---|---|---|
{several}

These are imported together by one importer, which finds out by their content which are one image:

| files | reader |
|---|---|
{together}

## Bio-Formats' readers

In the order in which Bio-Formats asks them. A reader without suffixes knows its files by their content.

| reader | imported | not by themselves |
|---|---|---|
{readers}
"""
FAULTS = (
    (
        "a suffix with a blank behind it, a name that is not UTF-8",
        "OMERO would take it for another file, or not find it: rename it",
    ),
    (
        "a symbolic link, a pipe, a device; an image with one among its files",
        "only files are imported: put the file itself there",
    ),
    (
        "an image that names a file outside of its folder",
        "it could be another sender's: put the file into its folder",
    ),
    (
        "XML with `<!DOCTYPE` or `<!ENTITY`, also in a TIFF's tags",
        "it could make OMERO read its own keys, and no microscope's software writes that: ask who sent it",
    ),
    ("a file of 64 GiB or more of which less than 1 % is there", "it was not copied completely: copy it again"),
)


def document() -> str:
    """The page's content."""
    unread = [
        *((f"`.{suffix}`", f"OMERO's image has no reader for it: {how}") for suffix, how in NO_READER.items()),
        *FAULTS,
        (
            _suffixes(COMMON),
            "other programs' files have these suffixes too; the scan counts them apart. Convert what is an image, or "
            "import it by OMERO's own command line",
        ),
        (_suffixes(BESIDE), "they are texts, or lie beside an image"),
    ]
    together = (f"| {_code(each.main)}{_where(each.folder, each.beside)} | {each.reader} |" for each in TOGETHER)
    return HEAD.format(
        unread="\n".join(f"| {what} | {why} |" for what, why in unread),
        several="\n".join(f"| {_code(rule.main)} | {_others(rule)} | {rule.reader} |" for rule in RULES),
        together="\n".join(together) + "\n| DICOM without a suffix | DicomReader |",
        readers="\n".join(_row(name, suffixes) for name, suffixes in READERS.items()),
    )


def _row(name: str, suffixes: tuple[str, ...]) -> str:
    own = [each for each in suffixes if each in SUFFIXES]
    left = [each for each in suffixes if each not in SUFFIXES]
    rules = [rule for rule in RULES if name in rule.reader.split(", ")]
    mains = [pattern for rule in rules for pattern in rule.main if pattern.rpartition(".")[2] not in own]
    taken = ", ".join(filter(None, (_suffixes(own), _code(mains))))
    return f"| {name} | {taken or ('no' if suffixes else 'no, for it has no suffix')} | {_suffixes(left)} |"


def _others(rule: Rule) -> str:
    parts = [_code(rule.files)] if rule.files else []
    if rule.names:
        parts.append(f"what it names, of {_suffixes((*rule.names, *rule.through))}")
    if rule.says:
        parts.append(f"if it says `{'`, `'.join(word.decode() for word in rule.says)}`")
    return "; ".join(parts)


def _where(folder: str, beside: str) -> str:
    return f" in `{folder}`" if folder else f" beside `{beside}`" if beside else ""


def _suffixes(suffixes: Iterable[str]) -> str:
    return _code(f".{each}" for each in sorted(set(suffixes)))


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)

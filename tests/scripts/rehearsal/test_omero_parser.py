"""OMERO's own parser takes every command line of OMERO's that is anywhere in the product, its messages and its docs."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pytest

from scripts.rehearsal.stand_ins.omero.parser import Verdict
from tests.scripts.rehearsal.omero_parser_help import ROOT, said

FOLDERS = ("README.md", "CONTRIBUTING.md", "docs", "containers", "hosts", "scripts", "modules", "stacks", "contract")
# A command line starts with the program's name, by itself or with its folder, and ends with the quotes or the line that
# it is in, or where a shell begins another.
LINE = re.compile(r"(?<![\w.@/-])(?:/opt/omero/server/venv3/bin/)?omero (?P<words>[a-z-][^`\n]*)")
END = re.compile(r"\s(?:\|\|?|&&|#|[12]?>)|;|\)$|[.,]$")
# What a line has instead of a value: a field of Python's, a variable, or a name in capitals or brackets.
VALUE = re.compile(r"\$\{\{.*?\}\}|\{[^{}]*\}|\$\([^()]*\)|\$\{?\w+\}?|<[^<>]*>")


def commands(parser: Path) -> set[str]:
    """The commands that omero-py has, as it lists them."""
    listed = said(parser, "no-such-command").stderr.partition("choose from:")[2]
    return set(re.findall(r"[a-z]+", listed))


def lines_of(text: str, known: set[str]) -> Iterator[list[str]]:
    """The command lines in a text: the words behind `omero`."""
    for found in LINE.finditer(text):
        words = found["words"]
        quoted = text[found.start() - 1 : found.start()] == "`"
        if words.partition(" ")[0].rstrip(".,:") not in known and not quoted:
            continue  # a sentence about OMERO
        yield split(words)


def split(text: str) -> list[str]:
    """As a shell splits it, up to where the command line ends."""
    text = VALUE.sub("1", text.replace('\\"', '"'))
    if end := END.search(text):
        text = text[: end.start()]
    for quote in "'\"":  # one that does not end is of the text around it
        if text.count(quote) % 2:
            text = text.rpartition(quote)[0]
    return [word for word in shlex.split(text) if word != "..."]


def is_mention(words: list[str], verdict: Verdict) -> bool:
    """Whether only what is left out is missing: of a command by its name alone, or of its last option the value."""
    if all(re.fullmatch("[a-z]+", word) for word in words):
        return "too few arguments" in verdict.stderr or "is required" in verdict.stderr
    return words[-1].startswith("-") and "expected 1 argument" in verdict.stderr.replace("one", "1")


def written() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kinds = (".py", ".sh", ".md", ".ps1")
    return [ROOT / name for name in listed.splitlines() if name.endswith(kinds) and (ROOT / name).exists()]


def test_the_parser_takes_every_line_that_is_written_anywhere(parser: Path) -> None:
    known = commands(parser)
    assert {"import", "hql", "fs", "sessions", "admin", "config", "load"} <= known
    seen, refused = 0, []
    for path in written():
        for words in lines_of(path.read_text(encoding="utf-8"), known):
            seen += 1
            verdict = said(parser, *words)
            if verdict.code and not is_mention(words, verdict):
                refused.append(f"{path.relative_to(ROOT)}: omero {shlex.join(words)}: {verdict.stderr.strip()[-200:]}")
    assert seen > 10
    assert refused == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("`omero fs repos -s H -p 4064 -u root --managed`", "unrecognized arguments: -s H -p 4064 -u root"),
        ("run `omero user lst` to see", "invalid choice: 'lst'"),
        ("`omero imports run`", "invalid choice: 'imports'"),
        ('x = "omero admin status -s h"', "unrecognized arguments: -s"),
        ("/opt/omero/server/venv3/bin/omero admin nothing || exit 1", "invalid choice: 'nothing'"),
    ],
)
def test_refuses_a_wrong_line_in_a_text(parser: Path, text: str, fault: str) -> None:
    (words,) = lines_of(text, commands(parser))
    verdict = said(parser, *words)
    assert verdict.code == 2
    assert fault in verdict.stderr
    assert not is_mention(words, verdict)


def test_what_is_taken_is_what_was_meant(parser: Path) -> None:
    words = ["sessions", "-s", "h", "-u", "root", "open", "--user-name", "alice", "--timeout", "60"]
    verdict = said(parser, *words)
    assert (verdict.code, verdict.ended) == (0, False)
    assert {name: verdict.parsed[name] for name in ("server", "user", "user_name", "timeout")} == {
        "server": "h",
        "user": "root",
        "user_name": "alice",
        "timeout": 60,
    }


def test_asking_takes_a_few_milliseconds(parser: Path) -> None:
    said(parser, "version")
    begun = perf_counter()
    for _ in range(50):
        said(parser, "import", "-s", "h", "-k", "x", "--transfer=ln_s", "a.tif")
    assert (perf_counter() - begun) / 50 < 0.05

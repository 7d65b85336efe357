"""Bio-Formats itself, asked as OMERO's importer asks it: it runs on the Java of `make setup-bioformats`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import quote_plus, unquote_plus

ROOT = Path(__file__).resolve().parents[3]
JAR = ROOT / ".tools" / "bioformats" / "bioformats_package.jar"
NOT_INSTALLED = "Bio-Formats is not installed: `make setup-bioformats` does that, or says what it needs"


class Reader(NamedTuple):
    """`necessary`: it takes no file with another suffix; `sufficient`: it takes every file with one of its own."""

    name: str
    necessary: bool
    sufficient: bool
    suffixes: tuple[str, ...]


class Opened(NamedTuple):
    """`reader` is empty where none takes the file; `fault` says why it could not be opened; `used` are its files."""

    reader: str
    fault: str
    used: tuple[Path, ...]


class Witness:
    """One JVM, asked again and again."""

    def __init__(self, asked: IO[str], answers: IO[str]) -> None:
        self._asked = asked
        self._answers = answers

    def readers(self) -> tuple[str, list[Reader]]:
        """The version, and the readers in the order in which they are asked."""
        self._ask("readers")
        version, count = self._words()
        readers = []
        for _ in range(int(count)):
            name, necessary, sufficient, *suffixes = self._words()
            # One reader has two suffixes in one.
            known = tuple(each for suffix in suffixes for each in suffix.split(", ") if each)
            readers.append(Reader(name, necessary == "true", sufficient == "true", known))
        return version, readers

    def open(self, path: Path) -> Opened:
        """What it makes of a file."""
        self._ask(quote_plus(str(path)))
        reader, fault, *used = self._words()
        return Opened(reader, fault, tuple(Path(os.path.abspath(each)) for each in used))  # noqa: PTH100 - as Java

    def groups(self, folder: Path) -> dict[Path, frozenset[Path]]:
        """The images of a folder by the file that each was opened by, with all of its files.

        As ImportCandidates finds them: every file in turn, those that begin with a dot and those that an image before
        has used left out; then what others use more than it uses others, and what does not use the file that it was
        opened by.
        """
        found: dict[Path, frozenset[Path]] = {}
        for path in sorted(each for each in folder.rglob("*") if each.is_file() and each.name[0] != "."):
            if not any(path in used for used in found.values()):
                opened = self.open(path)
                if opened.reader and not opened.fault:
                    found[path] = frozenset(opened.used)
        return {
            path: used
            for path, used in found.items()
            if path in used and sum(path in others for others in found.values()) <= len(used)
        }

    def _ask(self, line: str) -> None:
        self._asked.write(line + "\n")
        self._asked.flush()

    def _words(self) -> Sequence[str]:
        return [unquote_plus(word) for word in self._answers.readline().rstrip("\n").split("\t")]


@contextmanager
def witness() -> Iterator[Witness]:
    """Bio-Formats, running."""
    assert JAR.exists(), NOT_INSTALLED
    command: list[str | Path] = ["java", "-cp", JAR, Path(__file__).with_name("Witness.java")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Witness(process.stdin, process.stdout)
        process.stdin.close()

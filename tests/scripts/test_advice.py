"""What messages tell people to run exists: every command and every option that a text of `scripts` names."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.main import NAME, ROOT, TREE
from tests.scripts.commands_help import commands, options

FOLDER = ROOT / "scripts"
QUOTED = re.compile(r"`([^`]+)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
# Other programs' options that ours name; bootstrap.py is a program of its own, and stand-ins speak as others do.
OTHERS = {"--hash", "--help", "--profile", "--rcfile", "--skip-provider-lock"}
LEFT_OUT = ("deploy/bootstrap.py", "rehearsal/stand_ins/")
# What stands for a value in an f-string.
VALUE = "\N{HORIZONTAL ELLIPSIS}"


def texts(path: Path) -> Iterator[str]:
    """The strings of a module, those with values in them too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


def fault(line: str) -> str | None:
    """What a command line of ours names that is not there."""
    words = shlex.split(line.replace("'", ""))
    path = ""
    for number, word in enumerate(words):
        command, _ = commands()[path]
        if word == "--":
            return None
        if word.startswith("--"):
            if word.partition("=")[0] not in {*options(command), "--help"}:
                return f"{path} has no {word}"
        elif hasattr(command, "commands") and word not in (VALUE, "...") and not word.isupper():
            path = f"{path} {word}".strip()
            if path not in commands():
                return f"there is no {path}"
        elif hasattr(command, "commands") and number:
            return None
    return None


def advised(text: str) -> Iterator[str]:
    """The command lines of ours in backticks, without the program's name."""
    for quoted in QUOTED.findall(text):
        _, found, line = quoted.partition(f"{NAME} ")
        first, _, rest = quoted.partition(" ")
        if found:
            yield line
        elif first in TREE and rest:
            yield quoted


def of_module(path: Path) -> set[str]:
    """The options that its people know: of the commands in its package, or of all."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    package = module.rpartition(".")[0]
    here = [name for name, entry in TREE.items() if entry.module == module] or [
        name for name, entry in TREE.items() if entry.module.rpartition(".")[0] == package
    ]
    found = {each for each in commands() if each.partition(" ")[0] in here} if package != "scripts" else set()
    return OTHERS.union(*(options(commands()[each][0]) for each in found or commands()))


def modules() -> list[str]:
    names = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.py"))
    return [name for name in names if not name.startswith(LEFT_OUT)]


@pytest.mark.parametrize("name", modules())
def test_every_command_and_option_that_a_text_names_exists(name: str) -> None:
    for text in texts(FOLDER / name):
        for line in advised(text):
            assert fault(line) is None, text
        if " " in text and "$" not in text:
            unknown = set(OPTION.findall(QUOTED.sub("", text))) - of_module(FOLDER / name)
            assert not unknown, text


def documents() -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("name", documents())
def test_every_command_that_a_document_names_exists(name: str) -> None:
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        quoted = [line.partition("  #")[0]] if line.startswith(f"{NAME} ") else QUOTED.findall(line)
        for _, named, advice in (each.partition(f"{NAME} ") for each in quoted):
            assert not named or fault(advice) is None, line


def test_a_message_may_name_only_the_options_of_its_own_command() -> None:
    assert "--transport" not in of_module(FOLDER / "ingest/server_exec/channel.py")
    assert "--transport" in of_module(FOLDER / "ingest/imports/importing.py")
    assert "--transport" in of_module(FOLDER / "errors.py")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("run `omero-aws exec --transport task`.", "exec has no --transport"),
        ("run `TF_WORKSPACE=a omero-aws imports look`", "there is no imports look"),
        ("run `imports retry --all`", "imports retry has no --all"),
        ("run `omero-aws exec -- omero admin --any`", None),
        ("run `omero-aws imports scan --settle 5`", None),
    ],
)
def test_a_text_that_names_what_is_not_there_is_found(text: str, found: str | None) -> None:
    assert [fault(line) for line in advised(text)] == [found]

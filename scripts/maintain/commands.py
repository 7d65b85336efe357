"""Write the documents that are made from code: docs/commands.md, docs/evidence.md and docs/formats.md."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from scripts import console, main
from scripts.errors import Failed
from scripts.maintain import evidence, formats

FILE = main.ROOT / "docs" / "commands.md"
WIDTH = 100
HEAD = """# Every command

`omero-aws COMMAND --help` shows the same text. `make docs` writes this file.
"""

app = typer.Typer(add_completion=False)


def walk(command: Any, parent: Any = None) -> Iterator[tuple[Any, Any]]:
    """Each command of the tree with its context, the root first; those that are not listed are left out."""
    ctx = command.context_class(
        command, info_name=main.NAME if parent is None else command.name, parent=parent, terminal_width=WIDTH
    )
    yield command, ctx
    for name in getattr(command, "commands", {}):
        _, child, _ = command.resolve_command(ctx, [name])
        if not child.hidden:
            yield from walk(child, ctx)


def tree() -> Any:
    """The root of the commands."""
    return typer.main.get_command(main.app)


def text() -> str:
    """The file's content."""
    parts = [HEAD]
    for command, ctx in walk(tree()):
        parts.append(f"## {ctx.command_path}\n\n```\n{_help(command, ctx)}\n```\n")
    return "\n".join(parts)


def _help(command: Any, ctx: Any) -> str:
    return "\n".join(line.rstrip() for line in inspect.cleandoc(command.get_help(ctx)).splitlines()).strip()


@app.command()
def docs(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 if a file is out of date.")
    ] = False,
) -> None:
    """Write docs/commands.md, docs/evidence.md and docs/formats.md from what they are about."""
    documents = ((FILE, text()), (evidence.DOCUMENT, evidence.document()), (formats.DOCUMENT, formats.document()))
    for file, wanted in documents:
        current = file.read_text(encoding="utf-8") if file.is_file() else ""
        shown = file.relative_to(main.ROOT)
        if current == wanted:
            console.say(f"{shown} is up to date.")
        elif check:
            raise Failed(f"{shown} is out of date; run `make docs` and commit it.")
        else:
            file.write_text(wanted, encoding="utf-8")
            console.say(f"{shown} written.")

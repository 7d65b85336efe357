"""The tree of commands, as the tests walk it."""

from __future__ import annotations

from functools import cache
from typing import Any

from scripts.maintain.commands import tree, walk

# Commands that destroy something, or end what runs, by path: with the arguments that make them do so.
DESTRUCTIVE: dict[str, tuple[str, ...]] = {
    "destroy": (),
    "sftp stop": (),
    "sftp teardown": (),
    "sftp user remove": ("alice",),
    "sftp user key remove": ("alice", "KEY"),
    "appstream ensure": ("--restart",),
    "appstream fleet ensure": ("--restart",),
    "appstream fleet stop": ("--end-sessions",),
    "appstream teardown": ("--end-sessions", "--delete-home-folder", "ada@example.org"),
    "appstream user remove": ("ada@example.org",),
    "dropbox disable": (),
    "sign-in remove": (),
}


@cache
def commands() -> dict[str, tuple[Any, Any]]:
    """Each command with its context, by path without the name of the program; the root is \"\"."""
    return {ctx.command_path.partition(" ")[2]: (command, ctx) for command, ctx in walk(tree())}


def leaves() -> dict[str, Any]:
    """The commands that do something."""
    return {path: command for path, (command, _) in commands().items() if not hasattr(command, "commands")}


def options(command: Any) -> set[str]:
    """The names of a command's options."""
    return {name for parameter in command.params for name in parameter.opts if name.startswith("-")}

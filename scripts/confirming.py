"""The question before something is destroyed: its name has to be typed, or `--yes` given."""

from __future__ import annotations

import sys

from scripts import console
from scripts.errors import Refused


def on_terminal() -> bool:
    """Whether somebody can be asked."""
    return bool(sys.stdin and sys.stdin.isatty())


def confirm(warning: str, *, name: str, skip: bool) -> None:
    """Have `name` typed, after the sentence `warning`; with `skip` (`--yes`, a dry run) nothing is asked.

    Raises:
        Refused: nobody can be asked, or something else was typed.
    """
    if skip:
        return
    if not on_terminal():
        raise Refused(
            f"{warning} There is no terminal to confirm this on, so nothing was changed; give --yes if you mean it."
        )
    console.say(warning)
    console.ask(f"Type {name} to continue: ")
    typed = sys.stdin.readline().strip()
    if not typed:
        raise Refused("nothing was typed, so nothing was changed; run this again, or give --yes.")
    if typed != name:
        raise Refused(f"{typed!r} is not {name}, so nothing was changed; type the name exactly.")

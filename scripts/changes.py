"""What a run changes, one sentence each: said as it is done, or by a dry run as what would be done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from scripts import aws, console
from scripts.errors import Failed, Refused
from scripts.output import write_json

T = TypeVar("T")


class Changes:
    """`sentences` are the changes so far, in order; `silent` keeps them from the terminal."""

    def __init__(self, *, dry_run: bool, silent: bool = False) -> None:
        self.dry_run = dry_run
        self.silent = silent
        self.sentences: list[str] = []

    def do(self, sentence: str, action: Callable[[], T]) -> T | None:
        """Run `action`, then say `sentence`. A dry run says it only, and gives None."""
        done: T | None = None
        if not self.dry_run:
            with console.status(sentence):
                done = action()
        self.sentences.append(sentence)
        self.say(f"would be done: {sentence}" if self.dry_run else sentence)
        return done

    def say(self, text: str) -> None:
        """Tell something, unless these changes are silent."""
        if not self.silent:
            console.say(text)

    def say_if_none(self, what: str) -> None:
        """Tell that nothing had to be changed."""
        if not self.sentences:
            console.say(f"nothing to change: {what}.")


def tell(changes: Changes, *, as_json: bool, **more: Any) -> None:
    """The changes of a run and `more`, as JSON on stdout, if asked for."""
    if as_json:
        write_json({"dry_run": changes.dry_run, "changes": changes.sentences, **more})


def look_ahead() -> Changes:
    """Changes of a dry run that says nothing: all is read, and what would be refused is refused, before the first."""
    return Changes(dry_run=True, silent=True)


@contextmanager
def changing(*, dry_run: bool = False) -> Iterator[Changes]:
    """The changes of one run.

    Raises:
        Failed: AWS or a check said no after the first change; the sentence says how many were made, and that the same
            command continues from there. "Refused" would promise that nothing was changed.
    """
    changes = Changes(dry_run=dry_run)
    try:
        yield changes
    except Refused as error:
        if dry_run or not changes.sentences:
            raise
        raise _unfinished(changes, str(error)) from error
    except aws.ERRORS as error:
        if dry_run or not changes.sentences:
            raise
        raise _unfinished(changes, aws.sentence(error)) from error


def _unfinished(changes: Changes, said: str) -> Failed:
    return Failed(
        f"{said} Changes made before that: {len(changes.sentences)}; run the same command again, and it continues from "
        "there."
    )

"""What every script shares: where text goes, how an error ends, what the exit codes mean.

Text for people goes to stderr, data (`--json`) to stdout.

Exit codes: 0 done; 1 it was tried and failed (AWS, Terraform or a check said no); 2 the input or
the machine is not fit and nothing was changed; 130 interrupted from the keyboard.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from rich.console import Console
from rich.text import Text

from scripts import aws
from scripts.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_REFUSED, Failed, Refused
from settings import SettingsError

__all__ = [
    "EPILOG",
    "EXIT_FAILED",
    "EXIT_INTERRUPTED",
    "EXIT_REFUSED",
    "Failed",
    "Refused",
    "err",
    "fail",
    "run",
    "say",
]

EPILOG = "Exit codes: 0 done; 1 tried and failed; 2 refused, nothing changed. OMERO_DEBUG=1 shows tracebacks."

CAUGHT: tuple[type[Exception], ...] = (Refused, Failed, SettingsError, *aws.ERRORS)

err = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str, exit_code: int) -> NoReturn:
    """Print `error: ` and each line of `message` to stderr and leave with `exit_code`."""
    for line in message.splitlines():
        err.print(Text.assemble(("error:", "bold red"), " ", line))
    raise SystemExit(exit_code)


def say(message: str) -> None:
    """One line for people, on stderr, as it is: no markup, no emoji codes."""
    err.print(Text(message))


def run(app: Callable[[], object]) -> None:
    """Run a Typer application, or a function, so that no error a user can cause ends in a traceback."""
    try:
        app()
    except CAUGHT as error:
        if os.environ.get("OMERO_DEBUG"):
            raise
        fail(*_ending(error))
    except SystemExit as leaving:
        # Typer itself turns Ctrl-C into this code, without a word.
        if leaving.code == EXIT_INTERRUPTED:
            fail("interrupted; running the same command again is safe.", EXIT_INTERRUPTED)
        raise
    except KeyboardInterrupt:
        fail("interrupted; running the same command again is safe.", EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()


def _ending(error: Exception) -> tuple[str, int]:
    """The sentence and the exit code of an error."""
    if isinstance(error, Refused | Failed):
        return str(error), error.exit_code
    if isinstance(error, SettingsError):
        return "\n".join(error.faults), EXIT_REFUSED
    return aws.sentence(error), EXIT_REFUSED if aws.refused(error) else EXIT_FAILED

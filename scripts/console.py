"""What every script shares: where text goes, how an error ends, what the exit codes mean.

Text for people goes to stderr, data (`--json`) to stdout.

Exit codes: 0 done; 1 it was tried and failed (AWS, Terraform or a check said no); 2 the input or
the machine is not fit and nothing was changed; 130 interrupted from the keyboard.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer
from rich.console import Console

EXIT_FAILED = 1
EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130

EPILOG = "Exit codes: 0 done; 1 tried and failed; 2 refused, nothing changed. OMERO_DEBUG=1 shows tracebacks."

err = Console(stderr=True, highlight=False, soft_wrap=True)


class Refused(Exception):
    """The input or the machine is not fit: nothing was changed (exit code 2).

    The message is one sentence: what, which value, what is allowed, what to do next.
    """

    exit_code = EXIT_REFUSED


class Failed(Exception):
    """It was tried and failed (exit code 1). The message says what, and what to do next."""

    exit_code = EXIT_FAILED


def fail(message: str, exit_code: int) -> NoReturn:
    """Print `error: message` to stderr and leave with `exit_code`."""
    err.print(f"[bold red]error:[/] {_plain(message)}")
    raise SystemExit(exit_code)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


def say(message: str) -> None:
    """One line for people, on stderr, without markup."""
    err.print(_plain(message))


def run(app: typer.Typer) -> None:
    """Run a Typer application so that no error a user can cause ends in a traceback."""
    from scripts import aws

    try:
        app()
    except (Refused, Failed) as error:
        if os.environ.get("OMERO_DEBUG"):
            raise
        fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        fail("interrupted; running the same command again is safe.", EXIT_INTERRUPTED)
    except aws.ERRORS as error:
        if os.environ.get("OMERO_DEBUG"):
            raise
        refused = aws.refused(error)
        fail(aws.sentence(error), EXIT_REFUSED if refused else EXIT_FAILED)
    except BrokenPipeError:
        sys.stderr.close()

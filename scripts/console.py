"""What every script shares: where text goes, how an error ends, what the exit codes mean.

Text for people goes to stderr, data (`--json`) to stdout.

Exit codes: 0 done; 1 it was tried and failed (AWS, Terraform or a check said no); 2 the input or
the machine is not fit and nothing was changed; 130 interrupted from the keyboard.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from rich.console import Console
from rich.text import Text

from scripts.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_REFUSED, Failed, Refused

__all__ = [
    "EPILOG",
    "EXIT_FAILED",
    "EXIT_INTERRUPTED",
    "EXIT_REFUSED",
    "Failed",
    "Refused",
    "err",
    "fail",
    "print_json",
    "run",
    "say",
]

EPILOG = "Exit codes: 0 done; 1 tried and failed; 2 refused, nothing changed. OMERO_DEBUG=1 shows tracebacks."

err = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str, exit_code: int) -> NoReturn:
    """Print `error: ` and each line of `message` to stderr and leave with `exit_code`."""
    for line in message.splitlines():
        err.print(Text.assemble(("error:", "bold red"), " ", line))
    raise SystemExit(exit_code)


def say(message: str) -> None:
    """One line for people, on stderr, as it is: no markup, no emoji codes."""
    err.print(Text(message))


def print_json(data: object) -> None:
    """Data to stdout, for programs."""
    sys.stdout.write(f"{json.dumps(data, indent=2)}\n")
    sys.stdout.flush()


def run(app: Callable[[], object]) -> None:
    """Run a Typer application, or a function, so that no error a user can cause ends in a traceback."""
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
    except Exception as error:
        ending = None if os.environ.get("OMERO_DEBUG") else _ending(error)
        if ending is None:
            raise
        fail(*ending)
    except SystemExit as leaving:
        # Typer itself turns Ctrl-C into this code, without a word.
        if leaving.code == EXIT_INTERRUPTED:
            fail("interrupted; running the same command again is safe.", EXIT_INTERRUPTED)
        raise
    except KeyboardInterrupt:
        fail("interrupted; running the same command again is safe.", EXIT_INTERRUPTED)


def _ending(error: Exception) -> tuple[str, int] | None:
    """The sentence and the exit code of an error; None for one that no user can cause."""
    if isinstance(error, Refused | Failed):
        return str(error), error.exit_code
    # boto3 and the settings take half a second to import, for which `--help` does not wait.
    from scripts import aws  # noqa: PLC0415
    from settings import SettingsError  # noqa: PLC0415

    if isinstance(error, SettingsError):
        return "\n".join(error.faults), EXIT_REFUSED
    if isinstance(error, aws.ERRORS):
        return aws.sentence(error), EXIT_REFUSED if aws.refused(error) else EXIT_FAILED
    return None

"""What every script shares: where text goes, how an error ends, what the exit codes mean.

Text for people goes to stderr, data (`--json`) to stdout. What goes to stderr may hold what anybody named: it is never
read as markup or emoji codes, and what a terminal would obey is shown as text.

Exit codes: 0 done; 1 it was tried and failed (AWS, Terraform or a check said no); 2 the input or
the machine is not fit and nothing was changed; 130 interrupted from the keyboard.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.box import HEAVY_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer._click.exceptions import ClickException

from scripts.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_REFUSED, Failed, Refused

__all__ = [
    "EPILOG",
    "EXIT_FAILED",
    "EXIT_INTERRUPTED",
    "EXIT_REFUSED",
    "Failed",
    "Refused",
    "ask",
    "counted",
    "err",
    "fail",
    "run",
    "say",
    "status",
    "table",
    "text",
]

EPILOG = "Exit codes: 0 done; 1 tried and failed; 2 refused, nothing changed. OMERO_DEBUG=1 shows tracebacks."

err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def fail(message: str, exit_code: int) -> NoReturn:
    """Print `error: ` and each line of `message` to stderr and leave with `exit_code`."""
    for line in message.split("\n"):
        err.print(Text.assemble(("error:", "bold red"), " ", text(line)))
    raise SystemExit(exit_code)


def say(message: str) -> None:
    """One line for people, on stderr."""
    err.print(text(message))


def counted(number: int, noun: str, several: str = "") -> str:
    """`1 file` or `1,200 files`; `several` is the plural where an s does not make it."""
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def ask(question: str) -> None:
    """A question for people, on stderr; what they type comes on the same line."""
    err.print(text(question), end="")


def text(words: str) -> Text:
    """`words` for rich to print as they are: all that is shown on a terminal goes through this."""
    return Text(_visible(words))


def _visible(words: str) -> str:
    # The settings take a while to import, for which `--help` does not wait.
    from settings.text import visible  # noqa: PLC0415

    return visible(words)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str | None = None,
    caption: str | None = None,
    lines: bool = True,
) -> None:
    """A table for people, on stderr; without `lines` it has none around its cells."""
    made = Table(
        title=None if title is None else text(title),
        title_justify="left",
        caption=None if caption is None else text(caption),
        box=HEAVY_HEAD if lines else None,
        pad_edge=lines,
    )
    for number, column in enumerate(columns):
        made.add_column(text(column), no_wrap=number == 0, overflow="fold")
    for row in rows:
        made.add_row(*(text(str(cell)) for cell in row))
    err.print(made)


@contextmanager
def status(words: str) -> Iterator[Callable[[str], None]]:
    """Show on a terminal what is being done, as long as it takes; gives what shows other words instead."""
    with err.status(text(words)) as shown:
        yield lambda others: shown.update(text(others))


def run(app: Callable[[], object]) -> None:
    """Run a Typer application, or a function, so that no error a user can cause ends in a traceback."""
    try:
        if isinstance(app, typer.Typer):
            _run_typer(app)
        else:
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
            fail("interrupted; run the same command again to continue.", EXIT_INTERRUPTED)
        raise
    except KeyboardInterrupt:
        fail("interrupted; run the same command again to continue.", EXIT_INTERRUPTED)


def _run_typer(app: typer.Typer) -> NoReturn:
    """Run it and leave with its exit code. Its help and its errors are plain text: Typer would read markup in them."""
    app.rich_markup_mode = None
    app.pretty_exceptions_enable = False
    try:
        code = app(standalone_mode=False)
    except ClickException as error:
        shown = io.StringIO()
        error.show(file=shown)
        sys.stderr.writelines(f"{_visible(line)}\n" for line in shown.getvalue().rstrip("\n").split("\n"))
        code = error.exit_code
    except typer.Abort:
        sys.stderr.write("Aborted!\n")
        code = EXIT_FAILED
    raise SystemExit(code if isinstance(code, int) else 0)


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

"""How a script ends: the exit code and what is on stderr."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Annotated

import pytest
import typer
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from scripts import console
from scripts.changes import Changes
from scripts.ingest.imports.progress import shown
from scripts.ingest.imports.requests import Request
from scripts.process import Progress
from settings import SettingsError
from settings.load import ROOT


def ending(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[object, str]:
    """The exit code and stderr of a script whose command raises `error`."""
    app = typer.Typer()

    @app.command()
    def command() -> None:
        raise error

    monkeypatch.setattr("sys.argv", ["script"])
    with pytest.raises(SystemExit) as left:
        console.run(app)
    return left.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (console.Refused("no [bold]x[/] :id: \\[y]."), 2, "error: no [bold]x[/] :id: \\[y].\n"),
        (console.Failed("a\nb"), 1, "error: a\nerror: b\n"),
        (SettingsError(["one.", "two."]), 2, "error: one.\nerror: two.\n"),
        (KeyboardInterrupt(), 130, "error: interrupted; run the same command again to continue.\n"),
    ],
)
def test_ends_without_a_traceback(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(error, monkeypatch, capsys) == (code, said)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoCredentialsError(), 2),
        (EndpointConnectionError(endpoint_url="https://example.com"), 2),
        (ReadTimeoutError(endpoint_url="https://example.com"), 1),
    ],
)
def test_errors_of_boto3_end_in_a_sentence(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left, said = ending(error, monkeypatch, capsys)
    assert left == code
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OMERO_DEBUG", "1")
    with pytest.raises(console.Refused):
        ending(console.Refused("no."), monkeypatch, capsys)


# A name that anybody may have given: with what rich takes for an emoji and for markup, and what steers a terminal.
NAME = "aws:secretsmanager:1:secret:x [bold]y[/bold] [/] "
HOSTILE = f"{NAME}\x1b[31mz\x1b]0;t\x07\rEVIL\x9b2J\u202ecod\u2066.\x00"
SHOWN = NAME + r"\x1b[31mz\x1b]0;t\x07\rEVIL\x9b2J\u202ecod\u2066.\x00"


# A status is drawn 12.5 times a second.
DRAWN_SECONDS = 0.3


def refuse() -> None:
    with pytest.raises(SystemExit):
        console.fail(HOSTILE, 2)


def refuse_a_workspace() -> None:
    with pytest.raises(SystemExit):
        console.run(lambda: (_ for _ in ()).throw(SettingsError([HOSTILE])))


def show_a_status() -> None:
    with console.status(HOSTILE):
        time.sleep(DRAWN_SECONDS)


def show_another_status() -> None:
    with console.status("x") as show:
        show(HOSTILE)
        time.sleep(DRAWN_SECONDS)


def run_a_step() -> None:
    with Progress(console.err, HOSTILE) as progress:
        progress.saw(HOSTILE)


def request_of(total: int) -> Callable[[], None]:
    """Shows a request with a bar, where filesets are expected, and without."""
    progress = {"waiting": HOSTILE}
    request = Request(id="1", do="run", work={}, who="x", state="running", progress=progress, result={}, asked="t")

    def show() -> None:
        with shown(total) as tell:
            tell(request)

    return show


PATHS: list[Callable[[], object]] = [
    refuse,
    refuse_a_workspace,
    show_a_status,
    show_another_status,
    run_a_step,
    request_of(0),
    request_of(5),
    lambda: console.say(HOSTILE),
    lambda: console.table(["x", HOSTILE], [["x", "y"]]),
    lambda: console.table(["x", "y"], [["x", HOSTILE]], lines=False),
    lambda: console.table(["x", "y"], [[HOSTILE, 1]]),
    lambda: console.table(["x"], [["x" * 200]], title=HOSTILE),
    lambda: console.table(["x"], [["x" * 200]], caption=HOSTILE),
    lambda: Changes(dry_run=False).do(HOSTILE, lambda: None),
]


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("path", PATHS)
def test_what_others_named_is_shown_as_it_is(
    path: Callable[[], object], terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(console.err, "_file", shown)
    monkeypatch.setattr(console.err, "_force_terminal", terminal)
    monkeypatch.setattr(console.err, "is_interactive", terminal)
    monkeypatch.setattr(console.err, "_width", 250)
    monkeypatch.setenv("TERM", "xterm")
    path()
    text = shown.getvalue()
    assert SHOWN in text or (not terminal and not text.strip())
    for steering in ("\x1b[31m", "\x1b]", "\x07", "\rEVIL", "\x9b", "\u202e", "\u2066", "\x00"):
        assert steering not in text


def test_nothing_else_prints_with_rich() -> None:
    """Where a console, a table or a status of rich's is made, data could be read as markup."""
    allowed = {"console.py", "process.py", "progress.py"}
    for file in (ROOT / "scripts").rglob("*.py"):
        if file.name not in allowed:
            text = file.read_text(encoding="utf-8")
            assert "from rich" not in text, file
            assert "err.print(" not in text, file
            assert "err.status(" not in text, file


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a Typer application says when it is run with arguments."""
    app = typer.Typer()

    @app.command()
    def one(count: Annotated[int, typer.Argument(help="How [bold]many[/bold] :x: there are.")]) -> None:
        """Count [red]all[/red]."""
        raise RuntimeError(HOSTILE)

    @app.command()
    def other() -> None:
        """Nothing."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["script", *arguments])
        with pytest.raises(SystemExit) as left:
            console.run(app)
        ran = capsys.readouterr()
        return f"{left.value.code}\n{ran.err}{ran.out}"

    return run


def test_help_is_plain_text(said: Callable[..., str]) -> None:
    assert said("one", "--help").startswith("0\nUsage: ")
    assert "How [bold]many[/bold] :x: there are." in said("one", "--help")
    assert "Count [red]all[/red]." in said("one", "--help")


def test_what_was_typed_is_shown_as_it_is(said: Callable[..., str]) -> None:
    for arguments in ((HOSTILE,), ("one", f"--{HOSTILE}"), ("one", "1", HOSTILE)):
        text = said(*arguments)
        assert text.startswith("2\nUsage: ")
        assert "EVIL" in text
        assert not {"\x1b", "\r", "\x9b", "\u202e", "\x07"} & set(text)


def test_a_command_that_worked_leaves_with_0(said: Callable[..., str]) -> None:
    assert said("other") == "0\n"


def test_counts_as_people_say_it() -> None:
    assert console.counted(1, "fileset") == "1 fileset"
    assert [console.counted(number, "batch", "batches") for number in (0, 1, 1200)] == [
        "0 batches",
        "1 batch",
        "1,200 batches",
    ]

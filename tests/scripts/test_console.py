"""How a script ends: the exit code and what is on stderr."""

from __future__ import annotations

import pytest
import typer
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from scripts import console
from settings import SettingsError


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
        (KeyboardInterrupt(), 130, "error: interrupted; running the same command again is safe.\n"),
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

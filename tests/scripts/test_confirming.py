"""The question before something is destroyed."""

from __future__ import annotations

import io

import pytest

from scripts import confirming
from scripts.errors import Refused


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A terminal, on which the test types."""
    monkeypatch.setattr(confirming, "on_terminal", lambda: True)
    return monkeypatch


def test_goes_on_once_the_name_is_typed(typing: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    typing.setattr("sys.stdin", io.StringIO(" prod \n"))
    confirming.confirm("This destroys it.", name="prod", skip=False)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "This destroys it.\nType prod to continue: ")


@pytest.mark.parametrize(("typed", "said"), [("pord\n", "'pord' is not prod"), ("", "nothing was typed")])
def test_refuses_anything_else(typing: pytest.MonkeyPatch, typed: str, said: str) -> None:
    typing.setattr("sys.stdin", io.StringIO(typed))
    with pytest.raises(Refused, match=f"{said}.*nothing was changed"):
        confirming.confirm("This destroys it.", name="prod", skip=False)


@pytest.mark.parametrize("stdin", [io.StringIO("prod\n"), None])
def test_refuses_where_nobody_can_type(monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO | None) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    with pytest.raises(Refused, match=r"This destroys it\. There is no terminal .* nothing was changed; give --yes"):
        confirming.confirm("This destroys it.", name="prod", skip=False)
    confirming.confirm("This destroys it.", name="prod", skip=True)

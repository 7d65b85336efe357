"""OMERO.web's log-in page as people see it: in Debian's Chromium, with a screenshot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from settings import load
from tests.peers.browser import CHROMIUM, Browser, lines
from tests.peers.conftest import Start
from tests.peers.web import Cache, Web

pytestmark = [
    pytest.mark.peers,
    pytest.mark.nightly,  # Chromium is not everywhere
    pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium; install Debian's package `chromium`"),
]
# Of each that a log-in takes: where it is, and whether something lies over it.
WHERE = """JSON.stringify(Object.fromEntries(
  [["server", "[name=server]"], ["username", "[name=username]"], ["password", "[name=password]"],
   ["button", "input[type=submit], button[type=submit]"]].map(([name, selector]) => {
    const element = document.querySelector(selector), box = element.getBoundingClientRect();
    const seen = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return [name, {x: box.x, y: box.y, width: box.width, height: box.height,
                   free: element.contains(seen)}];
  })))"""


@pytest.fixture(scope="module")
def web(start: Start, cache: Cache) -> Web:
    return start("rw-ro-tls", cache=cache)


@pytest.fixture(scope="module")
def page(web: Web, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        browser.open(f"http://127.0.0.1:{web.port}/webclient/login/")
        yield browser


def test_all_that_the_page_names_is_there(page: Browser) -> None:
    answers = [each["response"] for each in page.of("Network.responseReceived")]
    assert {each["status"] for each in answers if not each["url"].startswith("data:")} == {200}
    kinds = {each["mimeType"] for each in answers}
    assert {"text/html", "text/css"} <= kinds
    assert any("/static/" in each["url"] for each in answers)
    assert not page.of("Network.loadingFailed")


def test_nothing_is_wrong_in_the_browsers_eyes(page: Browser) -> None:
    assert not page.of("Runtime.exceptionThrown")
    assert not [each for each in page.of("Runtime.consoleAPICalled") if each["type"] == "error"]
    assert not [each["entry"] for each in page.of("Log.entryAdded") if each["entry"]["level"] == "error"]


def test_the_form_is_laid_out_and_nothing_lies_over_it(page: Browser) -> None:
    found: dict[str, Any] = json.loads(page.evaluate(WHERE))
    for name, box in found.items():
        assert box["width"] > 20, name
        assert box["height"] > 10, name
        assert 0 <= box["x"] < box["x"] + box["width"] <= 1280, name
        assert 0 <= box["y"] < box["y"] + box["height"] <= 900, name
        assert box["free"], name
    order = [found[name]["y"] for name in ("username", "password", "button")]
    assert order == sorted(set(order)), "one below the other"
    readers = load("rw-ro-tls").omero.read_only
    assert readers
    offered = page.evaluate("[...document.querySelectorAll('[name=server] option')].map(each => each.text)")
    assert len(offered) == 1 + readers.count


def test_the_picture_shows_something(page: Browser, tmp_path: Path) -> None:
    png = page.screenshot()
    (tmp_path / "log-in.png").write_bytes(png)
    assert len(set(lines(png))) > 100
    page.open("about:blank")
    assert len(set(lines(page.screenshot()))) <= 2, "and an empty one does not"

"""The page of `imports report --html` in Debian's Chromium: ten thousand filesets, and names that would run."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from containers.importer.entries import FAILED, IMPORTED, STATES
from scripts.ingest.imports.ledger import Entry
from tests.scripts.ingest.imports.test_page import HOSTILE, Read, entry, written

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.nightly,  # Chromium is not everywhere
    pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium; install Debian's package `chromium`"),
]
COUNT = 10_000
# Does what a reader would do, and leaves what was then to be seen in the title.
READER = """{
const told = {};
const shown = () => document.getElementById("shown").textContent;
const first = (column) => document.querySelector(`#filesets tbody .${column}`).textContent;
const type = (text) => { search.value = text; search.dispatchEvent(new Event("input")); };
told.drawn = document.querySelectorAll("#filesets tbody tr").length;
told.troubleFirst = first("state");
type("SLIDE-4242 alice");
told.searched = shown();
type("");
const box = document.querySelector("input[value=failed]");
box.click();
told.failed = shown();
box.click();
told.sorted = {};
for (const button of document.querySelectorAll("#filesets th button")) {
  const head = button.parentElement;
  button.click();
  const up = [head.getAttribute("aria-sort"), document.querySelector("#filesets tbody tr").textContent];
  button.click();
  const down = [head.getAttribute("aria-sort"), document.querySelector("#filesets tbody tr").textContent];
  told.sorted[head.dataset.column] = [up[0], down[0], up[1] !== down[1]];
}
type("slide-9999");
told.link = document.querySelector("#filesets tbody td.words a").href;
type("");
dispatchEvent(new Event("beforeprint"));
told.printed = document.querySelectorAll("#filesets tbody tr").length;
document.title = JSON.stringify(told);
}"""


def many() -> list[Entry]:
    def one(number: int) -> Entry:
        state = STATES[number % len(STATES)]
        more: dict[str, Any] = {"reason": f"broken {number}"} if state == FAILED else {}
        if state == IMPORTED or number == COUNT - 1:
            more |= {"images": str(number), "count": number, "dataset": 7, "dataset_name": f"day {number}"}
        made = entry(f"slide-{number}.svs", state, owner=("alice", "bob")[number % 2], files=1 + number, **more)
        made.size, made.at = number * 1000, f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
        return made

    return [one(number) for number in range(COUNT)]


@pytest.fixture
def browsed(tmp_path: Path) -> Callable[[str], Read]:
    """What the browser has made of a page."""

    def look(text: str) -> Read:
        file = tmp_path / "page.html"
        file.write_text(text, encoding="utf-8")
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
        ]
        done = subprocess.run([str(CHROMIUM), *options, file.as_uri()], capture_output=True, timeout=120, check=True)
        return Read(done.stdout.decode())

    return look


def title(read: Read) -> str:
    return next(read.all("title"))[1]


def with_script(text: str, script: str) -> str:
    """A page with one more script, which its policy allows."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = text.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    return allowed.replace("</body>", f"<script>{script}</script></body>")


def test_ten_thousand_filesets_are_counted_searched_sorted_and_printed(browsed: Callable[[str], Read]) -> None:
    text = written(*many())
    read = browsed(text)
    assert read.one("p", "shown") == "10,000 of 10,000 filesets"
    drawn = [about for about, _ in read.all("tr")]
    assert 200 <= len(drawn) < 2000  # no more than a reader may be about to see
    told = json.loads(title(browsed(with_script(text, READER))))
    assert told["drawn"] == 200
    assert told["troubleFirst"] in ("failed", "incomplete")
    assert told["searched"] == "1 of 10,000 filesets"
    assert told["failed"] == f"{sum(each.state == FAILED for each in many()):,} of 10,000 filesets"
    assert set(map(tuple, told["sorted"].values())) == {("ascending", "descending", True)}
    assert len(told["sorted"]) == 9
    assert told["link"] == "https://omero.example.org/webclient/?show=dataset-7"
    assert told["printed"] == COUNT


def test_a_hostile_name_is_text_and_runs_nothing(browsed: Callable[[str], Read]) -> None:
    read = browsed(written(*(entry(name, FAILED, reason=name, owner=name, dataset_name=name) for name in HOSTILE)))
    assert title(read) == "Imports of lab"
    assert not [tag for tag, _, _ in read.elements if tag in ("img", "svg", "b")]
    assert len(list(read.all("script"))) == 2
    assert read.one("p", "shown") == f"{len(HOSTILE)} of {len(HOSTILE)} filesets"
    cells = [text for about, text in read.all("div") if about.get("dir") == "auto"]
    assert any(text.endswith("</script><script>document.title = 'run'</script>.tif") for text in cells)


@pytest.mark.parametrize(
    "planted", ["<script>document.title = 'run'</script>", "<img src=x onerror=\"document.title='run'\">"]
)
def test_what_gets_into_the_page_all_the_same_does_not_run(browsed: Callable[[str], Read], planted: str) -> None:
    text = written(entry("a.tif"))
    assert title(browsed(text.replace("</body>", f"{planted}</body>"))) == "Imports of lab"
    # Without the policy it does.
    free = text.replace("Content-Security-Policy", "X-None")
    assert title(browsed(free.replace("</body>", f"{planted}</body>"))) == "run"

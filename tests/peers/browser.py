"""Debian's Chromium, driven by its own DevTools protocol over a pipe: what it saw and said of a page."""

from __future__ import annotations

import base64
import json
import os
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
SECONDS = 120


class Browser:
    """`events` are those of the page that is open, in their order. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.events: list[dict[str, Any]] = []
        self._number, self._session, self._read = 0, "", b""
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-pipe",
            f"--user-data-dir={folder}",
        ]
        # It reads commands from descriptor 3 and writes answers to 4, each with a NUL behind it.
        shell = f'exec 3<&{theirs_in} 4>&{theirs_out}; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "bash", str(CHROMIUM), *options, "--window-size=1280,900", "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stderr=subprocess.DEVNULL,
        )
        for each in (theirs_in, theirs_out):
            os.close(each)

    def __enter__(self) -> Browser:
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for each in (self._in, self._out):
            os.close(each)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": parameters}
        asked |= {"sessionId": self._session} if self._session else {}
        os.write(self._out, json.dumps(asked).encode() + b"\0")
        while True:
            said = self._message()
            if said.get("id") == self._number:
                assert "error" not in said, said
                return dict(said["result"])

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            more = os.read(self._in, 1 << 20)
            assert more, "the browser has ended"
            self._read += more
        text, _, self._read = self._read.partition(b"\0")
        said: dict[str, Any] = json.loads(text)
        if "method" in said:
            self.events.append(said)
        return said

    def open(self, url: str) -> None:
        """Returns once the page and all that it names has been loaded."""
        self.events.clear()
        self.ask("Page.navigate", url=url)
        while not self.of("Page.loadEventFired"):
            self._message()

    def of(self, method: str) -> list[dict[str, Any]]:
        """What the events of a kind say."""
        return [each["params"] for each in self.events if each["method"] == method]

    def evaluate(self, expression: str) -> Any:
        """The value of JavaScript in the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def screenshot(self) -> bytes:
        """A PNG of what is to be seen."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])


def lines(png: bytes) -> list[bytes]:
    """The lines of a picture, each as it is stored: those of one colour are all the same after the first."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, packed, header = 8, b"", b""
    while at < len(png):
        (length,), kind = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        content = png[at + 8 : at + 8 + length]
        header = content if kind == b"IHDR" else header
        packed += content if kind == b"IDAT" else b""
        at += 12 + length
    width, height, _, colours = struct.unpack(">IIBB", header[:10])
    raw = zlib.decompress(packed)
    size = 1 + width * {2: 3, 6: 4}[colours]
    assert len(raw) == size * height
    return [raw[start : start + size] for start in range(0, len(raw), size)]

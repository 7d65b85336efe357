"""Waiting for what comes by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from scripts.errors import Failed

Found = TypeVar("Found")

SECONDS, POLL_SECONDS = 1800.0, 0.5


def until(ask: Callable[[], Found], fault: str | Callable[[], str], *, seconds: float = SECONDS) -> Found:
    """Ask again and again until the answer is true; that answer.

    Raises:
        Failed: it was not in time; with `fault`.
    """
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise Failed(f"{fault if isinstance(fault, str) else fault()} after {seconds:.0f} seconds.")
        time.sleep(POLL_SECONDS)
    return answer

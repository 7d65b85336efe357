"""Time for stand-ins that change state by themselves, such as an ECS task that starts.

Nothing runs in the background: what is due happens before the next request is answered, at the time at
which it was due. So a rehearsal never races with a thread, and an observer sees what AWS would have shown.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable

_tickers: list[Callable[[float], None]] = []


def every_request(ticker: Callable[[float], None]) -> Callable[[float], None]:
    """Have `ticker` called with the present time (seconds since 1970) before each request is answered."""
    if ticker not in _tickers:
        _tickers.append(ticker)
    return ticker


def tick() -> None:
    """Let everything that is due happen. A fault in it is logged: it is no reason to refuse the request at hand."""
    now = time.time()
    for ticker in _tickers:
        try:
            ticker(now)
        except Exception:
            sys.stderr.write(f"LocalAwsFault: {traceback.format_exc()}")


def seconds(name: str, default: float) -> float:
    """A duration that a rehearsal may set, from the environment: seconds, not negative.

    Raises ValueError where the variable holds no such number.
    """
    value = float(os.environ.get(name, default))
    if value < 0:
        raise ValueError(f"{name} is {value}; a number of seconds of 0 or more is allowed")
    return value

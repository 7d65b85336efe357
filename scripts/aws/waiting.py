"""Wait until AWS has got there, and show that it is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from scripts import console
from scripts.errors import Failed
from scripts.process import LINE_INTERVAL

POLL_SECONDS = 5.0
WAIT_SECONDS = 900.0


def wait_for(
    what: str,
    state_of: Callable[[], str],
    *,
    until: Collection[str],
    failed: Collection[str] = (),
    seconds: float = WAIT_SECONDS,
    poll_seconds: float | None = None,
) -> str:
    """Ask `state_of` for the state of `what` every `poll_seconds` (5) until it is one of `until`; gives that state.

    On a terminal the state and the time are shown all along; elsewhere there is a line every 20 s.

    Raises:
        Failed: the state is one of `failed`, or the `seconds` (900) are up.
    """
    begun = said = time.monotonic()
    with console.status(f"waiting for {what}") as show:
        while (state := state_of()) not in until:
            now = time.monotonic()
            if state in failed:
                raise Failed(f"{what} is {state}; see the AWS console for the reason, then run this again.")
            if now - begun > seconds:
                raise Failed(f"{what} is still {state} after {seconds:.0f} s; run this again to continue waiting.")
            line = f"waiting for {what}: {state}, {now - begun:.0f} s"
            show(line)
            if not console.err.is_terminal and now - said >= LINE_INTERVAL:
                said = now
                console.say(line)
            time.sleep(POLL_SECONDS if poll_seconds is None else poll_seconds)
    return state

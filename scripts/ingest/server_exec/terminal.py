"""This terminal, while AWS's plugin has it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
from collections.abc import Iterator
from types import FrameType

KEYS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
# Before the plugin handles them, the keys would end it. What a program ignores, those that it starts ignore too.
IGNORE_KEYS = ("/bin/sh", "-c", "trap '' INT QUIT TSTP; exec \"$@\"", "sh")


@contextlib.contextmanager
def lent() -> Iterator[None]:
    """Leave Ctrl-C, Ctrl-\\ and Ctrl-Z to the plugin, and have the terminal back as it was, whatever happens.

    As the AWS CLI does (awscli/compat.py, ignore_user_entered_signals): the plugin sends them on into the container by
    itself (shellsession.go, handleControlSignals). It switches the echo off, and on again only where AWS ends the
    session (shellsession_unix.go, Stop).
    """
    before = termios.tcgetattr(0) if os.isatty(0) else None
    handlers = {key: signal.signal(key, signal.SIG_IGN) for key in KEYS}
    try:
        with ended_in_order():
            yield
    finally:
        if before is not None:
            # A terminal that has hung up takes nothing.
            with contextlib.suppress(termios.error):
                termios.tcsetattr(0, termios.TCSANOW, before)
        for key, handler in handlers.items():
            signal.signal(key, handler)


@contextlib.contextmanager
def ended_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP end this process by an exception, so that it leaves nothing behind."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    handlers = {each: signal.signal(each, leave) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)

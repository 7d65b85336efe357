"""The two ways a script ends badly, and their exit codes. Apart from `console`, so that `aws` can raise them too."""

from __future__ import annotations

EXIT_FAILED = 1
EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130


class Refused(Exception):
    """The input or the machine is not fit: nothing was changed (exit code 2).

    The message is one sentence: what, which value, what is allowed, what to do next; several faults
    are one line each.
    """

    exit_code = EXIT_REFUSED


class Failed(Exception):
    """It was tried and failed (exit code 1). The message says what, and what to do next."""

    exit_code = EXIT_FAILED

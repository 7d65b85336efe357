"""`python -m containers.importer [once]`: the worker, for as long as it is not stopped, or until nothing is left to do.

Exit codes: 0 it was stopped, or has done what was asked for; 3 it lost its lease; 4 another worker is there (`once`);
5 another server has locked the repository; 75 there is a newer program; 1 a fault in here, of which the log tells.
"""

from __future__ import annotations

import signal
import sys

from .worker import Worker


def main() -> int:
    """Run a worker."""
    # Started by `-c`, the program's own name is the first argument.
    worker = Worker(once=sys.argv[-1] == "once")
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    return worker.run()


if __name__ == "__main__":
    sys.exit(main())

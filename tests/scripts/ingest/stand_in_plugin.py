"""Stand-in for AWS's session-manager-plugin: shows what a session prints, until its end or that of its own input.

As the real one (shellsession_unix.go, sessionhandler.go) it ends at once when its terminal is gone, without ending the
session: so it does not outlive a program that is killed. It does not come back to a session whose connection breaks.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def main() -> None:
    # The package loads all of moto, a second's work, of which a client of its data channel needs nothing.
    package = types.ModuleType("local_aws.services.ecs")
    package.__path__ = [str(ROOT / "local_aws/services/ecs")]
    sys.modules[package.__name__] = package
    from tests.local_aws.exec_help import Client  # noqa: PLC0415 - see above

    session = json.loads(sys.argv[1])
    assert sys.argv[3] == "StartSession", sys.argv
    assert json.loads(sys.argv[5])["Target"].startswith("ecs:"), sys.argv
    threading.Thread(target=_end_with_input, daemon=True).start()
    client = Client(session["streamUrl"], session["tokenValue"])
    out = sys.stdout.buffer
    out.write(f"\nStarting session with SessionId: {session['sessionId']}\n".encode())
    shown = 0
    while client.closed is None and client.read_one(seconds=120):
        out.write(client.output[shown:])
        out.flush()
        shown = len(client.output)


def _end_with_input() -> None:
    try:
        while os.read(0, 1024):
            pass
    except OSError:  # the other end of the terminal is closed
        pass
    os._exit(1)


if __name__ == "__main__":
    main()

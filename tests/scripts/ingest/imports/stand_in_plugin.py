"""Stand-in for AWS's session-manager-plugin: shows what a session prints and passes on what is typed, until its end.

As the real one (shellsession_unix.go, sessionhandler.go) it ends at once when its terminal is gone, without ending the
session: so it does not outlive a program that is killed. It does not come back to a session whose connection breaks.
"""

from __future__ import annotations

import json
import os
import sys
import termios
import threading
import tty
import types
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]


def main() -> None:
    # The package loads all of moto, a second's work, of which a client of its data channel needs nothing.
    package = types.ModuleType("local_aws.services.ecs")
    package.__path__ = [str(ROOT / "local_aws/services/ecs")]
    sys.modules[package.__name__] = package
    from local_aws.testing.exec_client import Client  # noqa: PLC0415 - see above

    session = json.loads(sys.argv[1])
    assert sys.argv[3] == "StartSession", sys.argv
    assert json.loads(sys.argv[5])["Target"].startswith("ecs:"), sys.argv
    client = Client(session["streamUrl"], session["tokenValue"])
    threading.Thread(target=_type, args=(client,), daemon=True).start()
    out = sys.stdout.buffer
    out.write(f"\nStarting session with SessionId: {session['sessionId']}\n".encode())
    out.flush()
    # The terminal of the session echoes and edits, so that this one does not.
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        shown = 0
        while client.closed is None and client.read_one(seconds=120):
            out.write(client.output[shown:])
            out.flush()
            shown = len(client.output)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _type(client: Any) -> None:
    try:
        while typed := os.read(0, 1024):
            client.send(typed)
    except OSError:  # the other end of the terminal is closed
        pass
    os._exit(1)


if __name__ == "__main__":
    main()

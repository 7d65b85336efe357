"""Stand-in for AWS's session-manager-plugin: shows what a session prints, until its end or that of its own input."""

from __future__ import annotations

import json
import os
import sys

from tests.local_aws.exec_help import Client


def main() -> None:
    session = json.loads(sys.argv[1])
    assert sys.argv[3] == "StartSession", sys.argv
    assert json.loads(sys.argv[5])["Target"].startswith("ecs:"), sys.argv
    client = Client(session["streamUrl"], session["tokenValue"])
    out = sys.stdout.buffer
    out.write(f"\nStarting session with SessionId: {session['sessionId']}\n".encode())
    shown = 0
    while client.closed is None and client.read_one(seconds=120):
        out.write(client.output[shown:])
        out.flush()
        shown = len(client.output)
        assert os.fstat(0)


if __name__ == "__main__":
    main()

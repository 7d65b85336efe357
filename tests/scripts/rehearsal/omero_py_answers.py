"""What commands of omero-py print and end with, by what a server answers: JSON of [exit code, stdout, stderr].

It is run by omero-py's own Python. The controls, and `destroySession`, are omero-py's; the server's answers are not.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import omero.all
from omero.cli import CLI, NonZeroReturnCode
from omero.clients import BaseClient

Answer = tuple[int, str, str]


def control(name: str) -> Any:
    cli = CLI()
    cli.loadplugins()
    found = cli.controls[name]
    found.ctx = cli
    return found


def answer(do: Callable[[], Any]) -> Answer:
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            do()
        except NonZeroReturnCode as fault:
            code = fault.rv
    return code, out.getvalue(), err.getvalue()


def chgrp(response: Any) -> Answer:
    request = omero.cmd.Chgrp2(targetObjects={"Fileset": [1]})
    return answer(lambda: control("chgrp").print_report(request, response, None, False))


def close(uuid: str, *, found: Exception | None, references: tuple[int, ...] = ()) -> Answer:
    """`references`: how many there still are after each call of closeSession; OMERO says -2 with the last."""
    left = list(references)

    def get(_uuid: str) -> Any:
        if found:
            raise found
        return omero.model.SessionI()

    service = SimpleNamespace(getSession=get, closeSession=lambda _session: left.pop(0))
    client = SimpleNamespace(sf=SimpleNamespace(getSessionService=lambda: service))
    client.destroySession = lambda uuid: BaseClient.destroySession(client, uuid)
    sessions = control("sessions")
    sessions.ctx.conn = lambda _args: client
    done = answer(lambda: sessions.close(SimpleNamespace(sessionId=uuid)))
    assert not left, "a session with references is not closed"
    return done


if __name__ == "__main__":
    key = sys.argv[1]
    answers = {
        "moved": chgrp(omero.cmd.Chgrp2Response({}, {})),
        "not moved": chgrp(omero.cmd.GraphException("", "graph-fail", {}, "it cannot be")),
        "closed": close(key, found=None, references=(2, 1, -2)),
        "gone": close(key, found=omero.RemovedSessionException()),
        "not looked up": close(key, found=omero.InternalException(message="no connection")),
    }
    json.dump(answers, sys.stdout)

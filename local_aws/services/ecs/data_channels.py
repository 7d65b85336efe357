"""Where clients of ECS Exec connect: a websocket server on a port of its own, beside the HTTP server."""

from __future__ import annotations

import functools
import json
import secrets
import threading
from typing import Any

from local_aws.serve import HOST
from local_aws.services.ecs.exec_session import Session

_sessions: dict[str, Session] = {}
_PATH = "/v1/data-channel/"


def add(session: Session) -> str:
    """The address that a client of the session connects to."""
    _sessions[session.id] = session
    return f"ws://{HOST}:{_port()}{_PATH}{session.id}?role=publish_subscribe"


def find(name: str) -> Session | None:
    return _sessions.get(name)


def resume(session: Session) -> tuple[str, str]:
    """A new token, and the address."""
    session.token = secrets.token_hex(32)
    return session.token, add(session)


@functools.cache
def _port() -> int:
    from websockets.sync.server import serve  # noqa: PLC0415  # only where somebody uses ECS Exec

    server = serve(_serve, HOST, 0, compression=None, max_size=2**20)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.socket.getsockname()[1])


def _serve(socket: Any) -> None:
    session = _sessions.get(socket.request.path.partition("?")[0].removeprefix(_PATH))
    try:
        opened = json.loads(socket.recv(timeout=10))
        allowed = session is not None and not session.closed and opened.get("TokenValue") == session.token
    except (ValueError, TimeoutError):
        allowed = False
    if session is None or not allowed:
        socket.close(1008, "the session is not there, has ended, or the token is not its own")
        return
    session.serve(socket)

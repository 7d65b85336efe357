"""Events of sessions in Transfer Family's JSON form, in the log group that a server names.

https://docs.aws.amazon.com/transfer/latest/userguide/cw-structure-logs.html. The streams are named as those of
the older form of its logs: `<user>.<session>`, and ERRORS for failed log-ins; what AWS names them now is not proved,
and so are the fields of RENAME and the words of `message`. Events wait here until the next request of whichever
service, for moto's state is changed by requests alone.
"""

from __future__ import annotations

import json
import queue
import sys
import time
from typing import Any

from moto.logs.models import logs_backends

_waiting: queue.SimpleQueue[tuple[str, str, str, str, dict[str, Any]]] = queue.SimpleQueue()

ERRORS = "ERRORS"  # the stream of failed log-ins


def event(account: str, region: str, group: str | None, stream: str, message: dict[str, Any]) -> None:
    """Put one event; without a log group it is dropped. From any thread."""
    if group:
        _waiting.put(
            (account, region, group, stream, {"timestamp": int(time.time() * 1000), "message": json.dumps(message)})
        )


def deliver() -> None:
    """Hand the waiting events to CloudWatch Logs; those of a log group that is gone are dropped, and told."""
    while True:
        try:
            account, region, group, stream, waiting = _waiting.get_nowait()
        except queue.Empty:
            return
        backend = logs_backends[account][region]
        if group not in backend.groups:
            sys.stderr.write(f"transfer: the log group {group} is gone: {waiting['message']}\n")
            continue
        if stream not in backend.groups[group].streams:
            backend.create_log_stream(group, stream)
        backend.put_log_events(group, stream, [waiting])

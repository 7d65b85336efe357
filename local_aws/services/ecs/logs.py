"""What containers write, on its way to CloudWatch Logs as the awslogs driver brings it there: an event for each line.

Events wait here until the next request of whichever service, for moto's state is changed by requests alone.
"""

from __future__ import annotations

import queue
import sys
import time
from collections import defaultdict
from typing import IO, Any

from moto.logs.models import logs_backends

_LONGEST = 16 * 1024  # Docker's driver cuts longer lines
_waiting: queue.SimpleQueue[tuple[tuple[str, str, str, str], dict[str, Any]]] = queue.SimpleQueue()

Stream = tuple[str, str, str, str]  # account, region, log group, stream


def follow(output: IO[bytes], stream: Stream | None) -> None:
    """Take lines until there is no more; where they go nowhere, they are dropped. For a thread of its own."""
    while line := output.readline(_LONGEST):
        if stream and (text := line.decode("utf-8", "replace").rstrip("\n")):
            _waiting.put((stream, {"timestamp": int(time.time() * 1000), "message": text}))
    output.close()


def say(stream: Stream | None, text: str) -> None:
    """A line of a program that does not run here."""
    sys.stderr.write(f"ecs: {stream[3] if stream else 'a container without a log'}: {text}\n")
    if stream:
        _waiting.put((stream, {"timestamp": int(time.time() * 1000), "message": text}))


def deliver() -> None:
    """Hand over the waiting events; those of a stream that is gone are dropped, and told."""
    by_stream: dict[Stream, list[dict[str, Any]]] = defaultdict(list)
    while True:
        try:
            stream, event = _waiting.get_nowait()
        except queue.Empty:
            break
        by_stream[stream].append(event)
    for (account, region, group, stream_name), events in by_stream.items():
        backend = logs_backends[account][region]
        if group not in backend.groups or stream_name not in backend.groups[group].streams:
            sys.stderr.write(f"ecs: the log stream {group} {stream_name} is gone: {len(events)} events dropped\n")
            continue
        backend.put_log_events(group, stream_name, events)

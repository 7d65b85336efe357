"""Have a container do one thing that is no import: a scan, a check, a verification."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from containers.importer.entries import DONE, READY, RUNNING
from scripts.errors import Failed
from scripts.ingest.imports.ecs_task import Ended, NotStarted, Transport
from scripts.ingest.imports.importing import ROOM_SECONDS, SILENT_SECONDS, Event, Heartbeats, lease, who
from scripts.ingest.imports.ledger import Ledger


def run_job(
    ledger: Ledger,
    transport: Transport,
    work: Mapping[str, Any],
    *,
    key: str,
    event: Event,
    poll_seconds: float = 2.0,
    ids: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Have a job done and wait for its result; one that somebody has begun is waited for.

    Raises:
        Failed: it did not start, ended without a result, or could not be done: the reason is the program's own.
    """
    result = None
    while result is None:
        if own := _taken(ledger, work, key=key, ids=ids):
            try:
                ledger.ready(key, own, ids)
                _start(ledger, transport, key=key, token=own, event=event, poll_seconds=poll_seconds)
                result = _result(ledger, transport, key=key, token=own, event=event, poll_seconds=poll_seconds)
            finally:
                ledger.drop(key, own)
        else:
            result = _of_another(ledger, transport, key, event, poll_seconds)
    if error := result.get("error"):
        raise Failed(str(error).rstrip(".") + ".")
    return result


def _taken(ledger: Ledger, work: Mapping[str, Any], *, key: str, ids: tuple[str, ...]) -> str | None:
    """The token of a job that is ours; None if somebody has begun the same.

    Past its lease a job is taken over: its result is an old one, and a program that is slow finds that it has lost it.
    """
    old = ledger.job(key)
    if old and time.time() > old.expires and ledger.revoke(old):
        ledger.drop(key, old.batch)
    return ledger.take(key, work, ids, who())


def _of_another(
    ledger: Ledger, transport: Transport, key: str, event: Event, poll_seconds: float
) -> dict[str, Any] | None:
    """The result of a job that somebody else has begun; None if it is gone, or nobody's any more."""
    first = ledger.job(key)
    if first:
        event("waiting", {"reason": f"{first.who} has started the same job, and this command waits for it"})
    while (job := ledger.job(key)) and first and job.batch == first.batch and time.time() <= job.expires:
        if job.state == DONE:
            ledger.drop(key, job.batch)
            return job.result
        if job.state == READY and transport.ended(job) and ledger.revoke(job):
            # Its runner was killed before its program could begin.
            ledger.drop(key, job.batch)
            return None
        event("progress", {"job": job})
        time.sleep(poll_seconds)
    return None


def _start(ledger: Ledger, transport: Transport, *, key: str, token: str, event: Event, poll_seconds: float) -> None:
    begun = time.monotonic()
    while True:
        try:
            ledger.note_task(key, token, task=transport.start(key, token))
            return
        except NotStarted as fault:
            if not fault.passing or time.monotonic() - begun > ROOM_SECONDS:
                raise Failed(f"the importer's container did not start: {str(fault).rstrip('.')}.") from None
            event("waiting", {"reason": str(fault)})
            time.sleep(5 * poll_seconds)


def _result(
    ledger: Ledger, transport: Transport, *, key: str, token: str, event: Event, poll_seconds: float
) -> dict[str, Any]:
    ended: Ended | None = None
    beats = Heartbeats()
    while True:
        job = ledger.job(key)
        if job is None or job.batch != token:
            raise Failed("another command waited for the same job and has its result; `status` shows it.")
        if job.state == DONE:
            return job.result
        if ended is not None:
            raise Failed(f"the container ended without a result: {ended.reason}; its log is in {transport.log}.")
        event("progress", {"job": job})
        if beats.silent(job) > min(SILENT_SECONDS, lease(job) / 2) or job.state != RUNNING:
            ended = transport.ended(job)
        time.sleep(poll_seconds)

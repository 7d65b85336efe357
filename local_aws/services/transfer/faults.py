"""Faults on request, and a limit to the rate of calls: what a script has to live with on AWS.

`/_local/transfer/faults` of the server's endpoint takes, by POST, `{"<action>": ["<fault>", ...]}`: the next calls of
the action meet these faults, one each, in order. A fault is an error code of the service's model, which the call
answers, or START_FAILED or STOP_FAILED, in which CreateServer, StartServer or StopServer ends. GET shows what is
left, DELETE drops it.

LOCAL_AWS_TRANSFER_CALLS_PER_SECOND (0: no limit) is the rate above which calls answer ThrottlingException, counted
for each account, region and action with a burst of as many calls.
"""

from __future__ import annotations

import json
import time
from typing import Any

from local_aws import clock
from local_aws.services.transfer.state import Json, Refusal

CALLS_PER_SECOND = clock.seconds("LOCAL_AWS_TRANSFER_CALLS_PER_SECOND", 0)

_MESSAGES = {
    "ThrottlingException": "Rate exceeded",
    "ServiceUnavailableException": "The request has failed because the service is not available.",
    "InternalServiceError": "An error occurred in the AWS Transfer Family service.",
    "AccessDeniedException": "You do not have sufficient access to perform this action.",
    "ConflictException": "VPC Endpoint state is not yet available",
    "InvalidRequestException": "The request is invalid.",
}
STATES = {
    "START_FAILED": ("CreateServer", "StartServer"),
    "STOP_FAILED": ("StopServer",),
}

_queued: dict[str, list[str]] = {}
_buckets: dict[tuple[str, str, str], tuple[float, float]] = {}


def before(backend: Any, action: str) -> None:
    """Raise the fault that is due for this call, if one is."""
    waiting = _queued.get(action)
    if waiting and waiting[0] not in STATES:
        raise _fault(waiting.pop(0))
    if CALLS_PER_SECOND and not _within_rate((backend.account_id, backend.region_name, action)):
        raise _fault("ThrottlingException")


def end_of(action: str, otherwise: str) -> str:
    """The state in which a start or stop ends."""
    waiting = _queued.get(action)
    return waiting.pop(0) if waiting and waiting[0] in STATES else otherwise


def resource(method: str, body: bytes) -> tuple[int, Any]:
    """The HTTP resource: the status, and what it answers as JSON."""
    if method == "DELETE":
        _queued.clear()
    elif method == "POST":
        try:
            asked = _checked(json.loads(body))
        except ValueError as error_:
            return 400, {"message": str(error_)}
        for action, faults in asked.items():
            _queued.setdefault(action, []).extend(faults)
    return 200, {action: faults for action, faults in _queued.items() if faults}


def _checked(asked: Json) -> dict[str, list[str]]:
    if not isinstance(asked, dict) or not all(isinstance(each, list) for each in asked.values()):
        raise ValueError('faults are an object such as {"CreateUser": ["ThrottlingException"]}')
    for action, faults in asked.items():
        for each in faults:
            if each not in _MESSAGES and action not in STATES.get(each, ()):
                raise ValueError(f"{each!r} is no fault of {action}; {', '.join([*_MESSAGES, *STATES])} are")
    return asked


def _fault(code: str) -> Refusal:
    status = 500 if code in ("ServiceUnavailableException", "InternalServiceError") else 400
    members = {"RetryAfterSeconds": "1"} if code == "ThrottlingException" else {}
    return Refusal(code, _MESSAGES[code], status=status, **members)


def _within_rate(whose: tuple[str, str, str]) -> bool:
    now = time.monotonic()
    left, then = _buckets.get(whose, (CALLS_PER_SECOND, now))
    left = min(max(CALLS_PER_SECOND, 1), left + (now - then) * CALLS_PER_SECOND)
    _buckets[whose] = (left - 1 if left >= 1 else left, now)
    return left >= 1

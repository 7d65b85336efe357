"""The faults of Transfer Family, and a limit to the rate of calls: what a script has to live with on AWS.

Beside the error codes of the service's model there are START_FAILED and STOP_FAILED, in which CreateServer,
StartServer or StopServer ends.

LOCAL_AWS_TRANSFER_CALLS_PER_SECOND (0: no limit) is the rate above which calls answer ThrottlingException, counted
for each account, region and action with a burst of as many calls.
"""

from __future__ import annotations

import time
from typing import Any

from local_aws import clock
from local_aws.faults import Faults
from local_aws.services.transfer.state import Refusal

CALLS_PER_SECOND = clock.seconds("LOCAL_AWS_TRANSFER_CALLS_PER_SECOND", 0)

_THROTTLED = ("ThrottlingException", "Rate exceeded")
_RETRY = {"RetryAfterSeconds": "1"}
_buckets: dict[tuple[str, str, str], tuple[float, float]] = {}


FAULTS = Faults(
    "transfer",
    messages={"ConflictException": "VPC Endpoint state is not yet available"},
    members={_THROTTLED[0]: _RETRY},
    words={"CreateServer": "START_FAILED", "StartServer": "START_FAILED", "StopServer": "STOP_FAILED"},
)


def check_rate(backend: Any, action: str) -> None:
    """Raise ThrottlingException for a call above the rate."""
    if CALLS_PER_SECOND and not _within_rate((backend.account_id, backend.region_name, action)):
        raise Refusal(*_THROTTLED, RetryAfterSeconds=_RETRY["RetryAfterSeconds"])


def _within_rate(whose: tuple[str, str, str]) -> bool:
    now = time.monotonic()
    left, then = _buckets.get(whose, (CALLS_PER_SECOND, now))
    left = min(max(CALLS_PER_SECOND, 1), left + (now - then) * CALLS_PER_SECOND)
    _buckets[whose] = (left - 1 if left >= 1 else left, now)
    return left >= 1

"""Goes into the worker's program, and makes its world worse: see `faulty_program`.

Every kind of write has its answer lost now and then, after DynamoDB has done what was asked; reads are throttled and
slow; the clock is minutes wrong; and queries of an index show what there was a second ago.
"""

from __future__ import annotations

import random
import time
from typing import Any

from containers.supervisor.signing import Aws, AwsError

SEED = 0
LOST, THROTTLED = 0.08, 0.04
LAG_SECONDS = 1.0
_chance = random.Random(SEED)
_wrong = _chance.choice([-180, 0, 180])
_call, _time, _gmtime = Aws.call, time.time, time.gmtime
_seen: dict[str, list[tuple[float, Any]]] = {}


def call(self: Aws, service: str, action: str, arguments: Any, **more: Any) -> dict[str, Any]:
    """As `Aws.call`, on a bad day."""
    if service != "dynamodb":
        return _call(self, service, action, arguments, **more)
    if _chance.random() < THROTTLED:
        raise AwsError("ThrottlingException", "a bad day")
    answer = _call(self, service, action, arguments, **more)
    name = action.rpartition(".")[2]
    if "IndexName" in arguments:
        key = repr(sorted((name, repr(value)) for name, value in arguments.items()))
        past = _seen.setdefault(key, [])
        past.append((time.monotonic(), answer))
        old = [each for at, each in past if time.monotonic() - at > LAG_SECONDS]
        return old[-1] if old else {"Items": [], "Count": 0}
    if name not in ("Query", "GetItem", "BatchGetItem") and _chance.random() < LOST:
        raise ConnectionResetError("a bad day")
    return answer


Aws.call = call  # type: ignore[method-assign]
time.time = lambda: _time() + _wrong
time.gmtime = lambda seconds=None: _gmtime(_time() + _wrong if seconds is None else seconds)

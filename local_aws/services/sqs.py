"""SQS: a queue's redrive policy as AWS answers it. moto 5.2.5 puts spaces into it, a difference at every plan."""

from __future__ import annotations

import json
from typing import Any

from moto.sqs.models import Queue


def install() -> None:
    """Put it into moto's SQS. A second time changes nothing."""
    if hasattr(Queue, "_attributes_with_spaces"):
        return
    Queue._attributes_with_spaces = Queue.attributes

    def attributes(self: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._attributes_with_spaces
        if policy := found.get("RedrivePolicy"):
            found["RedrivePolicy"] = json.dumps(json.loads(policy), separators=(",", ":"))
        return found

    Queue.attributes = property(attributes)

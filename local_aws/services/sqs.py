"""SQS: a thousand messages are read in seconds, and a queue's redrive policy comes back as SQS writes it.

moto 5.2.5 counts all messages of a queue several times for each that is read, to learn how long the queue keeps them.
It writes the redrive policy with spaces, which Terraform takes for a change: it compares the text.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.utils import unix_time
from moto.sqs.models import SQSBackend

_get_queue_attributes = SQSBackend.get_queue_attributes


def install() -> None:
    """Put both into moto's SQS. A second time changes nothing."""
    SQSBackend.get_queue_attributes = get_queue_attributes
    SQSBackend.is_message_valid_based_on_retention_period = is_message_valid_based_on_retention_period


def is_message_valid_based_on_retention_period(self: Any, queue_name: str, message: Any) -> bool:
    """Whether the queue still keeps a message; `sent_timestamp` is in milliseconds, the period in seconds."""
    kept = self.get_queue(queue_name).message_retention_period
    return bool(message.sent_timestamp / 1000 + kept > unix_time())


def get_queue_attributes(self: Any, queue_name: str, attribute_names: list[str]) -> dict[str, Any]:
    """moto's, with the redrive policy as compact as SQS writes it."""
    found: dict[str, Any] = _get_queue_attributes(self, queue_name, attribute_names)
    if policy := found.get("RedrivePolicy"):
        found["RedrivePolicy"] = json.dumps(json.loads(policy), separators=(",", ":"))
    return found

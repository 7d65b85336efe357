"""SQS: a thousand messages are read in seconds.

moto 5.2.5 counts all messages of a queue several times for each that is read, to learn how long the queue keeps them.
"""

from __future__ import annotations

from typing import Any

from moto.core.utils import unix_time
from moto.sqs.models import SQSBackend


def install() -> None:
    """Put it into moto's SQS. A second time changes nothing."""
    SQSBackend.is_message_valid_based_on_retention_period = is_message_valid_based_on_retention_period


def is_message_valid_based_on_retention_period(self: Any, queue_name: str, message: Any) -> bool:
    """Whether the queue still keeps a message; `sent_timestamp` is in milliseconds, the period in seconds."""
    kept = self.get_queue(queue_name).message_retention_period
    return bool(message.sent_timestamp / 1000 + kept > unix_time())

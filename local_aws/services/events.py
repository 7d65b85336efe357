"""EventBridge: targets with a constant input. moto 5.2.5 sends them the event itself."""

from __future__ import annotations

import json
from typing import Any

from moto.events.models import Rule


def install() -> None:
    """Put it into moto's EventBridge. A second time changes nothing."""
    if hasattr(Rule, "_constant_input"):
        return
    send = Rule._send_to_sqs_queue
    send_to_targets = Rule.send_to_targets
    Rule._constant_input = None

    def send_each(self: Any, original_event: Any, transform_input: bool = True) -> None:
        every = self.targets
        for target in list(every):
            self.targets, self._constant_input = [target], target.get("Input")
            try:
                send_to_targets(self, original_event, transform_input)
            finally:
                self.targets, self._constant_input = every, None

    def send_to_sqs_queue(self: Any, resource_id: str, event: Any, group_id: str | None = None) -> None:
        given = json.loads(self._constant_input) if self._constant_input else event
        send(self, resource_id, given, group_id)

    Rule.send_to_targets = send_each
    Rule._send_to_sqs_queue = send_to_sqs_queue

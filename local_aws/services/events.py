"""EventBridge: targets with a constant input, and events of services.

moto 5.2.5 sends such targets the event itself, and to topics nothing. Of services it has events of S3 alone; others
tell theirs by `tell`.
"""

from __future__ import annotations

import json
import queue
from typing import Any

from moto.events.models import Rule, events_backends
from moto.events.utils import EventTemplateParser
from moto.sns.models import sns_backends

from local_aws import clock

_waiting: queue.SimpleQueue[tuple[str, str, dict[str, Any]]] = queue.SimpleQueue()


def tell(account: str, region: str, *, source: str, kind: str, resources: list[str], detail: dict[str, Any]) -> None:
    """Put an event of a service onto the default bus, before the next request is answered. From any thread.

    `kind` is its `detail-type`, `resources` are ARNs.
    """
    event = {"Source": source, "DetailType": kind, "Resources": resources, "Detail": json.dumps(detail)}
    _waiting.put((account, region, event))


def _deliver(_now: float) -> None:
    while not _waiting.empty():
        account, region, event = _waiting.get()
        events_backends[account][region].put_events([event])


def install() -> None:
    """Put it into moto's EventBridge. A second time changes nothing."""
    clock.every_request(_deliver)
    if hasattr(Rule, "_constant_input"):
        return
    send = Rule._send_to_sqs_queue
    send_to_targets = Rule.send_to_targets
    Rule._constant_input = None

    def send_each(self: Any, original_event: Any, transform_input: bool = True) -> None:
        every = self.targets
        for target in list(every):
            if ":sns:" in target["Arn"]:
                _publish(self, target, original_event)
                continue
            self.targets, self._constant_input = [target], target.get("Input")
            try:
                # moto makes a new parser for every event, which takes 40 ms.
                send_to_targets(self, original_event, transform_input and "InputTransformer" in target)
            finally:
                self.targets, self._constant_input = every, None

    def send_to_sqs_queue(self: Any, resource_id: str, event: Any, group_id: str | None = None) -> None:
        given = json.loads(self._constant_input) if self._constant_input else event
        send(self, resource_id, given, group_id)

    Rule.send_to_targets = send_each
    Rule._send_to_sqs_queue = send_to_sqs_queue


def _publish(rule: Any, target: dict[str, Any], event: Any) -> None:
    """To a topic, which moto's rules do not know."""
    if not rule.event_pattern.matches_event(event):
        return
    if "InputTransformer" in target:
        event = EventTemplateParser.parse(
            input_template=target["InputTransformer"]["InputTemplate"],
            input_paths_map=target["InputTransformer"].get("InputPathsMap", {}),
            event=event,
        )
    text = target.get("Input") or (event if isinstance(event, str) else json.dumps(event))
    sns_backends[rule.account_id][rule.region_name].publish(message=text, arn=target["Arn"])

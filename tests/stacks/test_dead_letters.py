"""Every queue of dead letters, in every stack of every example, raises an alarm that reaches somebody."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conftest import of_type, read_stacks

QUEUE = re.compile(r"\$\{aws_sqs_queue\.(\w+)\.arn\}")


def _dead_letters(stack: dict[str, Any]) -> set[str]:
    """Queues that others redrive to, or that events, functions and subscriptions name for what they could not do."""
    return {found for text in _targets(stack["resource"]) for found in QUEUE.findall(text)}


def _targets(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _targets(each)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "redrive_policy":
                yield json.loads(inner)["deadLetterTargetArn"]
            elif key in ("dead_letter_config", "on_failure"):
                yield json.dumps(inner)
            else:
                yield from _targets(inner)


def _watched(stack: dict[str, Any]) -> set[str]:
    """Queues with an alarm on what is visible in them, which a topic of the stack hears of."""
    topics = {f"${{aws_sns_topic_policy.{name}.arn}}" for name in of_type(stack, "aws_sns_topic_policy")}
    found = set()
    for alarm in of_type(stack, "aws_cloudwatch_metric_alarm").values():
        if alarm["metric_name"] != "ApproximateNumberOfMessagesVisible" or not topics & set(alarm["alarm_actions"]):
            continue
        assert (alarm["namespace"], alarm["threshold"]) == ("AWS/SQS", 0)
        found.add(alarm["dimensions"]["QueueName"].removeprefix("${aws_sqs_queue.").removesuffix(".name}"))
    return found


def test_every_queue_of_dead_letters_has_an_alarm_that_reaches_a_topic(examples: dict[str, Path]) -> None:
    there = {}
    for example, out in examples.items():
        for name, stack in read_stacks(out).items():
            if dead := _dead_letters(stack):
                there[name] = dead
                assert dead <= _watched(stack), f"{example}, stack {name}: {dead - _watched(stack)} have no alarm"
    assert there == {"datasync": {"arrivals_dead_letters"}, "file_gateway": {"refresh_dead_letters"}}

"""The queue of objects that have arrived in a bucket: filled by EventBridge, with a place for what nobody can use."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import (
    CloudwatchEventTarget,
    CloudwatchEventTargetDeadLetterConfig,
)
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
from constructs import Construct

from contract import names
from modules.addresses import MAIN
from modules.event_queue import filled_by, redrive_policy

# The longest that SQS keeps a message, 14 days: an execution over a large collection takes days.
RETENTION_SECONDS = 1_209_600
# Of reading a message without deleting it, before it goes to the dead letters. If AWS refuses a name that looked right,
# half of the batch at least is copied each time: what waits beside that name gets out before.
ATTEMPTS = 10


@dataclass(frozen=True, kw_only=True)
class ArrivalsProps:
    """`key_prefix` is what the keys begin with that count, "" all.

    `visibility_seconds` is how long a message that was read stays hidden: longer than its reader may run.
    """

    name: str
    bucket_name: str
    key_prefix: str
    visibility_seconds: int


class Arrivals(Construct):
    """`queue_url` and `queue_arn` of the arrivals; `dead_letters_name` and `dead_letters_url` of what is left over."""

    def __init__(self, scope: Construct, id_: str, props: ArrivalsProps) -> None:
        super().__init__(scope, id_)
        dead_letters = SqsQueue(
            self,
            "dead_letters",
            name=dead_letters_name(props.name),
            message_retention_seconds=RETENTION_SECONDS,
            sqs_managed_sse_enabled=True,
        )
        queue = SqsQueue(
            self,
            "queue",
            name=props.name,
            message_retention_seconds=RETENTION_SECONDS,
            visibility_timeout_seconds=props.visibility_seconds,
            sqs_managed_sse_enabled=True,
            redrive_policy=redrive_policy(dead_letters.arn, ATTEMPTS),
        )
        rule = CloudwatchEventRule(
            self,
            MAIN,
            name=props.name,
            description=f"Objects that arrive in {props.bucket_name}",
            event_pattern=json.dumps(_pattern(props)),
        )
        policies = [filled_by(rule, queue, self, "queue_policy")]
        policies.append(filled_by(rule, dead_letters, self, "dead_letters_policy"))
        CloudwatchEventTarget(
            self,
            "target",
            rule=rule.name,
            target_id="queue",
            arn=queue.arn,
            # Where events go that EventBridge could not put into the queue for a day.
            dead_letter_config=CloudwatchEventTargetDeadLetterConfig(arn=dead_letters.arn),
            depends_on=policies,
        )
        self.queue_url = queue.url
        self.queue_arn = queue.arn
        self.dead_letters_name = dead_letters.name
        self.dead_letters_url = dead_letters.url


def dead_letters_name(name: str) -> str:
    """The name of the dead letters of the queue `name`, for those that do not have the queue."""
    return names.suffixed("queue", name, "-dead-letters")


def _pattern(props: ArrivalsProps) -> dict[str, object]:
    detail: dict[str, object] = {"bucket": {"name": [props.bucket_name]}}
    if props.key_prefix:
        detail["object"] = {"key": [{"prefix": props.key_prefix}]}
    return {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}

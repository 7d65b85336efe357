"""Refresh a file share's cache when something changes in its bucket, at most once in 5 minutes.

S3 tells EventBridge, which puts the same message into a FIFO queue every time. SQS takes a message with the same body
once in 5 minutes and drops the others (SQS Developer Guide, "Exactly-once processing"); it hands it out after a delay
that is a little longer, so that the refresh comes after every change whose message was dropped. All messages are of
one group, so that no two are in work at once: there is never more than one refresh asked for at a time, and
RefreshCache takes two. What is refused nevertheless is tried again, and ends in the dead-letter queue.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget, CloudwatchEventTargetSqsTarget
from cdktf_cdktf_provider_aws.lambda_event_source_mapping import LambdaEventSourceMapping
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
from constructs import Construct

from contract import names
from contract.policy import Statement
from modules.event_queue import filled_by, redrive_policy
from modules.function import Function, FunctionProps
from modules.log_group import LogSettings

# SQS's own interval is 300 s; the rest is for clocks that differ.
DELAY_SECONDS = 330
TIMEOUT_SECONDS = 30
# Lambda asks for six times the function's time-out (its guide, "Using Lambda with Amazon SQS").
VISIBILITY_SECONDS = 6 * TIMEOUT_SECONDS
ATTEMPTS = 10
FOURTEEN_DAYS = 14 * 86_400


@dataclass(frozen=True, kw_only=True)
class CacheRefreshProps:
    """`name` is that of rule, queue and function. `share_arn` is the file share of the bucket `bucket_name`."""

    name: str
    bucket_name: str
    share_arn: str
    log_group_name: str
    logs: LogSettings


class CacheRefresh(Construct):
    """`dead_letter_queue_name` has what could not be done in ten attempts."""

    def __init__(self, scope: Construct, id_: str, props: CacheRefreshProps) -> None:
        super().__init__(scope, id_)
        dead = SqsQueue(
            self,
            "dead_letters",
            name=failures_name(props.name),
            fifo_queue=True,
            message_retention_seconds=FOURTEEN_DAYS,
            sqs_managed_sse_enabled=True,
        )
        queue = SqsQueue(
            self,
            "queue",
            name=names.suffixed("queue", props.name, ".fifo"),
            fifo_queue=True,
            content_based_deduplication=True,
            delay_seconds=DELAY_SECONDS,
            visibility_timeout_seconds=VISIBILITY_SECONDS,
            sqs_managed_sse_enabled=True,
            redrive_policy=redrive_policy(dead.arn, ATTEMPTS),
        )
        self._listen(props, queue)
        function = Function(
            self,
            "function",
            FunctionProps(
                name=props.name,
                description="Refreshes the File Gateway's cache when its bucket has changed",
                code="refresh_cache",
                timeout_seconds=TIMEOUT_SECONDS,
                log_group_name=props.log_group_name,
                logs=props.logs,
                statements=(
                    Statement(
                        sid="TakeMessages",
                        actions=("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
                        resources=(queue.arn,),
                    ),
                    Statement(
                        sid="RefreshTheShare",
                        actions=("storagegateway:RefreshCache",),
                        resources=(props.share_arn,),
                    ),
                ),
            ),
        )
        LambdaEventSourceMapping(
            self, "messages", event_source_arn=queue.arn, function_name=function.arn, batch_size=10
        )
        self.dead_letter_queue_name = dead.name

    def _listen(self, props: CacheRefreshProps, queue: SqsQueue) -> None:
        rule = CloudwatchEventRule(
            self,
            "rule",
            name=props.name,
            description="Something has changed in the bucket of the File Gateway",
            event_pattern=json.dumps(
                {
                    "source": ["aws.s3"],
                    "detail-type": ["Object Created", "Object Deleted"],
                    "detail": {"bucket": {"name": [props.bucket_name]}},
                }
            ),
        )
        allowed = filled_by(rule, queue, self, "queue_policy")
        CloudwatchEventTarget(
            self,
            "target",
            rule=rule.name,
            arn=queue.arn,
            # The same every time: that is what makes SQS drop all but one.
            input=json.dumps({"file_share_arn": props.share_arn}),
            sqs_target=CloudwatchEventTargetSqsTarget(message_group_id="refresh"),
            depends_on=[allowed],
        )


def failures_name(name: str) -> str:
    """The name of the dead letters of a `CacheRefresh` of this name, for those that do not have it."""
    return names.suffixed("queue", name, "-failed.fifo")

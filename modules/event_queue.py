"""What the queues that EventBridge fills have in common."""

from __future__ import annotations

import json

from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
from cdktf_cdktf_provider_aws.sqs_queue_policy import SqsQueuePolicy
from constructs import Construct

from contract.policy import Statement, document


def redrive_policy(dead_letters_arn: str, attempts: int) -> str:
    """After so many attempts a message goes to the dead letters.

    Without spaces, as SQS gives it back: Terraform compares the text.
    """
    policy = {"deadLetterTargetArn": dead_letters_arn, "maxReceiveCount": attempts}
    return json.dumps(policy, separators=(",", ":"))


def filled_by(rule: CloudwatchEventRule, queue: SqsQueue, scope: Construct, id_: str) -> SqsQueuePolicy:
    """Let the rule, and nobody else, send to the queue."""
    return SqsQueuePolicy(
        scope,
        id_,
        queue_url=queue.url,
        policy=document(
            Statement(
                sid="TheRuleSends",
                actions=("sqs:SendMessage",),
                resources=(queue.arn,),
                principals={"Service": ("events.amazonaws.com",)},
                conditions={"ArnEquals": {"aws:SourceArn": rule.arn}},
            )
        ),
    )

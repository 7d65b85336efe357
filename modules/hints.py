"""The queue of events that say that something may have arrived: each is a hint, and none has to come."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
from constructs import Construct

from contract.policy import Statement
from modules.addresses import MAIN
from modules.event_queue import filled_by

# What has arrived longer ago has been looked at, hint or no hint.
RETENTION_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class HintsProps:
    """`patterns` are EventBridge's; an event that fits one of them is a hint."""

    name: str
    patterns: Sequence[dict[str, Any]]


class Hints(Construct):
    """`queue_url` and `queue_name`; `use` is the right to read it.

    There are no dead letters: who reads a hint deletes it.
    """

    def __init__(self, scope: Construct, id_: str, props: HintsProps) -> None:
        super().__init__(scope, id_)
        queue = SqsQueue(
            self,
            "queue",
            name=props.name,
            message_retention_seconds=RETENTION_SECONDS,
            sqs_managed_sse_enabled=True,
        )
        rule = CloudwatchEventRule(
            self,
            MAIN,
            name=props.name,
            description="Files that may have arrived in a watched folder",
            event_pattern=json.dumps({"$or": list(props.patterns)}),
        )
        policy = filled_by(rule, queue, self, "queue_policy")
        CloudwatchEventTarget(self, "target", rule=rule.name, target_id="queue", arn=queue.arn, depends_on=[policy])
        self.queue_url, self.queue_name = queue.url, queue.name
        self.use = Statement(
            sid="TakeHints", actions=("sqs:DeleteMessage", "sqs:ReceiveMessage"), resources=(queue.arn,)
        )


def uploads_by_sftp(file_system_id: str) -> Sequence[dict[str, Any]]:
    """Of Transfer Family, onto a file system: many clients write under another name, and rename what is complete.

    (Transfer Family user guide, "Transfer Family events detail reference".)
    """
    ours = [{"prefix": f"/{file_system_id}/"}]
    return [
        {
            "source": ["aws.transfer"],
            "detail-type": [f"SFTP Server File {what} Completed"],
            "detail": {field: ours},
        }
        for what, field in (("Upload", "file-path"), ("Rename", "renamed-file-path"))
    ]


def refreshed_shares(share_arn: str | None) -> dict[str, Any]:
    """Of Storage Gateway: servers see an object that was put into the bucket once the cache was refreshed, not before.

    `share_arn` None is any share of the account. (S3 File Gateway user guide, "Getting refresh cache notification".)
    """
    return {
        "source": ["aws.storagegateway"],
        "detail-type": ["Storage Gateway Refresh Cache Event"],
        **({"resources": [share_arn]} if share_arn else {}),
    }


def uploads_by_gateway(bucket_name: str) -> dict[str, Any]:
    """Of Storage Gateway: what clients have written to a share, if that share has a notification policy.

    (The same guide, "Getting file upload notification".)
    """
    return {
        "source": ["aws.storagegateway"],
        "detail-type": ["Storage Gateway Object Upload Event"],
        "detail": {"bucket-name": [bucket_name]},
    }


def ended_executions() -> dict[str, Any]:
    """Of DataSync: one that failed may have copied some, too."""
    return {
        "source": ["aws.datasync"],
        "detail-type": ["DataSync Task Execution State Change"],
        "detail": {"State": ["SUCCESS", "ERROR"]},
    }

"""An SNS topic that a program of ours sends messages for people to, and nothing else does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constructs import Construct

from contract.policy import Statement
from modules.account import Account
from modules.alarm_topic import subscribed_topic


@dataclass(frozen=True, kw_only=True)
class ReportTopicProps:
    """`emails` are subscribed; each has to confirm. `key_arn` is the topic's key."""

    name: str
    account: Account
    key_arn: str
    emails: Sequence[str]


class ReportTopic(Construct):
    """`arn`; `use` are the rights to publish there. No service has any, so that it needs no policy of its own."""

    def __init__(self, scope: Construct, id_: str, props: ReportTopicProps) -> None:
        super().__init__(scope, id_)
        self.arn = subscribed_topic(self, name=props.name, key_arn=props.key_arn, emails=props.emails).arn
        self.use = (
            Statement(sid="SendReports", actions=("sns:Publish",), resources=(self.arn,)),
            # SNS asks KMS with the publisher's rights (its developer guide, "Managing Amazon SNS encryption keys").
            Statement(
                sid="EncryptReports",
                actions=("kms:Decrypt", "kms:GenerateDataKey"),
                resources=(props.key_arn,),
                conditions=props.account.kms_via("sns"),
            ),
        )

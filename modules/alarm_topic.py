"""An SNS topic that people hear alarms from, and the alarms of CloudWatch and EventBridge that lead there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdktf_cdktf_provider_aws.cloudwatch_log_metric_filter import (
    CloudwatchLogMetricFilter,
    CloudwatchLogMetricFilterMetricTransformation,
)
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sns_topic_policy import SnsTopicPolicy
from cdktf_cdktf_provider_aws.sns_topic_subscription import SnsTopicSubscription
from constructs import Construct

from contract.policy import Statement, document
from modules.account import Account
from modules.addresses import MAIN

PUBLISHERS = ("events.amazonaws.com", "cloudwatch.amazonaws.com")
"""Services that the key of the topic has to let in."""

PERIOD_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class AlarmTopicProps:
    """`emails` are subscribed; each has to confirm. `key_arn` must let `PUBLISHERS` in."""

    name: str
    account: Account
    key_arn: str
    emails: Sequence[str]


class AlarmTopic(Construct):
    """`arn`, known once its policy lets the services publish."""

    def __init__(self, scope: Construct, id_: str, props: AlarmTopicProps) -> None:
        super().__init__(scope, id_)
        topic = subscribed_topic(self, name=props.name, key_arn=props.key_arn, emails=props.emails)
        policy = SnsTopicPolicy(self, "policy", arn=topic.arn, policy=_policy(topic.arn, props.account))
        self.arn = policy.arn

    def alarm(
        self,
        id_: str,
        *,
        name: str,
        description: str,
        namespace: str,
        metric: str,
        dimensions: Mapping[str, str],
        statistic: str,
        periods: int = 1,
    ) -> None:
        """An alarm as long as the metric was above 0 in each of the last `periods`, of 5 minutes."""
        self._alarm(
            id_,
            alarm_name=name,
            alarm_description=description,
            namespace=namespace,
            metric_name=metric,
            dimensions=dict(dimensions),
            statistic=statistic,
            evaluation_periods=periods,
            threshold=0,
            comparison_operator="GreaterThanThreshold",
            treat_missing_data="notBreaching",
        )

    def limit_alarm(self, id_: str, *, name: str, description: str, namespace: str, metric: str, limit: float) -> None:
        """An alarm as long as the metric was above `limit`, or had no value at all, for 15 minutes."""
        self._alarm(
            id_,
            alarm_name=name,
            alarm_description=description,
            namespace=namespace,
            metric_name=metric,
            statistic="Maximum",
            evaluation_periods=3,
            threshold=limit,
            comparison_operator="GreaterThanThreshold",
            # Who does not say how it is may be stuck.
            treat_missing_data="breaching",
        )

    def silence_alarm(
        self, id_: str, *, name: str, description: str, namespace: str, log_group_name: str, line: str
    ) -> None:
        """An alarm as long as a log group has had no event with `line` in it for 5 minutes.

        `namespace` is the metric's that counts them; its name is the alarm's.
        """
        self._alarm(
            id_,
            alarm_name=name,
            alarm_description=description,
            namespace=namespace,
            metric_name=self._counted(id_, name, namespace, log_group_name, line),
            statistic="Sum",
            evaluation_periods=1,
            threshold=1,
            comparison_operator="LessThanThreshold",
            # Who says nothing writes no line, and the metric has no value.
            treat_missing_data="breaching",
        )

    def line_alarm(
        self, id_: str, *, name: str, description: str, namespace: str, log_group_name: str, line: str
    ) -> None:
        """An alarm as long as a log group had an event with `line` in it in the last 5 minutes."""
        metric = self._counted(id_, name, namespace, log_group_name, line)
        self.alarm(
            id_,
            name=name,
            description=description,
            namespace=namespace,
            metric=metric,
            dimensions={},
            statistic="Sum",
        )

    def _counted(self, id_: str, name: str, namespace: str, log_group_name: str, line: str) -> str:
        """The name of a metric that counts the events of a log group with a line in them."""
        counted = CloudwatchLogMetricFilter(
            self,
            f"{id_}_lines",
            name=name,
            log_group_name=log_group_name,
            pattern=f'"{line}"',
            metric_transformation=CloudwatchLogMetricFilterMetricTransformation(
                namespace=namespace, name=name, value="1"
            ),
        )
        return str(counted.metric_transformation.name)

    def _alarm(self, id_: str, **settings: Any) -> None:
        """One that tells the topic when it begins and when it ends."""
        CloudwatchMetricAlarm(
            self, id_, period=PERIOD_SECONDS, alarm_actions=[self.arn], ok_actions=[self.arn], **settings
        )


def subscribed_topic(scope: Construct, *, name: str, key_arn: str, emails: Sequence[str]) -> SnsTopic:
    """An encrypted topic; each of `emails` is subscribed, and has to confirm."""
    topic = SnsTopic(scope, MAIN, name=name, kms_master_key_id=key_arn)
    for email in emails:
        SnsTopicSubscription(scope, f"subscription_{email}", topic_arn=topic.arn, protocol="email", endpoint=email)
    return topic


def _policy(arn: str, account: Account) -> str:
    events, alarms = PUBLISHERS
    return document(
        # EventBridge takes no condition in a topic's policy (its user guide, "Amazon SNS permissions").
        Statement(sid="RulesPublish", actions=("sns:Publish",), resources=(arn,), principals={"Service": (events,)}),
        Statement(
            sid="AlarmsOfThisAccountPublish",
            actions=("sns:Publish",),
            resources=(arn,),
            principals={"Service": (alarms,)},
            conditions={
                "StringEquals": {"aws:SourceAccount": account.id},
                "ArnLike": {"aws:SourceArn": account.arn("cloudwatch", "alarm:*")},
            },
        ),
    )

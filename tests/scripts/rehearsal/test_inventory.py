"""The inventory sees what the stack `datasync` makes."""

from __future__ import annotations

import json

import boto3
from moto import mock_aws

from scripts.rehearsal import inventory


def test_sees_queues_topics_alarms_rules_and_policies() -> None:
    with mock_aws():
        session = boto3.Session("testing", "testing", region_name="eu-west-1")
        queue = session.client("sqs").create_queue(QueueName="a")["QueueUrl"]
        topic = session.client("sns").create_topic(Name="a")["TopicArn"]
        session.client("events").put_rule(Name="a", ScheduleExpression="rate(1 minute)")
        session.client("cloudwatch").put_metric_alarm(
            AlarmName="a",
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Statistic="Maximum",
            Period=300,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
        )
        session.client("logs").put_resource_policy(policyName="a", policyDocument=json.dumps({}))
        wanted = {"queue": queue, "topic": topic, "alarm": "a", "event rule": "a", "log resource policy": "a"}
        found = {kind: set(inventory._ids(session, inventory.KINDS[kind])) for kind in wanted}
        assert found == {kind: {id_} for kind, id_ in wanted.items()}
        for kind in ("DataSync task", "DataSync location", "function"):
            assert set(inventory._ids(session, inventory.KINDS[kind])) == set()

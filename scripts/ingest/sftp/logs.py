"""What the server logs, for how long it is kept, and the alarm on refused keys."""

from __future__ import annotations

from typing import Any

from contract.outputs import Network
from contract.sections.sftp import SftpOutputs
from scripts import aws
from scripts.changes import Changes
from scripts.ingest.sftp.context import SftpContext

# An event of Transfer Family's structured log for each key that is refused (its user guide, "Structured JSON logs").
PATTERN = '{ $.activity-type = "AUTH_FAILURE" }'
METRIC = "SftpRefusedKeys"
PERIOD_SECONDS = 300


def ensure_group(context: SftpContext, changes: Changes) -> None:
    """The log group, its retention and its key."""
    logs, name = context.deployment.client("logs"), context.log_group_name
    key, days = context.deployment.parameter(Network.log_key_arn), context.settings.log_retention_days
    found = _group(logs, name)
    if found is None:
        changes.do(
            f"log group {name}: created",
            lambda: logs.create_log_group(logGroupName=name, kmsKeyId=key, tags=context.tags),
        )
    elif found.get("kmsKeyId") != key:
        changes.do(
            f"log group {name}: encrypted with the key of the workspace's logs",
            lambda: logs.associate_kms_key(logGroupName=name, kmsKeyId=key),
        )
    if found is None or found.get("retentionInDays") != days:
        changes.do(
            f"log group {name}: retention set to {days} days",
            lambda: logs.put_retention_policy(logGroupName=name, retentionInDays=days),
        )


def _group(logs: Any, name: str) -> Any:
    groups = aws.rows(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    return next((group for group in groups if group["logGroupName"] == name), None)


def alarm_name(context: SftpContext) -> str:
    """Of the alarm and of the metric filter that it counts by."""
    return f"{context.name}-refused-keys"


def ensure_alarm(context: SftpContext, changes: Changes) -> None:
    """The alarm on refused keys, and what it counts by."""
    logs, cloudwatch = context.deployment.client("logs"), context.deployment.client("cloudwatch")
    group, name = context.log_group_name, alarm_name(context)
    metric = {"metricName": METRIC, "metricNamespace": _namespace(context), "metricValue": "1", "defaultValue": 0.0}
    counted = _filter(logs, group, name)
    if not (_has(counted, {"filterPattern": PATTERN}) and _has(counted["metricTransformations"][0], metric)):
        changes.do(
            f"log group {group}: metric filter of refused keys set",
            lambda: logs.put_metric_filter(
                logGroupName=group, filterName=name, filterPattern=PATTERN, metricTransformations=[metric]
            ),
        )
    wanted = _alarm(context)
    found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    if not _has(found[0] if found else None, wanted):
        changes.do(
            f"alarm {name}: at {context.settings.failed_logins} refused keys within five minutes",
            lambda: cloudwatch.put_metric_alarm(**wanted, Tags=aws.tag_list(context.tags)),
        )


def _filter(logs: Any, group: str, name: str) -> Any:
    found = aws.read(
        lambda: logs.describe_metric_filters(logGroupName=group, filterNamePrefix=name)["metricFilters"],
        "ResourceNotFoundException",
    )
    return next((row for row in found or [] if row["filterName"] == name), None)


def _namespace(context: SftpContext) -> str:
    return f"OMERO/{context.deployment.workspace.name}"


def _alarm(context: SftpContext) -> dict[str, Any]:
    topic = context.deployment.parameter(SftpOutputs.alarm_topic_arn)
    return {
        "AlarmName": alarm_name(context),
        "AlarmDescription": "The SFTP endpoint refused keys: its log group shows the users and the addresses.",
        "Namespace": _namespace(context),
        "MetricName": METRIC,
        "Statistic": "Sum",
        "Period": PERIOD_SECONDS,
        "EvaluationPeriods": 1,
        "Threshold": float(context.settings.failed_logins),
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [topic],
        "OKActions": [topic],
    }


def _has(found: Any, wanted: dict[str, Any]) -> bool:
    return found is not None and all(found.get(key) == value for key, value in wanted.items())


def remove(context: SftpContext, changes: Changes, *, with_logs: bool) -> None:
    """Take the alarm away, and `with_logs` what was logged."""
    logs, cloudwatch = context.deployment.client("logs"), context.deployment.client("cloudwatch")
    group, name = context.log_group_name, alarm_name(context)
    if cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]:
        changes.do(f"alarm {name}: deleted", lambda: cloudwatch.delete_alarms(AlarmNames=[name]))
    if _filter(logs, group, name):
        changes.do(
            f"log group {group}: metric filter of refused keys deleted",
            lambda: logs.delete_metric_filter(logGroupName=group, filterName=name),
        )
    if with_logs and _group(logs, group):
        changes.do(
            f"log group {group}: deleted with everything in it", lambda: logs.delete_log_group(logGroupName=group)
        )


def last_event(context: SftpContext) -> tuple[str, int] | None:
    """Stream and time (milliseconds since 1970) of the newest event. CloudWatch knows of it within an hour."""
    logs = context.deployment.client("logs")
    answer = aws.read(
        lambda: logs.describe_log_streams(
            logGroupName=context.log_group_name, orderBy="LastEventTime", descending=True, limit=1
        )["logStreams"],
        "ResourceNotFoundException",
    )
    for stream in answer or []:
        if "lastEventTimestamp" in stream:
            return stream["logStreamName"], stream["lastEventTimestamp"]
    return None

"""What the server logs, for how long it is kept, and the alarm on refused keys."""

from __future__ import annotations

from typing import Any

from scripts import aws
from scripts.changes import Changes
from scripts.ingest.sftp.context import Site

# An event of Transfer Family's structured log for each key that is refused (its user guide, "Structured JSON logs").
PATTERN = '{ $.activity-type = "AUTH_FAILURE" }'
METRIC = "SftpRefusedKeys"
PERIOD_SECONDS = 300


def ensure_group(site: Site, changes: Changes) -> None:
    """The log group, its retention and its key."""
    logs, name = site.opened.client("logs"), site.log_group_name
    key, days = site.opened.parameter("sftp/key_arn"), site.settings.log_retention_days
    found = _group(logs, name)
    if found is None:
        changes.do(
            f"log group {name}: made",
            lambda: logs.create_log_group(logGroupName=name, kmsKeyId=key, tags=site.tags),
        )
    elif found.get("kmsKeyId") != key:
        changes.do(
            f"log group {name}: encrypted with the key of the stack sftp",
            lambda: logs.associate_kms_key(logGroupName=name, kmsKeyId=key),
        )
    if found is None or found.get("retentionInDays") != days:
        changes.do(
            f"log group {name}: kept for {days} days",
            lambda: logs.put_retention_policy(logGroupName=name, retentionInDays=days),
        )


def _group(logs: Any, name: str) -> Any:
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name):
        for group in page["logGroups"]:
            if group["logGroupName"] == name:
                return group
    return None


def alarm_name(site: Site) -> str:
    """Of the alarm and of the metric filter that it counts by."""
    return f"{site.name}-refused-keys"


def ensure_alarm(site: Site, changes: Changes) -> None:
    """The alarm on refused keys, and what it counts by."""
    logs, cloudwatch = site.opened.client("logs"), site.opened.client("cloudwatch")
    group, name = site.log_group_name, alarm_name(site)
    metric = {"metricName": METRIC, "metricNamespace": _namespace(site), "metricValue": "1", "defaultValue": 0.0}
    counted = _filter(logs, group, name)
    if not (_has(counted, {"filterPattern": PATTERN}) and _has(counted["metricTransformations"][0], metric)):
        changes.do(
            f"log group {group}: refused keys are counted",
            lambda: logs.put_metric_filter(
                logGroupName=group, filterName=name, filterPattern=PATTERN, metricTransformations=[metric]
            ),
        )
    wanted = _alarm(site)
    found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    if not _has(found[0] if found else None, wanted):
        changes.do(
            f"alarm {name}: at {site.settings.failed_logins} refused keys within five minutes",
            lambda: cloudwatch.put_metric_alarm(**wanted, Tags=aws.tag_list(site.tags)),
        )


def _filter(logs: Any, group: str, name: str) -> Any:
    found = aws.read(
        lambda: logs.describe_metric_filters(logGroupName=group, filterNamePrefix=name)["metricFilters"],
        "ResourceNotFoundException",
    )
    return next((row for row in found or [] if row["filterName"] == name), None)


def _namespace(site: Site) -> str:
    return f"OMERO/{site.opened.workspace.name}"


def _alarm(site: Site) -> dict[str, Any]:
    topic = site.opened.parameter("sftp/alarm_topic_arn")
    return {
        "AlarmName": alarm_name(site),
        "AlarmDescription": "Keys were refused at the SFTP endpoint: its log group says whose and from where.",
        "Namespace": _namespace(site),
        "MetricName": METRIC,
        "Statistic": "Sum",
        "Period": PERIOD_SECONDS,
        "EvaluationPeriods": 1,
        "Threshold": float(site.settings.failed_logins),
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [topic],
        "OKActions": [topic],
    }


def _has(found: Any, wanted: dict[str, Any]) -> bool:
    return found is not None and all(found.get(key) == value for key, value in wanted.items())


def remove(site: Site, changes: Changes, *, with_logs: bool) -> None:
    """Take the alarm away, and `with_logs` what was logged."""
    logs, cloudwatch = site.opened.client("logs"), site.opened.client("cloudwatch")
    group, name = site.log_group_name, alarm_name(site)
    if cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]:
        changes.do(f"alarm {name}: deleted", lambda: cloudwatch.delete_alarms(AlarmNames=[name]))
    if _filter(logs, group, name):
        changes.do(
            f"log group {group}: refused keys are no longer counted",
            lambda: logs.delete_metric_filter(logGroupName=group, filterName=name),
        )
    if with_logs and _group(logs, group):
        changes.do(
            f"log group {group}: deleted with all that is in it", lambda: logs.delete_log_group(logGroupName=group)
        )


def last_event(site: Site) -> tuple[str, int] | None:
    """Stream and time (milliseconds since 1970) of the newest event. CloudWatch knows of it within an hour."""
    logs = site.opened.client("logs")
    answer = aws.read(
        lambda: logs.describe_log_streams(
            logGroupName=site.log_group_name, orderBy="LastEventTime", descending=True, limit=1
        )["logStreams"],
        "ResourceNotFoundException",
    )
    for stream in answer or []:
        if "lastEventTimestamp" in stream:
            return stream["logStreamName"], stream["lastEventTimestamp"]
    return None

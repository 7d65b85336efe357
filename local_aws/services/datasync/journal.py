"""What an execution tells: lines in CloudWatch Logs and the task report in S3.

Layout and words follow AWS's documentation where it shows them; the rest is unproved:
https://docs.aws.amazon.com/datasync/latest/userguide/task-reports.html and .../troubleshooting-task-verification.html
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from datetime import UTC, datetime
from typing import Any

from moto.logs.models import logs_backends
from moto.s3.models import s3_backends

from local_aws.application import LocalAwsApplication
from local_aws.services.datasync import checks, roles
from local_aws.services.datasync.source import Item
from local_aws.services.datasync.state import Execution, Json

_STATUS = {"Transferred": "Transfer", "Skipped": "Skip", "Verified": "Verify", "Deleted": "Delete"}


class Journal:
    """Log lines and report entries of one execution. `LogLevel`: BASIC has errors and the course, TRANSFER all."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.entries: dict[str, list[Json]] = {kind: [] for kind in _STATUS}
        self._lines: list[Json] = []
        self._warned = False

    def log(self, level: str, text: str, **fields: Any) -> None:
        """One line; Enhanced mode writes it as JSON."""
        wanted = self.execution.settings["Options"]["LogLevel"]
        if wanted == "OFF" or (wanted == "BASIC" and level == "INFO" and fields):
            return
        line = f"[{level}] {text}"
        if self.execution.task.mode == "ENHANCED":
            line = json.dumps({"Level": level, "TaskExecutionId": self.execution.id, "Message": text, **fields})
        self._lines.append({"timestamp": int(time.time() * 1000), "message": line})

    def entry(self, kind: str, item: Item, *, error: str = "", detail: str = "", **more: Any) -> None:
        """A file or folder that was transferred, skipped, verified or deleted, or could not be."""
        is_basic = self.execution.task.mode == "BASIC"
        row: Json = {
            "RelativePath": item.path if is_basic else item.path.lstrip("/"),
            "SrcMetadata" if is_basic else "SourceMetadata": item.metadata(),
            f"{_STATUS[kind]}Timestamp": _now(),
            f"{_STATUS[kind]}Status": "FAILED" if error else "SUCCESS",
            **more,
        }
        if error:
            row |= (
                {"FailureCode": error, "FailureReason": detail}
                if is_basic
                else {
                    "ErrorCode": error,
                    "ErrorDetail": detail,
                }
            )
        self.entries[kind].append(row)

    def flush(self) -> None:
        """Send the lines to the log group.

        In Basic mode DataSync needs a resource policy in CloudWatch Logs to write there. Without one, nothing is
        logged, and nothing is said of it.
        """
        lines, self._lines = self._lines, []
        task = self.execution.task
        name = checks.log_group_of(self.execution.settings)
        if task.mode == "ENHANCED":
            name = checks.ENHANCED_LOG_GROUP
        if not lines or not name:
            return
        with LocalAwsApplication.lock_for_backends:
            logs = logs_backends[task.backend.account_id][task.backend.region_name]
            if task.mode == "ENHANCED" and name not in logs.groups:
                logs.create_log_group(name, {})
            if name not in logs.groups or not (task.mode == "ENHANCED" or _may_log(logs)):
                self._warn(name)
                return
            stream = f"{task.id}-{self.execution.id}"
            logs.ensure_log_stream(name, stream)
            logs.put_log_events(name, stream, lines)

    def _warn(self, name: str) -> None:
        """For whoever runs the rehearsal: on AWS there is just no log."""
        if not self._warned:
            self._warned = True
            sys.stderr.write(
                f"DataSync: nothing is logged to {name}: it is missing, or no resource policy of CloudWatch Logs lets "
                "datasync.amazonaws.com write\n"
            )

    def write_report(self) -> None:
        """Put the task report into its bucket, and the outcome of that into the execution."""
        config = self.execution.settings.get("TaskReportConfig")
        if not config:
            return
        target = config["Destination"]["S3"]
        try:
            with LocalAwsApplication.lock_for_backends:
                bucket = checks.bucket_of(self.execution.task.backend, target["S3BucketArn"])
                for name, content in self._reports(config).items():
                    prefix = str(target.get("Subdirectory") or "").strip("/")
                    self._put(bucket.name, f"{prefix}/{name}".lstrip("/"), content)
        except Exception as error:
            self.execution.report = {"Status": "ERROR", "ErrorCode": "S3Error", "ErrorDetail": str(error)}
        else:
            self.execution.report = {"Status": "SUCCESS"}

    def _put(self, bucket: str, key: str, content: Json) -> None:
        backend, target = self.execution.task.backend, self.execution.settings["TaskReportConfig"]["Destination"]["S3"]
        if not roles.may_write(backend, target["S3BucketArn"], target["BucketAccessRoleArn"], key):
            raise PermissionError(f"Access denied: s3:PutObject {key}")
        value = json.dumps(content, ensure_ascii=False).encode()
        s3_backends[backend.account_id][backend.partition].put_object(bucket, key, value)

    def _reports(self, config: Json) -> dict[str, Json]:
        """Contents by their key below the subdirectory."""
        execution = self.execution
        folder = f"{execution.task.id}/{execution.id}/{execution.id}"
        reports = {f"Summary-Reports/{folder}.json": self._summary()}
        if config.get("OutputType", "SUMMARY_ONLY") == "SUMMARY_ONLY":
            return reports
        for kind, rows in self.entries.items():
            override = (config.get("Overrides") or {}).get(kind) or {}
            level = override.get("ReportLevel") or config.get("ReportLevel") or "ERRORS_ONLY"
            chosen = [
                row for row in rows if level == "SUCCESSES_AND_ERRORS" or row[f"{_STATUS[kind]}Status"] == "FAILED"
            ]
            if chosen:
                name = f"Detailed-Reports/{folder}.files-{kind.lower()}-v1-00001-{secrets.token_hex(9)[:17]}.json"
                reports[name] = {"TaskExecutionId": f"{execution.task.id}-{execution.id}", kind: chosen}
        return reports

    def _summary(self) -> Json:
        execution, task = self.execution, self.execution.task
        counters = execution.counters
        return {
            "TaskExecutionId": f"{task.id}-{execution.id}",
            "AccountId": task.backend.account_id,
            "SourceLocation": {"LocationArn": task.source.arn, "LocationUri": task.source.uri},
            "DestinationLocation": {"LocationArn": task.destination.arn, "LocationUri": task.destination.uri},
            "Options": execution.settings["Options"],
            "Result": {
                "Status": "ERROR" if execution.error else "SUCCESS",
                "ErrorCode": execution.error[0] if execution.error else "",
                "ErrorDetail": execution.error[1] if execution.error else "",
            },
            "StartTime": _now(execution.started),
            "EndTime": _now(),
            "TotalTime": int((time.time() - execution.started) * 1000),
            "PerformanceCounters": {
                "FilesTransferred": counters.transferred + counters.transferred_folders,
                "FilesSkipped": counters.skipped + counters.skipped_folders,
                "FilesVerified": counters.verified + counters.verified_folders,
                "FilesDeleted": counters.deleted + counters.deleted_folders,
                "FilesFailed": counters.failed,
                "BytesTransferred": counters.bytes_read,
                "BytesWritten": counters.bytes_written,
            },
        }


def _may_log(logs: Any) -> bool:
    return any("datasync.amazonaws.com" in str(policy.policy_document) for policy in logs.resource_policies.values())


def _now(seconds: float | None = None) -> str:
    return datetime.fromtimestamp(seconds or time.time(), UTC).isoformat(timespec="milliseconds")

"""What DataSync refuses in a task, and the options that it fills in.

https://docs.aws.amazon.com/datasync/latest/userguide/API_Options.html; the words of the messages are not AWS's own.
"""

from __future__ import annotations

import re
from typing import Any

from moto.core.utils import get_service_model
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends

from local_aws.rights import acting
from local_aws.services.datasync import filters, roles
from local_aws.services.datasync.state import Json, refused

ENHANCED_LOG_GROUP = "/aws/datasync"
_PREFIX = "Request parameters are invalid: "
_MINUTES = {"minute": 1, "minutes": 1, "hour": 60, "hours": 60, "day": 1440, "days": 1440}
_DEFAULTS = {
    "OverwriteMode": "ALWAYS",
    "Atime": "BEST_EFFORT",
    "Mtime": "PRESERVE",
    "Uid": "INT_VALUE",
    "Gid": "INT_VALUE",
    "PreserveDeletedFiles": "PRESERVE",
    "PreserveDevices": "NONE",
    "PosixPermissions": "PRESERVE",
    "BytesPerSecond": -1,
    "TaskQueueing": "ENABLED",
    "LogLevel": "OFF",
    "TransferMode": "CHANGED",
    "SecurityDescriptorCopyFlags": "NONE",
    "ObjectTags": "PRESERVE",
}
_VERIFY = {"BASIC": "POINT_IN_TIME_CONSISTENT", "ENHANCED": "ONLY_FILES_TRANSFERRED"}


def with_defaults(given: Json | None, mode: str) -> Json:
    """The options in full."""
    return {"VerifyMode": _VERIFY[mode], **_DEFAULTS, **(given or {})}


def check_options(options: Json, mode: str, *, has_manifest: bool) -> None:
    """Raises InvalidRequestException for values, and combinations of them, that DataSync does not take."""
    members = get_service_model("datasync").shape_for("Options").members
    for name, value in options.items():
        allowed = getattr(members.get(name), "enum", None)
        if name not in members or (allowed and value not in allowed):
            raise refused(f"{_PREFIX}{value} is not a valid value of option {name}.")
    if options["BytesPerSecond"] < -1 or options["BytesPerSecond"] == 0:
        raise refused(f"{_PREFIX}BytesPerSecond is -1, or a positive number.")
    wrong = ""
    if mode == "BASIC" and (options["Atime"] == "BEST_EFFORT") != (options["Mtime"] == "PRESERVE"):
        wrong = "Atime BEST_EFFORT goes with Mtime PRESERVE, and Atime NONE with Mtime NONE."
    elif mode == "ENHANCED" and options["Mtime"] == "NONE":
        wrong = "Mtime NONE is not supported by Enhanced mode tasks."
    elif mode == "ENHANCED" and options["VerifyMode"] == "POINT_IN_TIME_CONSISTENT":
        wrong = "VerifyMode POINT_IN_TIME_CONSISTENT is not supported by Enhanced mode tasks."
    elif options["PreserveDeletedFiles"] == "REMOVE" and options["TransferMode"] == "ALL":
        wrong = "PreserveDeletedFiles REMOVE cannot be used with TransferMode ALL."
    elif options["PreserveDeletedFiles"] == "REMOVE" and has_manifest:
        wrong = "PreserveDeletedFiles REMOVE cannot be used with a manifest."
    if wrong:
        raise refused(_PREFIX + wrong)


def check_schedule(schedule: Json | None) -> None:
    """Raises InvalidRequestException for a schedule that makes no sense, or runs more often than once an hour."""
    expression = (schedule or {}).get("ScheduleExpression") or ""
    if not expression:
        return
    status = (schedule or {}).get("Status", "ENABLED")
    if status not in ("ENABLED", "DISABLED"):
        raise refused(f"{_PREFIX}the status of a schedule is ENABLED or DISABLED, not {status}.")
    if rate := re.fullmatch(r"rate\((\d+) +(\w+)\)", expression):
        minutes = int(rate[1]) * _MINUTES.get(rate[2], 0)
    elif cron := re.fullmatch(r"cron\((.+)\)", expression):
        fields = cron[1].split()
        if len(fields) not in (5, 6):
            raise refused(f"{_PREFIX}invalid schedule expression {expression}.")
        minutes = 60 if re.fullmatch(r"[0-5]?\d", fields[0]) else 1
    else:
        raise refused(f"{_PREFIX}invalid schedule expression {expression}.")
    if minutes < 60:
        raise refused(f"{_PREFIX}a task cannot be scheduled at an interval shorter than 1 hour: {expression}.")


def check_settings(backend: Any, mode: str, settings: Json) -> None:
    """Raises InvalidRequestException for settings of a task or an execution that DataSync would not take."""
    for kind in ("Includes", "Excludes"):
        filters.check(kind, settings.get(kind))
    manifest, report = settings.get("ManifestConfig"), settings.get("TaskReportConfig")
    check_options(settings["Options"], mode, has_manifest=bool(manifest))
    check_schedule(settings.get("Schedule"))
    if manifest:
        if settings.get("Includes") or settings.get("Excludes"):
            raise refused(f"{_PREFIX}a manifest cannot be used together with filters.")
        source = (manifest.get("Source") or {}).get("S3")
        if not source:
            raise refused(f"{_PREFIX}a manifest needs a source.")
        check_role(backend, source["BucketAccessRoleArn"])
    if report:
        target = (report.get("Destination") or {}).get("S3")
        if not target:
            raise refused(f"{_PREFIX}a task report needs a destination.")
        check_role(backend, target["BucketAccessRoleArn"])
        bucket_of(backend, target["S3BucketArn"])
    name = log_group_of(settings)
    if name and mode == "ENHANCED" and name != ENHANCED_LOG_GROUP:
        raise refused(f"{_PREFIX}Enhanced mode tasks log to {ENHANCED_LOG_GROUP} only, not to {name}.")
    if name and mode == "BASIC" and name not in logs_backends[backend.account_id][backend.region_name].groups:
        raise refused(f"{_PREFIX}log group {name} is not found.")


def log_group_of(settings: Json) -> str:
    """The log group's name, "" where there is none."""
    return str(settings.get("CloudWatchLogGroupArn") or "").partition(":log-group:")[2].removesuffix(":*")


def check_role(backend: Any, role_arn: str) -> None:
    """Raises InvalidRequestException for a role that is not there, or that does not trust DataSync."""
    try:
        role = iam_backends[backend.account_id][backend.partition].get_role_by_arn(role_arn)
    except Exception as error:
        raise refused(f"Unable to assume role. Reason: Role {role_arn} is not found.") from error
    if acting.untrusted(role.arn, roles.SERVICE, backend.region_name, roles.sent_along(backend)):
        raise refused("Unable to assume role. Reason: Access denied when calling sts:AssumeRole")


def bucket_of(backend: Any, bucket_arn: str) -> Any:
    """moto's bucket. Raises InvalidRequestException for one that is not there."""
    name = bucket_arn.partition(":::")[2]
    try:
        return s3_backends[backend.account_id][backend.partition].get_bucket(name)
    except Exception as error:
        raise refused(
            f"DataSync location access test failed: could not perform s3:ListObjectsV2 on bucket {name}. "
            "The specified bucket does not exist."
        ) from error

"""Tasks and executions: creating, describing, changing, starting, cancelling, listing and deleting them."""

from __future__ import annotations

from typing import Any

from local_aws.actions import Action
from local_aws.services.datasync import checks, runner
from local_aws.services.datasync.faults import FAULTS
from local_aws.services.datasync.state import (
    Execution,
    Json,
    Task,
    arn,
    execution_of,
    location_of,
    new_id,
    page,
    refused,
    tags_of,
    task_of,
)

_PREFIX = "Request parameters are invalid: "
_MOST_QUEUED = 50  # https://docs.aws.amazon.com/datasync/latest/userguide/datasync-limits.html
_SETTINGS = (
    "CloudWatchLogGroupArn",
    "Name",
    "Excludes",
    "Includes",
    "Schedule",
    "ManifestConfig",
    "TaskReportConfig",
)


def create_task(backend: Any, request: Json) -> Json:
    source = location_of(backend, request["SourceLocationArn"])
    destination = location_of(backend, request["DestinationLocationArn"])
    mode = request.get("TaskMode") or "BASIC"
    if mode not in ("BASIC", "ENHANCED"):
        raise refused(f"{_PREFIX}TaskMode is BASIC or ENHANCED, not {mode}.")
    settings = {name: request[name] for name in _SETTINGS if request.get(name)}
    settings["Options"] = checks.with_defaults(request.get("Options"), mode)
    checks.check_settings(backend, mode, settings)
    task = Task(arn(backend, f"task/{new_id('task')}"), backend, source, destination, mode, _cleaned(settings))
    backend.tasks[task.arn] = task
    tags_of(backend, task.arn).update(_tags(request))
    return {"TaskArn": task.arn}


def _tags(request: Json) -> dict[str, str]:
    return {each["Key"]: each.get("Value", "") for each in request.get("Tags") or []}


def _cleaned(settings: Json) -> Json:
    """Without a schedule that says nothing, as Terraform sends to remove one."""
    if not (settings.get("Schedule") or {}).get("ScheduleExpression"):
        settings.pop("Schedule", None)
    elif "Status" not in settings["Schedule"]:
        settings["Schedule"] = {**settings["Schedule"], "Status": "ENABLED"}
    return settings


def update_task(backend: Any, request: Json) -> Json:
    task = task_of(backend, request["TaskArn"])
    settings = {**task.settings, **{name: request[name] for name in _SETTINGS if name in request}}
    settings["Options"] = {**task.settings["Options"], **(request.get("Options") or {})}
    settings = {name: value for name, value in settings.items() if value}
    checks.check_settings(backend, task.mode, settings)
    task.settings = _cleaned(settings)
    return {}


def describe_task(backend: Any, request: Json) -> Json:
    task = task_of(backend, request["TaskArn"])
    answer = {
        "TaskArn": task.arn,
        "Status": task.status,
        "SourceLocationArn": task.source.arn,
        "DestinationLocationArn": task.destination.arn,
        "CreationTime": task.created,
        "TaskMode": task.mode,
        "Excludes": [],
        "Includes": [],
        **task.settings,
    }
    if task.executions:
        answer["CurrentTaskExecutionArn"] = task.executions[-1].arn
    return answer


def list_tasks(backend: Any, request: Json) -> Json:
    rows = []
    for task in backend.tasks.values():
        found = {task.source.arn.rpartition("/")[2], task.destination.arn.rpartition("/")[2]}
        wanted = [one["Values"] for one in request.get("Filters") or [] if one["Name"] == "LocationId"]
        if all(found & {each.rpartition("/")[2] for each in values} for values in wanted):
            row = {"TaskArn": task.arn, "Status": task.status, "TaskMode": task.mode}
            rows.append({**row, **({"Name": task.settings["Name"]} if "Name" in task.settings else {})})
    return page(request, "Tasks", rows)


def delete_task(backend: Any, request: Json) -> Json:
    task = task_of(backend, request["TaskArn"])
    if task.present:
        raise refused(f"{_PREFIX}Task {task.arn} has an execution in progress: {task.present[0].id}.")
    del backend.tasks[task.arn]
    for execution in task.executions:
        del backend.task_executions[execution.arn]
    tags_of(backend, task.arn).clear()
    return {}


def start_task_execution(backend: Any, request: Json) -> Json:
    task = task_of(backend, request["TaskArn"])
    settings = {**task.settings, **{name: request[name] for name in _SETTINGS if name in request}}
    if request.get("Includes") and "ManifestConfig" not in request:
        settings.pop("ManifestConfig", None)
    settings["Options"] = {**task.settings["Options"], **(request.get("OverrideOptions") or {})}
    settings = {name: value for name, value in settings.items() if value}
    checks.check_settings(backend, task.mode, settings)
    if (task.source.typ, task.destination.typ) != ("S3", "EFS"):
        raise NotImplementedError(f"a transfer from {task.source.typ} to {task.destination.typ}")
    execution = Execution(f"{task.arn}/execution/{new_id('exec')}", task, settings)
    _check_queue(task, execution)
    has_to_wait = bool(task.present)
    execution.faults = (FAULTS.take("execution") or "").split()
    task.executions.append(execution)
    backend.task_executions[execution.arn] = execution
    tags_of(backend, execution.arn).update(_tags(request))
    if not has_to_wait:
        runner.start(execution)
    return {"TaskExecutionArn": execution.arn}


def _check_queue(task: Task, execution: Execution) -> None:
    """Raises InvalidRequestException for a second execution that AWS would not queue.

    Only executions with other filters (or another manifest) wait behind one another:
    https://docs.aws.amazon.com/datasync/latest/userguide/run-task.html
    """
    others = task.present
    same = [each for each in others if each.selection == execution.selection]
    if others and (same or execution.settings["Options"]["TaskQueueing"] == "DISABLED"):
        raise refused(
            f"{_PREFIX}Unable to queue the task execution for task {task.id}. The task already has another task "
            f"execution {(same or others)[0].id} in progress."
        )
    if len(others) > _MOST_QUEUED:
        raise refused(f"{_PREFIX}Task {task.id} has {_MOST_QUEUED} executions in its queue already.")


def cancel_task_execution(backend: Any, request: Json) -> Json:
    execution = execution_of(backend, request["TaskExecutionArn"])
    if execution.has_ended:
        raise refused(f"{_PREFIX}Task execution {execution.arn} cannot be cancelled: it is {execution.status}.")
    if execution.status == "QUEUED":
        runner.finish_queued(execution)
    else:
        execution.status = "CANCELLING"
        execution.cancelled.set()
    return {}


def list_task_executions(backend: Any, request: Json) -> Json:
    chosen = list(backend.task_executions.values())
    if request.get("TaskArn"):
        chosen = task_of(backend, request["TaskArn"]).executions
    rows = [{"TaskExecutionArn": each.arn, "Status": each.status, "TaskMode": each.task.mode} for each in chosen]
    return page(request, "TaskExecutions", rows)


def describe_task_execution(backend: Any, request: Json) -> Json:
    execution = execution_of(backend, request["TaskExecutionArn"])
    names = ("Options", "Includes", "Excludes", "ManifestConfig", "TaskReportConfig")
    answer: Json = {
        "TaskExecutionArn": execution.arn,
        "Status": execution.status,
        "TaskMode": execution.task.mode,
        "StartTime": execution.started,
        **{name: execution.settings[name] for name in names if name in execution.settings},
        **_counters(execution),
        "Result": _result(execution),
    }
    optional = {"LaunchTime": execution.launched, "EndTime": execution.ended, "ReportResult": execution.report}
    if execution.settings.get("TaskReportConfig") and execution.report is None:
        optional["ReportResult"] = {"Status": "PENDING"}
    return {**answer, **{name: value for name, value in optional.items() if value}}


def _counters(execution: Execution) -> Json:
    """Basic mode counts folders among the files; Enhanced mode apart from them, and it counts more."""
    found = execution.counters
    folders = {
        "EstimatedFoldersToTransfer": found.to_transfer_folders,
        "EstimatedFoldersToDelete": found.to_delete_folders,
        "FoldersTransferred": found.transferred_folders,
        "FoldersSkipped": found.skipped_folders,
        "FoldersVerified": found.verified_folders,
        "FoldersDeleted": found.deleted_folders,
    }
    files = {
        "EstimatedFilesToTransfer": found.to_transfer,
        "EstimatedFilesToDelete": found.to_delete,
        "FilesTransferred": found.transferred,
        "FilesSkipped": found.skipped,
        "FilesVerified": found.verified,
        "FilesDeleted": found.deleted,
    }
    counted = {
        "EstimatedBytesToTransfer": found.bytes_to_transfer,
        "BytesTransferred": found.bytes_read,
        "BytesCompressed": found.bytes_read,
        "BytesWritten": found.bytes_written,
    }
    if execution.task.mode == "BASIC":
        return counted | {name: number + folders[name.replace("Files", "Folders")] for name, number in files.items()}
    listed = {"AtSource": found.listed, "AtDestinationForDelete": found.at_destination}
    return {
        **counted,
        **files,
        **folders,
        "FilesPrepared": found.to_transfer,
        "FoldersPrepared": found.to_transfer_folders,
        "FilesListed": listed,
        "FoldersListed": {"AtSource": found.listed_folders, "AtDestinationForDelete": 0},
        "FilesFailed": found.failed,
        "FoldersFailed": dict.fromkeys(("List", "Prepare", "Transfer", "Verify", "Delete"), 0),
    }


def _result(execution: Execution) -> Json:
    is_basic = execution.task.mode == "BASIC"
    answer: Json = {}
    for name, state in (("Prepare", "PREPARING"), ("Transfer", "TRANSFERRING"), ("Verify", "VERIFYING")):
        answer[f"{name}Status"] = execution.went.get(state, "PENDING")
        answer[f"{name}Duration"] = execution.took.get(state, 0) if is_basic else 0
    if execution.ended:
        answer["TotalDuration"] = int((execution.ended - execution.started) * 1000)
    if execution.error:
        answer["ErrorCode"], answer["ErrorDetail"] = execution.error
    return answer


ACTIONS: dict[str, Action] = {
    "CreateTask": create_task,
    "UpdateTask": update_task,
    "DescribeTask": describe_task,
    "ListTasks": list_tasks,
    "DeleteTask": delete_task,
    "StartTaskExecution": start_task_execution,
    "CancelTaskExecution": cancel_task_execution,
    "ListTaskExecutions": list_task_executions,
    "DescribeTaskExecution": describe_task_execution,
}

"""What DataSync holds: tasks and executions, beside moto's own locations, for each account and region."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from moto.core.exceptions import JsonRESTError

Json = dict[str, Any]

ENDED = ("SUCCESS", "ERROR")


def refused(message: str) -> JsonRESTError:
    """DataSync's answer to nearly everything that is wrong, be it missing, invalid or in the way."""
    return JsonRESTError("InvalidRequestException", message)


def new_id(prefix: str) -> str:
    """An id such as `task-0123456789abcdef0`: 17 hexadecimal digits, the first one 0."""
    return f"{prefix}-0{secrets.token_hex(8)}"


@dataclass
class Counters:
    """What DescribeTaskExecution shows; folders apart from files, as Enhanced mode has them."""

    listed: int = 0
    listed_folders: int = 0
    at_destination: int = 0
    to_transfer: int = 0
    to_transfer_folders: int = 0
    bytes_to_transfer: int = 0
    transferred: int = 0
    transferred_folders: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    skipped: int = 0
    skipped_folders: int = 0
    verified: int = 0
    verified_folders: int = 0
    to_delete: int = 0
    to_delete_folders: int = 0
    deleted: int = 0
    deleted_folders: int = 0
    failed: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("Prepare", "Transfer", "Verify", "Delete"), 0)
    )


@dataclass
class Execution:
    """One run of a task, with the settings that it was started with."""

    arn: str
    task: Task
    settings: Json  # Options, Includes, Excludes, ManifestConfig, TaskReportConfig, CloudWatchLogGroupArn
    started: float = field(default_factory=time.time)
    status: str = "QUEUED"
    launched: float | None = None
    ended: float | None = None
    counters: Counters = field(default_factory=Counters)
    # Milliseconds in each state, and how it went: PENDING, SUCCESS or ERROR.
    took: dict[str, int] = field(default_factory=dict)
    went: dict[str, str] = field(default_factory=dict)
    error: tuple[str, str] | None = None  # its code and its details
    report: Json | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    faults: list[str] = field(default_factory=list)  # of `faults`, such as `fail:a.tif`

    def met(self, fault: str) -> list[str]:
        """What is asked for after `fault:`."""
        return [each.partition(":")[2] for each in self.faults if each.partition(":")[0] == fault]

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @property
    def selection(self) -> tuple[Any, ...]:
        """What two executions of one task have to differ in to be queued one behind the other."""
        return tuple(str(self.settings.get(name) or None) for name in ("Includes", "Excludes", "ManifestConfig"))


@dataclass
class Task:
    """A task; `settings` as CreateTask takes them."""

    arn: str
    backend: Any
    source: Any
    destination: Any
    mode: str
    settings: Json
    created: float = field(default_factory=time.time)
    executions: list[Execution] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def present(self) -> list[Execution]:
        """The executions that run or wait, the oldest first."""
        return [each for each in self.executions if not each.has_ended]

    @property
    def status(self) -> str:
        states = {each.status for each in self.present}
        return "RUNNING" if states - {"QUEUED"} else "QUEUED" if states else "AVAILABLE"


def arn(backend: Any, resource: str) -> str:
    return f"arn:{backend.partition}:datasync:{backend.region_name}:{backend.account_id}:{resource}"


def tags_of(backend: Any, resource_arn: str) -> dict[str, str]:
    """The tags of a location, a task or an execution; goes with moto's backend, and is reset with it."""
    every: dict[str, dict[str, str]] = backend.__dict__.setdefault("local_tags", {})
    return every.setdefault(resource_arn, {})


def task_of(backend: Any, task_arn: str) -> Task:
    """Raises InvalidRequestException for a task that is not there."""
    if task_arn not in backend.tasks:
        raise refused(f"Request parameters are invalid: Task {task_arn} is not found.")
    return backend.tasks[task_arn]  # type: ignore[no-any-return]


def execution_of(backend: Any, execution_arn: str) -> Execution:
    """Raises InvalidRequestException for an execution that is not there."""
    if execution_arn not in backend.task_executions:
        raise refused(f"Request parameters are invalid: Task execution {execution_arn} is not found.")
    return backend.task_executions[execution_arn]  # type: ignore[no-any-return]


def location_of(backend: Any, location_arn: str) -> Any:
    """Raises InvalidRequestException for a location that is not there."""
    if location_arn not in backend.locations:
        raise refused(f"Request parameters are invalid: Location {location_arn} is not found.")
    return backend.locations[location_arn]


def page(request: Json, name: str, rows: list[Json]) -> Json:
    """A page of at most MaxResults (100) rows, and where the next one begins."""
    start, most = int(request.get("NextToken") or 0), int(request.get("MaxResults") or 100)
    answer: Json = {name: rows[start : start + most]}
    if start + most < len(rows):
        answer["NextToken"] = str(start + most)
    return answer

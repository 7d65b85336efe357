"""Faults on request: `/_local/ecs/faults` takes what is to go wrong next, see local_aws/stand_ins/README.md.

POST adds, GET shows what is left, DELETE drops it. A fault of an action is met by its next call, one of `task` by
the next task with stand-in programs that is about to start, one of `session` by the next session of ECS Exec.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import ECSException

_MESSAGES = {
    "ThrottlingException": "Rate exceeded",
    "ServerException": "Service Unavailable. Please try again later.",
    "ClusterNotFoundException": "Cluster not found.",
    "AccessDeniedException": "User is not authorized to perform this action.",
    "InvalidParameterException": "The parameter is invalid.",
    "TargetNotConnectedException": "The execute command failed due to an internal error. Try again later.",
}
ACTIONS = (
    "RunTask",
    "DescribeTasks",
    "ListTasks",
    "StopTask",
    "ExecuteCommand",
    "DescribeServices",
    "DescribeClusters",
    "DescribeTaskDefinition",
    "RegisterTaskDefinition",
    "ListServices",
)
_FAILURES = ("RESOURCE:MEMORY", "RESOURCE:CPU", "RESOURCE:ENI", "AGENT")  # of RunTask
_TASK = re.compile(
    r"(CannotPullContainerError|ResourceInitializationError|CannotStartContainerError"
    r"|(OutOfMemory|kill|spot|pending):\d+(\.\d+)?)"
)
_SESSION = re.compile(r"(drop:\d+|end:\d+(\.\d+)?|mute)")

_queued: dict[str, list[str]] = {}


def take(what: str) -> str | None:
    """The next fault of an action, a task or a session; it is met once."""
    waiting = _queued.get(what)
    return waiting.pop(0) if waiting else None


def wrapped(action: str, method: Callable[[Any], ActionResult]) -> Callable[[Any], ActionResult]:
    """A response's method that meets the faults of its action."""

    @functools.wraps(method)
    def with_faults(self: Any) -> ActionResult:
        fault = take(action)
        if fault is None:
            return method(self)
        if fault == "lost":
            method(self)
            raise ECSException("ServerException", _MESSAGES["ServerException"])
        if fault in _FAILURES:
            return ActionResult({"tasks": [], "failures": [{"reason": fault}]})
        raise ECSException(fault, _MESSAGES[fault])

    return with_faults


def resource(method: str, body: bytes) -> tuple[int, Any]:
    """The HTTP resource: the status, and what it answers as JSON."""
    if method == "DELETE":
        _queued.clear()
    elif method == "POST":
        try:
            asked = _checked(json.loads(body))
        except ValueError as error:
            return 400, {"message": str(error)}
        for what, faults in asked.items():
            _queued.setdefault(what, []).extend(faults)
    return 200, {what: faults for what, faults in _queued.items() if faults}


def _checked(asked: Any) -> dict[str, list[str]]:
    if not isinstance(asked, dict) or not all(isinstance(each, list) for each in asked.values()):
        raise ValueError('faults are an object such as {"RunTask": ["ThrottlingException"]}')
    for what, faults in asked.items():
        for fault in faults:
            if not _is_known(what, str(fault)):
                raise ValueError(f"{fault!r} is no fault of {what}; see local_aws/stand_ins/README.md")
    return asked


def _is_known(what: str, fault: str) -> bool:
    if what in ("task", "session"):
        return bool((_TASK if what == "task" else _SESSION).fullmatch(fault))
    known = what in ACTIONS and (fault in _MESSAGES or fault == "lost")
    return known or (what == "RunTask" and fault in _FAILURES)

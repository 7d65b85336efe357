"""Runs executions, each in a thread of its own, and one after the other for each task."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable

from local_aws.application import LocalAwsApplication
from local_aws.services import events
from local_aws.services.datasync.journal import Journal
from local_aws.services.datasync.settings import STATE_SECONDS
from local_aws.services.datasync.source import ExecutionFailed
from local_aws.services.datasync.state import Execution
from local_aws.services.datasync.transfer import Cancelled, Transfer

_CANCELLED = ("Canceled", "The task execution was canceled.")


def start(execution: Execution) -> None:
    """Let an execution leave the queue."""
    execution.status, execution.launched = "LAUNCHING", time.time()
    threading.Thread(target=_run, args=(execution,), name=execution.id, daemon=True).start()


def finish_queued(execution: Execution) -> None:
    """Cancel an execution that waits."""
    execution.error = _CANCELLED
    _ended(execution)


def _run(execution: Execution) -> None:
    journal = Journal(execution)
    transfer = Transfer(execution, journal)
    journal.log("INFO", f"Request to start {execution.task.id}.")
    journal.log("INFO", f"Execution {execution.id} started.")
    try:
        _in_state(execution, "LAUNCHING", transfer.launch)
        _in_state(execution, "PREPARING", transfer.prepare)
        _in_state(execution, "TRANSFERRING", transfer.transfer)
        if execution.settings["Options"]["VerifyMode"] != "NONE":
            _in_state(execution, "VERIFYING", transfer.verify)
        execution.error = transfer.error
    except Cancelled:
        execution.error = _CANCELLED
    except ExecutionFailed as error:
        execution.error = (error.code, error.detail)
    except Exception as error:
        sys.stderr.write(f"LocalAwsFault: {traceback.format_exc()}")
        execution.error = ("InternalError", repr(error))
    if execution.error:
        journal.log("ERROR", f"{execution.error[0]}: {execution.error[1]}")
    outcome = "Error" if execution.error else "Success"
    journal.log("INFO", f"Execution {execution.id} finished with status {outcome}.")
    _end(execution, journal)


def _end(execution: Execution, journal: Journal) -> None:
    try:
        journal.flush()
        journal.write_report()
    except Exception:
        sys.stderr.write(f"LocalAwsFault: {traceback.format_exc()}")
    with LocalAwsApplication.lock_for_backends:
        _ended(execution)
        waiting = [each for each in execution.task.present if each.status == "QUEUED"]
        if waiting:
            start(waiting[0])


def _ended(execution: Execution) -> None:
    """Have it end, and tell (DataSync User Guide, "Monitoring events by using Amazon EventBridge")."""
    execution.ended = time.time()
    execution.status = "ERROR" if execution.error else "SUCCESS"
    events.tell(
        execution.task.backend.account_id,
        execution.task.backend.region_name,
        source="aws.datasync",
        kind="DataSync Task Execution State Change",
        resources=[execution.arn],
        detail={"State": execution.status},
    )


def _in_state(execution: Execution, state: str, work: Callable[[], None]) -> None:
    """Do it, and stay in the state for as long as the settings and its faults say."""
    with LocalAwsApplication.lock_for_backends:
        if execution.cancelled.is_set():
            raise Cancelled
        execution.status = state
    began, failures = time.monotonic(), sum(execution.counters.failed.values())
    execution.went[state] = "PENDING"
    slow = [float(each.partition(":")[2]) for each in execution.met("slow") if each.startswith(f"{state}:")]
    try:
        if state in execution.met("error"):
            raise ExecutionFailed("InternalError", f"An internal error occurred in {state}.")
        work()
        execution.cancelled.wait(max([STATE_SECONDS, *slow]) - (time.monotonic() - began))
        if execution.cancelled.is_set():
            raise Cancelled
    except BaseException:
        execution.went[state] = "ERROR"
        raise
    finally:
        execution.took[state] = int((time.monotonic() - began) * 1000)
    execution.went[state] = "SUCCESS" if failures == sum(execution.counters.failed.values()) else "ERROR"

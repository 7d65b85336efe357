"""Start the DataSync task for the objects that have arrived in its bucket.

EventBridge puts a message (S3's "Object Created") into a queue for each object, and calls this every minute. It
starts one execution for all that wait, with one include filter that names them, and deletes their messages.

While an execution runs it takes nothing from the queue, so that no message ages towards the dead letters by waiting.
DataSync itself keeps it to one execution: with TaskQueueing DISABLED it refuses a second one. A message that names no
object this task can copy is never deleted: after a few attempts SQS moves it to the dead letters, which raises an
alarm. The others are copied. If AWS refuses names that looked right, halves of the batch are tried, and what is left
stays in the queue. If an execution fails, that raises an alarm too, and the task's own schedule copies what is missing.

Environment: TASK_ARN, QUEUE_URL, BUCKET, KEY_PREFIX ("" or what the keys begin with, ending in a slash).
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

# Of one filter (botocore's model of DataSync, FilterValue). Counted as bytes here, of which there are never fewer.
MOST_CHARACTERS = 102_400
# Of one part of a path (EFS user guide, "Resource quotas").
MOST_BYTES_OF_A_PART = 255
# What DataSync never transfers (its user guide, "Filtering data transferred by DataSync").
NEVER_BY_FOLDER = (".aws-datasync", ".awssync", ".zfs")
NEVER_BY_END = ".snapshot"
# SQS gives and deletes 10 messages at a time.
AT_A_TIME = 10
# An S3 key has up to 1,024 bytes; each may need a backslash, and between two patterns comes a bar.
MOST_OF_A_PATTERN = 2 * 1024 + 2
# Keeps a call well within the function's timeout: SQS answers within 20 ms or so. The rest waits a minute.
MOST_MESSAGES = 5_000
BUSY = ("RUNNING", "QUEUED")
REFUSALS = ("InvalidRequestException", "ValidationException")
# Calls of StartTaskExecution in one run: all, halves, ... down to sixteenths, well within the function's timeout.
MOST_STARTS = 31


class NotForUs(ValueError):
    """A message that names no object which this task can copy."""


def handler(event: Any, context: Any) -> dict[str, Any]:
    """What Lambda calls; the answer says what was done.

    Raises:
        botocore.exceptions.ClientError: AWS refused, and no execution runs; nothing was taken from the queue for good.
    """
    environ = os.environ
    answer = start(
        boto3.client("datasync"),
        boto3.client("sqs"),
        task_arn=environ["TASK_ARN"],
        queue_url=environ["QUEUE_URL"],
        bucket=environ["BUCKET"],
        key_prefix=environ["KEY_PREFIX"],
    )
    say(answer)
    return answer


def start(datasync: Any, sqs: Any, *, task_arn: str, queue_url: str, bucket: str, key_prefix: str) -> dict[str, Any]:
    """Start an execution for what waits in the queue: `execution` is its ARN or None, `objects` their number.

    Raises:
        botocore.exceptions.ClientError: as `handler`.
    """
    task = datasync.describe_task(TaskArn=task_arn)
    if task["Status"] in BUSY:
        return {"execution": None, "objects": 0, "because": "an execution is running"}
    patterns: dict[str, list[str]] = {}
    for message in waiting(sqs, queue_url, patterns):
        try:
            found = pattern(message["Body"], bucket, key_prefix)
        except NotForUs as fault:
            say({"left": message["MessageId"], "because": str(fault)})
        else:
            patterns.setdefault(found, []).append(message["ReceiptHandle"])
    if not patterns:
        return {"execution": None, "objects": 0, "because": "nothing waits"}
    execution, taken = start_what_is_taken(datasync, task, list(patterns))
    if execution is None:
        # The schedule started one in between. The messages come back by themselves.
        return {"execution": None, "objects": 0, "because": "another execution was started first"}
    delete(sqs, queue_url, [receipt for each in taken for receipt in patterns[each]])
    return {"execution": execution, "objects": len(taken)}


def start_what_is_taken(datasync: Any, task: Mapping[str, Any], patterns: list[str]) -> tuple[str | None, list[str]]:
    """The execution's ARN and its patterns: all, or the largest part tried that AWS does not refuse.

    The ARN is None if another execution runs.

    Raises:
        botocore.exceptions.ClientError: AWS refused every part that was tried.
    """
    parts = deque([patterns])
    for _ in range(MOST_STARTS):
        part = parts.popleft()
        try:
            started = datasync.start_task_execution(
                TaskArn=task["TaskArn"],
                OverrideOptions={**task["Options"], "TaskQueueing": "DISABLED"},
                Includes=[{"FilterType": "SIMPLE_PATTERN", "Value": "|".join(part)}],
            )
            return started["TaskExecutionArn"], part
        except ClientError as fault:
            if fault.response["Error"]["Code"] not in REFUSALS:
                raise
            if datasync.describe_task(TaskArn=task["TaskArn"])["Status"] in BUSY:
                return None, []
            say({"refused": part[0] if len(part) == 1 else f"{len(part)} patterns", "because": str(fault)})
            refusal = fault
        if half := len(part) // 2:
            parts.extend((part[:half], part[half:]))
        if not parts:
            break
    raise refusal


def waiting(sqs: Any, queue_url: str, patterns: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Messages of the queue, as many as fit into one filter; what is left stays in the queue."""
    taken = 0
    while taken < MOST_MESSAGES and size(patterns) + AT_A_TIME * MOST_OF_A_PATTERN <= MOST_CHARACTERS:
        messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=AT_A_TIME).get("Messages", [])
        if not messages:
            return
        taken += len(messages)
        yield from messages


def size(patterns: Mapping[str, Any]) -> int:
    """Bytes of the filter that the patterns make."""
    return sum(len(each.encode()) for each in patterns) + len(patterns)


def pattern(body: str, bucket: str, key_prefix: str) -> str:
    """The include pattern of the object that an event names, relative to the task's folder.

    Include patterns take `*` at their end only, as a wildcard. A key that holds one is cut there, so that the pattern
    means the object, and perhaps others: those are compared, and copied only if they are missing.

    Raises:
        NotForUs: the message is no such event, or DataSync would skip the key, or EFS or a filter cannot hold it.
    """
    try:
        detail = json.loads(body)["detail"]
        named, key = detail["bucket"]["name"], detail["object"]["key"]
    except (ValueError, TypeError, KeyError):
        raise NotForUs("the message is no event of S3 that names a bucket and an object") from None
    if not isinstance(key, str) or named != bucket or not key.startswith(key_prefix) or key == key_prefix:
        raise NotForUs(f"{key!r} in {named!r} is not below {key_prefix!r} in {bucket!r}")
    path = key.removeprefix(key_prefix)
    if any(part in ("", ".", "..") for part in path.removesuffix("/").split("/")):
        raise NotForUs(f"DataSync copies no key with an empty part, . or .. such as {key!r}; give it another name")
    if fault := unfit(path.removesuffix("/").split("/")):
        raise NotForUs(f"{key!r} {fault}; give the object another name")
    before, star, _ = path.partition("*")
    return "/" + before.replace("\\", "\\\\").replace("|", "\\|") + star


def unfit(parts: list[str]) -> str | None:
    """Why no file of EFS has such a path, or no filter such a pattern; None if they do."""
    try:
        longest = max(len(part.encode()) for part in parts)
    except UnicodeEncodeError:
        return "is no text in Unicode"
    if longest > MOST_BYTES_OF_A_PART:
        return f"has a part of {longest} bytes, and a name on EFS has at most {MOST_BYTES_OF_A_PART}"
    if any("\0" in part for part in parts):
        return "has a NUL, which no file name and no filter may have"
    if parts[0] in NEVER_BY_FOLDER or any(part.endswith(NEVER_BY_END) for part in parts):
        return "is a name that DataSync keeps for itself and never copies"
    return None


def delete(sqs: Any, queue_url: str, receipts: list[str]) -> None:
    """Take messages out of the queue; one that stays has its object looked at once more, which changes nothing."""
    for begin in range(0, len(receipts), AT_A_TIME):
        entries = [
            {"Id": str(number), "ReceiptHandle": receipt}
            for number, receipt in enumerate(receipts[begin : begin + AT_A_TIME])
        ]
        try:
            failed = sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed", [])
        except ClientError as error:
            failed = [str(error)]
        if failed:
            say({"not_deleted": failed})


def say(line: dict[str, Any]) -> None:
    """One line of JSON to the log."""
    print(json.dumps(line))  # noqa: T201 - Lambda sends it to the log group

"""Events that services tell EventBridge, as their documentation has them, read from a queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local_aws.testing.datasync import Place, place
from local_aws.testing.ecs import Client, until
from local_aws.testing.faults import add_faults
from local_aws.testing.sftp import Sftp, folders, key, needs_sftp, role, sftp

__all__ = ["folders", "key", "place", "role", "sftp"]

Told = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def told(client: Client) -> Iterator[Told]:
    """What a service, by its source, has told since: once it has told something."""

    def read(source: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []

        def look() -> bool:
            while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
                found.extend(json.loads(message["Body"]) for message in messages)
            return any(each["source"] == source for each in found)

        until(look)
        return [each for each in found if each["source"] == source]

    sqs, rule = client("sqs"), f"a-{uuid4().hex[:10]}"
    queue = sqs.create_queue(QueueName=rule)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events = client("events")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["aws.datasync", "aws.transfer"]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
    yield read
    events.remove_targets(Rule=rule, Ids=["queue"])
    events.delete_rule(Name=rule)


def test_datasync_tells_how_an_execution_ended(place: Place, told: Told) -> None:
    place.put({"a.tif": b"1"})
    task = place.task()
    done = place.run(task)
    (event,) = told("aws.datasync")
    assert event["detail-type"] == "DataSync Task Execution State Change"
    assert (event["detail"], event["resources"]) == ({"State": "SUCCESS"}, [done["TaskExecutionArn"]])

    add_faults(place.client("datasync").meta.endpoint_url, "datasync", {"execution": ["error:PREPARING"]})
    assert place.run(task)["Status"] == "ERROR"
    assert [each["detail"] for each in told("aws.datasync")] == [{"State": "ERROR"}]


@needs_sftp
def test_transfer_tells_of_uploads_and_renames(sftp: Sftp, key: Path, told: Told) -> None:
    (sftp.work / "a").write_bytes(b"12345")
    assert sftp.run("put a a.part\nrename a.part a.tif\nmkdir b\nrename b c\n", user="alice", key=key).returncode == 0
    at = f"/{sftp.file_system}/drop/alice"
    upload, rename = told("aws.transfer")
    assert upload["detail-type"] == "SFTP Server File Upload Completed"
    assert rename["detail-type"] == "SFTP Server File Rename Completed"
    asked = {"status-code": "COMPLETED", "protocol": "SFTP", "server-id": sftp.server, "username": "alice"}
    for each in (upload, rename):
        assert each["resources"][0].endswith(f":server/{sftp.server}")
        assert asked.items() <= each["detail"].items()
    assert (upload["detail"]["file-path"], upload["detail"]["bytes"]) == (f"{at}/a.part", 5)
    assert rename["detail"]["original-file-path"] == f"{at}/a.part"
    assert rename["detail"]["renamed-file-path"] == f"{at}/a.tif"
    assert "file-path" not in rename["detail"]

    assert sftp.run("get a.tif\n", user="alice", key=key).returncode == 0
    assert [each["detail-type"] for each in told("aws.transfer")] == ["SFTP Server File Download Completed"]


@needs_sftp
def test_transfer_tells_of_an_upload_that_broke_off(sftp: Sftp, key: Path, told: Told) -> None:
    (sftp.work / "big").write_bytes(bytes(64 * 2**20))
    sftp.break_upload("big", sftp.folder / "drop" / "alice" / "big", user="alice", key=key)
    (event,) = told("aws.transfer")
    assert event["detail-type"] == "SFTP Server File Upload Failed"
    assert (event["detail"]["status-code"], event["detail"]["failure-code"]) == ("FAILED", "PARTIAL_UPLOAD")


def test_a_topic_hears_what_its_rule_lets_through(client: Client, place: Place) -> None:
    """A rule with a text of its own, as alarms have it; the topic's subscriber is a queue."""
    name = f"a-{uuid4().hex[:10]}"
    sqs, sns, events = client("sqs"), client("sns"), client("events")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    pattern = {"source": ["aws.datasync"], "detail": {"State": ["ERROR"]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    transformer = {"InputPathsMap": {"state": "$.detail.State"}, "InputTemplate": '"It ended with <state>."'}
    events.put_targets(Rule=name, Targets=[{"Id": "topic", "Arn": topic, "InputTransformer": transformer}])
    place.put({"a.tif": b"1"})
    task = place.task()
    place.run(task)
    add_faults(place.client("datasync").meta.endpoint_url, "datasync", {"execution": ["error:PREPARING"]})
    place.run(task)
    found = until(lambda: sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"))
    # moto drops the quotes of a template that is a string.
    assert [each["Body"] for each in found] == ["It ended with ERROR."]

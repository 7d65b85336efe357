"""From an object put into the bucket to its bytes at the destination, by EventBridge, the queue, the starter, DataSync.

The local AWS runs no function: the tests call the handler, as the rule does every minute.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import botocore.session
import pytest
from botocore.exceptions import ClientError

from functions import datasync_starter as starter
from local_aws.files import Owner
from local_aws.server import LocalAws
from local_aws.testing.datasync import Place, thousand_objects
from local_aws.testing.ecs import until
from modules.arrivals import ATTEMPTS
from tests.conftest import Stacks, of_type, only

OMERO = Owner(1000, 1000, 0o755)


@dataclass
class Way:
    """Bucket, rule, queue and task, set as the stack sets them."""

    place: Place
    queue_url: str
    task: str

    def call(self, datasync: Any = None) -> dict[str, Any]:
        """What the handler does, with another client of DataSync if need be."""
        return starter.start(
            datasync or self.place.datasync,
            self.place.client("sqs"),
            task_arn=self.task,
            queue_url=self.queue_url,
            bucket=self.place.bucket,
            key_prefix="in/",
        )

    def send(self, body: str) -> None:
        self.place.client("sqs").send_message(QueueUrl=self.queue_url, MessageBody=body)

    def send_event(self, key: str, bucket: str | None = None) -> None:
        self.send(event(bucket or self.place.bucket, key))

    def waiting(self) -> tuple[int, int]:
        """Messages that can be read, and those that were read and not deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.place.client("sqs").get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)
        visible, hidden = (int(found["Attributes"][name]) for name in names)
        return visible, hidden


def event(bucket: str, key: str) -> str:
    """S3's event as EventBridge hands it on (S3 user guide, "EventBridge event message structure"), in short."""
    detail = {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}, "reason": "PutObject"}
    return json.dumps({"detail-type": "Object Created", "source": "aws.s3", "detail": detail})


@pytest.fixture
def way(place: Place, aws: LocalAws, synthesise: Callable[..., Stacks], monkeypatch: pytest.MonkeyPatch) -> Way:
    """With the pattern of the rule, the options of the task and the numbers of the queue from the synthesised stack."""
    stack = synthesise(datasync={"prefix": "in"})["datasync"]
    name = f"way-{uuid4().hex[:10]}"
    events, sqs = place.client("events"), place.client("sqs")
    place.client("s3").put_bucket_notification_configuration(
        Bucket=place.bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    hidden = of_type(stack, "aws_sqs_queue")["arrivals_queue"]["visibility_timeout_seconds"]
    queue_url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": str(hidden)})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.loads(of_type(stack, "aws_cloudwatch_event_rule")["arrivals"]["event_pattern"])
    pattern["detail"]["bucket"]["name"] = [place.bucket]
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    options = {
        "".join(part.capitalize() for part in option.split("_")): value
        for option, value in only(stack, "aws_datasync_task")["options"].items()
    }
    task = place.task(place.source("/in"), Options=options)
    for variable, value in {
        **aws.environ(),
        "TASK_ARN": task,
        "QUEUE_URL": queue_url,
        "BUCKET": place.bucket,
        "KEY_PREFIX": "in/",
    }.items():
        monkeypatch.setenv(variable, value)
    return Way(place, queue_url, task)


def test_an_object_that_is_put_becomes_a_file_of_omeros(way: Way) -> None:
    way.place.put({"in/slide 1/Zelle-µ.tif": b"bytes", "elsewhere/2.tif": b"not for us"})
    answer = starter.handler({}, None)
    assert answer["objects"] == 1
    assert way.place.ended(answer["execution"])["Status"] == "SUCCESS"
    assert way.place.contents() == {"slide 1/Zelle-µ.tif": b"bytes"}
    assert way.place.owner("slide 1/Zelle-µ.tif") == way.place.owner("slide 1") == OMERO
    assert way.waiting() == (0, 0)
    assert starter.handler({}, None) == {"execution": None, "objects": 0, "because": "nothing waits"}


@pytest.mark.nightly
@pytest.mark.parametrize("fault", ["", "fail-once:O'Brien"])
def test_thousand_objects_arrive_whole_and_owned_with_one_execution(way: Way, fault: str) -> None:
    objects = thousand_objects()
    if fault:
        way.place.fault(execution=[fault])
    way.place.put({f"in/{key}": content for key, content in objects.items()})
    answer = starter.handler({}, None)
    assert answer["objects"] == 1000
    ended = way.place.ended(answer["execution"], seconds=60)
    assert ended["Status"] == "SUCCESS", ended
    assert way.place.contents() == objects
    folders = {key.rsplit("/", count)[0] for key in objects for count in range(1, 6)}
    assert {way.place.owner(path) for path in {*objects, *folders}} == {OMERO}
    assert way.waiting() == (0, 0)


def test_what_an_execution_could_not_copy_the_schedule_copies(way: Way) -> None:
    way.place.put({"in/a.tif": b"1", "in/b.tif": b"2"})
    way.place.fault(execution=["fail:a.tif"])
    assert way.place.ended(way.call()["execution"])["Status"] == "ERROR"
    assert way.place.contents() == {"b.tif": b"2"}
    assert way.place.run(way.task)["Status"] == "SUCCESS"  # as the schedule does: without a filter
    assert way.place.contents() == {"a.tif": b"1", "b.tif": b"2"}


def test_a_file_that_is_there_is_never_touched(way: Way) -> None:
    way.place.put({"in/a.tif": b"first"})
    way.place.ended(way.call()["execution"])
    way.place.put({"in/a.tif": b"second, and longer"})
    assert way.place.ended(way.call()["execution"])["Status"] == "SUCCESS"
    way.place.client("s3").delete_object(Bucket=way.place.bucket, Key="in/a.tif")
    way.place.run(way.task)
    assert way.place.contents() == {"a.tif": b"first"}


def test_while_an_execution_runs_no_message_is_taken(way: Way) -> None:
    way.place.put({"in/a.tif": b"1"})
    way.place.fault(execution=["slow:PREPARING:1.5"])
    first = way.call()["execution"]
    way.place.put({"in/b.tif": b"2"})
    for _ in range(10):
        assert way.call() == {"execution": None, "objects": 0, "because": "an execution is running"}
    assert way.waiting() == (1, 0)
    way.place.ended(first)
    second = way.call()["execution"]
    way.place.ended(second)
    assert way.place.contents() == {"a.tif": b"1", "b.tif": b"2"}


class Between:
    """DataSync's client, when somebody starts an execution after the first look."""

    def __init__(self, client: Any, *, busy_then: bool) -> None:
        self.client, self.looks, self.busy_then = client, 0, busy_then
        self.exceptions = client.exceptions

    def describe_task(self, **request: Any) -> Any:
        self.looks += 1
        status = "RUNNING" if self.looks > 1 and self.busy_then else "AVAILABLE"
        return {**self.client.describe_task(**request), "Status": status}

    def start_task_execution(self, **request: Any) -> Any:
        return self.client.start_task_execution(**request)


def test_an_execution_that_began_in_between_leaves_the_messages(way: Way) -> None:
    way.place.put({"in/a.tif": b"1"})
    way.place.fault(execution=["slow:PREPARING:1.5"])
    running = way.place.datasync.start_task_execution(TaskArn=way.task)["TaskExecutionArn"]
    answer = way.call(Between(way.place.datasync, busy_then=True))
    assert answer["because"] == "another execution was started first"
    assert way.waiting() == (0, 1)  # read, kept, and back when its time is over
    listed = way.place.datasync.list_task_executions(TaskArn=way.task)["TaskExecutions"]
    assert [each["TaskExecutionArn"] for each in listed] == [running]
    way.place.ended(running)


def test_a_refusal_for_another_reason_is_raised_and_leaves_the_messages(way: Way) -> None:
    way.place.put({"in/a.tif": b"1"})
    way.place.fault(execution=["slow:PREPARING:1"])
    running = way.place.datasync.start_task_execution(TaskArn=way.task)["TaskExecutionArn"]
    with pytest.raises(way.place.datasync.exceptions.InvalidRequestException):
        way.call(Between(way.place.datasync, busy_then=False))
    assert way.waiting() == (0, 1)
    way.place.ended(running)


def test_messages_that_name_no_object_of_ours_stay_for_the_dead_letters(
    way: Way, capsys: pytest.CaptureFixture[str]
) -> None:
    way.place.put({"in/a.tif": b"1"})
    for body in ("no JSON", "[]", '{"detail": {}}', event("another-bucket", "in/a.tif")):
        way.send(body)
    for key in ("other/a.tif", "in/", "in/a//b.tif", "in/../a.tif", "in//a.tif"):
        way.send_event(key)
    answer = way.call()
    assert answer["objects"] == 1
    way.place.ended(answer["execution"])
    assert way.place.contents() == {"a.tif": b"1"}
    assert way.waiting() == (0, 9)
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len([line for line in said if "left" in line]) == 9


FIT_FOR_NOTHING = {
    "in/" + "n" * 256: "has a part of 256 bytes, and a name on EFS has at most 255",
    f"in/{'ä' * 128}/b.tif": "has a part of 256 bytes",
    "in/nul\0.tif": "has a NUL",
    "in/.zfs/b.tif": "is a name that DataSync keeps for itself",
    "in/b.snapshot": "is a name that DataSync keeps for itself",
    "in/\ud800.tif": "is no text in Unicode",
}


def test_a_name_that_cannot_be_copied_costs_itself_and_not_its_batch(
    way: Way, capsys: pytest.CaptureFixture[str]
) -> None:
    way.place.put({"in/a.tif": b"1"})
    for key in FIT_FOR_NOTHING:
        way.send_event(key)
    answer = way.call()
    assert answer["objects"] == 1
    assert way.place.ended(answer["execution"])["Status"] == "SUCCESS"
    assert way.place.contents() == {"a.tif": b"1"}
    assert way.waiting() == (0, len(FIT_FOR_NOTHING))  # for the dead letters
    said = [json.loads(line)["because"] for line in capsys.readouterr().out.splitlines()]
    assert all(any(reason in line for line in said) for reason in FIT_FOR_NOTHING.values())


@pytest.mark.parametrize("name", ["n" * 255, "ä" * 127, "a.snapshots", "zfs"])
def test_a_name_that_just_fits_is_copied(way: Way, name: str) -> None:
    way.place.put({f"in/{name}": b"1"})
    assert way.place.ended(way.call()["execution"])["Status"] == "SUCCESS"
    assert way.place.contents() == {name: b"1"}


def test_no_longer_name_is_one_of_a_file(way: Way) -> None:
    """The witness is this machine's kernel, which has EFS's limit: the schedule, which takes all, fails on it alone."""
    way.place.put({"in/a.tif": b"1", "in/" + "n" * 256: b"2"})
    assert way.place.run(way.task)["Status"] == "ERROR"
    assert way.place.contents() == {"a.tif": b"1"}


def test_a_filter_is_what_the_model_of_the_service_takes() -> None:
    """The witness is botocore's model of StartTaskExecution."""
    service: Any = botocore.session.get_session().get_service_model("datasync")
    limits = service.shape_for("FilterRule").members["Value"].metadata
    assert limits["max"] == starter.MOST_CHARACTERS
    for key in FIT_FOR_NOTHING.keys() - {"in/\ud800.tif"}:
        made = "|/".join(["a.tif", key])
        if not re.fullmatch(limits["pattern"], made):
            with pytest.raises(starter.NotForUs):
                starter.pattern(event("lab", key), "lab", "in/")
    assert not re.fullmatch(limits["pattern"], "/nul\0.tif")


class Choosy:
    """DataSync's client, when AWS refuses names that nothing here says are wrong."""

    def __init__(self, client: Any, refused: set[str]) -> None:
        self.client, self.refused, self.starts = client, refused, 0

    def describe_task(self, **request: Any) -> Any:
        return self.client.describe_task(**request)

    def start_task_execution(self, **request: Any) -> Any:
        self.starts += 1
        if self.refused & set(request["Includes"][0]["Value"].split("|")):
            said: Any = {"Error": {"Code": "InvalidRequestException", "Message": "Request parameters are invalid"}}
            raise ClientError(said, "StartTaskExecution")
        return self.client.start_task_execution(**request)


def test_a_name_that_aws_refuses_costs_itself(way: Way) -> None:
    objects = {f"{number:02}.tif": b"1" for number in range(20)}
    way.place.put({f"in/{key}": content for key, content in objects.items()})
    sqs = way.place.client("sqs")
    sqs.set_queue_attributes(QueueUrl=way.queue_url, Attributes={"VisibilityTimeout": "3"})
    choosy = Choosy(way.place.datasync, {"/07.tif"})
    copied: list[int] = []
    while sum(copied) < 19:
        answer = way.call(choosy)
        way.place.ended(answer["execution"])
        copied.append(answer["objects"])
        until(lambda: way.waiting()[1] == 0)
    assert copied[0] == 10  # half of the batch at least, each time
    assert len(copied) < ATTEMPTS
    assert way.place.contents() == {key: content for key, content in objects.items() if key != "07.tif"}
    with pytest.raises(ClientError, match="Request parameters are invalid"):
        way.call(choosy)
    assert way.waiting() == (0, 1)


def test_refused_altogether_it_ends_in_an_error_after_some_attempts(way: Way) -> None:
    for number in range(200):
        way.send_event(f"in/{number}")
    choosy = Choosy(way.place.datasync, {f"/{number}" for number in range(200)})
    with pytest.raises(ClientError, match="Request parameters are invalid"):
        way.call(choosy)
    assert choosy.starts == starter.MOST_STARTS


def test_alone_they_start_nothing(way: Way) -> None:
    way.send("no JSON")
    assert way.call() == {"execution": None, "objects": 0, "because": "nothing waits"}
    assert way.waiting() == (0, 1)


def test_an_object_told_of_twice_is_named_once(way: Way) -> None:
    way.place.put({"in/a.tif": b"1"})
    way.send_event("in/a.tif")
    answer = way.call()
    assert answer["objects"] == 1
    way.place.ended(answer["execution"])
    assert way.waiting() == (0, 0)


def test_what_fits_into_no_filter_waits_for_the_next(way: Way) -> None:
    for number in range(150):
        way.send_event(f"in/{number:03}" + f"/{'|' * 247}" * 4)
    answer = way.call()
    visible, hidden = way.waiting()
    assert hidden == 0
    assert answer["objects"] + visible == 150
    described = way.place.ended(answer["execution"])
    assert 80_000 < len(described["Includes"][0]["Value"]) <= starter.MOST_CHARACTERS
    while visible:
        way.place.ended(way.call()["execution"])
        visible, _ = way.waiting()


def test_names_with_the_filters_own_characters(way: Way) -> None:
    objects = {"a|b.tif": b"1", "back\\slash.tif": b"2", "star*name.tif": b"3", "plain.tif": b"4"}
    way.place.put({f"in/{key}": content for key, content in objects.items()})
    way.place.put({"in/unasked.tif": b"5"})
    sqs = way.place.client("sqs")
    sqs.purge_queue(QueueUrl=way.queue_url)
    for key in objects:
        way.send_event(f"in/{key}")
    answer = way.call()
    assert way.place.ended(answer["execution"])["Status"] == "SUCCESS"
    assert way.place.contents() == objects


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("in/a b/c.tif", "/a b/c.tif"),
        ("in/folder/", "/folder/"),
        ("in/a|b", "/a\\|b"),
        ("in/a\\b", "/a\\\\b"),
        ("in/a*b*c", "/a*"),
        ("in/100%+1.tif", "/100%+1.tif"),
    ],
)
def test_pattern_of_a_key(key: str, said: str) -> None:
    assert starter.pattern(event("lab", key), "lab", "in/") == said


def test_whole_bucket_has_no_prefix() -> None:
    assert starter.pattern(event("lab", "a.tif"), "lab", "") == "/a.tif"

"""What the way from an object to a queue and a function needs of S3, SQS and Lambda, and moto has not."""

from __future__ import annotations

import io
import json
import time
import zipfile
from uuid import uuid4

from local_aws.testing.ecs import Client


def test_bucket_shows_that_it_tells_eventbridge(client: Client) -> None:
    s3, name = client("s3"), f"a-{uuid4().hex[:10]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket=name)
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
    assert s3.get_bucket_notification_configuration(Bucket=name)["EventBridgeConfiguration"] == {}
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={})
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket=name)


def test_function_keeps_where_it_logs(client: Client) -> None:
    functions, name = client("lambda"), f"a-{uuid4().hex[:10]}"
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:*"}]}
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.py", "def handler(event, context): pass")
    request = {"FunctionName": name, "Role": role, "Runtime": "python3.13", "Handler": "a.handler"}
    functions.create_function(**request, Code={"ZipFile": packed.getvalue()}, LoggingConfig={"LogGroup": "/own"})
    found = functions.get_function_configuration(FunctionName=name)["LoggingConfig"]
    assert found == {"LogFormat": "Text", "LogGroup": "/own"}
    functions.update_function_configuration(FunctionName=name, LoggingConfig={"LogGroup": "/other"})
    assert functions.get_function(FunctionName=name)["Configuration"]["LoggingConfig"]["LogGroup"] == "/other"
    functions.delete_function(FunctionName=name)


def test_many_messages_are_read_in_seconds(client: Client) -> None:
    sqs = client("sqs")
    queue = sqs.create_queue(QueueName=f"a-{uuid4().hex[:10]}")["QueueUrl"]
    for begin in range(0, 400, 10):
        entries = [{"Id": str(number), "MessageBody": str(begin + number)} for number in range(10)]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    began, read = time.monotonic(), set()
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        read |= {message["Body"] for message in messages}
    assert read == {str(number) for number in range(400)}
    assert time.monotonic() - began < 20


def test_message_is_kept_for_the_queues_retention(client: Client) -> None:
    sqs = client("sqs")
    queue = sqs.create_queue(QueueName=f"a-{uuid4().hex[:10]}")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"MessageRetentionPeriod": "1209600"})
    sqs.send_message(QueueUrl=queue, MessageBody="kept")
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "kept"


def test_redrive_policy_comes_back_without_spaces(client: Client) -> None:
    sqs, name = client("sqs"), f"a-{uuid4().hex[:10]}"
    dead_letters = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = f'{{"deadLetterTargetArn":"{arn}","maxReceiveCount":5}}'
    queue = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert found["RedrivePolicy"] == policy

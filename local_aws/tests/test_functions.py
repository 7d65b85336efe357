"""Functions of Lambda that run, the machines of a VPC that they reach, and events of S3 that become one message."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from uuid import uuid4

import pytest

from local_aws.server import LocalAws
from local_aws.testing.ecs import Client, Network, until
from local_aws.testing.functions import invoke, make
from local_aws.testing.gateway import activate, start_instance

# In the function's own process.
PROBE = """
import os
def handler(event, context):
    if event.get("fail"):
        raise ValueError("no " + event["fail"])
    return {"left": context.get_remaining_time_in_millis() > 0, "proxy": os.environ.get("http_proxy"), **event}
"""
FETCH = """
import urllib.request
def handler(event, context):
    with urllib.request.urlopen(event["url"], timeout=5) as answer:
        return answer.read().decode()
"""


def test_a_function_runs_and_its_error_is_told(client: Client) -> None:
    name = make(client, PROBE, "probe")
    assert invoke(client, name, {"a": 1}) == ({"left": True, "proxy": None, "a": 1}, False)
    answer, failed = invoke(client, name, {"fail": "reason"})
    assert failed
    assert answer == {"errorMessage": "no reason", "errorType": "ValueError"}


def test_a_function_in_a_vpc_reaches_the_gateways_machine(client: Client, network: Network) -> None:
    machine = start_instance(client, network)
    place = {"SubnetIds": network.subnets, "SecurityGroupIds": [network.group]}
    name = make(client, FETCH, "fetch", VpcConfig=place)
    url = f"http://{machine['PrivateIpAddress']}/?activationRegion=eu-west-1&no_redirect"
    key, failed = invoke(client, name, {"url": url})
    assert not failed
    assert activate(client, key)["Ec2InstanceId"] == machine["InstanceId"]


def test_the_server_is_a_proxy_to_machines_that_run(client: Client, network: Network, aws: LocalAws) -> None:
    machine = start_instance(client, network)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": aws.endpoint}))
    url = f"http://{machine['PrivateIpAddress']}/?activationRegion=eu-west-1&no_redirect"
    assert len(opener.open(url).read()) == 29
    client("ec2").stop_instances(InstanceIds=[machine["InstanceId"]])
    with pytest.raises(urllib.error.HTTPError, match="504"):
        opener.open(url)


def test_many_events_of_a_bucket_become_one_message(client: Client) -> None:
    name = f"q-{uuid4().hex[:8]}"
    s3, sqs, events = client("s3"), client("sqs"), client("events")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
    url = sqs.create_queue(
        QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    )["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    target = {"Id": "1", "Arn": arn, "Input": '{"share": "s"}', "SqsParameters": {"MessageGroupId": "g"}}
    events.put_targets(Rule=name, Targets=[target])
    for number in range(5):
        s3.put_object(Bucket=name, Key=f"slide {number}.svs", Body=b"x")
    found = until(lambda: sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"))
    assert [json.loads(message["Body"]) for message in found] == [{"share": "s"}]


def test_what_terraform_reads_back_is_what_was_set(client: Client) -> None:
    name = f"q-{uuid4().hex[:8]}"
    logging = {"LogFormat": "JSON", "LogGroup": f"/{name}"}
    function = make(client, PROBE, "probe", LoggingConfig=logging)
    assert client("lambda").get_function(FunctionName=function)["Configuration"]["LoggingConfig"] == logging
    s3, sqs = client("s3"), client("sqs")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket=name)
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
    assert s3.get_bucket_notification_configuration(Bucket=name)["EventBridgeConfiguration"] == {}
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3}, separators=(",", ":"))
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    read = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    assert read["RedrivePolicy"] == policy

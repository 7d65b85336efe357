"""Faults on request: what waits, and how calls of every service meet it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from local_aws import faults as all_faults
from local_aws.faults import Faults
from local_aws.install import install
from local_aws.server import LocalAws
from local_aws.testing.faults import add_faults, ask, forget_faults

install()


@pytest.fixture
def faults() -> Iterator[Faults]:
    before = all_faults.of("ecs")
    yield Faults("ecs", words={"RunTask": "AGENT", "task": r"kill:\d+"})
    all_faults._services["ecs"] = before  # type: ignore[assignment]


def test_faults_are_met_once_and_in_order(faults: Faults) -> None:
    def code(met: all_faults.Fault | None) -> str:
        return met.code if met else ""

    faults.add("RunTask", "throttled", "AGENT", "lost")
    assert faults.take("RunTask") is None  # an error comes first
    assert code(faults.before("RunTask")) == "ThrottlingException"
    assert faults.before("RunTask") is None
    assert faults.take("RunTask") == "AGENT"
    assert faults.before("RunTask") is None
    assert code(faults.after("RunTask")) == "ServerException"
    assert faults.after("RunTask") is None
    assert faults.resource("GET", b"") == (200, {})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (b'{"RunTask": ["kill:1"]}', "'kill:1' is no fault of RunTask; lost, throttled, "),
        (b'{"task": ["ThrottlingException"]}', "'ThrottlingException' is no fault of task; "),
        (b'{"task": ["kill:x"]}', "'kill:x' is no fault of task; "),
        (b'{"ListTasks": ["AGENT"]}', "'AGENT' is no fault of ListTasks; "),
        (b'{"RunTasks": ["lost"]}', "'RunTasks' is no action of ecs, nor one of RunTask, task"),
        (b'["lost"]', "faults are an object such as"),
        (b"{", "Expecting"),
    ],
)
def test_refuses_a_fault(faults: Faults, asked: bytes, said: str) -> None:
    status, told = faults.resource("POST", asked)
    assert status == 400
    assert told["message"].startswith(said)
    assert faults.resource("GET", b"") == (200, {})


def _client(service: str, endpoint: str | None) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        region_name="eu-west-1",
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}),
    )


def _error(call: Callable[..., Any], **asked: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as raised:
        call(**asked)
    answer = raised.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


NAME = f"f-{uuid4().hex[:8]}"
TABLE = {
    "TableName": NAME,
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
}
BUCKET = {"Bucket": NAME, "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
# Service, action, what is asked, the code and status of a lost answer and of a throttled call, whether it is there.
ACTIONS: list[tuple[str, str, Any, tuple[str, int], tuple[str, int], Callable[[Any], bool]]] = [
    (
        "dynamodb",
        "CreateTable",
        TABLE,
        ("InternalServerError", 500),
        ("ThrottlingException", 400),
        lambda api: NAME in api.list_tables()["TableNames"],
    ),
    (
        "s3",
        "CreateBucket",
        BUCKET,
        ("InternalError", 500),
        ("SlowDown", 503),
        lambda api: NAME in [each["Name"] for each in api.list_buckets()["Buckets"]],
    ),
    (
        "sqs",
        "CreateQueue",
        {"QueueName": NAME},
        ("InternalFailure", 500),
        ("ThrottlingException", 400),
        lambda api: any(url.endswith(NAME) for url in api.list_queues().get("QueueUrls", [])),
    ),
    (
        "secretsmanager",
        "CreateSecret",
        {"Name": NAME},
        ("InternalServiceError", 500),
        ("ThrottlingException", 400),
        lambda api: NAME in [each["Name"] for each in api.list_secrets()["SecretList"]],
    ),
    (
        "ec2",
        "CreateKeyPair",
        {"KeyName": NAME},
        ("InternalError", 500),
        ("RequestLimitExceeded", 503),
        lambda api: NAME in [each["KeyName"] for each in api.describe_key_pairs()["KeyPairs"]],
    ),
    (
        "iam",
        "CreateRole",
        {"RoleName": NAME, "AssumeRolePolicyDocument": json.dumps({"Statement": []})},
        ("ServiceFailure", 500),
        ("Throttling", 400),
        lambda api: NAME in [each["RoleName"] for each in api.list_roles()["Roles"]],
    ),
    (
        "efs",
        "CreateFileSystem",
        {"CreationToken": NAME},
        ("InternalServerError", 500),
        ("ThrottlingException", 400),
        lambda api: api.describe_file_systems(CreationToken=NAME)["FileSystems"] != [],
    ),
]


@pytest.mark.parametrize(
    ("service", "action", "asked", "lost", "throttled", "is_there"), ACTIONS, ids=[row[0] for row in ACTIONS]
)
def test_any_service_loses_answers_and_is_asked_too_often(
    aws: LocalAws,
    service: str,
    action: str,
    asked: dict[str, Any],
    lost: tuple[str, int],
    throttled: tuple[str, int],
    is_there: Callable[[Any], bool],
) -> None:
    api = _client(service, aws.endpoint)
    call = getattr(api, {v: k for k, v in api.meta.method_to_api_mapping.items()}[action])
    add_faults(aws.endpoint, service, {action: ["throttled", "lost"]})
    assert _error(call, **asked) == throttled
    assert not is_there(api)
    assert _error(call, **asked) == lost
    assert is_there(api)
    assert ask(aws.endpoint, f"/_local/{service}/faults") == {}


def test_an_answer_is_not_lost_where_nothing_was_done(aws: LocalAws) -> None:
    api = _client("s3", aws.endpoint)
    add_faults(aws.endpoint, "s3", {"DeleteBucket": ["lost"]})
    assert _error(api.delete_bucket, Bucket=f"no-{NAME}") == ("NoSuchBucket", 404)
    assert forget_faults(aws.endpoint, "s3") == {}


def test_any_code_of_a_service_may_be_asked_for(aws: LocalAws) -> None:
    said = "Unable to delete VPC endpoint"  # Terraform's provider looks for it (internal/service/transfer/server.go)
    add_faults(aws.endpoint, "transfer", {"DeleteServer": [f"InvalidRequestException: {said}"]})
    transfer = _client("transfer", aws.endpoint)
    with pytest.raises(transfer.exceptions.InvalidRequestException, match=said):
        transfer.delete_server(ServerId="s-01234567890abcdef")
    add_faults(aws.endpoint, "ec2", {"DescribeVpcs": ["UnauthorizedOperation"]})
    assert _error(_client("ec2", aws.endpoint).describe_vpcs) == ("UnauthorizedOperation", 400)
    add_faults(aws.endpoint, "dynamodb", {"ListTables": ["ProvisionedThroughputExceededException"]})
    code = _error(_client("dynamodb", aws.endpoint).list_tables)[0]
    assert code == "ProvisionedThroughputExceededException"


def test_mocks_meet_faults_too() -> None:
    waiting = all_faults.of("sqs")
    assert waiting
    waiting.add("CreateQueue", "throttled", "lost")
    with mock_aws():
        api = _client("sqs", None)
        assert _error(api.create_queue, QueueName="q")[0] == "ThrottlingException"
        assert "QueueUrls" not in api.list_queues()
        assert _error(api.create_queue, QueueName="q") == ("InternalFailure", 500)
        assert len(api.list_queues()["QueueUrls"]) == 1

"""Fixtures: one local AWS for all tests of a session, with durations that keep them quick."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from local_aws import files
from local_aws.server import LocalAws
from local_aws.stand_ins import VARIABLE
from local_aws.testing.ecs import Client, Ecs, Network
from local_aws.testing.rights import make_role, statement

QUICK = {
    "LOCAL_AWS_TASK_START_SECONDS": "0.4",
    "LOCAL_AWS_TASK_HEALTH_SECONDS": "0.2",
    "LOCAL_AWS_TASK_STOP_SECONDS": "0.2",
    "LOCAL_AWS_TASK_RETRY_SECONDS": "0.05",
    "LOCAL_AWS_RUN_TASK_SECONDS": "0.6",
    "LOCAL_AWS_DATABASE_SECONDS": "0.4",
    "LOCAL_AWS_CERTIFICATE_SECONDS": "0.1",
    "LOCAL_AWS_INSTANCE_SECONDS": "0.2",
    "LOCAL_AWS_CACHE_SECONDS": "1",
    "LOCAL_AWS_BUILD_SECONDS": "0.3",
    "LOCAL_AWS_DYNAMODB_INDEX_SECONDS": "0",
    "LOCAL_AWS_DATASYNC_STATE_SECONDS": "0.1",
    "LOCAL_AWS_GATEWAY_SECONDS": "0.2",
    "LOCAL_AWS_GATEWAY_REFRESH_SECONDS": "0.6",
    "LOCAL_AWS_GATEWAY_REFRESH_INTERVAL_SECONDS": "0.2",
    "LOCAL_AWS_TRANSFER_START_SECONDS": "0.2",
    "LOCAL_AWS_TRANSFER_STOP_SECONDS": "0.5",
    "LOCAL_AWS_TRANSFER_ENDPOINT_SECONDS": "3",
    "LOCAL_AWS_EXEC_IDLE_SECONDS": "8",
    "LOCAL_AWS_APPSTREAM_FLEET_START_SECONDS": "0.3",
    "LOCAL_AWS_APPSTREAM_FLEET_STOP_SECONDS": "0.2",
    "LOCAL_AWS_APPSTREAM_IMAGE_SECONDS": "0.2",
    "LOCAL_AWS_APPSTREAM_BUILDER_SECONDS": "0.2",
    "LOCAL_AWS_APPSTREAM_QUOTAS": "stream.standard.2xlarge=0",
    "LOCAL_AWS_QUOTAS": "vpc=200,eip=1000",  # one server for many tests
}


@pytest.fixture(scope="session")
def files_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server of `aws` keeps the folders of its EFS file systems."""
    return tmp_path_factory.mktemp("files").resolve()


@pytest.fixture(scope="session")
def stand_ins() -> Path:
    """The images whose containers the server of `aws` really runs; who has others overrides this."""
    return Path(__file__).with_name("images")


@pytest.fixture(scope="session")
def aws(files_root: Path, stand_ins: Path) -> Iterator[LocalAws]:
    settings = {**QUICK, files.VARIABLE: str(files_root), VARIABLE: str(stand_ins)}
    with LocalAws(settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def client(aws: LocalAws) -> Client:
    """Makes a boto3 client of a service; made once a session each."""
    made: dict[str, Any] = {}
    session: Any = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=aws.region)

    def make(service: str) -> Any:
        if service not in made:
            made[service] = session.client(service, endpoint_url=aws.endpoint)
        return made[service]

    return make


@pytest.fixture(scope="session")
def network(client: Client) -> Network:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{index}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for index, zone in enumerate("ab")
    ]
    group = ec2.create_security_group(GroupName="tasks", Description="Tasks", VpcId=vpc)["GroupId"]
    inside = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.9.0.0/16"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[inside])
    return Network(vpc, subnets, group)


@pytest.fixture(scope="session")
def role(client: Client) -> str:
    client("logs").create_log_group(logGroupName="/tasks")
    # What tasks of these tests do with either role; a test of rights makes roles of its own.
    services = ("dynamodb", "ecr", "elasticfilesystem", "kms", "logs", "s3", "secretsmanager", "ssm", "ssmmessages")
    actions = [f"{each}:*" for each in services]
    return make_role(client, statement(*actions), service="ecs-tasks.amazonaws.com")


@pytest.fixture
def ecs(client: Client, network: Network, role: str) -> Ecs:
    name = f"cluster-{uuid4().hex[:8]}"
    client("ecs").create_cluster(clusterName=name)
    return Ecs(client("ecs"), name, network, role)

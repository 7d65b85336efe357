"""A workspace as its stacks leave it, made in the local AWS without Terraform."""

from __future__ import annotations

import functools
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3

from contract.outputs import Data, Network
from contract.sections.sftp import SftpOutputs
from functions import FOLDER
from local_aws import files
from local_aws.server import LocalAws
from local_aws.testing.faults import add_faults, ask, forget_faults
from local_aws.testing.sftp import Sftp
from scripts import aws
from scripts.changes import changing
from scripts.ingest.deployment import DeployedWorkspace
from scripts.ingest.sftp import command as sftp
from scripts.ingest.sftp import network, roles, server
from scripts.ingest.sftp.context import SftpContext, find_server
from settings import Workspace
from tests.conftest import merged, workspace

ACCOUNT, REGION = "123456789012", "eu-west-1"
FIRST: dict[str, Any] = {"account_id": ACCOUNT, "region": REGION, "sftp": {"cidrs": ["192.0.2.0/24"]}}
PUBLIC: dict[str, Any] = {"endpoint": "public", "cidrs": [], "open_to_the_world": True}


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    code: object
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Stage:
    """`context` is the workspace's; `files` is the root directory of its file system."""

    aws: LocalAws
    context: SftpContext
    files: Path

    def client(self, service: str) -> Any:
        return self.context.deployment.client(service)

    def ensure(self, **changes: Any) -> list[str]:
        """What `sftp ensure` does, in this process, with other settings if there are `changes`."""
        with changing() as done:
            sftp.ensure(self.with_(**changes), done)
        return done.sentences

    def with_(self, **changes: Any) -> SftpContext:
        """The same with other settings in the section `sftp`."""
        if not changes:
            return self.context
        settings = _workspace(self.context.deployment.workspace.name, **changes)
        assert settings.sftp
        return SftpContext(deployment=replace(self.context.deployment, workspace=settings), settings=settings.sftp)

    @property
    def server(self) -> dict[str, Any]:
        found = find_server(self.context)
        assert found
        return found

    @property
    def address(self) -> dict[str, Any]:
        """Where the server listens, on this machine."""
        told = ask(self.aws.endpoint, "/_local/transfer/servers")
        return dict(told[self.server["ServerId"]])

    def fault(self, **faults: list[str]) -> None:
        """Have the next calls of Transfer Family meet these faults."""
        add_faults(self.aws.endpoint, "transfer", faults)

    def openssh(self, work: Path) -> Sftp:
        """Debian's own client."""
        return Sftp(self.aws, self.context.transfer, self.server["ServerId"], self.files.name, self.files, work)

    @property
    def drop(self) -> Path:
        """The drop area."""
        return self.files / self.context.settings.folder.strip("/")

    def clear(self) -> None:
        """Take the endpoint away: the local AWS has room for so many servers."""
        forget_faults(self.aws.endpoint, "transfer")
        with changing() as done:
            if found := find_server(self.context):
                server.delete(self.context, found, done)
            network.release_addresses(self.context, done)
            network.remove_group(self.context, done)
            roles.remove(self.context, done)


# Of a key: CloudWatch Logs takes no other (CloudWatch Logs User Guide, "Encrypt log data").
_LOGS = {
    "Effect": "Allow",
    "Principal": {"Service": "logs.eu-west-1.amazonaws.com"},
    "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:GenerateDataKey*"],
    "Resource": "*",
}


def _workspace(name: str, **section: Any) -> Workspace:
    return workspace(name=name, **merged(FIRST, {"sftp": section}))


@functools.cache
def _session(endpoint: str) -> boto3.Session:
    """One for all tests: the models of AWS's services are read once."""
    return aws.session(_workspace("lab"))


@functools.cache
def _ground(endpoint: str) -> dict[str, str]:
    """Network, key and topic, which workspaces can share here."""
    session = _session(endpoint)
    ec2 = session.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.7.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for index, zone in enumerate("abab")
    ]
    key = session.client("kms").create_key(Policy=json.dumps({"Statement": [_LOGS]}))["KeyMetadata"]["Arn"]
    return {
        Network.vpc_id.path: vpc,
        Network.public_subnet_ids.path: ",".join(subnets[:2]),
        Network.private_subnet_ids.path: ",".join(subnets[2:]),
        Data.key_arn.path: key,
        Network.log_key_arn.path: key,
        SftpOutputs.alarm_topic_arn.path: session.client("sns").create_topic(Name="sftp")["TopicArn"],
    }


def make_stage(aws_: LocalAws, name: str | None = None) -> Stage:
    """A new workspace, by default with a name of its own."""
    session, ground = _session(aws_.endpoint), _ground(aws_.endpoint)
    name = name or f"w{uuid4().hex[:8]}"
    efs = session.client("efs")
    system = efs.create_file_system(CreationToken=uuid4().hex)["FileSystemId"]
    for subnet in ground[Network.private_subnet_ids.path].split(","):
        efs.create_mount_target(FileSystemId=system, SubnetId=subnet)
    settings = _workspace(name)
    assert settings.sftp
    published = {
        **ground,
        Data.file_system_id.path: system,
        SftpOutputs.folder.path: settings.sftp.folder,
        SftpOutputs.folders_function_name.path: _function(session, name, system, ground, settings.sftp.folder),
        SftpOutputs.log_group_name.path: f"/omero/{name}/sftp",
    }
    ssm = session.client("ssm")
    for key, value in published.items():
        ssm.put_parameter(Name=f"/omero/{name}/{key}", Value=value, Type="String")
    deployment = DeployedWorkspace(workspace=settings, session=session, parameters=published)
    return Stage(aws_, SftpContext(deployment=deployment, settings=settings.sftp), files.folder(system))


def _function(session: boto3.Session, name: str, system: str, ground: dict[str, str], folder: str) -> str:
    """As modules/drop_area.py has it."""
    point = session.client("efs").create_access_point(
        ClientToken=uuid4().hex,
        FileSystemId=system,
        PosixUser={"Uid": 0, "Gid": 0},
        RootDirectory={
            "Path": folder,
            "CreationInfo": {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0755"},
        },
    )["AccessPointArn"]
    function = f"omero-{name}-sftp-folders"
    iam = session.client("iam")
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]}
    role = iam.create_role(RoleName=function, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    allowed = {
        "Effect": "Allow",
        "Action": [
            *(f"elasticfilesystem:Client{each}" for each in ("Mount", "Write", "RootAccess")),
            *("ec2:*NetworkInterface*", "ec2:DescribeSubnets", "ec2:*PrivateIpAddresses"),  # of Lambda itself
        ],
        "Resource": "*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=function, PolicyName="function", PolicyDocument=document)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as deployment:
        deployment.writestr("sftp_folders.py", (FOLDER / "sftp_folders.py").read_text(encoding="utf-8"))
    session.client("lambda").create_function(
        FunctionName=function,
        Runtime="python3.13",
        Role=role,
        Handler="sftp_folders.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=60,
        VpcConfig={"SubnetIds": ground[Network.private_subnet_ids.path].split(","), "SecurityGroupIds": []},
        FileSystemConfigs=[{"Arn": point, "LocalMountPath": "/mnt/drop"}],
        Environment={"Variables": {"FOLDER": "/mnt/drop"}},
    )
    return function


class Killed(BaseException):
    """The process ends here, as by a signal."""


@contextmanager
def calls(stage: Stage, kill_after: int = 0) -> Iterator[list[str]]:
    """The names of the AWS calls that are made; with `kill_after`, the process ends after so many."""
    names: list[str] = []

    def note(**event: Any) -> None:
        names.append(event["model"].name)
        if len(names) == kill_after:
            raise Killed

    clients = stage.context.deployment._clients
    clients.clear()
    session = stage.context.deployment.session
    session.events.register("after-call", note)
    try:
        yield names
    finally:
        session.events.unregister("after-call", note)
        clients.clear()

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

from functions import FOLDER
from local_aws import files
from local_aws.server import LocalAws
from local_aws.testing.faults import add_faults, ask, forget_faults
from local_aws.testing.sftp import Sftp
from scripts import aws
from scripts.changes import changing
from scripts.ingest.deployment import Opened
from scripts.ingest.sftp import command as sftp
from scripts.ingest.sftp import network, roles, server
from scripts.ingest.sftp.context import Site, find_server
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
    """`site` is the workspace's; `files` is the root directory of its file system."""

    aws: LocalAws
    site: Site
    files: Path

    def client(self, service: str) -> Any:
        return self.site.opened.client(service)

    def ensure(self, **changes: Any) -> list[str]:
        """What `sftp ensure` does, in this process, with other settings if there are `changes`."""
        with changing() as done:
            sftp.ensure(self.with_(**changes), done)
        return done.sentences

    def with_(self, **changes: Any) -> Site:
        """The same site with other settings in the section `sftp`."""
        if not changes:
            return self.site
        settings = _workspace(self.site.opened.workspace.name, **changes)
        assert settings.sftp
        return Site(opened=replace(self.site.opened, workspace=settings), settings=settings.sftp)

    @property
    def server(self) -> dict[str, Any]:
        found = find_server(self.site)
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
        return Sftp(self.aws, self.site.transfer, self.server["ServerId"], self.files.name, self.files, work)

    @property
    def drop(self) -> Path:
        """The drop area."""
        return self.files / self.site.settings.folder.strip("/")

    def clear(self) -> None:
        """Take the endpoint away: the local AWS has room for so many servers."""
        forget_faults(self.aws.endpoint, "transfer")
        with changing() as done:
            if found := find_server(self.site):
                server.delete(self.site, found, done)
            network.release_addresses(self.site, done)
            network.remove_group(self.site, done)
            roles.remove(self.site, done)


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
    key = session.client("kms").create_key()["KeyMetadata"]["Arn"]
    return {
        "network/vpc_id": vpc,
        "network/public_subnet_ids": ",".join(subnets[:2]),
        "network/private_subnet_ids": ",".join(subnets[2:]),
        "data/key_arn": key,
        "sftp/key_arn": key,
        "sftp/alarm_topic_arn": session.client("sns").create_topic(Name="sftp")["TopicArn"],
    }


def make_stage(aws_: LocalAws, name: str | None = None) -> Stage:
    """A new workspace, by default with a name of its own."""
    session, ground = _session(aws_.endpoint), _ground(aws_.endpoint)
    name = name or f"w{uuid4().hex[:8]}"
    system = session.client("efs").create_file_system(CreationToken=uuid4().hex)["FileSystemId"]
    settings = _workspace(name)
    assert settings.sftp
    published = {
        **ground,
        "data/file_system_id": system,
        "sftp/folder": settings.sftp.folder,
        "sftp/folders_function_name": _function(session, name, system, ground, settings.sftp.folder),
        "sftp/log_group_name": f"/omero/{name}/sftp",
    }
    ssm = session.client("ssm")
    for key, value in published.items():
        ssm.put_parameter(Name=f"/omero/{name}/{key}", Value=value, Type="String")
    opened = Opened(workspace=settings, session=session, parameters=published)
    return Stage(aws_, Site(opened=opened, settings=settings.sftp), files.folder(system))


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
        "Action": [f"elasticfilesystem:Client{each}" for each in ("Mount", "Write", "RootAccess")],
        "Resource": "*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=function, PolicyName="function", PolicyDocument=document)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("sftp_folders.py", (FOLDER / "sftp_folders.py").read_text(encoding="utf-8"))
    session.client("lambda").create_function(
        FunctionName=function,
        Runtime="python3.13",
        Role=role,
        Handler="sftp_folders.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=60,
        VpcConfig={"SubnetIds": ground["network/private_subnet_ids"].split(","), "SecurityGroupIds": []},
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

    clients = stage.site.opened._clients
    clients.clear()
    session = stage.site.opened.session
    session.events.register("after-call", note)
    try:
        yield names
    finally:
        session.events.unregister("after-call", note)
        clients.clear()

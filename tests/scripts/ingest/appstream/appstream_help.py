"""What the tests of AppStream have in common: archives of the right layout, a deployed workspace in an AWS, kills."""

from __future__ import annotations

import functools
import hashlib
import io
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import boto3

from contract.outputs import Network, Omero
from local_aws.install import install
from local_aws.services.appstream import appstream_backends
from local_aws.services.appstream import images as local_images
from scripts import aws as scripts_aws
from scripts.changes import Changes
from scripts.ingest.appstream import lifecycle
from scripts.ingest.appstream.context import AppStreamContext
from scripts.ingest.deployment import DeployedWorkspace
from settings import Workspace
from tests.conftest import merged, workspace

install()

ACCOUNT = "123456789012"
REGION = "eu-central-1"
ON_DEMAND: dict[str, Any] = {"fleet": {"type": "ON_DEMAND", "image": "insight-1", "sessions": 1}}
HOST = "server.lab.omero.internal"
CONTAINER_XML = """<?xml version="1.0" encoding="utf-8"?>
<!-- OMERO.insight MASTER CONFIGURATION FILE -->
<container>
  <services>
    <structuredEntry name="/services/OMERODS" type="OMERODS">
      <hostName configurable="true">localhost</hostName>
      <port>4063</port>
      <portSSL>4064</portSSL>
      <encrypted configurable="true">false</encrypted>
    </structuredEntry>
    <entry name="/services/FS/defaultDirectory"></entry>
    <entry name="/services/LOGIN/omeds/max-retry" type="integer">10</entry>
  </services>
</container>
"""
RELEASE = 'JAVA_VERSION="17.0.9"\r\nOS_ARCH="x86_64"\r\nOS_NAME="Windows"\r\nIMPLEMENTOR="Eclipse Adoptium"\r\n'


def jar(*classes: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in classes:
            archive.writestr(zipfile.ZipInfo(name), b"\xca\xfe\xba\xbe")
    return out.getvalue()


def insight_files(root: str = "OMERO.insight-5.8.4/") -> dict[str, bytes]:
    """As Gradle's `distZip` of ome/omero-insight lays it out (buildSrc, DistributePlugin)."""
    return {
        f"{root}bin/omero-insight": b"#!/bin/sh\n",
        f"{root}bin/omero-insight.bat": b"@rem\r\n",
        f"{root}config/container.xml": CONTAINER_XML.encode(),
        f"{root}config/containerImporter.xml": CONTAINER_XML.encode(),
        f"{root}config/about.xml": b"<about/>",
        f"{root}lib/omero-insight-5.8.4.jar": jar("org/openmicroscopy/shoola/Main.class"),
        f"{root}lib/omero-gateway-5.9.0.jar": jar("omero/gateway/Gateway.class"),
    }


def runtime_files(root: str = "jdk-17.0.9+9-jre/") -> dict[str, bytes]:
    """As Eclipse Temurin's zip of a JRE for Windows."""
    return {
        f"{root}release": RELEASE.encode(),
        f"{root}bin/java.exe": b"MZ",
        f"{root}bin/javaw.exe": b"MZ",
        f"{root}lib/modules": bytes(range(256)) * 64,
    }


def write_zip(path: Path, files: dict[str, bytes]) -> tuple[Path, str]:
    """The file, and its SHA-256."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # at a time of its own: always the same file
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def section(folder: Path, **changes: Any) -> dict[str, Any]:
    """A section `appstream`, with archives in `folder`."""
    insight, insight_sha256 = write_zip(folder / "OMERO.insight-5.8.4.zip", insight_files())
    runtime, runtime_sha256 = write_zip(folder / "jre.zip", runtime_files())
    values = {
        "insight": {
            "archive": str(insight),
            "archive_sha256": insight_sha256,
            "runtime": str(runtime),
            "runtime_sha256": runtime_sha256,
        },
        "fleet": {"sessions": 2},
    }
    return merged(values, changes)


def deployed(folder: Path, **changes: Any) -> Workspace:
    return workspace(account_id=ACCOUNT, appstream=section(folder, **changes))


def published(session: boto3.Session) -> dict[str, str]:
    """What the stacks of the workspace `lab` publish, made in the AWS that is mocked."""
    ec2 = session.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.192.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.192.2{index}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for index, zone in enumerate("ab")
    ]
    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
    ec2.create_vpc_endpoint(
        VpcId=vpc, VpcEndpointType="Gateway", ServiceName=f"com.amazonaws.{REGION}.s3", RouteTableIds=[table]
    )
    group = ec2.create_security_group(GroupName="omero-lab-server", Description="Server", VpcId=vpc)["GroupId"]
    parameters = {
        Network.vpc_id.path: vpc,
        Network.private_subnet_ids.path: ",".join(subnets),
        Omero.server_host.path: HOST,
        Omero.server_security_group_id.path: group,
    }
    for name, value in parameters.items():
        session.client("ssm").put_parameter(Name=f"/omero/lab/{name}", Value=value, Type="String", Overwrite=True)
    return parameters


Make = Callable[..., AppStreamContext]


class QuickDeployedWorkspace(DeployedWorkspace):
    """A deployed workspace whose clients are made once for all runs, which is most of the time that a run takes."""

    clients: ClassVar[dict[str, Any]] = {}

    def client(self, service: str, *, patient: bool = False, once: bool = False) -> Any:
        if service not in self.clients:
            self.clients[service] = super().client(service, patient=patient, once=once)
            self.clients[service].meta.events.register("after-call", KILLS.after_call)
            self.clients[service].meta.events.register("before-call", KILLS.before_call)
        return self.clients[service]


def appstream_context(settings: Workspace, parameters: dict[str, str], *, dry_run: bool = False) -> AppStreamContext:
    """The AppStream of a workspace, as a new run sees it."""
    assert settings.appstream is not None
    deployment = QuickDeployedWorkspace(workspace=settings, session=session(), parameters=parameters)
    return AppStreamContext(deployment=deployment, settings=settings.appstream, changes=Changes(dry_run=dry_run))


@functools.cache
def session() -> boto3.Session:
    return scripts_aws.session(workspace(account_id=ACCOUNT))


class Killed(BaseException):
    """What stands for the end of the process."""


class Kills:
    """Ends a run right after its first call that changes something, while it is `armed`."""

    def __init__(self) -> None:
        self.armed = False
        self.due = False  # a thread of boto3's has made the call: the run ends before its next one
        self.after: list[str] = []

    def before_call(self, **_: Any) -> None:
        if self.due and threading.current_thread() is threading.main_thread():
            self.due = False
            raise Killed

    def after_call(self, model: Any, http_response: Any, **_: Any) -> None:
        reads = model.name.startswith(("Describe", "List", "Get", "Head")) or model.name.endswith("URL")
        if not self.armed or reads or http_response.status_code >= 300:
            return
        self.armed = False
        self.after.append(f"{model.service_model.service_name}:{model.name}")
        if threading.current_thread() is threading.main_thread():
            raise Killed
        self.due = True


KILLS = Kills()


def with_kills(
    run: Callable[[AppStreamContext], object], make: Callable[[], AppStreamContext], most: int = 80
) -> list[str]:
    """Run again and again, each time killed after its first change, until a run changes nothing; the changes' names."""
    KILLS.after = []
    for _ in range(most):
        KILLS.armed = True
        try:
            run(make())
        except Killed:
            continue
        KILLS.armed = False
        return KILLS.after
    raise AssertionError(f"not done after {most} kills: {KILLS.after}")


def backend() -> Any:
    return appstream_backends[ACCOUNT][REGION]


def names(call: Any, key: str, **arguments: Any) -> list[str]:
    return [each["Name"] for each in call(**arguments)[key]]


def inventory(there: AppStreamContext) -> dict[str, Any]:
    """What boto3 alone finds of this workspace's."""
    client = there.client
    s3, ec2, iam = (there.deployment.client(service) for service in ("s3", "ec2", "iam"))
    buckets = [each["Name"] for each in s3.list_buckets()["Buckets"] if each["Name"] == there.bucket]
    return {
        "fleets": names(client.describe_fleets, "Fleets"),
        "stacks": names(client.describe_stacks, "Stacks"),
        "app blocks": names(client.describe_app_blocks, "AppBlocks"),
        "applications": names(client.describe_applications, "Applications"),
        "images": names(client.describe_images, "Images", Type="PRIVATE"),
        "builders": names(client.describe_image_builders, "ImageBuilders"),
        "objects": [
            row["Key"].rpartition("/")[2] for row in s3.list_objects_v2(Bucket=there.bucket).get("Contents", [])
        ]
        if buckets
        else [],
        "buckets": buckets,
        "groups": [
            each["GroupName"]
            for each in ec2.describe_security_groups()["SecurityGroups"]
            if each["GroupName"].endswith("appstream")
        ],
        "roles": [each["RoleName"] for each in iam.list_roles()["Roles"] if "appstream" in each["RoleName"]],
    }


KINDS = (
    "fleets",
    "stacks",
    "app blocks",
    "applications",
    "images",
    "builders",
    "objects",
    "buckets",
    "groups",
    "roles",
)
NOTHING: dict[str, Any] = {kind: [] for kind in KINDS}


def url_of(there: AppStreamContext, user: str = "ada") -> str:
    asked = {"StackName": there.name, "FleetName": there.name, "UserId": user}
    return str(there.client.create_streaming_url(**asked)["StreamingURL"])


def tear_down(there: AppStreamContext, **changes: Any) -> None:
    lifecycle.teardown(there, **{"delete_images": [], "delete_home_folders": [], **changes})


class Person:
    """Somebody who pastes what is shown, at once or never."""

    def __init__(self, *, pastes: bool = True) -> None:
        self.pastes = pastes
        self.shown: list[tuple[str, str]] = []

    def __call__(self, url: str, script: str) -> None:
        self.shown.append((url, script))
        if self.pastes:
            local_images.paste(backend(), url, script)

"""A bucket, a file system and a task between them, as the tests of DataSync need them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local_aws import files
from local_aws.files import Owner
from local_aws.testing.ecs import Client, Network, until
from local_aws.testing.faults import add_faults, forget_faults
from local_aws.testing.rights import make_role, statement

AS_THE_ACCESS_POINT = {"Uid": "NONE", "Gid": "NONE", "VerifyMode": "ONLY_FILES_TRANSFERRED"}


@dataclass(frozen=True)
class Place:
    """What tasks are made of, and where the files land."""

    client: Client
    network: Network
    role: str
    bucket: str
    file_system: str
    folder: Path  # the root directory of the file system

    @property
    def datasync(self) -> Any:
        return self.client("datasync")

    def fault(self, **faults: list[str]) -> None:
        """Have the next calls of DataSync, and the next executions, meet these faults."""
        add_faults(self.datasync.meta.endpoint_url, "datasync", faults)

    def put(self, objects: dict[str, bytes], **more: Any) -> None:
        for key, content in objects.items():
            self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content, **more)

    def source(self, subdirectory: str = "/") -> str:
        made = self.datasync.create_location_s3(
            S3BucketArn=f"arn:aws:s3:::{self.bucket}",
            Subdirectory=subdirectory,
            S3Config={"BucketAccessRoleArn": self.role},
        )
        return str(made["LocationArn"])

    def efs_request(self, **more: Any) -> dict[str, Any]:
        where = "eu-west-1:123456789012"
        return {
            "EfsFilesystemArn": f"arn:aws:elasticfilesystem:{where}:file-system/{self.file_system}",
            "Ec2Config": {
                "SubnetArn": f"arn:aws:ec2:{where}:subnet/{self.network.subnets[0]}",
                "SecurityGroupArns": [f"arn:aws:ec2:{where}:security-group/{self.network.group}"],
            },
            "InTransitEncryption": "TLS1_2",
            **more,
        }

    def destination(self, **more: Any) -> str:
        return str(self.datasync.create_location_efs(**self.efs_request(**more))["LocationArn"])

    def access_point(self, path: str = "/omero/import", uid: int = 1000) -> str:
        made = self.client("efs").create_access_point(
            ClientToken=uuid4().hex,
            FileSystemId=self.file_system,
            PosixUser={"Uid": uid, "Gid": uid},
            RootDirectory={"Path": path, "CreationInfo": {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0755"}},
        )
        return str(made["AccessPointArn"])

    def task(self, source: str | None = None, destination: str | None = None, **more: Any) -> str:
        made = self.datasync.create_task(
            SourceLocationArn=source or self.source(),
            DestinationLocationArn=destination or self.destination(AccessPointArn=self.access_point()),
            Options=more.pop("Options", AS_THE_ACCESS_POINT),
            **more,
        )
        return str(made["TaskArn"])

    def run(self, task: str, **more: Any) -> dict[str, Any]:
        """The description of an execution that has ended."""
        started = self.datasync.start_task_execution(TaskArn=task, **more)["TaskExecutionArn"]
        return self.ended(started)

    def ended(self, execution: str, *, seconds: float = 20) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.datasync.describe_task_execution(TaskExecutionArn=execution)
            return found if found["Status"] in ("SUCCESS", "ERROR") else None

        return dict(until(look, seconds=seconds))

    def contents(self, below: str = "omero/import") -> dict[str, bytes]:
        top = self.folder / below
        return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}

    def owner(self, path: str, below: str = "omero/import") -> Owner | None:
        return files.owner(self.folder / below / path)


def thousand_objects() -> dict[str, bytes]:
    """1,000 small objects, in folders five levels deep, with all that a microscope's software puts into names."""
    words = [
        "plain",
        "with space",
        "O'Brien",
        'a "quote"',
        "Zelle-µ-细胞",
        "100%",
        "a&b=c;d",
        "née+x",
        "#1 (copy)",
        "~t$",
    ]
    return {
        f"{words[n % 10]}/{n % 7}/{words[n // 10 % 10]}/d {n % 3}/é{n % 5}/{words[n // 100]} {n}.tif": f"µ{n}".encode()
        * n
        for n in range(1000)
    }


def make_place(client: Client, network: Network, root: Path) -> Place:
    name = f"d-{uuid4().hex[:10]}"
    # What DataSync does with either role; a test of rights takes some of it away.
    allowed = statement("s3:*", "kms:*", "elasticfilesystem:Client*")
    role = make_role(client, allowed, service="datasync.amazonaws.com", name=name)
    client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    system = client("efs").create_file_system(CreationToken=name)["FileSystemId"]
    for subnet in network.subnets:
        client("efs").create_mount_target(FileSystemId=system, SubnetId=subnet, SecurityGroups=[network.group])
    return Place(client, network, role, name, system, root / system)


@pytest.fixture
def place(client: Client, network: Network, files_root: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Everything of its own for a test, which sees the owners that the server records."""
    monkeypatch.setenv("LOCAL_AWS_FILES", str(files_root))
    forget_faults(client("datasync").meta.endpoint_url, "datasync")
    return make_place(client, network, files_root)

"""Tasks whose containers really run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from local_aws.testing.ecs import Client, Ecs, until
from local_aws.testing.faults import add_faults, forget_faults

IMAGE = "example/tools:1"  # of the folder `images` beside this file


@dataclass(frozen=True)
class Programs:
    """A cluster with an EFS file system, which its tasks see at `path`, and which is `folder` here."""

    aws: LocalAws
    client: Client
    ecs: Ecs
    file_system: str
    folder: Path
    image: str
    container: str
    path: str

    def definition(self, *, family: str = "", others: Sequence[dict[str, Any]] = (), **container: Any) -> str:
        """A task definition with a container of the image, and `others`."""
        volume = {
            "name": "files",
            "efsVolumeConfiguration": {"fileSystemId": self.file_system, "transitEncryption": "ENABLED"},
        }
        options = {"awslogs-group": "/tasks", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "it"}
        made = {
            "name": self.container,
            "image": self.image,
            "mountPoints": [{"sourceVolume": "files", "containerPath": self.path}],
            "logConfiguration": {"logDriver": "awslogs", "options": options},
            **container,
        }
        answer = self.ecs.client.register_task_definition(
            family=family or self.container,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            executionRoleArn=self.ecs.role,
            taskRoleArn=self.ecs.role,
            containerDefinitions=[made, *others],
            volumes=[volume],
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def start(self, definition: str, **more: Any) -> str:
        answer = self.ecs.client.run_task(
            cluster=self.ecs.cluster,
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration=self.ecs.vpc,
            **more,
        )
        return str(answer["tasks"][0]["taskArn"])

    def task(self, arn: str) -> dict[str, Any]:
        return dict(self.ecs.client.describe_tasks(cluster=self.ecs.cluster, tasks=[arn])["tasks"][0])

    def until(self, arn: str, status: str, seconds: float = 60) -> dict[str, Any]:
        until(lambda: self.task(arn)["lastStatus"] in (status, "STOPPED"), seconds=seconds)
        found = self.task(arn)
        assert found["lastStatus"] == status, found
        return found

    def run(self, *command: str, **more: Any) -> dict[str, Any]:
        """The stopped task."""
        definition = self.definition(entryPoint=list(command), **more)
        return self.until(self.start(definition), "STOPPED")

    def log(self, task: dict[str, Any], container: str = "") -> list[str]:
        stream = f"it/{container or self.container}/{task['taskArn'].rpartition('/')[2]}"
        found = self.client("logs").get_log_events(logGroupName="/tasks", logStreamName=stream, startFromHead=True)
        return [event["message"] for event in found["events"]]

    def forget_faults(self) -> None:
        forget_faults(self.aws.endpoint, "ecs")

    def fault(self, **faults: list[str]) -> None:
        add_faults(self.aws.endpoint, "ecs", faults)


def make_programs(
    aws: LocalAws,
    client: Client,
    ecs: Ecs,
    files_root: Path,
    *,
    image: str = IMAGE,
    container: str = "main",
    path: str = "/data",
) -> Programs:
    """A file system of its own for the cluster."""
    efs = client("efs")
    system = efs.create_file_system(CreationToken=ecs.cluster)["FileSystemId"]
    for subnet in ecs.network.subnets:
        efs.create_mount_target(FileSystemId=system, SubnetId=subnet, SecurityGroups=[ecs.network.group])
    folder = files_root / system
    folder.mkdir(exist_ok=True)
    made = Programs(aws, client, ecs, system, folder, image, container, path)
    made.forget_faults()
    return made


@pytest.fixture
def programs(aws: LocalAws, client: Client, ecs: Ecs, files_root: Path) -> Programs:
    return make_programs(aws, client, ecs, files_root)

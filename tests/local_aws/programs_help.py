"""Tasks whose containers really run, for the tests of the stand-in programs."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.local_aws.ecs_help import Client, Ecs, until

IMAGE = "openmicroscopy/omero-server:5.6.16-2"


@dataclass(frozen=True)
class Programs:
    """A cluster with an EFS file system that its tasks see as /OMERO, and here as `omero`."""

    aws: LocalAws
    client: Client
    ecs: Ecs
    file_system: str
    omero: Path

    def definition(self, *, family: str = "importer", others: Sequence[dict[str, Any]] = (), **container: Any) -> str:
        """A task definition with a container of the server's image, and `others`."""
        volume = {
            "name": "omero",
            "efsVolumeConfiguration": {"fileSystemId": self.file_system, "transitEncryption": "ENABLED"},
        }
        options = {"awslogs-group": "/tasks", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "it"}
        made = {
            "name": "importer",
            "image": IMAGE,
            "mountPoints": [{"sourceVolume": "omero", "containerPath": "/OMERO"}],
            "logConfiguration": {"logDriver": "awslogs", "options": options},
            **container,
        }
        answer = self.ecs.client.register_task_definition(
            family=family,
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

    def until(self, arn: str, status: str, seconds: float = 20) -> dict[str, Any]:
        until(lambda: self.task(arn)["lastStatus"] in (status, "STOPPED"), seconds=seconds)
        found = self.task(arn)
        assert found["lastStatus"] == status, found
        return found

    def run(self, *command: str, **more: Any) -> dict[str, Any]:
        """The stopped task."""
        definition = self.definition(entryPoint=list(command), **more)
        return self.until(self.start(definition), "STOPPED")

    def log(self, task: dict[str, Any], container: str = "importer") -> list[str]:
        stream = f"it/{container}/{task['taskArn'].rpartition('/')[2]}"
        found = self.client("logs").get_log_events(logGroupName="/tasks", logStreamName=stream, startFromHead=True)
        return [event["message"] for event in found["events"]]

    def forget_faults(self) -> None:
        request = urllib.request.Request(f"{self.aws.endpoint}/_local/ecs/faults", method="DELETE")  # noqa: S310
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310

    def fault(self, **faults: list[str]) -> None:
        request = urllib.request.Request(  # noqa: S310
            f"{self.aws.endpoint}/_local/ecs/faults", data=json.dumps(faults).encode(), method="POST"
        )
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


@pytest.fixture
def programs(aws: LocalAws, client: Client, ecs: Ecs, files_root: Path) -> Programs:
    efs = client("efs")
    system = efs.create_file_system(CreationToken=ecs.cluster)["FileSystemId"]
    for subnet in ecs.network.subnets:
        efs.create_mount_target(FileSystemId=system, SubnetId=subnet)
    folder = files_root / system
    folder.mkdir(exist_ok=True)
    made = Programs(aws, client, ecs, system, folder)
    made.forget_faults()
    return made

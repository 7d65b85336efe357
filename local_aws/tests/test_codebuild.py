"""CodeBuild and ECR: builds that push images as far as their role, their project and the registry let them."""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
import zipfile
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from local_aws.testing.ecs import Client
from local_aws.testing.faults import add_faults
from local_aws.testing.rights import ACCOUNT, grant, make_role, statement

SPEC = """
version: 0.2
phases:
  pre_build:
    commands:
      - aws ecr get-login-password | docker login --username AWS --password-stdin "$(dirname "$REPOSITORY")"
  build:
    commands:
      - docker build --tag "$REPOSITORY:$TAG" .
      - docker push "$REPOSITORY:$TAG"
"""
PUSH = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)
Json = dict[str, Any]


class Place:
    """A repository, a source, a log group, a role with what a build needs, and a project of them."""

    def __init__(self, aws: LocalAws, client: Client) -> None:
        self.name, self.client, self.endpoint = f"b-{uuid4().hex[:8]}", client, aws.endpoint
        self.ecr, self.codebuild = client("ecr"), client("codebuild")
        made = self.ecr.create_repository(
            repositoryName=self.name,
            imageTagMutability="IMMUTABLE",
            imageScanningConfiguration={"scanOnPush": True},
        )["repository"]
        self.url = made["repositoryUri"]
        client("s3").create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.put({"Dockerfile": "FROM scratch"})
        client("logs").create_log_group(logGroupName=f"/{self.name}")
        logs = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/{self.name}:*"
        self.rights = {
            "logs": statement("logs:CreateLogStream", "logs:PutLogEvents", on=logs),
            "source": statement("s3:GetObject", on=f"arn:aws:s3:::{self.name}/*"),
            "login": statement("ecr:GetAuthorizationToken"),
            "push": statement(*PUSH, on=made["repositoryArn"]),
        }
        self.role = make_role(client, *self.rights.values(), service="codebuild.amazonaws.com", name=self.name)

    def put(self, files: dict[str, str]) -> None:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        self.client("s3").put_object(Bucket=self.name, Key="source.zip", Body=made.getvalue())

    def project(self, **more: Any) -> Json:
        environment = {
            "type": "LINUX_CONTAINER",
            "computeType": "BUILD_GENERAL1_SMALL",
            "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
            "privilegedMode": True,
            "environmentVariables": [{"name": "REPOSITORY", "value": self.url}, {"name": "TAG", "value": "1"}],
        }
        asked = {
            "name": self.name,
            "serviceRole": self.role,
            "source": {"type": "S3", "location": f"{self.name}/source.zip", "buildspec": SPEC},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": {**environment, **more.pop("environment", {})},
            "logsConfig": {"cloudWatchLogs": {"status": "ENABLED", "groupName": f"/{self.name}"}},
            **more,
        }
        return dict(self.codebuild.create_project(**asked)["project"])

    def build(self) -> Json:
        """A build, once it has ended."""
        id_ = self.codebuild.start_build(projectName=self.name)["build"]["id"]
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            (found,) = self.codebuild.batch_get_builds(ids=[id_])["builds"]
            if found["buildComplete"]:
                return dict(found)
        raise AssertionError(found)

    def log(self, build: Json) -> str:
        logs = build["logs"]
        events = self.client("logs").get_log_events(
            logGroupName=logs["groupName"], logStreamName=logs["streamName"], startFromHead=True
        )["events"]
        return "\n".join(each["message"] for each in events)


@pytest.fixture
def place(aws: LocalAws, client: Client) -> Place:
    return Place(aws, client)


def _failed(build: Json) -> tuple[str, str]:
    """The phase that failed and what its context says."""
    (row,) = [each for each in build["phases"] if each.get("phaseStatus") == "FAILED"]
    return row["phaseType"], f"{row['contexts'][0]['statusCode']}: {row['contexts'][0]['message']}"


def test_a_build_passes_its_phases_and_pushes(place: Place) -> None:
    place.project()
    started = place.codebuild.start_build(projectName=place.name)["build"]
    assert (started["buildStatus"], started["buildComplete"]) == ("IN_PROGRESS", False)
    assert place.codebuild.list_builds_for_project(projectName=place.name)["ids"] == [started["id"]]
    place.codebuild.stop_build(id=started["id"])
    build = place.build()
    assert (build["buildStatus"], build["currentPhase"]) == ("SUCCEEDED", "COMPLETED")
    phases = [each["phaseType"] for each in build["phases"]]
    assert phases[0] == "SUBMITTED"
    assert phases[-1] == "COMPLETED"
    assert phases.index("DOWNLOAD_SOURCE") < phases.index("BUILD") < phases.index("FINALIZING")
    (image,) = place.ecr.describe_images(repositoryName=place.name)["imageDetails"]
    assert image["imageTags"] == ["1"]
    assert image["imageScanStatus"]["status"] == "COMPLETE"
    assert image["imageScanFindingsSummary"]["findingSeverityCounts"] == {}
    assert "docker push" in place.log(build)


def test_a_digest_is_that_of_the_manifests_bytes(place: Place) -> None:
    place.project()
    place.build()
    found = place.ecr.batch_get_image(repositoryName=place.name, imageIds=[{"imageTag": "1"}])["images"][0]
    digest = hashlib.sha256(found["imageManifest"].encode()).hexdigest()
    assert found["imageId"]["imageDigest"] == f"sha256:{digest}"
    assert json.loads(found["imageManifest"])["schemaVersion"] == 2


def test_a_tag_cannot_be_pushed_twice(place: Place) -> None:
    place.project()
    place.build()
    place.put({"Dockerfile": "FROM another"})
    build = place.build()
    assert _failed(build) == (
        "BUILD",
        'COMMAND_EXECUTION_ERROR: Error while executing command: docker push "$REPOSITORY:$TAG". Reason: exit status 1',
    )
    assert "POST_BUILD" in [each["phaseType"] for each in build["phases"]]
    assert "already exists" in place.log(build)


def test_a_repository_with_images_stays(place: Place) -> None:
    place.project()
    place.build()
    with pytest.raises(ClientError, match="RepositoryNotEmptyException"):
        place.ecr.delete_repository(repositoryName=place.name)
    place.ecr.delete_repository(repositoryName=place.name, force=True)


@pytest.mark.parametrize(
    ("missing", "phase", "said"),
    [
        ("logs", "PROVISIONING", "ACCESS_DENIED: Service role .* does not allow AWS CodeBuild to create"),
        ("source", "DOWNLOAD_SOURCE", "CLIENT_ERROR: Access Denied"),
        ("login", "PRE_BUILD", "COMMAND_EXECUTION_ERROR: .*docker login"),
        ("push", "BUILD", "COMMAND_EXECUTION_ERROR: .*docker push"),
    ],
)
def test_a_role_without_a_right_ends_the_build(
    place: Place, client: Client, missing: str, phase: str, said: str
) -> None:
    grant(client, place.role, *(each for name, each in place.rights.items() if name != missing))
    place.project()
    build = place.build()
    assert build["buildStatus"] == "FAILED"
    found, context = _failed(build)
    assert found == phase
    assert re.match(said, context)
    assert not place.ecr.describe_images(repositoryName=place.name)["imageDetails"]


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda place: place.project(environment={"privilegedMode": False}), "Cannot connect to the Docker daemon"),
        (lambda place: [place.project(), place.put({"README": ""})], "failed to read dockerfile"),
        (
            lambda place: [place.project(), place.ecr.delete_repository(repositoryName=place.name)],
            "name unknown: The repository with name",
        ),
    ],
)
def test_docker_refuses(place: Place, prepare: Callable[[Place], Any], said: str) -> None:
    prepare(place)
    build = place.build()
    assert _failed(build)[0] == "BUILD"
    assert said in place.log(build)


def test_a_fault_fails_a_phase(place: Place) -> None:
    place.project()
    add_faults(place.endpoint, "codebuild", {"build": ["fail:INSTALL"]})
    assert _failed(place.build())[0] == "INSTALL"
    assert place.build()["buildStatus"] == "SUCCEEDED"


def test_a_role_of_another_service_is_refused(place: Place, client: Client) -> None:
    role = make_role(client, service="ecs-tasks.amazonaws.com")
    with pytest.raises(ClientError, match="CodeBuild is not authorized to perform: sts:AssumeRole"):
        place.project(serviceRole=role)


def test_a_project_is_read_back_as_it_was_given(place: Place) -> None:
    key = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{uuid4()}"
    given = {"encryptionKey": key, "timeoutInMinutes": 30, "queuedTimeoutInMinutes": 20, "description": "First"}
    assert place.project(**given).items() >= given.items()
    place.codebuild.update_project(name=place.name, description="Second", timeoutInMinutes=40)
    (found,) = place.codebuild.batch_get_projects(names=[place.name])["projects"]
    assert found.items() >= {**given, "description": "Second", "timeoutInMinutes": 40}.items()
    assert found["environment"]["privilegedMode"] is True


@pytest.mark.parametrize("key", ["name", "arn"])
def test_a_project_is_deleted_by_name_or_arn(place: Place, key: str) -> None:
    place.codebuild.delete_project(name=place.project()[key])
    assert place.name not in place.codebuild.list_projects()["projects"]
    place.codebuild.delete_project(name=place.name)


def test_what_is_not_there_is_not_found(place: Place) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        place.codebuild.start_build(projectName=place.name)
    assert place.codebuild.batch_get_builds(ids=["missing:1"])["buildsNotFound"] == ["missing:1"]

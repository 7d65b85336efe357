"""A workspace with images of its own, as its stacks leave it in the local AWS, and its commands run there."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import yaml

from contract import images, names
from contract.images import Recipe
from local_aws.server import LocalAws
from local_aws.testing.faults import add_faults, forget_faults
from local_aws.testing.fixtures import QUICK
from local_aws.testing.rights import make_role, statement
from modules.image_build import BUILDSPEC, packed
from scripts import console
from scripts.aws import waiting
from scripts.images import command
from settings import Workspace, load
from tests.conftest import LEAST
from tests.contract.test_images import BASE
from tests.scripts.images.registry_help import StandIn
from tests.settings.test_images import FIGURE

ACCOUNT, REGION = "123456789012", "eu-west-1"
SECTION = {"web": {"base": BASE, "packages": [FIGURE]}}


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    code: object
    out: str
    err: str

    @property
    def said(self) -> str:
        """What it told people, on one line."""
        return " ".join(self.err.split())


@dataclass
class Stage:
    """The workspace `name`, whose file is `path`."""

    aws: LocalAws
    name: str
    path: Path

    @property
    def workspace(self) -> Workspace:
        return load(self.name)

    @property
    def recipe(self) -> Recipe:
        return images.recipes(self.workspace)["web"]

    @property
    def repository(self) -> str:
        return images.repository(self.name, "web")

    @property
    def url(self) -> str:
        return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{self.repository}"

    def client(self, service: str) -> Any:
        make: Any = boto3.Session("testing", "testing", region_name=REGION)
        return make.client(service, endpoint_url=self.aws.endpoint)

    def write(self, **changes: Any) -> None:
        """The workspace's file, with comments."""
        values = {key: value for key, value in LEAST.items() if key != "name"}
        values |= {"account_id": ACCOUNT, "region": REGION, "images": SECTION, **changes}
        self.path.write_text(f"# ours\n{yaml.safe_dump(values, sort_keys=False)}")

    def deploy(self) -> None:
        """What the stacks `image_repositories` and `images` leave."""
        project, recipe, group = images.project(self.name, "web"), self.recipe, f"/omero/{self.name}/images"
        source = {"type": "S3", "location": f"{project}/web.zip", "buildspec": BUILDSPEC}
        self.client("s3").put_object(Bucket=project, Key="web.zip", Body=packed(recipe.files))
        variables = [{"name": "REPOSITORY", "value": self.url}, {"name": "TAG", "value": recipe.tag}]
        environment = {
            "type": "LINUX_CONTAINER",
            "computeType": "BUILD_GENERAL1_SMALL",
            "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
            "privilegedMode": True,
            "environmentVariables": variables,
        }
        codebuild = self.client("codebuild")
        if project in codebuild.list_projects()["projects"]:
            codebuild.update_project(name=project, environment=environment)
        else:
            codebuild.create_project(
                name=project,
                serviceRole=make_role(self.client, statement("*"), service="codebuild.amazonaws.com"),
                source=source,
                artifacts={"type": "NO_ARTIFACTS"},
                environment=environment,
                logsConfig={"cloudWatchLogs": {"status": "ENABLED", "groupName": group}},
            )
        published = {
            "images/web_project": project,
            "images/web_tag": recipe.tag,
            "image_repositories/web_repository": self.url,
        }
        for key, value in published.items():
            name = f"{names.parameter_path(self.name)}/{key}"
            self.client("ssm").put_parameter(Name=name, Value=value, Type="String", Overwrite=True)

    def builds(self) -> list[str]:
        """The ids of all builds so far."""
        project = images.project(self.name, "web")
        return list(self.client("codebuild").list_builds_for_project(projectName=project)["ids"])

    def findings(self, result: dict[str, Any]) -> None:
        """Let scans of the images that are pushed from now on find this (moto's own resource for it)."""
        body = json.dumps({"results": [result], "region": REGION}).encode()
        url = f"{self.aws.endpoint}/moto-api/static/ecr/scan-finding-results"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
        urllib.request.urlopen(request, timeout=20).close()  # noqa: S310

    def fault(self, **faults: list[str]) -> None:
        add_faults(self.aws.endpoint, "codebuild", faults)


@pytest.fixture(scope="session")
def images_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(settings={**QUICK, "LOCAL_AWS_FILES": str(tmp_path_factory.mktemp("files"))}) as running:
        yield running


@pytest.fixture
def stage(images_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    for name, value in images_aws.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.05)
    name = f"w{uuid4().hex[:8]}"
    folder = tmp_path / "workspaces"
    folder.mkdir()
    monkeypatch.setenv("OMERO_WORKSPACES", str(folder))
    monkeypatch.setenv("TF_WORKSPACE", name)
    made = Stage(images_aws, name, folder / f"{name}.yaml")
    made.write()
    made.client("ecr").create_repository(
        repositoryName=made.repository,
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
    )
    location = {"LocationConstraint": REGION}
    made.client("s3").create_bucket(Bucket=images.project(name, "web"), CreateBucketConfiguration=location)
    made.client("logs").create_log_group(logGroupName=f"/omero/{name}/images")
    made.deploy()
    yield made
    forget_faults(images_aws.endpoint, "codebuild")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs `images ARGUMENTS` as a person would."""

    def running(*arguments: object) -> Ran:
        capsys.readouterr()
        monkeypatch.setattr(console.err, "_width", 200)
        monkeypatch.setattr(sys, "argv", ["images", *(str(each) for each in arguments)])
        with pytest.raises(SystemExit) as left:
            console.run(command.app)
        return Ran(left.value.code or 0, *capsys.readouterr())

    return running


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A registry in Docker Hub's place."""
    made = StandIn()
    monkeypatch.setattr("scripts.images.reference.DOCKER_HUB", made.host)
    yield made
    made.close()

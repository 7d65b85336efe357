"""Images of one's own: repositories that are kept, and builds that can do nothing but fill them."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import main
from contract import images
from modules.image_build import BUILDSPEC, packed
from tests.conftest import Stacks, of_type, only, workspace
from tests.contract.test_images import BASE
from tests.settings.test_images import FIGURE, HASH
from tests.stacks import test_every_stack as every
from tests.stacks.test_validate import _terraform

# What holds for every stack holds for these: these take the fixture `stacks` from here.
test_addresses_are_roles_without_a_hash = every.test_addresses_are_roles_without_a_hash
test_allows_everyone_nothing = every.test_allows_everyone_nothing
test_allows_no_wildcard_action = every.test_allows_no_wildcard_action
test_each_skip_has_a_reason = every.test_each_skip_has_a_reason
test_keys_are_rotated = every.test_keys_are_rotated
test_log_groups_have_retention_and_key = every.test_log_groups_have_retention_and_key
test_publishes_for_scripts_under_one_path = every.test_publishes_for_scripts_under_one_path
test_refuses_to_plan_in_another_workspace = every.test_refuses_to_plan_in_another_workspace
test_roles_of_the_account_have_names_of_their_own = every.test_roles_of_the_account_have_names_of_their_own
test_state_is_in_s3_with_the_lock_table = every.test_state_is_in_s3_with_the_lock_table
test_touches_no_other_account = every.test_touches_no_other_account

SECTION: dict[str, Any] = {
    "web": {"base": BASE, "packages": [FIGURE]},
    "server": {"packages": [f"omero-metadata==0.14.0 {HASH}"]},
}


@pytest.fixture
def stacks(synthesise: Callable[..., Stacks]) -> Stacks:
    return synthesise(images=SECTION)


def test_they_are_there_only_when_asked_for(synthesise: Callable[..., Stacks], stacks: Stacks) -> None:
    assert set(stacks) - set(synthesise()) == {"images", "image_repositories"}
    web_alone = synthesise(images={"web": SECTION["web"]})
    assert list(of_type(web_alone["image_repositories"], "aws_ecr_repository")) == ["web"]
    assert list(of_type(web_alone["images"], "aws_codebuild_project")) == ["web"]


def test_repositories_keep_what_a_tag_names(stacks: Stacks) -> None:
    stack = stacks["image_repositories"]
    found = of_type(stack, "aws_ecr_repository")
    assert {each["name"] for each in found.values()} == {"omero-lab-web", "omero-lab-server"}
    for each in found.values():
        assert each["image_tag_mutability"] == "IMMUTABLE"
        assert each["image_scanning_configuration"] == {"scan_on_push": True}
        (encryption,) = each["encryption_configuration"]
        assert encryption == {"encryption_type": "KMS", "kms_key": "${aws_kms_key.key.arn}"}
        assert each["lifecycle"]["prevent_destroy"] is True
        assert each["force_delete"] is False
    for policy in of_type(stack, "aws_ecr_lifecycle_policy").values():
        (rule,) = json.loads(policy["policy"])["rules"]
        assert rule["selection"]["tagStatus"] == "untagged", "an image with a tag is never taken away"


def test_a_rehearsal_can_delete_repositories_with_images(synthesise: Callable[..., Stacks]) -> None:
    stack = synthesise(images=SECTION, retain=False)["image_repositories"]
    for each in of_type(stack, "aws_ecr_repository").values():
        assert (each["force_delete"], each["lifecycle"]["prevent_destroy"]) == (True, False)


def test_a_build_has_no_secret_and_no_way_into_the_vpc(stacks: Stacks) -> None:
    for project in of_type(stacks["images"], "aws_codebuild_project").values():
        assert "vpc_config" not in project
        variables = project["environment"]["environment_variable"]
        assert [each["name"] for each in variables] == ["REPOSITORY", "TAG"]
        assert "secretsmanager" not in json.dumps(project)
        assert project["artifacts"] == {"type": "NO_ARTIFACTS"}
        assert project["logs_config"]["cloudwatch_logs"]["group_name"] == "${aws_cloudwatch_log_group.log_group.name}"


def test_a_build_can_write_its_own_repository_alone(stacks: Stacks) -> None:
    policies = of_type(stacks["images"], "aws_iam_role_policy")
    for role in ("web", "server"):
        statements = {each["Sid"]: each for each in json.loads(policies[f"{role}_policy"]["policy"])["Statement"]}
        assert statements["PushImage"]["Resource"].endswith(f"aws_ecr_repository_{role}_arn}}")
        assert statements["ReadSource"]["Resource"].endswith(f"/{role}/*")
        anywhere = [sid for sid, each in statements.items() if each["Resource"] == "*"]
        assert anywhere == ["LogInToRegistry"]
        assert not {each for each in statements["PushImage"]["Action"] if "Delete" in each}


def test_the_build_pushes_what_it_has_built_where_it_has_logged_in(tmp_path: Path) -> None:
    """Run by the shell, as CodeBuild does, with programs that note what they are asked for."""
    for name in ("aws", "docker"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/asked\n')
        program.chmod(0o755)
    url = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/omero-lab-web"
    spec = yaml.safe_load(BUILDSPEC)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "REPOSITORY": url, "TAG": "5.31.1-abc"}
    for phase in ("pre_build", "build"):
        for command in spec["phases"][phase]["commands"]:
            subprocess.run(["sh", "-euc", command], check=True, env={**environ, **spec["env"]["variables"]})
    assert sorted((tmp_path / "asked").read_text().splitlines()) == [
        "aws ecr get-login-password",
        f"docker build --pull --tag {url}:5.31.1-abc .",
        f"docker login --username AWS --password-stdin {url.partition('/')[0]}",
        f"docker push {url}:5.31.1-abc",
    ]


def test_the_role_is_codebuilds_for_this_project(stacks: Stacks) -> None:
    role = of_type(stacks["images"], "aws_iam_role")["web_role"]
    (trust,) = json.loads(role["assume_role_policy"])["Statement"]
    assert trust["Principal"] == {"Service": "codebuild.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": "arn:aws:codebuild:eu-central-1:111122223333:project/omero-lab-web-image"},
    }


def test_what_is_built_travels_by_its_digest(stacks: Stacks) -> None:
    recipe = images.recipes(workspace(images=SECTION))["web"]
    source = of_type(stacks["images"], "aws_s3_object")["web_source"]
    archive = base64.b64decode(source["content_base64"])
    assert archive == packed(recipe.files)
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert {name: opened.read(name).decode() for name in opened.namelist()} == recipe.files
    project = of_type(stacks["images"], "aws_codebuild_project")["web"]
    assert project["source"]["location"] == (
        "${aws_s3_bucket_policy.sources_policy.bucket}/${aws_s3_object.web_source.key}"
    )
    (tag,) = [each["value"] for each in project["environment"]["environment_variable"] if each["name"] == "TAG"]
    assert tag == recipe.tag
    assert stacks["images"]["output"]["web_tag"]["value"] == recipe.tag


def test_repositories_have_the_data_key_where_the_workspace_names_one(synthesise: Callable[..., Stacks]) -> None:
    arn = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
    stack = synthesise(images={"web": SECTION["web"]}, data={"key_arn": arn})["image_repositories"]
    assert only(stack, "aws_ecr_repository")["encryption_configuration"][0]["kms_key"] == arn
    assert not of_type(stack, "aws_kms_key")


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["images", "image_repositories"])
def test_terraform_finds_them_valid(tmp_path: Path, name: str) -> None:
    main.build(workspace(images=SECTION), outdir=str(tmp_path))
    folder = tmp_path / "stacks" / name
    init = _terraform(folder, "init", "-backend=false", "-input=false", "-no-color")
    assert init.returncode == 0, init.stderr
    validate = json.loads(_terraform(folder, "validate", "-json").stdout)
    assert validate["valid"], validate["diagnostics"]

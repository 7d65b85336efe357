"""What AWS changes by itself, keeps or writes again: no replacement, no collision, no difference that nobody made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import Stacks, of_type, only
from tests.settings.test_file_gateway import made

VARIANTS: dict[str, dict[str, Any]] = {
    "least": {},
    "everything on EC2": {
        **made("rw-tls-nlb-s3fg"),
        "datasync": {},
        "sftp": {"cidrs": ["192.0.2.0/24"]},
        "upload_host": {"sources": [{"bucket": "lab-slides"}]},
        "omero": {"server": {"launch_type": "EC2"}},
    },
}
RUNNING = (
    "aws_autoscaling_group",
    "aws_datasync_task",
    "aws_ecs_service",
    "aws_instance",
    "aws_lambda_function",
)
RULES = ("aws_vpc_security_group_egress_rule", "aws_vpc_security_group_ingress_rule")


@pytest.fixture(params=list(VARIANTS.values()), ids=list(VARIANTS))
def stacks(request: pytest.FixtureRequest, synthesise: Callable[..., Stacks]) -> Stacks:
    return synthesise(**request.param)


def _all(stacks: Stacks, type_: str) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    for stack in stacks.values():
        for name, resource in of_type(stack, type_).items():
            yield stack, name, resource


def test_no_engine_version_is_taken_back(stacks: Stacks) -> None:
    """A minor version that AWS has raised must be ignored, or not be named."""
    for stack in stacks.values():
        for type_, resources in stack["resource"].items():
            for name, resource in resources.items():
                if "engine_version" not in resource:
                    continue
                # RDS's provider takes a major version alone for any minor one of it.
                is_major = type_ == "aws_db_instance" and resource["engine_version"].isdigit()
                is_ignored = "engine_version" in resource.get("lifecycle", {}).get("ignore_changes", [])
                assert is_major or is_ignored, f"{type_}.{name}"


def test_no_secret_has_a_name_that_it_keeps_after_its_end(stacks: Stacks) -> None:
    for _, name, secret in _all(stacks, "aws_secretsmanager_secret"):
        assert "name" not in secret, name
        assert secret["name_prefix"].endswith("-")


def test_password_is_written_again_when_its_secret_has_another_value(synthesise: Callable[..., Stacks]) -> None:
    data = synthesise()["data"]
    version = only(data, "aws_db_instance")["password_wo_version"]
    assert "aws_secretsmanager_secret_version.database_password_version.version_id" in version
    assert version.startswith("${parseint(substr(sha256(")


def test_every_log_group_is_adopted_if_it_is_there(stacks: Stacks) -> None:
    for stack in stacks.values():
        blocks = {block["to"]: block for block in stack.get("import", [])}
        groups = of_type(stack, "aws_cloudwatch_log_group")
        assert set(blocks) == {f"aws_cloudwatch_log_group.{name}" for name in groups}
        for name, group in groups.items():
            block = blocks[f"aws_cloudwatch_log_group.{name}"]
            assert f'["{group["name"]}"]' in block["for_each"]
            found = stack["data"]["aws_cloudwatch_log_groups"][f"{name}_found"]
            assert found["log_group_name_prefix"] == group["name"]


def test_insights_log_group_is_there_before_the_cluster(synthesise: Callable[..., Stacks]) -> None:
    stacks = synthesise()
    omero = stacks["omero"]
    cluster = only(omero, "aws_ecs_cluster")
    group = of_type(omero, "aws_cloudwatch_log_group")["cluster_insights_log_group"]
    assert group["name"] == "/aws/ecs/containerinsights/omero-lab/performance"
    assert "aws_cloudwatch_log_group.cluster_insights_log_group" in cluster["depends_on"]
    assert f"log-group:{group['name']}*" in only(stacks["network"], "aws_kms_key")["policy"]


def test_what_runs_outlives_no_rule(stacks: Stacks) -> None:
    for stack in stacks.values():
        rules = {f"{type_}.{name}" for type_ in RULES for name in of_type(stack, type_)}
        for type_ in RUNNING:
            for name, resource in of_type(stack, type_).items():
                assert rules <= set(resource.get("depends_on", ())), f"{type_}.{name}"


def test_gateway_lets_go_of_its_disk_before_it_is_detached(stacks: Stacks) -> None:
    assert "file_gateway" not in stacks or of_type(stacks["file_gateway"], "aws_volume_attachment")
    for _, name, attachment in _all(stacks, "aws_volume_attachment"):
        assert attachment["stop_instance_before_detaching"] is True, name


@pytest.mark.parametrize(
    ("given", "expected"), [({}, False), ({"apply_changes": "immediately"}, True)], ids=["by default", "immediately"]
)
def test_database_changes_when_the_workspace_says(
    synthesise: Callable[..., Stacks], given: dict[str, Any], expected: bool
) -> None:
    database = only(synthesise(data={"database": given})["data"], "aws_db_instance")
    assert database["apply_immediately"] is expected

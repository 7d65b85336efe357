"""Every physical name fits its service, for the longest workspace and region."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract import names
from settings.workspace import is_workspace_name
from tests.conftest import Stacks, workspace
from tests.settings.test_topology import sections

LONGEST = "a-workspace-of-1"
REGIONS = ("us-gov-west-1", "ap-southeast-4")


def test_no_workspace_is_longer() -> None:
    assert is_workspace_name(LONGEST)
    assert not is_workspace_name(f"{LONGEST}x")


@pytest.mark.parametrize("service", names.LIMITS)
def test_a_role_of_nine_characters_fits_every_service(service: str) -> None:
    if service != "bucket":  # it carries account and region besides
        name = names.physical(service, LONGEST, "ninechars")
        assert len(name) <= names.LIMITS[service]
        assert LONGEST in name
        assert name.endswith("ninechars")


@pytest.mark.parametrize("region", REGIONS)
def test_buckets_fit(region: str) -> None:
    assert len(names.bucket(LONGEST, "access-logs", "123456789012", region)) <= 63
    assert len(names.state_bucket(workspace(account_id="123456789012", region=region))) <= 63


@pytest.mark.parametrize("service", ["alb", "target_group"])
def test_refuses_a_name_that_does_not_fit(service: str) -> None:
    with pytest.raises(ValueError, match=rf"has 33 characters; a {service} takes 32"):
        names.physical(service, LONGEST, "ten-charac")


def test_refuses_a_bucket_name_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="a bucket takes 63"):
        names.bucket(LONGEST, "a-role-much-too-long", "123456789012", "ap-southeast-4")


def test_names_of_services_with_paths() -> None:
    assert names.physical("secret", "demo", "database") == "omero/demo/database"
    assert names.physical("log_group", "demo", "server") == "/omero/demo/server"
    assert names.physical("alb", "demo", "web") == "omero-demo-web"


def test_state_objects_are_below_the_workspace() -> None:
    assert names.state_object_prefix("demo") + names.state_key("data") == "omero/demo/data.tfstate"


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("eusc-de-east-1", "aws-eusc")],
)
def test_partition(region: str, partition: str) -> None:
    assert names.partition(region) == partition


LONGEST_SECTIONS: dict[str, Any] = {
    "name": LONGEST,
    "region": "ap-southeast-4",
    "topology": None,
    **{key: value for key, value in sections("rw-tls-nlb").items() if key != "topology"},
    "omero": {"read_only": {"count": 20}, "server": {"launch_type": "EC2"}, "ec2": {"max_instances": 20}},
    "network": {"flow_logs": {}},
    "file_gateway": {},
    "datasync": {},
    "sftp": {"cidrs": ["192.0.2.0/24"]},
    "upload_host": {},
}

# What Terraform calls the name of a thing, and the service of `LIMITS` whose limit it has.
NAMED = {
    "aws_lb": "alb",
    "aws_lb_target_group": "target_group",
    "aws_s3_bucket": "bucket",
    "aws_iam_role": "role",
    "aws_security_group": "security_group",
    "aws_lambda_function": "function",
    "aws_sqs_queue": "queue",
    "aws_sns_topic": "topic",
    "aws_cloudwatch_event_rule": "rule",
    "aws_cloudwatch_metric_alarm": "alarm",
    "aws_cloudwatch_log_group": "log_group",
    "aws_dynamodb_table": "table",
    "aws_backup_vault": "vault",
    "aws_ecs_service": "service",
    "aws_launch_template": "launch_template",
    "aws_elasticache_replication_group": "cache",
    "aws_db_instance": "db_instance",
    "aws_secretsmanager_secret": "secret",
}


def test_every_name_of_the_longest_workspace_fits(synthesise: Callable[..., Stacks]) -> None:
    """Names with a suffix that a module adds, too."""
    stacks = synthesise(**LONGEST_SECTIONS)
    seen = set()
    for stack in stacks.values():
        for type_, service in NAMED.items():
            for block in stack["resource"].get(type_, {}).values():
                key = next(
                    key
                    for key in (
                        "name",
                        "name_prefix",
                        "bucket",
                        "function_name",
                        "alarm_name",
                        "identifier",
                        "replication_group_id",
                    )
                    if key in block
                )
                assert len(block[key]) <= names.LIMITS[service], (type_, block[key])
                seen.add(type_)
    assert seen == NAMED.keys()


def test_refuses_a_suffix_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="has 65 characters; a role takes 64"):
        names.suffixed("role", "r" * 60, "-task")


@pytest.mark.parametrize("package", ["main.py", "modules", "scripts", "settings", "stacks"])
def test_nobody_else_makes_up_a_name(package: str) -> None:
    root = Path(__file__).resolve().parents[2] / package
    for path in [root] if root.is_file() else root.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"f\"/?omero[-/]\{", text), path

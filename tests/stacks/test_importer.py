"""The task that imports images: the stock image, /OMERO at its own path, nobody's password on a command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from containers import package
from tests.conftest import Stacks, container, of_type, variables, ways_to, workspace
from tests.settings.test_topology import sections

# ECS takes no more in one task definition (its API reference, "Task definition size").
TASK_DEFINITION_BYTES = 64 * 1024


def _statements(stack: dict[str, Any], role: str, kind: str) -> dict[str, dict[str, Any]]:
    policy = of_type(stack, "aws_iam_role_policy")[f"{role}_{kind}_policy"]["policy"]
    return {statement["Sid"]: statement for statement in json.loads(policy)["Statement"]}


def test_runs_the_servers_image_without_its_start_up(synthesise: Callable[..., Stacks]) -> None:
    omero = synthesise()["omero"]
    importer, server = container(omero, "importer"), container(omero, "server")
    assert importer["image"] == server["image"]
    assert importer["mountPoints"] == server["mountPoints"]
    assert importer["entryPoint"][0] == "/opt/omero/server/venv3/bin/python"
    assert "60-database" not in json.dumps(importer), "it would make a database"
    assert "healthCheck" not in importer


def test_knows_its_server_by_its_name_in_the_vpc_and_the_ledger(synthesise: Callable[..., Stacks]) -> None:
    found = variables(synthesise()["omero"], "importer")
    assert found["OMERO_HOST"] == variables(synthesise()["omero"], "web")["CONFIG_omero_web_server__list"].split('"')[1]
    assert "ledger" in found["LEDGER_TABLE"]
    assert found["LEDGER_REGION"] == "eu-central-1"


def test_its_password_is_a_secret(synthesise: Callable[..., Stacks]) -> None:
    omero = synthesise()["omero"]
    (secret,) = container(omero, "importer")["secrets"]
    assert secret["name"] == "OMERO_PASSWORD"
    assert "root_password" in secret["valueFrom"]
    own = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:importer-AbCdEf"
    named = synthesise(omero={"importer": {"admin": "importer", "password_arn": own}})["omero"]
    assert container(named, "importer")["secrets"] == [{"name": "OMERO_PASSWORD", "valueFrom": own}]
    assert variables(named, "importer")["OMERO_ADMIN"] == "importer"


def test_fits_into_a_task_definition(synthesise: Callable[..., Stacks]) -> None:
    definition = of_type(synthesise()["omero"], "aws_ecs_task_definition")["importer_task_definition"]
    assert len(definition["container_definitions"]) < TASK_DEFINITION_BYTES / 2


def test_its_program_is_the_same_whenever_it_is_packed() -> None:
    assert package("importer") == package("importer")


def test_may_use_the_ledger_and_delete_nothing(synthesise: Callable[..., Stacks]) -> None:
    statements = _statements(synthesise()["omero"], "importer", "task")
    assert statements["UseLedger"]["Action"] == [
        "dynamodb:BatchGetItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
    ]
    assert statements["UseLedger"]["Resource"] != "*"
    assert statements["DecryptLedger"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "dynamodb.eu-central-1.amazonaws.com"}
    }
    assert "UseLedger" in _statements(synthesise()["omero"], "importer", "task")
    assert "UseLedger" not in _statements(synthesise()["omero"], "web", "task")


def test_reaches_server_and_file_system_and_nothing_reaches_it(synthesise: Callable[..., Stacks]) -> None:
    omero = synthesise()["omero"]
    assert ("importer_security_group", 4064) in ways_to(omero, "server")
    assert not ways_to(omero, "importer")
    rules = of_type(omero, "aws_vpc_security_group_egress_rule").values()
    own = [rule for rule in rules if "importer_security_group" in rule["security_group_id"]]
    assert sorted(rule["from_port"] for rule in own) == [443, 2049, 4064]


def test_runs_on_fargate_unless_there_is_a_share_to_import_from(synthesise: Callable[..., Stacks]) -> None:
    plain = of_type(synthesise()["omero"], "aws_ecs_task_definition")["importer_task_definition"]
    assert plain["requires_compatibilities"] == ["FARGATE"]
    changes = sections("rw-tls-s3fg")
    shared = synthesise(**changes)["omero"]
    definition = of_type(shared, "aws_ecs_task_definition")["importer_task_definition"]
    assert definition["requires_compatibilities"] == ["EC2"]
    assert [mount["containerPath"] for mount in container(shared, "importer")["mountPoints"]] == [
        "/OMERO",
        "/s3uploads",
    ]
    assert "importer_capacity_provider" in shared["output"]
    assert "importer_capacity_provider" not in synthesise()["omero"]["output"]


def test_refuses_more_imports_than_the_database_has_connections() -> None:
    with pytest.raises(
        ValidationError, match=r"need 48 database connections, and server\.database_connections 50 leaves 40"
    ):
        workspace(omero={"server": {"database_connections": 50}, "importer": {"max_tasks": 12, "parallel_filesets": 4}})
    workspace(omero={"importer": {"max_tasks": 10}})


@pytest.mark.parametrize(
    ("importer", "rule"),
    [
        ({"cpu": 3000}, r"cpu\n  3000 is not offered by Fargate"),
        ({"cpu": 256, "memory_mib": 1024}, r"memory_mib\n  1024 is not enough for an importer"),
        ({"admin": "importer"}, "admin importer needs a password"),
        ({"max_tasks": 0}, "greater than or equal to 1"),
    ],
)
def test_refuses_importers_that_could_not_run(importer: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        workspace(omero={"importer": importer})

"""What makes `rw-ro-tls` this topology: servers beside the read-write one that cannot change anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Stacks, container, containers, of_type, variables, ways_to
from tests.stacks.test_rw_tls import TLS

CHANGES: dict[str, Any] = {"topology": "rw-ro-tls", "tls": TLS, "omero": {"read_only": {"count": 2}}}
READERS = ("read_only_1", "read_only_2")


@pytest.fixture
def stacks(synthesise: Callable[..., Stacks]) -> Stacks:
    return synthesise(**CHANGES)


@pytest.fixture
def omero(stacks: Stacks) -> dict[str, Any]:
    return stacks["omero"]


def _task_actions(omero: dict[str, Any], role: str) -> set[str]:
    statements = json.loads(of_type(omero, "aws_iam_role_policy")[f"{role}_task_policy"]["policy"])["Statement"]
    return {
        action
        for statement in statements
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def test_each_server_has_a_name_of_its_own_that_web_offers(omero: dict[str, Any]) -> None:
    services = of_type(omero, "aws_service_discovery_service")
    assert {services[f"{role}_discovery"]["name"] for role in READERS} == {"read-only-1", "read-only-2"}
    assert json.loads(variables(omero, "web")["CONFIG_omero_web_server__list"]) == [
        ["server.lab.omero.internal", 4064, "omero"],
        ["read-only-1.lab.omero.internal", 4064, "read-only-1"],
        ["read-only-2.lab.omero.internal", 4064, "read-only-2"],
    ]


@pytest.mark.parametrize("role", READERS)
def test_they_cannot_write_files(omero: dict[str, Any], role: str) -> None:
    (mount,) = container(omero, role)["mountPoints"]
    assert (mount["containerPath"], mount["readOnly"]) == ("/OMERO", True)
    actions = _task_actions(omero, role)
    assert "elasticfilesystem:ClientMount" in actions
    assert "elasticfilesystem:ClientWrite" not in actions
    assert "elasticfilesystem:ClientWrite" in _task_actions(omero, "server")


@pytest.mark.parametrize("role", READERS)
def test_they_log_in_to_the_database_as_a_user_of_their_own(omero: dict[str, Any], role: str) -> None:
    server = container(omero, role)
    assert {secret["name"] for secret in server["secrets"]} == {"CONFIG_omero_db_pass"}
    assert "read_only_password" in server["secrets"][0]["valueFrom"]
    values = variables(omero, role)
    assert values["CONFIG_omero_db_user"] == "omero_read_only"
    assert values["CONFIG_omero_cluster_read__only_db"] == "true"
    assert values["CONFIG_omero_cluster_read__only_repo"] == "true"
    assert values["CONFIG_omero_pixeldata_memoizer_dir_local"].endswith("/BioFormatsCache")
    assert "CONFIG_omero_cluster_read__only" not in values, "the deprecated property"
    policy = of_type(omero, "aws_iam_role_policy")[f"{role}_execution_policy"]["policy"]
    assert "database_password" not in policy
    assert "root_password" not in policy


@pytest.mark.parametrize("role", READERS)
def test_they_never_make_or_upgrade_the_database(omero: dict[str, Any], role: str) -> None:
    assert set(containers(omero, role)) == {role.replace("_", "-")}
    script = container(omero, role)["entryPoint"][-1]
    assert "\nskipped=/startup/60-database.sh\n" in script
    assert "entrypoint.sh" not in script, "it would run every step"


def test_the_role_is_made_before_the_read_write_server_starts(omero: dict[str, Any]) -> None:
    found = containers(omero, "server")
    role, server = found["read-only-role"], found["server"]
    assert role["essential"] is False
    assert server["dependsOn"] == [{"containerName": "read-only-role", "condition": "SUCCESS"}]
    assert {secret["name"] for secret in role["secrets"]} == {"PGPASSWORD", "READ_ONLY_PASSWORD"}
    environment = {variable["name"]: variable["value"] for variable in role["environment"]}
    assert environment["PGSSLMODE"] == "require"
    assert environment["READ_ONLY_USER"] == variables(omero, "read_only_1")["CONFIG_omero_db_user"]
    assert "ROOTPASS" not in json.dumps(role)


@pytest.mark.parametrize("role", READERS)
def test_they_start_after_the_read_write_server_has_run(omero: dict[str, Any], role: str) -> None:
    services = of_type(omero, "aws_ecs_service")
    assert "aws_ecs_service.server" in services[role]["depends_on"]
    assert services["server"]["wait_for_steady_state"] is True
    assert services[role]["desired_count"] == 1
    # Terraform goes on when the read-write server is RUNNING: they wait themselves until it is well, as long as it may
    # take.
    assert variables(omero, role)["SERVER_IMAGE"] == variables(omero, "server")["SERVER_IMAGE"]
    assert container(omero, role)["image"] == variables(omero, "server")["SERVER_IMAGE"]
    assert (
        services[role]["health_check_grace_period_seconds"] >= services["server"]["health_check_grace_period_seconds"]
    )


def test_one_task_a_name_at_every_moment(omero: dict[str, Any]) -> None:
    services = of_type(omero, "aws_ecs_service")
    for role in ("server", *READERS):
        percent = services[role]["deployment_minimum_healthy_percent"], services[role]["deployment_maximum_percent"]
        assert percent == (0, 100)


@pytest.mark.parametrize("role", READERS)
def test_only_web_reaches_them(omero: dict[str, Any], role: str) -> None:
    assert ways_to(omero, role) == {("web_security_group", 4064)}


def test_their_password_is_generated_and_only_there_with_them(
    stacks: Stacks, synthesise: Callable[..., Stacks]
) -> None:
    assert "read_only_password" in of_type(stacks["data"], "aws_secretsmanager_secret")
    without = synthesise(topology="rw-tls", tls=TLS)
    assert "read_only_password" not in of_type(without["data"], "aws_secretsmanager_secret")
    assert "read-only" not in json.dumps(without["omero"]["resource"])


def test_their_hosts_are_published(omero: dict[str, Any]) -> None:
    hosts = omero["output"]["read_only_hosts"]["value"]
    assert hosts == "read-only-1.lab.omero.internal,read-only-2.lab.omero.internal"

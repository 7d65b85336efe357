"""What makes `rw-http` this topology: a balancer on HTTP, one writer, several web containers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Stacks, container, of_type, only, variables


@pytest.fixture
def omero(synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise()["omero"]


@pytest.fixture
def frontend(synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise()["frontend"]


def _group(reference: str) -> str:
    """The role of a security group, of this stack or another, from a reference to it."""
    for role in ("balancer", "web", "server", "sessions", "database", "file_system"):
        if f"{role}_security_group" in reference:
            return role
    raise AssertionError(f"{reference} is no security group of ours")


def test_balancer_listens_on_http_only(frontend: dict[str, Any]) -> None:
    listener = only(frontend, "aws_lb_listener")
    assert (listener["port"], listener["protocol"]) == (80, "HTTP")
    assert [action["type"] for action in listener["default_action"]] == ["forward"]
    assert only(frontend, "aws_lb")["load_balancer_type"] == "application"


def test_only_the_workspaces_networks_may_connect(frontend: dict[str, Any]) -> None:
    from_addresses = {
        (_group(rule["security_group_id"]), rule["cidr_ipv4"], rule["from_port"], rule["to_port"])
        for rule in of_type(frontend, "aws_vpc_security_group_ingress_rule").values()
        if "cidr_ipv4" in rule
    }
    assert from_addresses == {("balancer", "192.0.2.0/24", 80, 80), ("balancer", "198.51.100.0/24", 80, 80)}


@pytest.mark.parametrize(
    ("type_", "here", "there"),
    [
        ("aws_vpc_security_group_ingress_rule", "to", "from"),
        ("aws_vpc_security_group_egress_rule", "from", "to"),
    ],
)
def test_who_may_reach_whom(omero: dict[str, Any], type_: str, here: str, there: str) -> None:
    ways = set()
    for rule in of_type(omero, type_).values():
        if "referenced_security_group_id" in rule:
            ends = {here: _group(rule["security_group_id"]), there: _group(rule["referenced_security_group_id"])}
            assert rule["from_port"] == rule["to_port"]
            assert rule["ip_protocol"] == "tcp"
            ways.add((ends["from"], ends["to"], rule["from_port"]))
    assert ways == {
        ("balancer", "web", 4080),
        ("web", "server", 4064),
        ("web", "sessions", 6379),
        ("server", "database", 5432),
        ("server", "file_system", 2049),
    }


def test_containers_reach_the_internet_over_https_only(omero: dict[str, Any]) -> None:
    out = {
        (_group(rule["security_group_id"]), rule["cidr_ipv4"], rule["from_port"])
        for rule in of_type(omero, "aws_vpc_security_group_egress_rule").values()
        if "cidr_ipv4" in rule
    }
    assert out == {(who, "0.0.0.0/0", 443) for who in ("server", "web")}


def test_there_is_never_a_second_writer(omero: dict[str, Any]) -> None:
    server = of_type(omero, "aws_ecs_service")["server"]
    assert server["desired_count"] == 1
    assert server["deployment_maximum_percent"] == 100
    assert server["deployment_minimum_healthy_percent"] == 0
    # Rebalancing would start a second task before it stops the first.
    assert server["availability_zone_rebalancing"] == "DISABLED"
    mounts = [name for name, task in of_type(omero, "aws_ecs_task_definition").items() if task["volume"]]
    assert mounts == ["server_task_definition"]


def test_web_rolls_without_a_gap(omero: dict[str, Any]) -> None:
    web = of_type(omero, "aws_ecs_service")["web"]
    assert web["desired_count"] == 2
    assert web["deployment_maximum_percent"] == 200
    assert web["deployment_minimum_healthy_percent"] == 100
    assert web["deployment_circuit_breaker"] == {"enable": True, "rollback": True}


def test_services_run_on_fargate_in_private_subnets_with_exec(omero: dict[str, Any]) -> None:
    for role, service in of_type(omero, "aws_ecs_service").items():
        if role == "web":
            assert service["launch_type"] == "FARGATE"
        else:
            assert service["capacity_provider_strategy"] == [{"capacity_provider": "FARGATE", "weight": 1}]
        assert service["enable_execute_command"] is True
        network = service["network_configuration"]
        assert network["assign_public_ip"] is False
        assert all("private" in subnet for subnet in network["subnets"])


def test_exec_is_encrypted_and_logged(omero: dict[str, Any]) -> None:
    exec_ = only(omero, "aws_ecs_cluster")["configuration"]["execute_command_configuration"]
    assert exec_["kms_key_id"] == "${aws_kms_key.key.arn}"
    assert exec_["logging"] == "OVERRIDE"
    log = exec_["log_configuration"]
    assert log["cloud_watch_encryption_enabled"] is True
    assert log["cloud_watch_log_group_name"] == "${aws_cloudwatch_log_group.cluster_exec_log_group.name}"


def test_secrets_reach_containers_as_ecs_secrets_only(omero: dict[str, Any]) -> None:
    server, web = container(omero, "server"), container(omero, "web")
    assert {secret["name"] for secret in server["secrets"]} == {
        "CONFIG_omero_db_pass",
        "ROOTPASS",
    }
    assert {secret["name"] for secret in web["secrets"]} == {"CONFIG_omero_web_secret__key"}
    for task in (server, web):
        assert not [
            variable["name"]
            for variable in task["environment"]
            if any(word in variable["name"].lower() for word in ("pass", "secret", "key"))
            and variable["value"] not in ("true", "false")
        ]


def test_an_execution_role_reads_its_own_secrets_only(omero: dict[str, Any]) -> None:
    policies = of_type(omero, "aws_iam_role_policy")
    assert "database_password" not in policies["web_execution_policy"]["policy"]
    assert "web_secret_key" not in policies["server_execution_policy"]["policy"]
    assert "web_secret_key" in policies["web_execution_policy"]["policy"]


def test_server_is_told_its_own_memory_and_tls_to_the_database(omero: dict[str, Any]) -> None:
    task = of_type(omero, "aws_ecs_task_definition")["server_task_definition"]
    assert (task["cpu"], task["memory"]) == ("4096", "10240")
    assert (
        variables(omero, "server").items()
        >= {
            "CONFIG_omero_jvmcfg_system__memory": "8448",
            "CONFIG_omero_jvmcfg_heap__size_blitz": "4608",
            "CONFIG_omero_db_properties": "sslmode=require",
            "CONFIG_omero_client_icetransports": "ssl",
        }.items()
    )


def test_server_mounts_the_file_system_over_tls_with_its_role(omero: dict[str, Any]) -> None:
    (volume,) = of_type(omero, "aws_ecs_task_definition")["server_task_definition"]["volume"]
    efs = volume["efs_volume_configuration"]
    assert efs["transit_encryption"] == "ENABLED"
    assert efs["authorization_config"]["iam"] == "ENABLED"
    assert "access_point" in efs["authorization_config"]["access_point_id"]
    (mount,) = container(omero, "server")["mountPoints"]
    assert (mount["sourceVolume"], mount["containerPath"]) == (volume["name"], "/OMERO")


def test_web_finds_the_server_by_its_full_name(omero: dict[str, Any]) -> None:
    assert json.loads(variables(omero, "web")["CONFIG_omero_web_server__list"]) == [
        ["server.lab.omero.internal", 4064, "omero"]
    ]
    assert only(omero, "aws_service_discovery_private_dns_namespace")["name"] == "lab.omero.internal"
    assert of_type(omero, "aws_service_discovery_service")["server_discovery"]["name"] == "server"


def test_servers_own_logs_reach_the_containers_log(omero: dict[str, Any]) -> None:
    server = container(omero, "server")
    *shell, script = server["entryPoint"]
    assert shell == ["/bin/bash", "-c"]
    assert re.search(r"for name in Blitz-0.log DropBox.log [^;]*; do\s+tail .* -F .*/var/log/\$name", script)
    assert server["logConfiguration"]["options"]["awslogs-group"] == "/omero/lab/server"


def test_images_are_pinned_and_health_is_checked(omero: dict[str, Any]) -> None:
    for name in ("server", "web"):
        task = container(omero, name)
        assert task["image"].rpartition(":")[2] not in ("latest", "")
        assert task["healthCheck"]["startPeriod"] <= 300
        assert task["healthCheck"]["command"][0] == "CMD-SHELL"


def test_a_first_start_of_half_an_hour_is_not_killed(omero: dict[str, Any]) -> None:
    services = of_type(omero, "aws_ecs_service")
    assert services["server"]["health_check_grace_period_seconds"] >= 30 * 60
    assert services["web"]["health_check_grace_period_seconds"] == 300
    for service in services.values():
        minutes = int(service["timeouts"]["update"].removesuffix("m"))
        assert minutes * 60 >= service["health_check_grace_period_seconds"] + 15 * 60
        assert service["timeouts"]["create"] == service["timeouts"]["update"]


def test_a_service_that_was_rolled_back_is_no_success(omero: dict[str, Any]) -> None:
    for role, service in of_type(omero, "aws_ecs_service").items():
        (condition,) = service["lifecycle"]["postcondition"]
        arn = f"aws_ecs_task_definition.{role}_task_definition.arn"
        assert condition["condition"] == f"${{self.task_definition == {arn}}}"
        assert f"ECS rolled back the deployment of service omero-lab-{role}" in condition["error_message"]
        # What ECS goes back to has to be registered still.
        assert of_type(omero, "aws_ecs_task_definition")[f"{role}_task_definition"]["lifecycle"] == {
            "create_before_destroy": True
        }


def test_health_and_stickiness_are_the_originals(frontend: dict[str, Any]) -> None:
    group = only(frontend, "aws_lb_target_group")
    assert group["port"] == 4080
    assert (group["health_check"]["path"], group["health_check"]["matcher"]) == ("/index/", "200-302")
    assert group["stickiness"] == {"cookie_duration": 86500, "type": "lb_cookie"}


def test_balancer_is_kept_and_logged(synthesise: Callable[..., Stacks], frontend: dict[str, Any]) -> None:
    balancer = only(frontend, "aws_lb")
    assert balancer["enable_deletion_protection"] is True
    assert balancer["drop_invalid_header_fields"] is True
    assert balancer["access_logs"]["enabled"] is True
    assert only(frontend, "aws_s3_bucket")["force_destroy"] is False
    assert only(synthesise(retain=False)["frontend"], "aws_s3_bucket")["force_destroy"] is True


@pytest.mark.parametrize(
    ("region", "principal"),
    [
        ("eu-central-1", {"AWS": "arn:aws:iam::054676820928:root"}),
        ("eu-central-2", {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}),
        ("us-gov-west-1", {"AWS": "arn:aws-us-gov:iam::048591011584:root"}),
    ],
)
def test_balancer_may_write_its_logs_in_every_region(
    synthesise: Callable[..., Stacks], region: str, principal: dict[str, str]
) -> None:
    deny, allow = json.loads(only(synthesise(region=region)["frontend"], "aws_s3_bucket_policy")["policy"])["Statement"]
    assert allow["Principal"] == principal
    assert allow["Action"] == "s3:PutObject"
    assert deny["Effect"] == "Deny"


def test_an_image_of_ones_own_registry_can_be_pulled(synthesise: Callable[..., Stacks]) -> None:
    image = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/lab/omero-web:1.2"
    policies = of_type(synthesise(omero={"web": {"image": image}})["omero"], "aws_iam_role_policy")
    assert (
        "arn:aws:ecr:eu-central-1:111122223333:repository/lab/omero-web" in policies["web_execution_policy"]["policy"]
    )
    assert "ecr:" not in policies["server_execution_policy"]["policy"]


def test_web_scales_by_its_load_only_if_asked(synthesise: Callable[..., Stacks], omero: dict[str, Any]) -> None:
    assert not of_type(omero, "aws_appautoscaling_target")
    scaled = synthesise(omero={"web": {"count": 3, "max_count": 9}})["omero"]
    target = only(scaled, "aws_appautoscaling_target")
    assert (target["min_capacity"], target["max_capacity"]) == (3, 9)
    assert target["resource_id"] == "service/omero-lab/${aws_ecs_service.web.name}"
    found = of_type(scaled, "aws_appautoscaling_policy").values()
    policies = [each["target_tracking_scaling_policy_configuration"] for each in found]
    assert all(policy["scale_in_cooldown"] > policy["scale_out_cooldown"] for policy in policies)
    values = {policy["predefined_metric_specification"]["predefined_metric_type"]: policy for policy in policies}
    assert values["ECSServiceAverageCPUUtilization"]["target_value"] == 60
    requests = values["ALBRequestCountPerTarget"]
    assert requests["target_value"] == 8000, "5 workers of 16 threads"
    label = requests["predefined_metric_specification"]["resource_label"]
    assert re.fullmatch(r"\$\{.*_arn_suffix\}/\$\{.*target_group_arn_suffix\}", label)
    services = of_type(scaled, "aws_ecs_service")
    assert services["web"]["lifecycle"]["ignore_changes"] == ["desired_count"], "or each deployment undoes the scaling"
    assert "ignore_changes" not in services["server"]["lifecycle"]

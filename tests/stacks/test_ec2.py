"""The launch type EC2: instances that ECS starts when servers need them, reached by nobody but Session Manager."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from settings.topology import TOPOLOGIES
from tests.conftest import Stacks, of_type, only
from tests.settings.test_topology import sections


@pytest.fixture(params=TOPOLOGIES)
def omero(request: pytest.FixtureRequest, synthesise: Callable[..., Stacks]) -> dict[str, Any]:
    return synthesise(**sections(request.param), omero={"server": {"launch_type": "EC2"}})["omero"]


def test_servers_run_on_instances_and_web_on_fargate(omero: dict[str, Any]) -> None:
    services = of_type(omero, "aws_ecs_service")
    definitions = of_type(omero, "aws_ecs_task_definition")
    assert {"server", "web"} <= set(services)
    for role, service in services.items():
        definition = definitions[f"{role}_task_definition"]
        if role == "web":
            assert service["launch_type"] == "FARGATE"
            assert definition["requires_compatibilities"] == ["FARGATE"]
        else:
            (strategy,) = service["capacity_provider_strategy"]
            assert strategy["capacity_provider"] == "${aws_ecs_capacity_provider.instances_capacity_provider.name}"
            assert "launch_type" not in service
            assert definition["requires_compatibilities"] == ["EC2"]
        assert definition["network_mode"] == "awsvpc"
        assert service["enable_execute_command"] is True


def test_one_writer_on_instances_too(omero: dict[str, Any]) -> None:
    server = of_type(omero, "aws_ecs_service")["server"]
    assert (server["deployment_minimum_healthy_percent"], server["deployment_maximum_percent"]) == (0, 100)


def test_instances_take_tokens_only_and_are_encrypted(omero: dict[str, Any]) -> None:
    template = only(omero, "aws_launch_template")
    assert template["metadata_options"]["http_tokens"] == "required"
    assert template["metadata_options"]["http_put_response_hop_limit"] == 1
    ((disk),) = template["block_device_mappings"]
    assert (disk["ebs"]["volume_type"], disk["ebs"]["encrypted"], disk["ebs"]["volume_size"]) == ("gp3", "true", 60)
    assert "key_name" not in template, "people come in by Session Manager"
    assert "associate_public_ip_address" not in json.dumps(template)
    assert template["image_id"] == "${data.aws_ssm_parameter.instances_image.insecure_value}"
    name = omero["data"]["aws_ssm_parameter"]["instances_image"]["name"]
    assert name == "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"


def test_nobody_can_connect_to_an_instance(omero: dict[str, Any]) -> None:
    rules = of_type(omero, "aws_vpc_security_group_ingress_rule").values()
    assert not [rule for rule in rules if "instances" in rule["security_group_id"]]


def test_tasks_mount_the_file_system_and_instances_do_not(omero: dict[str, Any]) -> None:
    out = of_type(omero, "aws_vpc_security_group_egress_rule")
    assert "instances_to_file_system_out" not in out
    for role in {role for role in of_type(omero, "aws_ecs_service") if role != "web"}:
        assert out[f"{role}_to_file_system_out"]["from_port"] == 2049


def test_instances_wait_for_their_way_out(omero: dict[str, Any]) -> None:
    waits = only(omero, "aws_autoscaling_group")["depends_on"]
    assert "aws_vpc_security_group_egress_rule.instances_security_group_https" in waits


def test_instances_join_the_cluster_and_keep_their_role_from_tasks(omero: dict[str, Any]) -> None:
    user_data = only(omero, "aws_launch_template")["user_data"]
    assert "ECS_CLUSTER=omero-lab" in user_data
    assert "ECS_AWSVPC_BLOCK_IMDS=true" in user_data
    assert only(omero, "aws_ecs_cluster")["name"] == "omero-lab"


def test_ecs_scales_protects_and_drains(omero: dict[str, Any]) -> None:
    provider = only(omero, "aws_ecs_capacity_provider")["auto_scaling_group_provider"]
    assert provider["managed_scaling"]["status"] == "ENABLED"
    assert provider["managed_termination_protection"] == "ENABLED"
    assert provider["managed_draining"] == "ENABLED"
    group = only(omero, "aws_autoscaling_group")
    assert group["protect_from_scale_in"] is True, "AWS refuses the provider's protection without it"
    assert (group["min_size"], group["max_size"]) == (0, 2)
    assert len(group["vpc_zone_identifier"]) == 2, "either zone can be lost"
    assert all("private" in subnet for subnet in group["vpc_zone_identifier"])
    assert group["lifecycle"]["ignore_changes"] == ["desired_capacity"]
    offered = of_type(omero, "aws_ecs_cluster_capacity_providers")["cluster_capacity"]["capacity_providers"]
    assert offered == ["FARGATE", "${aws_ecs_capacity_provider.instances_capacity_provider.name}"]


def test_the_instances_role_may_be_an_instance_and_nothing_more(omero: dict[str, Any]) -> None:
    policy = of_type(omero, "aws_iam_role_policy")["instances_policy"]["policy"]
    actions = {
        action
        for statement in json.loads(policy)["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert {action.partition(":")[0] for action in actions} == {"ecs", "ssm", "ssmmessages"}
    assert not [action for action in actions if "*" in action]
    assert "ssm:GetParameter" not in actions
    assert not of_type(omero, "aws_iam_role_policy_attachment")


def test_instances_and_volumes_carry_the_workspaces_tags(synthesise: Callable[..., Stacks]) -> None:
    omero = synthesise(tags={"CostCentre": "4711"}, omero={"server": {"launch_type": "EC2"}})["omero"]
    specifications = only(omero, "aws_launch_template")["tag_specifications"]
    assert {specification["resource_type"] for specification in specifications} == {"instance", "volume"}
    for specification in specifications:
        assert specification["tags"].items() >= {"CostCentre": "4711", "Workspace": "lab"}.items()
    keys = {tag["key"] for tag in only(omero, "aws_autoscaling_group")["tag"]}
    assert keys >= {"CostCentre", "Workspace", "AmazonECSManaged"}


def test_there_are_no_instances_on_fargate(synthesise: Callable[..., Stacks]) -> None:
    omero = synthesise()["omero"]
    for kind in ("aws_launch_template", "aws_autoscaling_group", "aws_ecs_capacity_provider"):
        assert not of_type(omero, kind)


@pytest.mark.parametrize("launch_type", ["FARGATE", "EC2"])
def test_a_server_moves_between_launch_types_in_place(synthesise: Callable[..., Stacks], launch_type: str) -> None:
    """The provider replaces a service whose launch type changes, or whose strategy does without a new deployment.

    Its source: `launch_type` is ForceNew, and so is the strategy unless `force_new_deployment` is true and there was a
    strategy before.
    """
    settings = {"server": {"launch_type": launch_type}, "read_only": {"count": 1}}
    omero = synthesise(topology=None, omero=settings)["omero"]
    for role, service in of_type(omero, "aws_ecs_service").items():
        assert ("launch_type" in service) == (role == "web")
        assert len(service.get("capacity_provider_strategy", ())) == (role != "web")
        assert service.get("force_new_deployment", False) == (role != "web")


def test_a_capacity_provider_goes_after_the_cluster_has_let_go_of_it(omero: dict[str, Any]) -> None:
    assert only(omero, "aws_ecs_capacity_provider")["lifecycle"] == {"create_before_destroy": True}


def test_services_on_instances_wait_until_the_cluster_has_them(omero: dict[str, Any]) -> None:
    for service in of_type(omero, "aws_ecs_service").values():
        assert "aws_ecs_cluster_capacity_providers.cluster_capacity" in service["depends_on"]


def test_services_that_leave_instances_do_not_wait_until_the_cluster_lets_go(synthesise: Callable[..., Stacks]) -> None:
    """ECS detaches a capacity provider only when no task uses it."""
    omero = synthesise()["omero"]
    attached = of_type(omero, "aws_ecs_cluster_capacity_providers")["cluster_attached"]
    assert attached["lifecycle"] == {"ignore_changes": ["capacity_providers"]}
    for service in of_type(omero, "aws_ecs_service").values():
        assert "aws_ecs_cluster_capacity_providers.cluster_attached" in service["depends_on"]
        assert "aws_ecs_cluster_capacity_providers.cluster_capacity" not in service["depends_on"]

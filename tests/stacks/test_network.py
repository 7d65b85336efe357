"""The VPC: what is open, what is closed, and what survives the loss of a zone."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Stacks, of_type, only


def _routes_to_nat(stacks: Stacks) -> set[str]:
    routes = of_type(stacks["network"], "aws_route").values()
    return {route["nat_gateway_id"] for route in routes if "nat_gateway_id" in route}


def test_default_is_the_original_network(synthesise: Callable[..., Stacks]) -> None:
    network = synthesise()["network"]
    assert only(network, "aws_vpc")["cidr_block"] == "10.192.0.0/16"
    assert [subnet["cidr_block"] for subnet in of_type(network, "aws_subnet").values()] == [
        "10.192.20.0/24",
        "10.192.21.0/24",
        "10.192.10.0/24",
        "10.192.11.0/24",
    ]


def test_each_zone_has_its_own_nat_gateway(synthesise: Callable[..., Stacks]) -> None:
    stacks = synthesise()
    assert set(of_type(stacks["network"], "aws_nat_gateway")) == {"vpc_nat_first", "vpc_nat_second"}
    assert len(_routes_to_nat(stacks)) == 2


def test_a_single_nat_gateway_serves_both_zones(synthesise: Callable[..., Stacks]) -> None:
    stacks = synthesise(network={"nat_gateways": "single"})
    assert set(of_type(stacks["network"], "aws_nat_gateway")) == {"vpc_nat_first"}
    assert _routes_to_nat(stacks) == {"${aws_nat_gateway.vpc_nat_first.id}"}


def test_private_subnets_have_no_way_in_from_the_internet(synthesise: Callable[..., Stacks]) -> None:
    network = synthesise()["network"]
    open_tables = {route["route_table_id"] for route in of_type(network, "aws_route").values() if "gateway_id" in route}
    assert open_tables == {"${aws_route_table.vpc_public.id}"}
    for name, association in of_type(network, "aws_route_table_association").items():
        assert ("public" in name) == (association["route_table_id"] in open_tables)
    assert not any(subnet["map_public_ip_on_launch"] for subnet in of_type(network, "aws_subnet").values())


def test_default_security_group_is_closed(synthesise: Callable[..., Stacks]) -> None:
    group = only(synthesise()["network"], "aws_default_security_group")
    assert not {"ingress", "egress"} & group.keys()


def test_s3_is_reached_through_an_endpoint_from_every_subnet(synthesise: Callable[..., Stacks]) -> None:
    network = synthesise()["network"]
    endpoint = only(network, "aws_vpc_endpoint")
    assert endpoint["vpc_endpoint_type"] == "Gateway"
    assert endpoint["service_name"] == "com.amazonaws.eu-central-1.s3"
    assert set(endpoint["route_table_ids"]) == {
        f"${{aws_route_table.{name}.id}}" for name in of_type(network, "aws_route_table")
    }


def test_flow_logs_are_optional(synthesise: Callable[..., Stacks]) -> None:
    assert not of_type(synthesise()["network"], "aws_flow_log")
    logged = synthesise(network={"flow_logs": {"traffic": "REJECT", "retention_days": 30}})["network"]
    assert only(logged, "aws_flow_log")["traffic_type"] == "REJECT"
    assert only(logged, "aws_cloudwatch_log_group")["retention_in_days"] == 30


def test_zones_that_aws_opens_later_move_no_subnet(synthesise: Callable[..., Stacks]) -> None:
    for subnet in of_type(synthesise()["network"], "aws_subnet").values():
        assert subnet["lifecycle"]["ignore_changes"] == ["availability_zone"]


def test_zones_can_be_named(synthesise: Callable[..., Stacks]) -> None:
    zones = ["eu-central-1a", "eu-central-1c"]
    network = synthesise(network={"availability_zones": zones})["network"]
    assert {subnet["availability_zone"] for subnet in of_type(network, "aws_subnet").values()} == set(zones)
    assert "aws_availability_zones" not in network.get("data", {})

"""Section `network`: subnets that fit their VPC."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from settings.network import FlowLogs, Network

PUBLIC = ("10.0.0.0/24", "10.0.1.0/24")
PRIVATE = ("10.0.2.0/24", "10.0.3.0/24")


@pytest.mark.parametrize(
    ("cidr", "public", "private", "said"),
    [
        ("10.1.0.0/16", PUBLIC, PRIVATE, "public_subnets.0\n  10.0.0.0/24 is not inside the VPC's 10.1.0.0/16"),
        (
            "10.0.0.0/16",
            PUBLIC,
            ("10.0.1.0/25", "10.0.3.0/24"),
            "10.0.1.0/25 overlaps 10.0.1.0/24 of public_subnets.1",
        ),
        ("10.0.0.0/16", PUBLIC, ("10.0.2.0/29", "10.0.3.0/24"), "private_subnets.0\n  10.0.2.0/29 is smaller than /28"),
        (
            "10.0.0.0/8",
            PUBLIC,
            PRIVATE,
            "10.0.0.0/8 cannot hold four subnets of a VPC; give a range from /16 to /26",
        ),
        ("10.0.0.1/16", PUBLIC, PRIVATE, "10.0.0.1/16 is not an IPv4 CIDR block"),
        ("fd00::/64", PUBLIC, PRIVATE, "fd00::/64 is not an IPv4 CIDR block"),
    ],
)
def test_refuses_subnets(cidr: str, public: tuple[str, str], private: tuple[str, str], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Network(cidr=cidr, public_subnets=public, private_subnets=private)
    assert said in str(caught.value)


def test_takes_subnets_that_fill_the_network() -> None:
    network = Network(cidr="10.0.0.0/22", public_subnets=PUBLIC, private_subnets=PRIVATE)
    assert network.private_subnets == PRIVATE


def test_says_all_faults_of_the_subnets() -> None:
    with pytest.raises(ValidationError) as caught:
        Network(cidr="10.0.0.0/24", public_subnets=PUBLIC, private_subnets=("10.0.1.0/24", "10.0.3.0/24"))
    said = str(caught.value)
    assert said.count("is not inside the VPC's 10.0.0.0/24") == 3
    assert "private_subnets.0\n  10.0.1.0/24 overlaps 10.0.1.0/24 of public_subnets.1" in said


def test_refuses_one_zone_twice() -> None:
    with pytest.raises(ValidationError, match=r"availability_zones\.1\n  'eu-west-1a' is already in the list"):
        Network(availability_zones=("eu-west-1a", "eu-west-1a"))


@pytest.mark.parametrize("days", [0, 2, 366])
def test_refuses_retention_that_cloudwatch_lacks(days: int) -> None:
    with pytest.raises(
        ValidationError, match=f"{days} days is not a retention period of CloudWatch Logs; allowed: 1, 3, 5"
    ):
        FlowLogs(retention_days=days)


def test_flow_logs_keep_all_traffic_two_weeks() -> None:
    assert (FlowLogs().traffic, FlowLogs().retention_days) == ("ALL", 14)

"""Section `file_gateway`: its defaults, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from settings.topology import TOPOLOGIES
from tests.conftest import workspace
from tests.settings.test_topology import sections

KEY = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
SHARED = [name for name, row in TOPOLOGIES.items() if row.share]


def made(topology: str = "rw-http-s3fg", **settings: Any) -> dict[str, Any]:
    """The least that a workspace whose gateway is made has to say."""
    least = {key: value for key, value in sections(topology).items() if key != "share"}
    return {**least, "file_gateway": settings}


@pytest.mark.parametrize("topology", SHARED)
def test_defaults_are_the_originals_and_awss_least(topology: str) -> None:
    gateway = workspace(**made(topology)).file_gateway
    assert gateway is not None
    assert (gateway.instance_type, gateway.cache_gib, gateway.mount_point) == ("m5.xlarge", 150, "/s3uploads")
    assert gateway.bucket is None
    assert gateway.activation_cidrs is None


@pytest.mark.parametrize("value", ["m5.xlarge", "m5.4xlarge", "m6i.xlarge", "r5.xlarge", "c5.2xlarge", "c6i.4xlarge"])
def test_takes_instance_types_that_are_large_enough(value: str) -> None:
    assert workspace(**made(instance_type=value)).file_gateway


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cache_gib": 149}, "149 GiB of cache is not possible; give 150 (the gateway's minimum)"),
        ({"cache_gib": 16_385}, "to 16384 (a volume's maximum)"),
        ({"instance_type": "m5.large"}, "m5.large is too small for a File Gateway, with 2 vCPUs and 8 GiB of memory"),
        ({"instance_type": "c5.xlarge"}, "with 4 vCPUs and 8 GiB of memory; AWS requires 4 and 16: give m5.xlarge or"),
        ({"instance_type": "r5.large"}, "r5.large is too small for a File Gateway, with 2 vCPUs and 16 GiB"),
        ({"instance_type": "m7g.xlarge"}, "m7g.xlarge is not an instance type for a File Gateway"),
        ({"instance_type": "m5"}, "m5 is not an instance type"),
        ({"stale_timeout_seconds": 299}, "299 s is not allowed by Storage Gateway; allowed: 300 to 2592000"),
        ({"stale_timeout_seconds": 2_592_001}, "2592001 s is not allowed by Storage Gateway"),
        ({"versions_kept": 0}, "greater than or equal to 1"),
        ({"versions_kept": 101}, "less than or equal to 100"),
        ({"bucket": "Lab_Slides"}, "'Lab_Slides' is not a valid bucket name: 3 to 63"),
        (
            {"bucket": "lab-slides", "versions_kept": 2},
            "versions_kept\n  only a new bucket keeps this number of versions, and",
        ),
        ({"bucket_key_arn": KEY}, "bucket_key_arn\n  the key of an existing bucket needs the bucket"),
        (
            {"bucket": "lab-slides", "bucket_key_arn": KEY.replace("eu-central-1", "eu-west-1")},
            "the ARN is in region eu-west-1, and the workspace is in eu-central-1",
        ),
        ({"activation_cidrs": ["0.0.0.0/0"]}, "0.0.0.0/0 is the whole internet; give the network that Terraform"),
        ({"activation_cidrs": []}, "at least 1 item"),
        ({"mount_point": "/OMERO"}, "/OMERO would hide files of the server's container image"),
    ],
    ids=str,
)
def test_refuses(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        workspace(**made(**settings))
    assert said in str(caught.value)


@pytest.mark.parametrize("seconds", [0, 300, 2_592_000])
def test_takes_the_ends_of_the_range(seconds: int) -> None:
    assert workspace(**made(stale_timeout_seconds=seconds)).file_gateway


def test_refuses_a_gateway_that_is_there_and_one_that_is_made() -> None:
    with pytest.raises(ValidationError, match="this gateway exists, and file_gateway would create another"):
        workspace(**sections("rw-http-s3fg"), file_gateway={})


@pytest.mark.parametrize("topology", [name for name in TOPOLOGIES if name not in SHARED])
def test_any_topology_may_have_a_gateway_made(topology: str) -> None:
    assert workspace(**sections(topology), file_gateway={}).file_gateway


def test_a_topology_with_a_share_says_both_ways_to_have_one() -> None:
    with pytest.raises(
        ValidationError, match=r"needs this section \(an existing gateway\) or file_gateway \(a new one\)"
    ):
        workspace(topology="rw-http-s3fg")


def test_a_gateway_takes_addresses_of_the_private_subnets() -> None:
    small = {"private_subnets": ["10.192.20.0/28", "10.192.21.0/28"]}
    workspace(**sections("rw-http-s3fg"), omero={"web": {"count": 6}}, network=small)
    with pytest.raises(ValidationError, match=r"22 addresses are not enough, .* need 24;"):
        workspace(**made(), omero={"web": {"count": 6}}, network=small)

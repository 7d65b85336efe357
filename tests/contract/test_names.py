"""Every physical name fits its service, for the longest workspace and region."""

from __future__ import annotations

import pytest

from contract import names
from settings.workspace import is_workspace_name
from tests.conftest import workspace

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

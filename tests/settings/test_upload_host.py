"""Section `upload_host`: what it gives by default, and what it refuses in a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from settings.upload_host import INSTANCE_TYPES, Source, UploadHost
from tests.conftest import workspace

KEY = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"


def test_there_is_none_unless_it_is_asked_for() -> None:
    assert workspace().upload_host is None


def test_an_empty_section_is_one_host_that_reads_no_bucket() -> None:
    host = workspace(upload_host={}).upload_host
    assert host is not None
    assert (host.instance_type, host.count, host.volume_gib, host.sources) == ("m5.large", 1, 100, ())


@pytest.mark.parametrize("instance_type", INSTANCE_TYPES)
def test_every_offered_instance_type_is_x86(instance_type: str) -> None:
    family = instance_type.partition(".")[0]
    assert "g" not in family, "Graviton has no Ice bindings here"
    assert UploadHost(instance_type=instance_type).instance_type == instance_type


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"instance_type": "m5.metal"},
            "m5.metal is not an instance type for an upload host; allowed: m5 with the size la",
        ),
        (
            {"instance_type": "t3.micro"},
            "t3.micro is not an instance type for an upload host; allowed: t3 with the size la",
        ),
        (
            {"instance_type": "m6g.large"},
            "m6g.large is not an instance type for an upload host; allowed: a size of t3, ",
        ),
        ({"count": 0}, "Input should be greater than or equal to 1"),
        ({"count": 3}, "Input should be less than or equal to 2"),
        ({"volume_gib": 8}, "Input should be greater than or equal to 30"),
        ({"importer_version": "latest"}, "latest is not a release of OMERO.server 5.6; give the server's"),
        ({"ice_wheel_sha256": "abc"}, "abc is not a SHA-256; give 64 lower-case hex digits"),
        ({"sources": [{"bucket": "Lab"}]}, "'Lab' is not a valid bucket name: 3 to 63"),
        (
            {"sources": [{"bucket": "lab", "prefixes": ["/a/"]}]},
            "'/a/' is not allowed as a prefix in an IAM policy; give lett",
        ),
        ({"sources": [{"bucket": "lab", "prefixes": ["*"]}]}, "'*' is not allowed as a prefix in an IAM policy"),
        (
            {"sources": [{"bucket": "lab", "prefixes": ["${aws:username}/"]}]},
            "is not allowed as a prefix in an IAM policy",
        ),
        ({"sources": [{"bucket": "lab", "prefixes": [""]}]}, "'' is not allowed as a prefix in an IAM policy"),
        ({"sources": [{"bucket": "lab"}, {"bucket": "lab"}]}, "sources.1\n  'lab' is already in the list, as entry 0"),
        ({"key_pair": "mine"}, "Extra inputs are not permitted"),
    ],
)
def test_refuses(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        UploadHost.model_validate(settings)
    assert said in str(caught.value)


def test_takes_prefixes_as_people_name_folders() -> None:
    prefixes = ("slides/2025/", "Dr. Who's (old)/", "a+b=c,d@e:f!/")
    assert Source(bucket="lab", prefixes=prefixes).prefixes == prefixes


def test_refuses_a_key_of_another_region() -> None:
    source = {"bucket": "lab", "key_arn": KEY.replace("eu-central-1", "us-east-1")}
    with pytest.raises(
        ValidationError, match=r"upload_host\.sources\.0\.key_arn\n +the ARN is in region us-east-1, and the wo"
    ):
        workspace(upload_host={"sources": [source]})
    assert workspace(upload_host={"sources": [{**source, "key_arn": KEY}]}).upload_host


def test_hosts_take_addresses() -> None:
    small = {"private_subnets": ["10.192.20.0/28", "10.192.21.0/28"]}
    omero = {"web": {"count": 7}}
    workspace(network=small, omero=omero, upload_host={"count": 1})
    with pytest.raises(ValidationError, match="need 23;"):
        workspace(network=small, omero=omero, upload_host={"count": 2})

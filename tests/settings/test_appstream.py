"""Section `appstream`: what it refuses, and what it leaves to defaults."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.conftest import merged, workspace

SHA = "0" * 64
INSIGHT = {"archive": "a.zip", "archive_sha256": SHA, "runtime": "https://example.org/jre.zip", "runtime_sha256": SHA}


def made(**changes: Any) -> Any:
    return workspace(appstream=merged({"insight": INSIGHT}, changes)).appstream


def test_is_closed_by_default() -> None:
    settings = made()
    assert settings.fleet.type == "ELASTIC"
    assert settings.stack.home_folders
    assert not settings.stack.file_download
    assert not settings.stack.clipboard_out
    assert not settings.stack.printing
    assert settings.stack.embed_domains == ()
    assert workspace().appstream is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"insight": None}, "an Elastic fleet needs OMERO.insight; give archive and runtime"),
        ({"insight": {"archive_sha256": "x"}}, "x is not a SHA-256"),
        ({"insight": {"archive": "http://example.org/a.zip"}}, "give a path, or a URL that begins with https://"),
        ({"fleet": {"type": "ON_DEMAND"}}, "ON_DEMAND needs an image"),
        ({"fleet": {"image": "x"}}, "x has no effect with type ELASTIC"),
        ({"fleet": {"instance_type": "m5.large"}}, "m5.large is not an AppStream instance type"),
        ({"fleet": {"instance_type": "GeneralPurpose.large"}}, "is not offered for an Elastic fleet; give"),
        ({"fleet": {"instance_type": "stream.compute.large"}}, "stream.compute.large is not offered for an Elastic"),
        ({"fleet": {"instance_type": "stream.standard.4xlarge"}}, "stream.standard.4xlarge is not offered for an"),
        ({"fleet": {"idle_minutes": 61}}, "61 minutes are not allowed"),
        ({"fleet": {"sessions": 0}}, "sessions"),
        (
            {"fleet": {"subnet_ids": ["subnet-0123456789abcdef0"] * 2}},
            "is already in the list, as entry 0",
        ),
        ({"stack": {"redirect_url": "http://example.org"}}, "is not an https:// URL"),
        ({"stack": {"embed_domains": ["*.example.org"]}}, "is not a full domain name"),
        ({"users": ["ada"]}, "ada is not an e-mail address"),
        ({"users": ["ada@example.org", "Ada@example.org"]}, "'Ada@example.org' is already in the list, as entry 0"),
        ({"users": ["ada@example.org", "ada@example.org"]}, "is already in the list, as entry 0"),
    ],
)
def test_refuses(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as error:
        made(**changes)
    assert sentence in str(error.value)


def test_refuses_more_sessions_than_there_are_addresses() -> None:
    small = {"private_subnets": ["10.192.20.0/27", "10.192.21.0/27"]}
    with pytest.raises(ValidationError, match=r"lower omero\.read_only\.count, omero\.web\.count or appstream\.fleet"):
        workspace(network=small, appstream={"insight": INSIGHT, "fleet": {"sessions": 50}})


def test_takes_an_imported_image() -> None:
    fleet = {"type": "ALWAYS_ON", "image": "insight-1", "instance_type": "GeneralPurpose.large"}
    assert made(insight=None, fleet=fleet).fleet.image == "insight-1"

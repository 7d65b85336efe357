"""What the section `sftp` says when it is left alone, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from settings.sftp import Sftp
from tests.conftest import workspace

LAB = ("192.0.2.0/24",)


def test_there_is_none_unless_asked_for() -> None:
    assert workspace().sftp is None


def test_lets_in_named_networks_only() -> None:
    settings = Sftp(cidrs=LAB)
    assert (settings.endpoint, settings.internal, settings.folder) == ("vpc", False, "/OMERO/SFTP")
    assert (settings.log_retention_days, settings.failed_logins) == (365, 20)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "endpoint: vpc needs address ranges; give the networks"),
        ({"cidrs": ["0.0.0.0/0"]}, r"cidrs\.0\n  0\.0\.0\.0/0 is the whole internet; name the senders' networks"),
        ({"endpoint": "public"}, "public is open to every address; choose endpoint: vpc with cidrs"),
        (
            {"endpoint": "public", "cidrs": LAB, "open_to_the_world": True},
            r"cidrs\n  it has no effect with endpoint",
        ),
        (
            {"endpoint": "public", "internal": True, "open_to_the_world": True},
            r"internal\n  it has no effect with endp",
        ),
        ({"cidrs": LAB, "folder": "/OMERO/ManagedRepository/x"}, "where OMERO keeps its own files"),
        ({"cidrs": LAB, "folder": "/srv"}, "is not allowed; give one to three folders"),
        ({"cidrs": LAB, "alarm_emails": ["it"]}, "it is not an e-mail address"),
    ],
)
def test_refuses(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Sftp.model_validate(section)


def test_takes_the_world_if_the_workspace_says_so() -> None:
    assert Sftp(cidrs=("0.0.0.0/0",), open_to_the_world=True)
    assert Sftp(endpoint="public", open_to_the_world=True)


@pytest.mark.parametrize("folder", ["/OMERO/SFTP", "/OMERO/SFTP/in"])
def test_refuses_a_folder_that_datasync_copies_into(folder: str) -> None:
    with pytest.raises(ValidationError, match=r"datasync\.folder\n.* and sftp\.folder /OMERO/SFTP overlap"):
        workspace(sftp={"cidrs": LAB}, datasync={"folder": folder})
    assert workspace(sftp={"cidrs": LAB}, datasync={"folder": "/OMERO/SFTP-2"})


def test_its_interfaces_take_addresses_of_the_private_subnets() -> None:
    small: dict[str, Any] = {"private_subnets": ["10.192.20.0/28", "10.192.21.0/28"]}
    many = {"web": {"count": 7}}
    with pytest.raises(ValidationError, match=r"22 addresses are not enough, .* need 2\d;"):
        workspace(network=small, omero=many, sftp={"cidrs": LAB, "internal": True})

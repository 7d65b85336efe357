"""What comments, settings and documents say about AWS, held against botocore's models: they are AWS's own words."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from functions import datasync_starter
from local_aws.services.appstream import fleets as local_fleets
from local_aws.services.transfer import keys as local_keys
from scripts.ingest.sftp import users
from settings.appstream import ELASTIC_TYPES

ROOT = Path(__file__).parent.parent
SOURCES = ("settings", "modules", "stacks", "functions", "scripts", "contract", "docs")


def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def _member(service: str, operation: str, name: str) -> Any:
    shape: Any = _model(service).operation_model(operation).input_shape
    return shape.members[name]


def _said(service: str, operation: str, name: str) -> str:
    """The documentation of a member, as text."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", _member(service, operation, name).documentation)).split())


def _ours() -> dict[str, str]:
    paths = [path for folder in SOURCES for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md")]
    return {str(path.relative_to(ROOT)): " ".join(path.read_text().split()) for path in (*paths, ROOT / "README.md")}


def test_enhanced_mode_serves_all_but_s3_on_outposts_and_nothing_here_says_otherwise() -> None:
    said = _said("datasync", "CreateTask", "TaskMode")
    assert "Enhanced mode is currently available for all transfers except those that use Amazon S3 on Outposts" in said
    assert "BASIC (default)" in said
    wrong = re.compile(r"Enhanced mode (for|is for)\b|not for S3 to EFS")
    assert [path for path, text in _ours().items() if wrong.search(text)] == []


def test_elastic_fleets_take_the_types_that_the_settings_take() -> None:
    said = _said("appstream", "CreateFleet", "InstanceType")
    _, _, elastic = said.partition("available for Elastic fleets:")
    assert tuple(re.findall(r"stream\.\S+", elastic)) == ELASTIC_TYPES == local_fleets._ELASTIC_TYPES


def test_host_keys_are_made_by_the_commands_of_the_service() -> None:
    said = _said("transfer", "CreateServer", "HostKey")
    commands = dict(re.findall(r"ssh-keygen -t (\w+) ([^.]*?)-f my-new-server-key", said))
    assert {kind: "-m PEM" in options for kind, options in commands.items()} == {
        "rsa": True,
        "ecdsa": True,
        "ed25519": False,
    }
    assert local_keys._FORMS == {"ssh-rsa": "RSA", "ssh-ed25519": "OPENSSH"}
    assert "minimum value of 2048" in said


def test_user_names_are_those_that_transfer_family_creates() -> None:
    limits = _member("transfer", "CreateUser", "UserName").metadata
    for name in ("abc", "a" * 100, "_a.b@c-d", "ab", "a" * 101, "-abc", ".abc", "@abc", "a b c", "a/b"):
        ours = users.NAME.fullmatch(name) is not None
        theirs = re.fullmatch(limits["pattern"], name, re.ASCII) is not None
        assert (name, ours) == (name, theirs and len(name) <= limits["max"])


def test_one_filter_has_the_characters_that_the_starter_fills() -> None:
    assert (
        _model("datasync").shape_for("FilterRule").members["Value"].metadata["max"] == datasync_starter.MOST_CHARACTERS
    )
    assert _member("datasync", "StartTaskExecution", "Includes").metadata["max"] == 1


@pytest.mark.parametrize("mode", ["BASIC", "ENHANCED"])
def test_task_modes_are_those_of_the_model(mode: str) -> None:
    assert mode in _member("datasync", "CreateTask", "TaskMode").enum

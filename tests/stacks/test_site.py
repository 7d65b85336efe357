"""A site's own OMERO: its directory, mail, apps and properties, as its containers get them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from settings.ldap import CA_CHARACTERS
from settings.properties import MAX_CHARACTERS
from tests.conftest import Stacks, container, of_type, variables
from tests.interception import Authority
from tests.stacks.test_importer import TASK_DEFINITION_BYTES
from tests.stacks.test_rw_tls import TLS

ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:{}-a1B2c3"
SERVERS = ("server", "read_only_1")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> str:
    return Authority(tmp_path_factory.mktemp("authority"), "Hospital Root").pem().decode()


@pytest.fixture
def omero(synthesise: Callable[..., Stacks], authority: str) -> dict[str, Any]:
    site = {
        "read_only": {"count": 1},
        "server": {
            "properties": {"omero.search.cron": "*/30 * * * * ?"},
            "secret_properties": {"omero.security.keyStorePassword": ARN.format("keys")},
        },
        "web": {
            "properties": {"omero.web.page_size": 300, "omero.web.sharing.opengraph": {"omero": "Lab"}},
            "append": {
                "omero.web.apps": ["omero_fpbioimage"],
                "omero.web.open_with": [["omero_fpbioimage", "fpbioimage_index", {"label": "Bob's 3D"}]],
            },
        },
        "ldap": {
            "url": "ldaps://ldap.example.org:3269",
            "cidrs": ["10.20.0.0/24", "10.21.0.7/32"],
            "ca_certificate": authority,
            "username": "cn=reader,dc=example,dc=org",
            "password_arn": ARN.format("ldap"),
            "base": "dc=example,dc=org",
        },
        "mail": {"host": "email-smtp.eu-west-1.amazonaws.com", "sender": "omero@example.org"},
        "public": {"user": "public", "password_arn": ARN.format("public")},
    }
    return synthesise(topology="rw-ro-tls", tls=TLS, omero=site)["omero"]


@pytest.mark.parametrize("role", SERVERS)
def test_each_server_has_the_properties_and_the_secrets(omero: dict[str, Any], role: str, authority: str) -> None:
    values = variables(omero, role)
    assert values["CONFIG_omero_search_cron"] == "*/30 * * * * ?"
    assert values["CONFIG_omero_ldap_urls"] == "ldaps://ldap.example.org:3269"
    assert values["CONFIG_omero_mail_config"] == "true"
    assert values["TRUSTED_CERTIFICATES"] == authority
    assert values["CONFIG_omero_security_trustStore"] in container(omero, role)["entryPoint"][2]
    secrets = {each["name"]: each["valueFrom"] for each in container(omero, role)["secrets"]}
    assert secrets["CONFIG_omero_ldap_password"] == ARN.format("ldap")
    assert secrets["CONFIG_omero_security_keyStorePassword"] == ARN.format("keys")
    assert "CONFIG_omero_web_public_password" not in secrets


@pytest.mark.parametrize("role", SERVERS)
def test_each_server_tries_its_directory_at_the_start(omero: dict[str, Any], role: str, tmp_path: Path) -> None:
    """By the very command of its start, which has not ended when OMERO.server starts."""
    start = container(omero, role)["entryPoint"][2]
    command = start[start.index('if [ -n "$(printenv LDAP_CHECK)" ]') :].partition("\nfi\n")[0] + "\nfi\nwait"
    (tmp_path / "python").symlink_to(sys.executable)
    environ = {name: value for name, value in variables(omero, role).items() if "ldap" in name or name == "LDAP_CHECK"}
    environ |= {"PATH": os.environ["PATH"], "CONFIG_omero_ldap_urls": "ldaps://localhost:1"}
    text = command.replace("/opt/omero/server/venv3/bin", str(tmp_path))
    done = subprocess.run(["bash", "-euc", text], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("LDAP | The directory ldaps://localhost:1 cannot be used: ")


def test_the_fullest_of_its_kind_fits_into_a_task_definition(synthesise: Callable[..., Stacks], authority: str) -> None:
    """With all that a workspace may give of certificates and properties."""
    site = {
        "read_only": {"count": 1},
        "server": {"properties": {"omero.search.cron": "x" * (MAX_CHARACTERS - 20)}},
        "ldap": {
            "url": "ldaps://ldap.example.org",
            "cidrs": ["10.20.0.0/24"],
            "ca_certificate": authority * (CA_CHARACTERS // len(authority)),
            "base": "dc=example,dc=org",
        },
        "mail": {"host": "email-smtp.eu-west-1.amazonaws.com", "sender": "omero@example.org"},
    }
    definitions = of_type(
        synthesise(topology="rw-ro-tls", tls=TLS, omero=site)["omero"], "aws_ecs_task_definition"
    ).values()
    # 2,048 for names that are not known yet.
    assert max(len(json.dumps(each)) for each in definitions) < TASK_DEFINITION_BYTES - 2048


def test_web_has_its_own(omero: dict[str, Any]) -> None:
    values = variables(omero, "web")
    assert values["CONFIG_omero_web_page__size"] == "300"
    assert json.loads(values["CONFIG_omero_web_sharing_opengraph"]) == {"omero": "Lab"}
    assert values["CONFIG_omero_web_public_server__id"] == "2"
    assert json.loads(values["CONFIG_omero_web_server__list"])[1][2] == "read-only-1"
    assert not [name for name in values if "ldap" in name or "mail_host" in name]
    secrets = {each["name"]: each["valueFrom"] for each in container(omero, "web")["secrets"]}
    assert secrets["CONFIG_omero_web_public_password"] == ARN.format("public")


def test_lists_are_appended_to_those_of_the_image(omero: dict[str, Any]) -> None:
    """`CONFIG_omero_web_apps` would replace figure, iviewer and the rest: 50-config.py sets it after its own."""
    values = variables(omero, "web")
    assert not [name for name in values if name.startswith(("CONFIG_omero_web_apps", "CONFIG_omero_web_open"))]
    commands = [shlex.split(line) for line in values["APPENDED_PROPERTIES"].splitlines()]
    assert [command[:4] for command in commands] == [
        ["config", "append", "--", "omero.web.apps"],
        ["config", "append", "--", "omero.web.open_with"],
    ]
    assert [json.loads(command[4]) for command in commands] == [
        "omero_fpbioimage",
        ["omero_fpbioimage", "fpbioimage_index", {"label": "Bob's 3D"}],
    ]


@pytest.mark.parametrize("role", SERVERS)
def test_servers_alone_reach_the_directory_and_the_mail(omero: dict[str, Any], role: str) -> None:
    rules = of_type(omero, "aws_vpc_security_group_egress_rule")
    ways = {
        (name.split("_security_group_")[0], rule.get("cidr_ipv4"), rule["from_port"])
        for name, rule in rules.items()
        if rule["from_port"] in (3269, 465)
    }
    assert {way for way in ways if way[0] == role} == {
        (role, "10.20.0.0/24", 3269),
        (role, "10.21.0.7/32", 3269),
        (role, "0.0.0.0/0", 465),
    }
    assert {name for name, _, _ in ways} == {"server", "read_only_1"}


@pytest.mark.parametrize("role", ["server", "web"])
def test_an_execution_role_reads_what_its_container_is_given(omero: dict[str, Any], role: str) -> None:
    policy = of_type(omero, "aws_iam_role_policy")[f"{role}_execution_policy"]["policy"]
    assert (ARN.format("ldap") in policy) == (role == "server")
    assert (ARN.format("public") in policy) == (role == "web")

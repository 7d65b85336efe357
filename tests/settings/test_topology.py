"""What a topology decides by itself, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from settings.topology import TOPOLOGIES
from tests.conftest import workspace

TLS = {"domain_name": "omero.example.org", "hosted_zone_id": "Z0123456789ABCDEFGHIJ"}
SHARE = {"address": "10.192.20.15", "bucket": "lab-slides"}
SERVER = {"cidrs": ["203.0.113.0/24"]}


def sections(topology: str) -> dict[str, Any]:
    """The least that a workspace of this topology has to say."""
    row = TOPOLOGIES[topology]
    return {
        "topology": topology,
        **({"tls": TLS} if row.tls else {}),
        **({"access": {"server": SERVER}} if row.nlb else {}),
        **({"share": SHARE} if row.share else {}),
    }


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_sizes_and_launch_types_are_the_originals_with_an_importer_beside(topology: str) -> None:
    server = workspace(**sections(topology)).omero.server
    small = topology.endswith("s3fg") or topology == "rw-ro-tls"
    assert (server.cpu, server.memory_mib) == ((2048, 5120) if small else (4096, 10240))
    assert server.launch_type == ("EC2" if topology.endswith("s3fg") else "FARGATE")


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_there_are_instances_where_servers_run_on_them(topology: str) -> None:
    assert (workspace(**sections(topology)).omero.ec2 is not None) == topology.endswith("s3fg")
    asked = workspace(**sections(topology), omero={"server": {"launch_type": "EC2"}}).omero
    assert asked.ec2 is not None
    assert (asked.ec2.instance_type, asked.ec2.max_instances) == ("m5.xlarge", 2)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_there_is_one_read_only_server_where_there_are_any(topology: str) -> None:
    read_only = workspace(**sections(topology)).omero.read_only
    assert (read_only.count if read_only else 0) == (1 if topology == "rw-ro-tls" else 0)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("section", ["tls", "access.server", "share", "omero.read_only"])
def test_refuses_a_section_that_does_not_fit(topology: str, section: str) -> None:
    every: dict[str, dict[str, Any]] = {
        "tls": {"tls": TLS},
        "access.server": {"access": {"server": SERVER}},
        "share": {"share": SHARE},
        "omero.read_only": {"omero": {"read_only": {}}},
    }
    given = every[section]
    row = TOPOLOGIES[topology]
    has = {"tls": row.tls, "access.server": row.nlb, "share": row.share, "omero.read_only": row.read_only}[section]
    if not has:
        with pytest.raises(ValidationError, match=rf"(?m)^{section}\n  topology {topology} does not use this section"):
            workspace(**{**sections(topology), **given})
    elif section != "omero.read_only":
        without = {key: value for key, value in sections(topology).items() if key != section.partition(".")[0]}
        with pytest.raises(ValidationError, match=rf"(?m)^{section}\n  topology {topology} needs this section"):
            workspace(**without)


@pytest.mark.parametrize("topology", [name for name, row in TOPOLOGIES.items() if row.share])
def test_refuses_a_share_on_fargate(topology: str) -> None:
    with pytest.raises(ValidationError, match=r"launch_type\n +FARGATE cannot be used with a share, .* or set EC2"):
        workspace(**sections(topology), omero={"server": {"launch_type": "FARGATE"}})


def test_refuses_instances_that_nothing_runs_on() -> None:
    with pytest.raises(ValidationError, match=r"omero\.ec2\n +EC2 instances need omero\.server\.launch_type: EC2"):
        workspace(omero={"ec2": {}})


@pytest.mark.parametrize(
    ("share", "said"),
    [
        ({"address": "gateway.example.org"}, "gateway.example.org is not an IPv4 address"),
        ({"mount_point": "s3uploads"}, "s3uploads is not an absolute path; one looks like /s3uploads"),
        ({"mount_point": "/data/../OMERO"}, "is not an absolute path"),
        ({"mount_point": "/OMERO/share"}, "/OMERO/share would hide files of the server's container image"),
        ({"bucket": "Lab_Slides"}, "'Lab_Slides' is not a valid bucket name: 3 to 63"),
    ],
)
def test_refuses_a_share(share: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        workspace(**{**sections("rw-http-s3fg"), "share": {**SHARE, **share}})
    assert said in str(caught.value)


def test_refuses_more_servers_than_addresses() -> None:
    small = {"private_subnets": ["10.192.20.0/28", "10.192.21.0/28"]}
    with pytest.raises(ValidationError, match=r"22 addresses are not enough, .* need 31; give larger"):
        workspace(**sections("rw-ro-tls"), omero={"read_only": {"count": 20}}, network=small)
    assert workspace(**sections("rw-ro-tls"), omero={"read_only": {"count": 11}}, network=small).omero.read_only


def test_private_balancers_take_addresses_of_the_private_subnets() -> None:
    small = {"private_subnets": ["10.192.20.0/28", "10.192.21.0/28"]}
    workspace(network=small)
    with pytest.raises(ValidationError, match="need 27;"):
        workspace(network=small, access={"internal": True})

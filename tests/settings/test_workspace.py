"""Defaults of a workspace, and what derives from its settings."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from contract import names
from settings import Workspace
from settings.topology import TOPOLOGIES

LEAST: dict[str, Any] = {
    "name": "demo",
    "account_id": "123456789012",
    "region": "eu-west-1",
    "topology": "rw-http",
    "access": {"cidrs": ["192.0.2.0/24"]},
}


def workspace(**more: Any) -> Workspace:
    return Workspace.model_validate(LEAST | more)


def test_defaults_of_the_original_solution() -> None:
    made = workspace()
    network, data, omero = made.network, made.data, made.omero
    assert network.cidr == "10.192.0.0/16"
    assert network.public_subnets == ("10.192.10.0/24", "10.192.11.0/24")
    assert network.private_subnets == ("10.192.20.0/24", "10.192.21.0/24")
    assert network.nat_gateways == "one_per_zone"
    assert network.flow_logs is None
    assert (omero.server.cpu, omero.server.memory_mib) == (4096, 10240)
    assert (omero.web.cpu, omero.web.memory_mib, omero.web.count) == (2048, 4096, 2)
    assert omero.log_retention_days == 365
    assert data.database.instance_class == "db.t3.medium"
    assert (data.database.storage_gib, data.database.max_storage_gib, data.database.backup_days) == (20, 200, 30)
    assert data.file_system.infrequent_access_after_days == 90


def test_data_is_kept_and_backed_up_unless_told() -> None:
    made = workspace()
    assert made.retain is True
    assert made.data.backup is not None
    assert made.data.backup.retention_days == 35
    assert workspace(data={"backup": None}).data.backup is None


def test_state_derives_from_account_and_region() -> None:
    made = workspace()
    assert made.state_region == "eu-west-1"
    assert names.state_bucket(made) == names.state_table(made) == "omero-state-123456789012-eu-west-1"
    given = workspace(state={"bucket": "our-state", "table": "Locks_1.x", "region": "us-west-2"})
    assert (names.state_bucket(given), names.state_table(given), given.state_region) == (
        "our-state",
        "Locks_1.x",
        "us-west-2",
    )
    assert names.state_bucket(workspace(state={"region": "us-west-2"})) == "omero-state-123456789012-us-west-2"


@pytest.mark.parametrize("bucket", ["Our", "a.b.c", "-ab", "ab-", "ab", "a" * 64])
def test_refuses_a_bucket_name(bucket: str) -> None:
    with pytest.raises(ValidationError, match=r"state\.bucket"):
        workspace(state={"bucket": bucket})


@pytest.mark.parametrize("region", ["us-gov-west-1", "ap-southeast-4", "cn-north-1"])
def test_takes_regions_of_every_partition(region: str) -> None:
    assert workspace(region=region).region == region


@pytest.mark.parametrize("tag", ["Workspace", "Project", "Stack", "aws:x", "AWS:x"])
def test_refuses_own_tags(tag: str) -> None:
    with pytest.raises(ValidationError, match="choose another name"):
        workspace(tags={tag: "x"})


def sections(model: BaseModel) -> list[BaseModel]:
    """A model and all models in it."""
    children = [value for value in dict(model).values() if isinstance(value, BaseModel)]
    return [model, *(section for child in children for section in sections(child))]


def test_every_section_is_frozen() -> None:
    found = sections(workspace(network={"flow_logs": {}}))
    assert len(found) > 8
    for section in found:
        key = next(iter(type(section).model_fields))
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, key, getattr(section, key))


def test_every_key_is_described() -> None:
    missing = [
        f"{type(section).__name__}.{key}"
        for section in sections(workspace(network={"flow_logs": {}}))
        for key, field in type(section).model_fields.items()
        if not field.description
    ]
    assert missing == []


def test_traits_are_the_row_of_the_topology() -> None:
    assert workspace().traits is TOPOLOGIES["rw-http"]

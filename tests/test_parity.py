"""`docs/parity.md` names settings and topologies that exist, and each default it calls the same is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from settings import Workspace
from settings.topology import TOPOLOGIES
from tests.conftest import workspace

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "parity.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| ")]
SETTINGS = [path for row in ROWS if len(row) == 4 for path in re.findall(r"`([a-z_.]+)`", row[2])]


def _field(path: str) -> Any:
    model: Any = Workspace
    for part in path.split("."):
        options = getattr(model, "__args__", (model,))
        model = next(option for option in options if hasattr(option, "model_fields")).model_fields[part].annotation
    return model


@pytest.mark.parametrize("path", SETTINGS)
def test_each_setting_exists(path: str) -> None:
    assert _field(path) is not None


def test_each_topology_is_mapped() -> None:
    named = {row[1].strip("`") for row in ROWS if len(row) == 2} - {"our topology", "*not yet*"}
    assert named == set(TOPOLOGIES)


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("network.cidr", "10.192.0.0/16"),
        ("network.public_subnets", ("10.192.10.0/24", "10.192.11.0/24")),
        ("network.private_subnets", ("10.192.20.0/24", "10.192.21.0/24")),
        ("network.nat_gateways", "one_per_zone"),
        ("network.flow_logs", None),
        ("data.file_system.infrequent_access_after_days", 90),
        ("data.database.instance_class", "db.t3.medium"),
        ("data.database.storage_gib", 20),
        ("data.database.backup_days", 30),
        ("data.database.multi_az", False),
        ("retain", True),
        ("omero.web.count", 2),
        ("omero.web.cpu", 2048),
        ("omero.web.memory_mib", 4096),
        ("omero.server.cpu", 4096),
        ("omero.server.memory_mib", 10240),
    ],
)
def test_defaults_of_the_original_are_ours(path: str, default: object) -> None:
    value: Any = workspace()
    for part in path.split("."):
        value = getattr(value, part)
    assert value == default
    assert path in SETTINGS

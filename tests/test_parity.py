"""`docs/parity.md` has every parameter of the original, and what it names exists."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from settings import Workspace
from settings.topology import TOPOLOGIES
from tests.conftest import Stacks, workspace
from tests.settings.test_topology import sections

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "parity.md").read_text(encoding="utf-8")

# The parameters of the original's templates (aws-samples/digital-pathology-on-aws).
ORIGINAL = """
VPC CIDR; public subnet CIDRs; private subnet CIDRs; NAT gateways; flow log; flow log traffic; flow log retention;
existing VPC; existing public subnets; existing private subnets; client CIDR; EFS name; EFS KMS key; EFS backup;
EFS to infrequent access; RDS instance class; RDS storage type; RDS storage size; RDS PostgreSQL version; RDS user name;
RDS backup retention; RDS multi-AZ; RDS encryption; RDS kept with the stack gone; web container count; web CPU;
web memory; web image; web port; web health check; web stickiness; server launch type; server CPU; server memory;
server image; read-write server count; read-only server count; EC2 instance type; EC2 number of instances; EC2 key pair;
EC2 image; hosted zone id; domain name; certificate; NLB ports; ALB access logs; ECS Exec; Container Insights;
server log retention; OMERO root password; S3FileGatewayIp; S3BucketName of the gateway; gateway mount point;
gateway instance type; gateway cache; DataSync bucket; DataSync S3 path; DataSync EFS folder; DataSync schedule;
DataSync log level; DataSync verification; DataSync deleted files; CLI host instance type; CLI host number of instances
"""
PARAMETERS = [" ".join(name.split()) for name in ORIGINAL.split(";")]


def _rows(section: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    text = TEXT.partition(f"## {section}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


SETTINGS = sorted(
    {path for row in _rows("Parameters") for cell in row[2:] for path in re.findall(r"`([a-z_0-9.]+)`", cell)}
)
SETTINGS = [path for path in SETTINGS if path != "one_per_zone"]


def _field(path: str) -> Any:
    model: Any = Workspace
    for part in path.split("."):
        options = getattr(model, "__args__", (model,))
        model = next(option for option in options if hasattr(option, "model_fields")).model_fields[part].annotation
    return model


def test_no_parameter_is_missing() -> None:
    assert [row[0] for row in _rows("Parameters")] == PARAMETERS
    assert all(row[2] for row in _rows("Parameters"))


@pytest.mark.parametrize("path", SETTINGS)
def test_each_setting_exists(path: str) -> None:
    assert _field(path) is not None


def test_each_setting_of_ours_is_named() -> None:
    def paths(model: Any, start: str = "") -> set[str]:
        found = set()
        for name, field in model.model_fields.items():
            options = getattr(field.annotation, "__args__", (field.annotation,))
            inner = next((option for option in options if hasattr(option, "model_fields")), None)
            found |= paths(inner, f"{start}{name}.") if inner else {f"{start}{name}"}
        return found

    named = set(re.findall(r"`([a-z_0-9.]+)`", TEXT))
    own = {"name", "account_id", "region", "topology"}
    unnamed = {path for path in paths(Workspace) - own if not any(path == n or path.startswith(f"{n}.") for n in named)}
    assert not unnamed


def test_each_topology_is_mapped() -> None:
    named = {row[1].strip("`") for row in _rows("Templates") if "section" not in row[1]}
    assert named == set(TOPOLOGIES)


@pytest.mark.parametrize("row", _rows("Resources"), ids=lambda row: row[0])
def test_each_resource_is_made_by_a_module_that_exists(row: list[str]) -> None:
    module = row[2].strip("`")
    assert (ROOT / module).is_file() if module else "none" in row[1]


def test_each_output_exists(synthesise: Callable[..., Stacks]) -> None:
    stacks = synthesise(**sections("rw-tls-nlb"))
    outputs = {output for stack in stacks.values() for output in stack["output"]}
    named = {name for row in _rows("Outputs") for name in re.findall(r"`([a-z_]+)`", row[1])}
    assert named
    assert named <= outputs


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("network.cidr", "10.192.0.0/16"),
        ("network.public_subnets", ("10.192.10.0/24", "10.192.11.0/24")),
        ("network.private_subnets", ("10.192.20.0/24", "10.192.21.0/24")),
        ("network.nat_gateways", "one_per_zone"),
        ("network.flow_logs", None),
        ("network.existing", None),
        ("data.key_arn", None),
        ("data.file_system.infrequent_access_after_days", 90),
        ("data.database.instance_class", "db.t3.medium"),
        ("data.database.storage_gib", 20),
        ("data.database.backup_days", 30),
        ("data.database.multi_az", False),
        ("retain", True),
        ("omero.web.count", 2),
        ("omero.web.cpu", 2048),
        ("omero.web.memory_mib", 4096),
        ("omero.server.launch_type", "FARGATE"),
        ("omero.server.cpu", 4096),
        ("omero.server.memory_mib", 10240),
    ],
)
def test_defaults_of_the_original_are_ours(path: str, default: object) -> None:
    value: Any = workspace()
    for part in path.split("."):
        value = getattr(value, part)
    assert value == default
    assert any(path == named or named.startswith(f"{path}.") for named in SETTINGS)


def test_defaults_of_the_original_with_a_share_and_with_read_only_servers_are_ours() -> None:
    shared, read_only = workspace(**sections("rw-http-s3fg")), workspace(**sections("rw-ro-tls"))
    assert shared.share is not None
    assert shared.share.mount_point == "/s3uploads"
    assert shared.omero.server.launch_type == "EC2"
    assert read_only.omero.read_only is not None
    assert read_only.omero.read_only.count == 1
    assert (read_only.omero.read_only.cpu, read_only.omero.read_only.memory_mib) == (2048, 4096)
    for server in (shared.omero.server, read_only.omero.server):
        # The original's 4,096 have no room for an importer beside the server.
        assert (server.cpu, server.memory_mib) == (2048, 5120)

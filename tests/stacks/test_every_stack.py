"""What holds for every stack of every workspace."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import Stacks, of_type
from tests.settings.test_sign_in import LEAST as SIGN_IN
from tests.settings.test_sign_in import SINGLE, TLS
from tests.settings.test_topology import sections

VARIANTS: dict[str, dict[str, Any]] = {
    "least": {},
    "everything": {
        "retain": False,
        "tags": {"CostCentre": "4711"},
        "network": {
            "nat_gateways": "single",
            "flow_logs": {},
            "availability_zones": ["eu-central-1a", "eu-central-1c"],
        },
        "data": {"backup": None, "file_system": {"infrequent_access_after_days": None}},
    },
    "rw-tls-nlb": {
        "topology": "rw-tls-nlb",
        "tls": {"domain_name": "omero.example.org", "hosted_zone_id": "Z0123456789ABCDEFGHIJ", "hsts_days": 365},
        "access": {"server": {"cidrs": ["203.0.113.0/24"], "unencrypted": True, "websockets": True}},
    },
    "rw-ro-tls on EC2": {
        **sections("rw-ro-tls"),
        "omero": {"server": {"launch_type": "EC2"}, "web": {"sessions": {"replicas": 0}, "max_count": 4}},
    },
    "sign_in": {**TLS, "sign_in": {**SIGN_IN, "single_sign_on": SINGLE}},
    "upload_host": {"upload_host": {"sources": [{"bucket": "lab-slides"}]}},
    "rw-tls-nlb-s3fg": {**sections("rw-tls-nlb-s3fg"), "omero": {"web": {"sessions": None}}},
    "existing": {
        "network": {
            "existing": {
                "vpc_id": "vpc-00000000000000001",
                "public_subnet_ids": ["subnet-0000000000000000a", "subnet-0000000000000000b"],
                "private_subnet_ids": ["subnet-0000000000000000c", "subnet-0000000000000000d"],
            }
        },
        "data": {"key_arn": "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"},
    },
}


@pytest.fixture(params=list(VARIANTS.values()), ids=list(VARIANTS))
def stacks(request: pytest.FixtureRequest, synthesise: Callable[..., Stacks]) -> Stacks:
    return synthesise(**request.param)


def _policies(stack: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for blocks in stack["resource"].values():
        for block in blocks.values():
            for key in ("policy", "assume_role_policy"):
                if isinstance(block.get(key), str) and block[key].startswith("{"):
                    # A policy of an ECR repository's life cycle has rules.
                    yield from json.loads(block[key]).get("Statement", ())


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_there_are_four_stacks(stacks: Stacks) -> None:
    assert set(stacks) - {"upload_host"} == {"network", "data", "frontend", "omero"}


def test_refuses_to_plan_in_another_workspace(stacks: Stacks) -> None:
    for stack in stacks.values():
        guard = stack["output"]["workspace"]["precondition"]
        assert guard["condition"] == '${terraform.workspace == "lab"}'
        assert "${terraform.workspace}" in guard["error_message"]


def test_state_is_in_s3_with_the_lock_table(stacks: Stacks) -> None:
    for name, stack in stacks.items():
        assert stack["terraform"]["backend"] == {
            "s3": {
                "bucket": "omero-state-111122223333-eu-central-1",
                "dynamodb_table": "omero-state-111122223333-eu-central-1",
                "encrypt": True,
                "key": f"{name}.tfstate",
                "region": "eu-central-1",
                "workspace_key_prefix": "omero",
            }
        }


def test_touches_no_other_account(stacks: Stacks) -> None:
    for name, stack in stacks.items():
        (provider,) = stack["provider"]["aws"]
        assert provider["allowed_account_ids"] == ["111122223333"]
        assert provider["region"] == "eu-central-1"
        (tags,) = provider["default_tags"]
        assert tags["tags"].items() >= {"Workspace": "lab", "Stack": name, "Project": "omero-on-aws"}.items()


def test_addresses_are_roles_without_a_hash(stacks: Stacks) -> None:
    for stack in stacks.values():
        names = [name for blocks in stack["resource"].values() for name in blocks]
        assert names
        assert not [name for name in names if re.search(r"_[0-9A-F]{8}$", name) or "lab" in name]


def test_allows_no_wildcard_action(stacks: Stacks) -> None:
    statements = [statement for stack in stacks.values() for statement in _policies(stack)]
    allowed = {action for found in statements if found["Effect"] == "Allow" for action in _listed(found["Action"])}
    assert allowed
    assert "*" not in allowed
    # A key's own policy hands its decisions to the account, as every customer-managed key's does.
    assert {action for action in allowed if action.endswith(":*")} == {"kms:*"}


def test_allows_everyone_nothing(stacks: Stacks) -> None:
    for stack in stacks.values():
        for statement in _policies(stack):
            principal = statement.get("Principal")
            if principal == "*" or (isinstance(principal, dict) and "*" in _listed(principal.get("AWS", []))):
                assert statement["Effect"] == "Deny"


def test_log_groups_have_retention_and_key(stacks: Stacks) -> None:
    for stack in stacks.values():
        for group in of_type(stack, "aws_cloudwatch_log_group").values():
            assert group["retention_in_days"] > 0
            assert "aws_kms_key" in group["kms_key_id"]


def test_keys_are_rotated(stacks: Stacks) -> None:
    keys = [key for stack in stacks.values() for key in of_type(stack, "aws_kms_key").values()]
    assert keys
    assert all(key["enable_key_rotation"] for key in keys)


def test_stacks_reach_each_other_through_state_only(stacks: Stacks) -> None:
    needed = {"network": set(), "data": {"network"}, "frontend": {"network"}}
    needed["omero"] = {"network", "data", "frontend"}
    needed["upload_host"] = {"network", "data", "omero"}
    for name, needs in ((name, needed[name]) for name in stacks):
        remote = stacks[name].get("data", {}).get("terraform_remote_state", {})
        assert {state.rpartition("-")[2] for state in remote} == needs
        assert all(state["workspace"] == "${terraform.workspace}" for state in remote.values())


def test_publishes_for_scripts_under_one_path(stacks: Stacks) -> None:
    for name, stack in stacks.items():
        parameters = of_type(stack, "aws_ssm_parameter").values()
        assert parameters
        for parameter in parameters:
            path, _, key = parameter["name"].rpartition("/")
            assert path == f"/omero/lab/{name}"
            assert parameter["value"] == stack["output"][key]["value"]


def test_each_skip_has_a_reason(stacks: Stacks) -> None:
    for stack in stacks.values():
        for blocks in stack["resource"].values():
            for block in blocks.values():
                for check, reason in block["//"].get("checkov_skips", {}).items():
                    assert re.fullmatch(r"CKV2?_AWS_\d+", check)
                    assert len(reason.split()) > 2


def test_security_groups_of_the_vpc_have_names_of_their_own(stacks: Stacks) -> None:
    names = [group["name"] for stack in stacks.values() for group in of_type(stack, "aws_security_group").values()]
    assert len(names) >= 5
    assert len(set(names)) == len(names)


def test_roles_of_the_account_have_names_of_their_own(stacks: Stacks) -> None:
    names = [role["name"] for stack in stacks.values() for role in of_type(stack, "aws_iam_role").values()]
    assert names
    assert len(set(names)) == len(names)

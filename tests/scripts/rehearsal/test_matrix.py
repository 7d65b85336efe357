"""Every change of a setting is in a chain, in both directions, and changes nothing else."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from contract.sections import SECTIONS
from scripts.rehearsal.matrix import CHAINS, Chain, Document, Setting

BY_NUMBER = pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: str(chain.number))

# What people change after the first deployment; docs/changes.md says what is not among them, and why.
CHANGED = {
    "access.internal",
    "access.server",
    "arrivals",
    "data.backup",
    "data.database.instance_class",
    "data.database.multi_az",
    "datasync",
    "datasync.bucket",
    "file_gateway",
    "images",
    "network.flow_logs",
    "network.nat_gateways",
    "omero.dashboard",
    "omero.ec2",
    "omero.read_only",
    "omero.server.image",
    "omero.server.launch_type",
    "omero.server.memory_mib",
    "omero.web.count",
    "omero.web.cpu",
    "omero.web.max_count",
    "omero.web.sessions",
    "omero.web.sessions.replicas",
    "sftp",
    "sign_in",
    "tls",
    "tls.certificate_arn",
    "upload_host",
}


def _leaves(value: Any, at: str = "") -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {at: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= _leaves(inner, f"{at}.{key}".lstrip("."))
    return found


def _differ(one: Document, other: Document) -> set[str]:
    before, after = _leaves(one), _leaves(other)
    return {key for key in before.keys() | after.keys() if before.get(key, ...) != after.get(key, ...)}


@BY_NUMBER
def test_has_each_change_once_in_either_direction(chain: Chain) -> None:
    turned = Counter((step.setting.name, step.turned_on) for step in chain.steps())
    assert turned == Counter((setting.name, on) for setting in chain.settings for on in (True, False))


@BY_NUMBER
def test_a_step_changes_its_own_setting_alone(chain: Chain) -> None:
    before = chain.first
    for step in chain.steps():
        assert (changed := _differ(before, step.document))
        own = f"{step.setting.key}."
        assert all(f"{key}.".startswith(own) or own.startswith(f"{key}.") for key in changed), step.name
        before = step.document


@BY_NUMBER
def test_every_step_is_a_valid_workspace(chain: Chain) -> None:
    assert all(chain.settings_of(document) for document in (chain.first, *(step.document for step in chain.steps())))


def test_every_setting_that_people_change_is_in_a_chain() -> None:
    assert {setting.key for chain in CHAINS for setting in chain.settings} == CHANGED
    with_stacks = {key for key, record in SECTIONS.items() if record.stack}
    assert with_stacks <= CHANGED, "a new section belongs into a chain"


def test_a_change_waits_until_it_is_allowed() -> None:
    share = Setting(name="gateway", key="file_gateway")
    fargate = Setting(name="ec2", key="omero.server.launch_type", off="FARGATE", on="EC2")
    chain = Chain(number=9, about="", settings=(share, fargate))
    assert [step.name for step in chain.steps()] == ["ec2-on", "gateway-on", "gateway-off", "ec2-off"]


def test_says_which_change_is_never_allowed() -> None:
    chain = Chain(number=9, about="", settings=(Setting(name="nowhere", key="tls.certificate_arn", on="x"),))
    with pytest.raises(ValueError, match="chain 9 cannot turn nowhere"):
        chain.steps()

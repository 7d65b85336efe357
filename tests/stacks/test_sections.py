"""Which stacks a workspace has, as scripts tell by its sections and as they are synthesised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contract import sections
from scripts.deploy import left_over
from tests.conftest import Stacks, workspace
from tests.settings.test_file_gateway import made


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"datasync": {}, "sftp": {"cidrs": ["192.0.2.0/24"]}, "upload_host": {"sources": [{"bucket": "lab-slides"}]}},
        made(),
        made(bucket="lab-slides"),
    ],
    ids=["core", "sections", "own bucket", "existing bucket"],
)
def test_their_names_are_those_that_are_synthesised(synthesise: Callable[..., Stacks], changes: dict[str, Any]) -> None:
    """What is deployed beside them is left over (`scripts.deploy.left_over`)."""
    assert sorted(sections.stacks(workspace(**changes))) == sorted(synthesise(**changes))


def test_a_stack_that_is_left_over_begins_as_those_that_are_synthesised(synthesise: Callable[..., Stacks]) -> None:
    begun = left_over.configuration(workspace(), "network")
    network = synthesise()["network"]
    assert begun["terraform"]["backend"] == network["terraform"]["backend"]
    (provider,) = network["provider"]["aws"]
    assert begun["provider"]["aws"] == {key: value for key, value in provider.items() if key != "default_tags"}
    wanted, made = (each["terraform"]["required_providers"]["aws"] for each in (begun, network))
    assert wanted["version"] == made["version"]

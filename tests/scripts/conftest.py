"""moto in this process without the default images of EC2, which no script asks for: a second less a test."""

from __future__ import annotations

import pytest
from moto.ec2.models.amis import AmiBackend


@pytest.fixture(autouse=True, scope="session")
def no_default_images() -> None:
    """Of mocks in this process; an AWS on this machine has a process of its own."""
    AmiBackend._load_amis = lambda self: None

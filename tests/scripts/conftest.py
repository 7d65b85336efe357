"""moto in this process without what AWS itself owns (images, policies): making it anew takes seconds a test."""

from __future__ import annotations

import pytest
from moto.ec2.models.amis import AmiBackend
from moto.iam import models as iam


@pytest.fixture(autouse=True, scope="session")
def nothing_of_awss_own() -> None:
    """Of mocks in this process; an AWS on this machine has a process of its own."""
    AmiBackend._load_amis = lambda self: None
    iam.load_iam_aws_managed_policies = lambda: False

"""An AWS in this process, for the tests that ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from local_aws.services import dynamodb as dynamodb_gaps
from local_aws.services import s3 as s3_gaps
from tests.scripts.deploy.state_help import clean_environment

dynamodb_gaps.install()
s3_gaps.install()


@pytest.fixture
def mocked_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Empty, and reached by no settings of this machine's; gives the mock."""
    clean_environment(monkeypatch)
    with mock_aws() as mock:
        yield mock

"""The workspace `lab` in an AWS where its stacks are deployed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends

from local_aws.services.appstream import appstream_backends, settings
from local_aws.services.appstream.models import FAULTS
from scripts.aws import waiting
from scripts.ingest.appstream.context import AppStreamContext
from tests.scripts.deploy.state_help import clean_environment
from tests.scripts.ingest.appstream.appstream_help import (
    ACCOUNT,
    REGION,
    Make,
    appstream_context,
    deployed,
    published,
    session,
)


@pytest.fixture(scope="module")
def _aws() -> Iterator[None]:
    """One for all tests: what they use is made empty for each, which is quicker."""
    with mock_aws():
        yield


@pytest.fixture
def lab(_aws: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Make]:
    """Makes the AppStream of the workspace `lab`, as a new run sees it, in an AWS where its stacks are deployed."""
    clean_environment(monkeypatch)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("FLEET_START_SECONDS", "FLEET_STOP_SECONDS", "IMAGE_SECONDS", "BUILDER_SECONDS"):
        monkeypatch.setattr(settings, name, 0.02)
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0)
    FAULTS.clear()
    for backends, region in ((appstream_backends, REGION), (ec2_backends, REGION), (s3_backends, "aws")):
        backends[ACCOUNT][region].reset()
    iam_backends[ACCOUNT]["aws"].roles.clear()
    parameters = published(session())

    def make(*, dry_run: bool = False, **changes: Any) -> AppStreamContext:
        return appstream_context(deployed(tmp_path, **changes), parameters, dry_run=dry_run)

    yield make
    FAULTS.clear()

"""moto in this process without what AWS itself owns (images, policies): making it anew takes seconds a test."""

from __future__ import annotations

import pytest
from moto.ec2.models.amis import AmiBackend
from moto.iam import models as iam


@pytest.fixture(autouse=True)
def nothing_of_awss_own(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of mocks in this process, for all but the ways in, which ask for it."""
    if "ingest" not in request.path.parts:
        monkeypatch.setattr(AmiBackend, "_load_amis", lambda self: None)
        monkeypatch.setattr(iam, "load_iam_aws_managed_policies", lambda: False)

"""A sender's key, and an endpoint that knows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from local_aws.testing.sftp import make_key
from tests.scripts.ingest.sftp.sftp_help import Ran, Stage


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path, "alice")


@pytest.fixture
def there(stage: Stage, run: Callable[..., Ran], key: Path) -> Stage:
    """An endpoint with the user alice."""
    assert run("ensure").code == 0
    assert run("user", "add", "alice", "--key", key.with_suffix(".pub")).code == 0
    return stage

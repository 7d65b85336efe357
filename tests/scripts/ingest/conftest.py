"""The ways in speak to a local AWS that starts and stops servers at once, and takes few calls a second of one kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from scripts.ingest import waiting
from tests.local_aws.conftest import QUICK
from tests.scripts.ingest.sftp_help import Stage, make_stage

SWIFT = {
    "LOCAL_AWS_TRANSFER_START_SECONDS": "0.05",
    "LOCAL_AWS_TRANSFER_STOP_SECONDS": "0.05",
    "LOCAL_AWS_TRANSFER_ENDPOINT_SECONDS": "0.1",
}


@pytest.fixture(scope="session")
def sftp_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server of `sftp_aws` keeps the folders of its EFS file systems."""
    return tmp_path_factory.mktemp("sftp-files").resolve()


@pytest.fixture(scope="session")
def sftp_aws(sftp_files: Path) -> Iterator[LocalAws]:
    with LocalAws(settings={**QUICK, **SWIFT, "LOCAL_AWS_FILES": str(sftp_files)}) as running:
        yield running


@pytest.fixture
def stage(sftp_aws: LocalAws, sftp_files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A workspace as its stacks leave it, and nothing of SFTP's endpoint yet."""
    for name, value in {**sftp_aws.environ(), "LOCAL_AWS_FILES": str(sftp_files), "AWS_MAX_ATTEMPTS": "3"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.05)
    made = make_stage(sftp_aws)
    yield made
    made.clear()


__all__: list[Any] = []

"""The same over HTTP, against the AWS in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_aws.server import LocalAws
from scripts import aws as scripts_aws
from scripts.aws import waiting
from scripts.changes import Changes
from scripts.ingest.appstream import ensure
from scripts.ingest.appstream.context import Place
from scripts.ingest.deployment import Opened
from tests.scripts.ingest.appstream.appstream_help import REGION, deployed, surroundings

SECONDS = ("FLEET_START", "FLEET_STOP", "IMAGE", "BUILDER")


def test_a_second_run_finds_nothing_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.05)
    settings = {f"LOCAL_AWS_APPSTREAM_{name}_SECONDS": "0.1" for name in SECONDS}
    with LocalAws(region=REGION, settings=settings) as server:
        for name, value in server.environ().items():
            monkeypatch.setenv(name, value)
        workspace = deployed(tmp_path)
        assert workspace.appstream is not None
        session = scripts_aws.session(workspace)
        opened = Opened(workspace=workspace, session=session, parameters=surroundings(session))

        def place() -> Place:
            assert workspace.appstream is not None
            return Place(opened=opened, settings=workspace.appstream, changes=Changes(dry_run=False))

        ensure.ensure(first := place())
        assert any("and Java uploaded" in each for each in first.changes.sentences)
        ensure.ensure(second := place())
        assert second.changes.sentences == []
        ensure.teardown(place(), delete_images=[], delete_home_folders=[])
        ensure.teardown(last := place(), delete_images=[], delete_home_folders=[])
        assert last.changes.sentences == []

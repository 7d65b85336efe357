"""The same over HTTP, against the AWS in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_aws.server import LocalAws
from scripts import aws as scripts_aws
from scripts.aws import waiting
from scripts.changes import Changes
from scripts.ingest.appstream import lifecycle
from scripts.ingest.appstream.context import AppStreamContext
from scripts.ingest.deployment import DeployedWorkspace
from tests.scripts.ingest.appstream.appstream_help import REGION, deployed, published

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
        deployment = DeployedWorkspace(workspace=workspace, session=session, parameters=published(session))

        def appstream_context() -> AppStreamContext:
            assert workspace.appstream is not None
            return AppStreamContext(deployment=deployment, settings=workspace.appstream, changes=Changes(dry_run=False))

        lifecycle.ensure(first := appstream_context())
        assert any("and Java uploaded" in each for each in first.changes.sentences)
        lifecycle.ensure(second := appstream_context())
        assert second.changes.sentences == []
        lifecycle.teardown(appstream_context(), delete_images=[], delete_home_folders=[])
        lifecycle.teardown(last := appstream_context(), delete_images=[], delete_home_folders=[])
        assert last.changes.sentences == []

"""The ways in speak to a local AWS that starts and stops servers at once, and takes few calls a second of one kind."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from local_aws.server import LocalAws
from local_aws.testing.fixtures import QUICK, aws, client, ecs, files_root, network, role
from scripts import console
from scripts.aws import calls, waiting
from scripts.ingest.sftp import command as sftp
from scripts.ingest.sftp import host_keys
from tests.conftest import LEAST
from tests.scripts.ingest.imports.exec_help import plugin, server
from tests.scripts.ingest.imports.imports_help import importing, workspace_of_imports
from tests.scripts.ingest.sftp.sftp_help import FIRST, PUBLIC, Ran, Stage, make_stage
from tests.scripts.rehearsal.omero_parser_help import parser
from tests.scripts.rehearsal.stand_ins_help import programs, stand_ins

# Shared with the local AWS's own tests: one whose containers run.
__all__ = [
    "aws",
    "client",
    "ecs",
    "files_root",
    "importing",
    "network",
    "parser",
    "plugin",
    "programs",
    "role",
    "server",
    "stand_ins",
    "workspace_of_imports",
]

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
def throttled(sftp_files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """One that turns calls of Transfer Family away above a rate, as AWS does."""
    settings = {"LOCAL_AWS_TRANSFER_CALLS_PER_SECOND": "60", "LOCAL_AWS_FILES": str(sftp_files)}
    with LocalAws(settings={**QUICK, **SWIFT, **settings}) as running:
        _use(running, sftp_files, monkeypatch)
        yield running


@pytest.fixture
def stage(sftp_aws: LocalAws, sftp_files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A workspace as its stacks leave it, and nothing of SFTP's endpoint yet."""
    _use(sftp_aws, sftp_files, monkeypatch)
    made = make_stage(sftp_aws)
    yield made
    made.clear()


def _use(running: LocalAws, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**running.environ(), "LOCAL_AWS_FILES": str(folder), "AWS_MAX_ATTEMPTS": "3"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(calls, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(calls, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(host_keys, "RSA_BITS", 2048)


class Typed(io.StringIO):
    """Standard input: a terminal if somebody types on it."""

    def isatty(self) -> bool:
        return bool(self.getvalue())


@pytest.fixture
def run_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Stage], Callable[..., Ran]]:
    """Gives, for a stage, what runs `sftp ARGUMENTS` as a person would."""

    def on(stage: Stage) -> Callable[..., Ran]:
        folder = tmp_path / "workspaces"
        folder.mkdir(exist_ok=True)
        name = stage.context.deployment.workspace.name
        values = {key: value for key, value in {**LEAST, **FIRST, "sftp": PUBLIC}.items() if key != "name"}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))
        monkeypatch.setenv("OMERO_WORKSPACES", str(folder))
        monkeypatch.setenv("TF_WORKSPACE", name)

        def running(*arguments: object, typed: str = "") -> Ran:
            capsys.readouterr()
            monkeypatch.setattr(sys, "argv", ["sftp", *(str(each) for each in arguments)])
            monkeypatch.setattr(sys, "stdin", Typed(typed))
            with pytest.raises(SystemExit) as left:
                console.run(sftp.app)
            return Ran(left.value.code or 0, *capsys.readouterr())

        return running

    return on


@pytest.fixture
def run(stage: Stage, run_on: Callable[[Stage], Callable[..., Ran]]) -> Callable[..., Ran]:
    """Runs `sftp ARGUMENTS` for the stage's workspace."""
    return run_on(stage)

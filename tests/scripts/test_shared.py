"""What the ways in share: a deployed workspace, changes, waiting."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from contract.outputs import Data
from contract.sections.sftp import SftpOutputs
from scripts import aws
from scripts.aws import waiting
from scripts.aws.waiting import wait_for
from scripts.changes import changing
from scripts.errors import Failed, Refused
from scripts.ingest import deployment
from tests.conftest import workspace
from tests.scripts.deploy.state_help import clean_environment


@pytest.fixture
def _mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    clean_environment(monkeypatch)
    with mock_aws():
        yield


def _open(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> deployment.DeployedWorkspace:
    monkeypatch.setattr(deployment, "load", lambda name: workspace(account_id="123456789012", **changes))
    return deployment.deployed_workspace("lab")


@pytest.mark.usefixtures("_mocked")
def test_opens_with_what_the_stacks_have_published(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        Refused, match=r"workspace lab is not deployed in account 123456789012, eu-central-1: .*deploy -w lab"
    ):
        _open(monkeypatch)
    first = workspace(account_id="123456789012")
    ssm = aws.session(first).client("ssm")
    keys = [output.key for output in Data.all()]
    assert len(keys) > 10  # more than SSM gives at once
    for key in keys:
        ssm.put_parameter(Name=f"/omero/lab/data/{key}", Value=f"{key},b", Type="String")
    found = _open(monkeypatch, tags={"CostCentre": "1"})
    assert {found.parameter(output) for output in Data.all()} == {f"{key},b" for key in keys}
    assert found.listed(Data.key_arn) == ["key_arn", "b"]
    assert found.tags == {"CostCentre": "1", "Project": "omero-on-aws", "Workspace": "lab"}
    assert found.arn("transfer", "server/s") == "arn:aws:transfer:eu-central-1:123456789012:server/s"
    assert found.client("transfer", patient=True).meta.config.retries["mode"] == "adaptive"
    with pytest.raises(
        Refused, match=r"no SSM parameter /omero/lab/sftp/folder in eu-central-1; deploy its sftp stack first"
    ):
        found.parameter(SftpOutputs.folder)


def _denied() -> None:
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "CreateServer")


def test_changes_are_said_as_they_are_done(capsys: pytest.CaptureFixture[str]) -> None:
    with changing() as changes:
        assert changes.do("server: made", lambda: 7) == 7
    assert capsys.readouterr().err == "server: made\n"
    with changing(dry_run=True) as planned:
        assert planned.do("server: made", _denied) is None
    assert planned.sentences == ["server: made"]
    assert capsys.readouterr().err == "would be done: server: made\n"
    with changing() as none:
        none.say_if_none("all is well")
    assert capsys.readouterr().err == "nothing to change: all is well.\n"


def _fail_at_the_second() -> None:
    with changing() as changes:
        changes.do("role: made", lambda: None)
        changes.do("server: made", _denied)


def _fail_at_the_first() -> None:
    with changing() as changes:
        changes.do("server: made", _denied)


def test_a_failure_says_how_far_it_came() -> None:
    with pytest.raises(ClientError):
        _fail_at_the_first()
    with pytest.raises(Failed, match=r"denied CreateServer.*Changes made before that: 1; run the same command again"):
        _fail_at_the_second()


def test_waits_until_it_is_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(waiting, "LINE_INTERVAL", 0.0)
    states = itertools.chain(["STARTING", "STARTING"], itertools.repeat("ONLINE"))
    assert wait_for("the server", lambda: next(states), until={"ONLINE"}, poll_seconds=0.001) == "ONLINE"
    assert "waiting for the server: STARTING, 0 s\n" in capsys.readouterr().err
    with pytest.raises(Failed, match="the server is START_FAILED; see the AWS console"):
        wait_for("the server", lambda: "START_FAILED", until={"ONLINE"}, failed={"START_FAILED"})
    with pytest.raises(Failed, match="the server is still STARTING after 0 s; run this again"):
        wait_for("the server", lambda: "STARTING", until={"ONLINE"}, seconds=0.001, poll_seconds=0.01)


def test_says_refused_only_before_the_first_change() -> None:
    with pytest.raises(Refused, match=r"^not ours\.$"), changing():
        raise Refused("not ours.")

    def refused_late() -> None:
        with changing() as changes:
            changes.do("one: deleted", lambda: None)
            raise Refused("not ours.")

    with pytest.raises(Failed, match=r"^not ours\. Changes made before that: 1; "):
        refused_late()

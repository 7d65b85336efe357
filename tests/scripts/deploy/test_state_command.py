"""`state status`, and both commands as a person runs them: exit codes, stdout, stderr."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import console
from scripts.deploy import state
from scripts.deploy.backend import StateBackend
from settings.load import ROOT
from tests.scripts.deploy.state_help import NAME, state_backend


@pytest.fixture(autouse=True)
def _demo(monkeypatch: pytest.MonkeyPatch, mocked_aws: object) -> None:
    # The folder of workspaces is the project's: what its demo says is not the matter here.
    monkeypatch.setattr(state, "load", lambda name: state_backend().workspace)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `state ARGUMENTS`; gives the exit code, stdout and stderr."""

    def running(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["state", *arguments])
        with pytest.raises(SystemExit) as left:
            console.run(state.app)
        return left.value.code, *capsys.readouterr()

    return running


def lock(there: StateBackend, object_key: str, **info: str) -> None:
    item: Any = {"LockID": {"S": f"{NAME}/{object_key}"}, "Info": {"S": json.dumps(info)}}
    there.dynamodb.put_item(TableName=NAME, Item=item)


def test_status_shows_state_and_locks_of_the_workspace() -> None:
    there = state_backend()
    state.ensure(there)
    for key in ("omero/demo/data.tfstate", "omero/demo/notes.txt", "omero/prod/data.tfstate"):
        there.s3.put_object(Bucket=NAME, Key=key, Body=b"12345")
    lock(there, "omero/demo/data.tfstate", ID="17", Who="me@host", Created="today", Operation="OperationTypeApply")
    lock(there, "omero/prod/data.tfstate", ID="18")
    there.dynamodb.put_item(
        TableName=NAME, Item={"LockID": {"S": f"{NAME}/omero/demo/data.tfstate-md5"}, "Digest": {"S": "0"}}
    )
    report = state.status(there)
    assert report["ok"]
    assert [(row["key"], row["bytes"]) for row in report["objects"]] == [("omero/demo/data.tfstate", 5)]
    assert report["locks"] == [
        {"id": "17", "stack": "data", "operation": "OperationTypeApply", "who": "me@host", "created": "today"}
    ]


def test_status_of_nothing() -> None:
    report = state.status(state_backend())
    assert (report["ok"], report["bucket"]["exists"], report["table"]["exists"]) == (False, False, False)
    assert (report["objects"], report["locks"]) == ([], [])


def test_ensure_then_status(run: Any) -> None:
    code, out, err = run("status")
    assert (code, out) == (1, "")
    assert f"bucket {NAME} in eu-west-1: missing" in err
    assert err.endswith("run `omero-aws state ensure -w demo`.\n")
    assert run("ensure")[0] == 0
    code, out, err = run("status")
    assert (code, out) == (0, "")
    assert "workspace demo has no state yet" in err
    assert "differs" not in err
    assert run("ensure")[2].startswith("nothing to change")


def test_json_goes_to_stdout(run: Any) -> None:
    code, out, _ = run("ensure", "--json", "--dry-run")
    planned = json.loads(out)
    assert (code, planned["dry_run"], planned["bucket"], planned["table"]) == (0, True, NAME, NAME)
    assert planned["changes"] != []
    code, out, _ = run("status", "--json")
    assert (code, json.loads(out)["ok"]) == (1, False)
    run("ensure")
    code, out, _ = run("status", "--json")
    assert (code, json.loads(out)["ok"]) == (0, True)


def test_status_tells_how_to_take_a_lock_away(run: Any) -> None:
    there = state_backend()
    state.ensure(there)
    lock(there, "omero/demo/data.tfstate", ID="17", Who="me@host", Created="today", Operation="OperationTypeApply")
    there.s3.put_object(Bucket=NAME, Key="omero/demo/data.tfstate", Body=b"x" * 2048)
    code, _, err = run("status")
    assert code == 0
    assert "stack data is locked by me@host since today (OperationTypeApply)" in err
    assert "omero-aws terraform -w demo -chdir=cdktf.out/stacks/data force-unlock 17" in err
    assert re.search(r"omero/demo/data.tfstate +2.0 KiB +\d+ s ago", err)


@pytest.mark.parametrize(("seconds", "shown"), [(5, "5 s"), (119, "119 s"), (7200, "2 h"), (200000, "2 days")])
def test_age(seconds: int, shown: str) -> None:
    assert state._age(seconds) == shown


@pytest.mark.parametrize("action", ["ensure", "status"])
def test_without_credentials_one_sentence(tmp_path: Path, action: str) -> None:
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.main", "state", action, "--workspace", "demo"],
        cwd=ROOT,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"error: no AWS credentials were found; set AWS_PROFILE, .*\.\n", done.stderr)


@pytest.mark.parametrize(
    ("name", "said"),
    [("nowhere", "workspace nowhere is unknown"), ("No", "the workspace name 'No' is not allowed")],
)
def test_unknown_workspace_one_sentence(tmp_path: Path, name: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.main", "state", "status"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TF_WORKSPACE": name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"error: {said}")

"""DropBox: what is set survives every shell on its way, and nothing in it is run."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from containers import script
from local_aws.testing.ecs import until
from scripts.errors import Refused
from scripts.ingest import dropbox
from tests.scripts.ingest.imports.exec_help import replace_server, run_server
from tests.scripts.ingest.imports.imports_help import Importing

TARGET = "regex:^.*/(?<Container1>.*?)"


def run(text: str, folder: Path) -> tuple[int, str, list[list[str]]]:
    """In bash with a stand-in for `omero` that notes its words: exit code, output, the calls."""
    calls = folder / "calls"
    omero = folder / "omero"
    omero.write_text(f'#!/bin/bash\nprintf "%s\\001" "$@" >> {calls}; printf "\\n" >> {calls}; echo "said $2 $3"\n')
    omero.chmod(0o755)
    text = text.replace("/OMERO", f"{folder}/OMERO")
    done = subprocess.run(
        ["/bin/bash", "-c", text],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{folder}:/usr/bin:/bin"},
    )
    noted = calls.read_text().splitlines() if calls.exists() else []
    return done.returncode, done.stdout + done.stderr, [line.split("\001")[:-1] for line in noted]


def test_the_transfer_is_not_lost_behind_the_target() -> None:
    args = dropbox.import_args(TARGET, "ln_s", ("upgrade",))
    assert shlex.split(args) == ["-T", TARGET, "--transfer=ln_s", "--skip=upgrade"]
    assert ";" not in args, "it separates users"


def test_enabling_makes_folders_and_keeps_what_is_set(tmp_path: Path) -> None:
    hostile = 'Dataset:name:it\'s "$(touch pwned)" `id`'
    args = dropbox.import_args(hostile, "ln_s", ())
    code, said, calls = run(dropbox.enable_script("/OMERO/DropBox", ("alice", "bob"), args), tmp_path)
    assert code == 0, said
    assert (tmp_path / "OMERO/DropBox/alice").is_dir()
    assert (tmp_path / "OMERO/DropBox/bob").is_dir()
    kept = (tmp_path / "OMERO/.omero-on-aws/dropbox.omero").read_text()
    lines = [shlex.split(line) for line in kept.splitlines()]
    assert lines[2] == ["config", "set", "--", "omero.fs.importArgs", args]
    assert shlex.split(lines[2][-1]) == ["-T", hostile, "--transfer=ln_s"]
    assert [call[:2] for call in calls] == [["load", calls[0][1]], *[["admin", "ice"]] * 3]
    assert [call[2] for call in calls[1:]] == ["server enable DropBox", "server stop DropBox", "server start DropBox"]
    assert not list(tmp_path.rglob("pwned"))


def test_disabling_leaves_the_folders(tmp_path: Path) -> None:
    (tmp_path / "OMERO/DropBox/alice").mkdir(parents=True)
    code, said, calls = run(dropbox.disable_script(), tmp_path)
    assert code == 0, said
    assert (tmp_path / "OMERO/DropBox/alice").is_dir()
    assert "server disable DropBox" in [call[-1] for call in calls]


def test_status_tells_properties_state_and_folders(tmp_path: Path) -> None:
    _, said, _ = run(dropbox.status_script(), tmp_path)
    found = dropbox.status(said)
    assert found["omero.fs.watchDir"] == "said get omero.fs.watchDir"
    assert found["state"] == "said ice server state DropBox"


@pytest.mark.parametrize(
    ("target", "transfer", "skip", "rule"),
    [
        ("Dataset:name:a;b", "ln_s", (), "a character that separates values in DropBox"),
        (TARGET, "ln_rm", (), "deletes the files as it imports them"),
        (TARGET, "move", (), "--transfer move is not valid; allowed: ln_s, ln, cp, upload"),
        (TARGET, "ln_s", ("much",), "--skip much is not valid; allowed: all"),
    ],
)
def test_refuses_what_dropbox_would_take_otherwise(
    target: str, transfer: str, skip: tuple[str, ...], rule: str
) -> None:
    with pytest.raises(Refused, match=rule):
        dropbox.import_args(target, transfer, skip)


def test_what_is_set_is_kept_by_the_next_server_too(
    importing: Importing, plugin: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = ["/bin/bash", "-c", script("server.sh")]
    with run_server(importing, entry_point=start):
        monkeypatch.setattr(dropbox, "deployed_workspace", lambda _name: importing.deployment)
        words = ["enable", "--user", "alice", "--target", "Dataset:name:it's $HOME"]
        done = CliRunner().invoke(dropbox.app, words)
        assert done.exit_code == 0, done.stderr
        first = told()
        assert first["omero.fs.importArgs"] == """-T 'Dataset:name:it'"'"'s $HOME' --transfer=ln_s"""
        assert first["omero.fs.watchDir"] == ""
        assert first["folders"] == "alice"
        assert first["state"] == "active (pid = 4242, enabled)"
        replace_server(importing)
        # A session can be had before the server has taken its settings.
        until(lambda: told() == first, seconds=20)
        assert told() == first
        assert CliRunner().invoke(dropbox.app, ["disable", "--yes"]).exit_code == 0
        assert told()["state"] == "inactive (disabled)"
        assert told()["folders"] == "alice"


@pytest.mark.parametrize(
    ("state", "trouble"),
    [
        ("active (pid = 4242, enabled)", False),
        ("inactive (disabled)", False),
        ("inactive (enabled)", True),
        ("", True),
    ],
)
def test_status_is_trouble_where_nobody_has_switched_it_off(state: str, trouble: bool) -> None:
    assert dropbox.trouble({"state": state}) is trouble


def test_disabling_is_refused_without_a_terminal(monkeypatch: pytest.MonkeyPatch, importing: Importing) -> None:
    def never(*_: object) -> str:
        raise AssertionError("it reached the server")

    monkeypatch.setattr(dropbox, "deployed_workspace", lambda _name: importing.deployment)
    monkeypatch.setattr(dropbox, "_run", never)
    done = CliRunner().invoke(dropbox.app, ["disable"])
    assert isinstance(done.exception, Refused)
    assert "there is no terminal to confirm this on" in str(done.exception)


def told() -> dict[str, str]:
    """What `status` says."""
    done = CliRunner().invoke(dropbox.app, ["status", "--json"])
    assert done.exit_code == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_says_that_arrivals_do_not_trigger_it() -> None:
    assert "SFTP, DataSync" in dropbox.NOT_TRIGGERED
    assert "imports scan" in dropbox.NOT_TRIGGERED

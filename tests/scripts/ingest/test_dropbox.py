"""DropBox: what is set survives every shell on its way, and nothing in it is run."""

from __future__ import annotations

import getopt
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from containers import dropbox_settings, script
from local_aws.testing.ecs import until
from scripts.errors import Failed, Refused
from scripts.ingest import dropbox
from scripts.rehearsal.stand_ins.omero.java import LONG
from tests.scripts.ingest.imports.exec_help import replace_server, run_server
from tests.scripts.ingest.imports.imports_help import Importing
from tests.scripts.rehearsal.omero_parser_help import NOT_INSTALLED, PYTHON, said

TARGET = "regex:^.*/(?<Container1>.*?)"


def run(text: str, folder: Path) -> tuple[int, str, list[list[str]]]:
    """In bash with a stand-in for `omero` that notes its words: exit code, output, the calls."""
    (folder / "config").mkdir()
    calls = folder / "calls"
    omero = folder / "omero"
    omero.write_text(f'#!/bin/bash\nprintf "%s\\001" "$@" >> {calls}; printf "\\n" >> {calls}; echo active\n')
    omero.chmod(0o755)
    text = text.replace("/OMERO", f"{folder}/OMERO").replace("/opt/omero/server/config", f"{folder}/config")
    done = subprocess.run(
        ["/bin/bash", "-c", text],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{folder}:/usr/bin:/bin", "OMERODIR": str(folder)},
    )
    noted = calls.read_text().splitlines() if calls.exists() else []
    return done.returncode, done.stdout + done.stderr, [line.split("\001")[:-1] for line in noted]


def test_the_transfer_is_not_lost_behind_the_target_and_skips_are_javas_own() -> None:
    """DropBox puts the words behind `--`, where omero-py's own `--skip` is not known (fsDropBoxMonitorClient.py)."""
    args = dropbox_settings.import_args(TARGET, "ln_s", ("upgrade", "checksum"))
    java = ["--checksum-algorithm=File-Size-64", "--no-upgrade-check"]
    assert shlex.split(args) == ["-T", TARGET, "--transfer=ln_s", *java]
    assert ";" not in args, "it separates users"
    for skip in dropbox_settings.SKIPS:
        given, _ = getopt.gnu_getopt(shlex.split(dropbox_settings.import_args(TARGET, "ln_s", (skip,))), "T:", LONG)
        assert {name for name, _ in given} >= {"-T", "--transfer", "--no-upgrade-check"}


def test_enabling_makes_folders_and_keeps_what_is_set(tmp_path: Path) -> None:
    hostile = 'Dataset:name:it\'s "$(touch pwned)" `id`'
    found = dropbox.kept("/OMERO/DropBox", hostile, "ln_s", ())
    code, said, calls = run(dropbox.enable_script("/OMERO/DropBox", ("alice", "bob"), found), tmp_path)
    assert code == 0, said
    assert (tmp_path / "OMERO/DropBox/alice").is_dir()
    assert (tmp_path / "OMERO/DropBox/bob").is_dir()
    kept = (tmp_path / "OMERO/.omero-on-aws/dropbox.json").read_text()
    assert json.loads(kept)["target"] == hostile
    lines = [shlex.split(line) for line in (tmp_path / "config/90-dropbox.omero").read_text().splitlines()]
    assert lines[2][:4] == ["config", "set", "--", "omero.fs.importArgs"]
    assert shlex.split(lines[2][-1]) == ["-T", hostile, "--transfer=ln_s", "--no-upgrade-check"], "or a file waits 10 s"
    assert [call[0] for call in calls] == ["load", *["admin"] * 5]
    assert [call[2] for call in calls[1:]] == [
        "server enable DropBox",
        f"application update -n {tmp_path}/etc/grid/default.xml",
        *("server stop DropBox", "server start DropBox", "server state DropBox"),
    ]
    assert not list(tmp_path.rglob("pwned"))


def test_disabling_leaves_the_folders(tmp_path: Path) -> None:
    (tmp_path / "OMERO/DropBox/alice").mkdir(parents=True)
    code, said, calls = run(dropbox.disable_script(), tmp_path)
    assert code == 0, said
    assert (tmp_path / "OMERO/DropBox/alice").is_dir()
    assert "server disable DropBox" in [call[-1] for call in calls]


# DropBox's own code, with the properties that it is given as JSON: what it runs with, and what it says of it.
READS = """
import json, shlex, sys
sys.argv = ["omero"]
import Ice
from fsDropBox import DropBox
given = Ice.createProperties()
for name, value in json.load(sys.stdin).items():
    given.setProperty(name, value)
found = DropBox().getMonitorParameters(given)
print(json.dumps({user: [each["watchDir"], shlex.split(each["importArgs"])] for user, each in found.items()}))
print("Monitor parameters = %s" % str(found))
"""


def read_by_dropbox(commands: str) -> tuple[dict[str, list[Any]], str]:
    """What OMERO.dropbox makes of a file of commands: for each user its folder and the words behind `--`; its log."""
    assert PYTHON.exists(), NOT_INSTALLED
    words = [shlex.split(line) for line in commands.splitlines()]
    assert all(line[:3] == ["config", "set", "--"] for line in words)
    done = subprocess.run(
        [PYTHON, "-c", READS],
        input=json.dumps(dict(line[3:] for line in words)),
        capture_output=True,
        text=True,
        check=True,
    )
    found, log = done.stdout.splitlines()
    return json.loads(found), log


@pytest.mark.parametrize("target", [TARGET, "Dataset:name:it's $HOME", 'Dataset:name:"a" \\ #b', ""])
def test_dropboxs_own_code_reads_what_is_set(target: str) -> None:
    kept = dropbox.kept("/OMERO/Drop Box", target, "ln_s", ("all",))
    found, log = read_by_dropbox(dropbox_settings.commands(kept))
    java = [*(["-T", target] if target else []), "--transfer=ln_s", *dropbox_settings.SKIPS.values()]
    assert found == {"default": ["/OMERO/Drop Box", java]}
    said = dropbox.status(f"state\001active (pid = 1, enabled)\n\002said\001{log}\n")
    assert (said["watches"], shlex.split(said["imports_with"])) == ("/OMERO/Drop Box", java)


def test_dropbox_without_users_would_watch_its_default_folder() -> None:
    """Why it is left out instead: to Ice, an empty property is none."""
    assert read_by_dropbox("config set -- omero.fs.importUsers ''\n")[0] == {"default": ["", []]}


def test_what_is_left_out_is_dropbox_alone() -> None:
    text = (PYTHON.parents[1] / "lib/python3.10/site-packages/omero/util/_process_defaultxml.py").read_text()
    everything = next(line for line in text.splitlines() if line.startswith("master:"))
    assert everything.replace(",DropBox,", ",") == dropbox_settings.WITHOUT
    assert dropbox_settings.WITHOUT in dropbox_settings.commands(dropbox_settings.OFF)


def test_omeros_parser_takes_what_is_set(parser: Path) -> None:
    kept = dropbox.kept("/OMERO/DropBox", "Dataset:name:-x", "ln_s", ("all",))
    for commands in (dropbox_settings.commands(kept), dropbox_settings.commands(dropbox_settings.OFF)):
        for line in commands.splitlines():
            words = shlex.split(line)
            parsed = said(parser, *words).parsed
            assert (parsed["KEY"], parsed["VALUE"]) == (words[3], words[4])


@pytest.mark.parametrize(
    "text",
    [
        "config set -- omero.db.host evil",
        '{"enabled": false, "more": 1}',
        '{"enabled": true, "watch": "/OMERO/a\\nconfig set -- a b", "target": "", "transfer": "ln_s", "skip": []}',
        '{"enabled": true, "watch": "/OMERO/../etc", "target": "", "transfer": "ln_s", "skip": []}',
        '{"enabled": true, "watch": "/OMERO", "target": "", "transfer": "upload_rm", "skip": []}',
        '{"enabled": true, "watch": "/OMERO", "target": "", "transfer": "ln_s", "skip": ["--readers=/OMERO/x"]}',
        '{"enabled": true, "watch": "/OMERO", "target": ["-T"], "transfer": "ln_s", "skip": []}',
        "[1]",
        "",
    ],
)
def test_a_server_takes_nothing_but_what_is_written_here(tmp_path: Path, text: str) -> None:
    (tmp_path / "dropbox.json").write_text(text)
    code, said, commands = start(tmp_path)
    assert (code, commands) == (0, dropbox_settings.commands(dropbox_settings.OFF))
    assert "is not what `omero-aws dropbox` writes" in said


def test_a_server_waits_for_no_pipe_and_follows_no_link(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "dropbox.json")
    assert start(tmp_path)[2] == dropbox_settings.commands(dropbox_settings.OFF)
    (tmp_path / "dropbox.json").unlink()
    (tmp_path / "other.json").write_text(json.dumps(dropbox_settings.OFF))
    (tmp_path / "dropbox.json").symlink_to("other.json")
    assert "Too many levels of symbolic links" in start(tmp_path)[1]


def test_a_server_takes_what_is_written_here(tmp_path: Path) -> None:
    assert start(tmp_path) == (0, "", "")
    kept = dropbox.kept("/OMERO/DropBox", TARGET, "ln_s", ("all",))
    (tmp_path / "dropbox.json").write_text(json.dumps(kept))
    assert start(tmp_path) == (0, "", dropbox_settings.commands(kept))


def start(folder: Path) -> tuple[int, str, str]:
    """The program as server.sh has it: exit code, what it says, and the commands that it made."""
    text = script("dropbox_settings.py")
    for at, to in ((dropbox_settings.KEPT, "dropbox.json"), (dropbox_settings.COMMANDS, "commands")):
        text = text.replace(at, str(folder / to))
    done = subprocess.run([sys.executable, "-"], input=text, capture_output=True, text=True, check=False, timeout=20)
    made = folder / "commands"
    return done.returncode, done.stderr, made.read_text() if made.exists() else ""


@pytest.mark.parametrize(
    ("target", "transfer", "skip", "rule"),
    [
        ("Dataset:name:a;b", "ln_s", (), "a character that separates values"),
        ("Dataset:name:a\nconfig set -- x y", "ln_s", (), "a character that separates values"),
        (TARGET, "ln_rm", (), "deletes the files as it imports them"),
        (TARGET, "move", (), "--transfer move is not valid; allowed: ln_s, ln, cp, upload"),
        (TARGET, "ln_s", ("much",), "--skip much is not valid; allowed: all"),
    ],
)
def test_refuses_what_dropbox_would_take_otherwise(
    target: str, transfer: str, skip: tuple[str, ...], rule: str
) -> None:
    with pytest.raises(Refused, match=rule):
        dropbox.kept("/OMERO/DropBox", target, transfer, skip)


def test_what_is_set_is_kept_by_the_next_server_too(
    workspace_of_imports: Importing, plugin: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    importing = workspace_of_imports
    start = ["/bin/bash", "-c", script("server.sh")]
    with run_server(importing, entry_point=start):
        monkeypatch.setattr(dropbox, "deployed_workspace", lambda _name: importing.deployment)
        words = ["enable", "--user", "alice", "--target", "Dataset:name:it's $HOME"]
        done = CliRunner().invoke(dropbox.app, words)
        assert done.exit_code == 0, done.stderr
        # It says what it watches once it has started again.
        until(lambda: told()["watches"] == "/OMERO/DropBox", seconds=20)
        first = told()
        assert first["imports_with"] == """-T 'Dataset:name:it'"'"'s $HOME' --transfer=ln_s --no-upgrade-check"""
        assert first["watches"] == "/OMERO/DropBox"
        assert first["folders"] == ["alice"]
        assert first["state"] == "active (pid = 4242, enabled)"
        replace_server(importing)
        # A session can be had before the server has taken its settings.
        until(lambda: told() == first, seconds=20)
        assert told() == first
        assert CliRunner().invoke(dropbox.app, ["disable", "--yes"]).exit_code == 0
        assert told()["state"] == "inactive (disabled)"
        assert told()["folders"] == ["alice"]
        replace_server(importing)
        until(lambda: "without it" in told()["state"], seconds=20)
        done = CliRunner().invoke(dropbox.app, words)
        assert isinstance(done.exception, Failed)
        assert "started without DropBox" in str(done.exception)
        replace_server(importing)
        until(lambda: told() == first, seconds=20)


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


def test_disabling_is_refused_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, workspace_of_imports: Importing
) -> None:
    def never(*_: object) -> str:
        raise AssertionError("it reached the server")

    monkeypatch.setattr(dropbox, "deployed_workspace", lambda _name: workspace_of_imports.deployment)
    monkeypatch.setattr(dropbox, "_run", never)
    done = CliRunner().invoke(dropbox.app, ["disable"])
    assert isinstance(done.exception, Refused)
    assert "There is no terminal to confirm this on" in str(done.exception)


def told() -> dict[str, Any]:
    """What `status` says."""
    done = CliRunner().invoke(dropbox.app, ["status", "--json"])
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_says_that_arrivals_do_not_trigger_it() -> None:
    assert "SFTP, DataSync" in dropbox.NOT_TRIGGERED
    assert "imports scan" in dropbox.NOT_TRIGGERED

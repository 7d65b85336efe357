"""The upload host's set-up, run for real with stand-ins for what it would change: each of its steps can fail."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

import hosts

VARIABLES = {
    "REGION": "eu-west-1",
    "GROUP_NAME": "omero-lab-upload-host",
    "HOOK_NAME": "set-up",
    "LOG_GROUP_NAME": "/omero/lab/upload-host",
    "SERVER_HOST": "server.lab.omero.internal",
    "ICE_WHEEL": "https://example.org/zeroc_ice.whl",
    "IMPORTER_URL": "https://example.org/OMERO.java.zip",
    "IMPORTER_SHA256": "",
    "REQUIREMENTS": "omero-py==5.23.0 --hash=sha256:00",
    "FILE_SYSTEM_ID": "fs-1",
    "ACCESS_POINT_ID": "fsap-1",
    "SHARE_ADDRESS": "",
    "SHARE_BUCKET": "",
    "SHARE_PATH": "",
}
SHARE = {"SHARE_ADDRESS": "10.0.0.9", "SHARE_BUCKET": "lab-slides", "SHARE_PATH": "/s3uploads"}
# Folders and files of the instance that the script writes to.
WRITTEN = r"(/opt/omero|/usr/local/bin|/etc/profile\.d|/etc/fstab|/var/log|/OMERO|/s3uploads)(?![.\w])"
ZIP = b"a zip"

# Each stand-in says how it was called, fails if it is to, and else does the least of what its original does.
STAND_IN = r"""#!/bin/bash
call="$(basename "$0") $*"
echo "$call" >>"$SANDBOX/calls"
if [ -f "$SANDBOX/fails" ] && [[ "$call" =~ $(cat "$SANDBOX/fails") ]]; then
    echo "it broke: $call" >&2
    [ ! -f "$SANDBOX/kills" ] || kill -TERM "$PPID"
    exit 7
fi
case "$call" in
    "curl "*api/token) echo a-token ;;
    "curl "*instance-id) echo i-0123456789abcdef0 ;;
    "curl "*--output*) printf 'a zip' >"$SANDBOX/opt/omero/OMERO.java.zip" ;;
    "id "*) cat "$SANDBOX/uid" ;;
    "python3.12 -m venv "*)
        mkdir -p "$3/bin"
        for name in pip python omero; do cp "$0" "$3/bin/$name"; done
        ;;
    "python3.12 -m zipfile "*)
        mkdir -p "$5/OMERO.java-5.6.18-ice36/libs"
        touch "$5/OMERO.java-5.6.18-ice36/libs/logback-cli.xml"
        ;;
    "runuser -u "*) shift 3 && exec "$@" ;;
    "runuser -l "*) PATH="$SANDBOX/usr/local/bin:$PATH" exec bash -c "$4" ;;
    "aws logs put-log-events "*) cp "$(sed 's|.*file://||' <<<"$call")" "$SANDBOX/events" ;;
esac
"""
COMMANDS = ("aws", "curl", "dnf", "id", "java", "mount", "mountpoint", "python3.12", "runuser", "sleep")


@dataclass(frozen=True)
class Ended:
    """How a set-up ended: its exit code, the console, the calls, and what the group and the log were told."""

    code: int
    console: str
    calls: list[str]
    told: list[str]
    logged: list[str]


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """A stand-in for a fresh instance."""
    for folder in ("bin", "usr/local/bin", "etc/profile.d", "var/log"):
        (tmp_path / folder).mkdir(parents=True)
    for name in COMMANDS:
        (tmp_path / "bin" / name).write_text(STAND_IN)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "uid").write_text("1000\n")
    return tmp_path


@pytest.fixture
def set_up(sandbox: Path) -> Callable[..., Ended]:
    """`set_up(fails="dnf")` runs the script; calls that match the pattern fail."""

    def run(fails: str = "", **variables: str) -> Ended:
        if fails:
            (sandbox / "fails").write_text(fails)
        header = "".join(f"{name}='{value}'\n" for name, value in {**VARIABLES, **variables}.items())
        script = re.sub(WRITTEN, rf"{sandbox}\1", hosts.script("upload_host.sh"))
        done = subprocess.run(
            ["/bin/bash", "-c", header + script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={"PATH": f"{sandbox / 'bin'}:{os.environ['PATH']}", "SANDBOX": str(sandbox)},
        )
        calls = (sandbox / "calls").read_text().replace(str(sandbox), "").splitlines()
        told = [call.rpartition(" ")[2] for call in calls if "complete-lifecycle-action" in call]
        events = sandbox / "events"
        logged = [event["message"] for event in json.loads(events.read_text())] if events.is_file() else []
        return Ended(done.returncode, done.stdout, calls, told, logged)

    return run


def _steps(calls: list[str]) -> list[str]:
    """The calls of the set-up itself, without those that report its end."""
    return [call for call in calls if not call.startswith(("aws logs", "aws autoscaling", "sleep"))]


def test_is_a_script_that_bash_understands() -> None:
    done = subprocess.run(
        ["bash", "-n", "-c", hosts.script("upload_host.sh")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_set_up_goes_into_service(set_up: Callable[..., Ended]) -> None:
    ended = set_up()
    assert (ended.code, ended.told) == (0, ["CONTINUE"]), ended.console
    (complete,) = [call for call in ended.calls if "complete-lifecycle-action" in call]
    assert "--auto-scaling-group-name omero-lab-upload-host --lifecycle-hook-name set-up" in complete
    assert "--instance-id i-0123456789abcdef0" in complete
    (put,) = [call for call in ended.calls if "put-log-events" in call]
    assert "--log-group-name /omero/lab/upload-host --log-stream-name set-up/i-0123456789abcdef0" in put
    assert ended.logged[-1] == "omero-upload-host: set-up succeeded on i-0123456789abcdef0"


def test_mounts_by_the_access_point_over_tls_and_again_after_a_reboot(
    set_up: Callable[..., Ended], sandbox: Path
) -> None:
    calls = set_up().calls
    device, where, kind, options, *_ = (sandbox / "etc/fstab").read_text().replace(str(sandbox), "").split()
    assert (device, where, kind) == ("fs-1:/", "/OMERO", "efs")
    assert {"_netdev", "tls", "iam", "accesspoint=fsap-1"} <= set(options.split(","))
    assert "lookupcache=pos" in options.split(","), "an import looks for what the server has just made"
    assert calls.index("mount /OMERO") < calls.index("mountpoint /OMERO")


def test_mounts_the_share_of_a_file_gateway_read_only(set_up: Callable[..., Ended], sandbox: Path) -> None:
    calls = set_up(**SHARE).calls
    *_, line = (sandbox / "etc/fstab").read_text().replace(str(sandbox), "").splitlines()
    device, where, kind, options, *_ = line.split()
    assert (device, where, kind) == ("10.0.0.9:/lab-slides", "/s3uploads", "nfs")
    assert {"ro", "nfsvers=4.1", "hard", "_netdev"} <= set(options.split(","))
    assert calls.index("mount /s3uploads") < calls.index("mountpoint /s3uploads")


@pytest.mark.parametrize("step", ["mount /s3uploads", "mountpoint /s3uploads"])
def test_a_host_without_its_share_is_a_failure(set_up: Callable[..., Ended], step: str) -> None:
    ended = set_up(fails=f"^{step.replace('/', '.*/')}", **SHARE)
    assert ended.told[-1] == "ABANDON"
    assert ended.code != 0


def test_installs_pinned_packages_by_their_hashes_only(set_up: Callable[..., Ended], sandbox: Path) -> None:
    installs = [call for call in set_up().calls if call.startswith("pip install")]
    assert len(installs) == 2
    for install in installs:
        assert "--no-deps" in install
        assert "--only-binary=:all:" in install
    assert "--require-hashes" in installs[1]
    assert (sandbox / "opt/omero/requirements.txt").read_text().strip() == VARIABLES["REQUIREMENTS"]


def test_all_requirements_are_pinned_and_hashed() -> None:
    lines = hosts.requirements().strip().splitlines()
    assert any(line.startswith("omero-py==") for line in lines)
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}", line), line
        assert "'" not in line, "they stand in single quotes"


def _every_step() -> list[str]:
    """The calls of a set-up, by their beginnings and what tells them apart; the next test holds them complete."""
    return [
        "curl .*api/token",
        "curl .*instance-id",
        "dnf install",
        "aws --version",
        "java -version",
        "id ",
        "mount ",
        "mountpoint ",
        "runuser -u",
        "python3.12 -m venv",
        "pip install .*zeroc_ice",
        "pip install .*--require-hashes",
        "pip check",
        "python -c import omero.clients",
        "curl .*OMERO.java.zip",
        "python3.12 -m zipfile",
        "runuser -l",
        "omero version",
    ]


def test_every_step_is_made_to_fail(set_up: Callable[..., Ended]) -> None:
    calls = _steps(set_up().calls)
    assert len(calls) == len(_every_step())
    for call, pattern in zip(calls, _every_step(), strict=True):
        assert re.match(pattern, call)


@pytest.mark.parametrize("step", _every_step())
def test_a_step_that_fails_is_reported_as_a_failure(set_up: Callable[..., Ended], step: str) -> None:
    ended = set_up(fails=f"^{step}")
    assert ended.code != 0
    assert ended.told == ["ABANDON"]
    assert "set-up failed on" in ended.console
    assert "it broke: " in ended.console, "why"
    assert any("set-up failed on" in line for line in ended.logged)
    assert any(line.startswith("it broke: ") for line in ended.logged)
    assert re.match(step, [call for call in _steps(ended.calls) if call][-1]), "nothing comes after it"


def test_a_set_up_that_is_killed_is_a_failure(set_up: Callable[..., Ended], sandbox: Path) -> None:
    (sandbox / "kills").touch()
    ended = set_up(fails="^dnf")
    assert ended.code != 0
    assert ended.told == ["ABANDON"]


@pytest.mark.parametrize("step", ["dnf", "mount ", "pip install", "curl .*OMERO.java.zip"])
def test_tries_what_depends_on_others_three_times(set_up: Callable[..., Ended], step: str) -> None:
    ended = set_up(fails=f"^{step}")
    assert len([call for call in ended.calls if re.match(step, call)]) == 3
    assert ended.calls.count("sleep 10") == 2


def test_refuses_another_uid_than_the_access_points(set_up: Callable[..., Ended], sandbox: Path) -> None:
    (sandbox / "uid").write_text("1001\n")
    ended = set_up()
    assert (ended.code != 0, ended.told) == (True, ["ABANDON"])
    assert "in the step 'find the user with uid 1000'" in ended.console


def test_checks_the_importer_if_its_checksum_is_given(set_up: Callable[..., Ended]) -> None:
    assert set_up(IMPORTER_SHA256=sha256(ZIP).hexdigest()).told == ["CONTINUE"]


def test_refuses_an_importer_with_another_checksum(set_up: Callable[..., Ended]) -> None:
    ended = set_up(IMPORTER_SHA256="0" * 64)
    assert (ended.code != 0, ended.told) == (True, ["ABANDON"])
    assert "in the step 'install OMERO's importer'" in ended.console


def test_is_abandoned_even_if_the_log_cannot_be_sent(set_up: Callable[..., Ended]) -> None:
    ended = set_up(fails="^(dnf|aws logs)")
    assert (ended.code != 0, ended.told) == (True, ["ABANDON"])
    assert "CloudWatch Logs did not take the log" in ended.console


def test_a_group_that_cannot_be_told_is_a_failure(set_up: Callable[..., Ended]) -> None:
    ended = set_up(fails="^aws autoscaling")
    assert ended.code == 1
    assert ended.told == ["CONTINUE"] * 3
    assert "could not be told CONTINUE" in ended.console


@pytest.mark.parametrize(
    ("words", "means"),
    [
        ("login", "login --server server.lab.omero.internal"),
        ("login -u jane", "login --server server.lab.omero.internal -u jane"),
        ("login -s other", "login -s other"),
        ("login --server=other", "login --server=other"),
        ("login jane@other", "login jane@other"),
        (
            "import -d 1 a.svs",
            "import --clientdir /opt/omero/jars --logback /opt/omero/jars/logback-cli.xml -d 1 a.svs",
        ),
        ("import --clientdir /mine a.svs", "import --clientdir /mine a.svs"),
        ("import --fetch-jars 5.6.17", "import --fetch-jars 5.6.17"),
        ("version", "version"),
        ("", ""),
    ],
)
def test_omero_knows_the_server_and_its_importer(
    set_up: Callable[..., Ended], sandbox: Path, words: str, means: str
) -> None:
    set_up()
    (sandbox / "calls").unlink()
    subprocess.run(
        [str(sandbox / "usr/local/bin/omero"), *words.split()],
        check=True,
        env={"PATH": os.environ["PATH"], "SANDBOX": str(sandbox)},
    )
    assert (sandbox / "calls").read_text().replace(str(sandbox), "").rstrip("\n") == f"omero {means}"


def test_omero_takes_words_with_spaces(set_up: Callable[..., Ended], sandbox: Path) -> None:
    set_up()
    omero = (sandbox / "opt/omero/cli/bin/omero").resolve()
    omero.write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
    done = subprocess.run(
        [str(sandbox / "usr/local/bin/omero"), "import", "a b.svs", "c'd.svs"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-2:] == ["a b.svs", "c'd.svs"]

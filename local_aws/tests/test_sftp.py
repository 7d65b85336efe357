"""SFTP onto the folders that stand for EFS, with Debian's own OpenSSH client: what gets through and what does not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncssh
import pytest

from local_aws import files
from local_aws.files import Owner
from local_aws.testing.ecs import Client, until
from local_aws.testing.sftp import (
    ALL,
    AWKWARD,
    TRUST,
    Sftp,
    digest,
    folders,
    key,
    make_folder,
    make_key,
    make_role,
    needs_sftp,
    public,
    role,
    sftp,
)

__all__ = ["folders", "key", "role", "sftp"]

pytestmark = needs_sftp

BIG = 64 * 2**20


def _home(sftp: Sftp) -> Path:
    return sftp.folder / "drop" / "alice"


def _events(client: Client, sftp: Sftp) -> list[dict[str, Any]]:
    shown = sftp.transfer.describe_server(ServerId=sftp.server)["Server"]
    group = shown["StructuredLogDestinations"][0].split(":")[6]
    return [json.loads(each["message"]) for each in client("logs").filter_log_events(logGroupName=group)["events"]]


def _quoted(name: str) -> str:
    """For a batch of sftp, which takes wild cards in quotes for what they are."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_delivers_large_and_awkward_files(client: Client, sftp: Sftp, key: Path) -> None:
    source = sftp.work / "out"
    source.mkdir()
    (source / "big").write_bytes(os.urandom(2**20) * (BIG // 2**20))
    for number in range(500):
        (source / f"{AWKWARD[number % len(AWKWARD)]} {number}").write_text(f"number {number}")
    began = time.monotonic()
    done = sftp.run("put -r out\nput out/big\n", user="alice", key=key)
    assert done.returncode == 0, done.stderr
    assert "For deliveries only." in done.stderr
    assert time.monotonic() - began < 60
    landed = _home(sftp) / "out"
    assert sorted(os.listdir(landed)) == sorted(os.listdir(source))  # noqa: PTH208
    for each in source.iterdir():
        assert (landed / each.name).read_bytes() == each.read_bytes()
        assert files.owner(landed / each.name) == Owner(1001, 1001, 0o644)
    assert files.owner(landed) == Owner(1001, 1001, 0o755)

    done = sftp.run("get -r out back\nget big\n", user="alice", key=key)
    assert done.returncode == 0, done.stderr
    for each in source.iterdir():
        assert (sftp.work / "back" / each.name).read_bytes() == each.read_bytes()
    assert digest(sftp.work / "big") == digest(source / "big")

    events = _events(client, sftp)
    closed = [each for each in events if each["activity-type"] == "CLOSE" and each["path"].endswith("/alice/big")]
    assert closed[0]["bytes-in"] == str(BIG)
    connected = next(each for each in events if each["activity-type"] == "CONNECTED")
    assert (connected["user"], connected["home-dir"], connected["ssh-public-key-type"]) == ("alice", "/", "ssh-ed25519")
    assert sum(each["activity-type"] == "DISCONNECTED" for each in events) == 2


@pytest.mark.parametrize("name", AWKWARD)
def test_one_awkward_name_by_itself(sftp: Sftp, key: Path, name: str) -> None:
    (sftp.work / "in").write_text(name)
    before, after = _quoted(f"./{name}"), _quoted(f"./{name}2")
    batch = f"put in {before}\nls -l\nrename {before} {after}\n"
    done = sftp.run(batch, user="alice", key=key)
    assert done.returncode == 0, done.stderr
    assert (_home(sftp) / f"{name}2").read_text() == name
    done = sftp.run(f"rm {after}\n", user="alice", key=key)
    assert done.returncode == 0, done.stderr
    assert not list(_home(sftp).iterdir())


def test_who_does_not_get_in(client: Client, sftp: Sftp, role: str, key: Path) -> None:
    wrong = make_key(sftp.work, "wrong")
    assert sftp.run("pwd\n", user="alice", key=key).returncode == 0
    refused = sftp.run("pwd\n", user="alice", key=wrong)
    assert refused.returncode == 255
    assert "Permission denied (publickey)" in refused.stderr
    event = [each for each in _events(client, sftp) if each["activity-type"] == "AUTH_FAILURE"][-1]
    assert (event["user"], event["method"], event["source-ip"]) == ("alice", "publickey", "127.0.0.1")
    assert asyncssh.read_public_key(wrong.with_suffix(".pub")).get_fingerprint() in event["message"]

    for name in ("nobody", "root"):
        assert sftp.run("pwd\n", user=name, key=key).returncode == 255
    sftp.add("root", role, key, "/drop/alice")
    assert sftp.run("pwd\n", user="root", key=key).returncode == 255  # AWS blocks the name

    names = {"ServerId": sftp.server, "UserName": "alice"}
    sftp.transfer.import_ssh_public_key(**names, SshPublicKeyBody=public(wrong))
    assert sftp.run("pwd\n", user="alice", key=wrong).returncode == 0
    ids = [each["SshPublicKeyId"] for each in sftp.transfer.describe_user(**names)["User"]["SshPublicKeys"]]
    sftp.transfer.delete_ssh_public_key(**names, SshPublicKeyId=ids[1])
    assert sftp.run("pwd\n", user="alice", key=wrong).returncode == 255
    sftp.transfer.delete_user(**names)
    assert sftp.run("pwd\n", user="alice", key=key).returncode == 255


@pytest.mark.parametrize(("kind", "more"), [("ssh-rsa", {"key_size": 3072}), ("ecdsa-sha2-nistp384", {})])
def test_other_kinds_of_keys(sftp: Sftp, role: str, kind: str, more: dict[str, Any]) -> None:
    theirs = make_key(sftp.work, "theirs", kind, **more)
    sftp.add("carol", role, theirs, "/drop/alice")
    assert sftp.run("pwd\n", user="carol", key=theirs).returncode == 0


@pytest.mark.parametrize("way", ["../bob/secret", "/../bob/secret", "/drop/bob/secret", "a/../../bob/secret"])
def test_no_way_out_of_the_home(sftp: Sftp, key: Path, way: str) -> None:
    (sftp.work / "mine").write_text("alice's")
    for command in (f"get {way} stolen", f"rm {way}", f"ls {way}", f"rename {way} mine", f"put mine {way}"):
        done = sftp.run(command + "\n", user="alice", key=key)
        assert done.returncode == 1, (command, done.stdout)
    assert not (sftp.work / "stolen").exists()
    assert (sftp.folder / "drop" / "bob" / "secret").read_text() == "bob's"
    done = sftp.run("cd ..\npwd\n-ls\ncd /\npwd\n", user="alice", key=key)
    assert done.stdout.count("Remote working directory: /\n") == 2
    assert "bob" not in done.stdout


@pytest.mark.parametrize("target", ["../bob/secret", "/drop/bob/secret", "{outside}/passwd", "../../../../etc/passwd"])
def test_links_that_others_made_lead_nowhere(sftp: Sftp, key: Path, target: str) -> None:
    outside = sftp.work / "host"
    outside.mkdir()
    (outside / "passwd").write_text("of this machine")
    link = _home(sftp) / "link"
    link.symlink_to(target.format(outside=outside))
    files.own(link, Owner(1001, 1001, 0o777))
    (sftp.work / "mine").write_text("alice's")
    for command in ("get link stolen", "put mine link/x", "chmod 777 link"):
        assert sftp.run(command + "\n", user="alice", key=key).returncode == 1, command
    assert not (sftp.work / "stolen").exists()
    assert sftp.run("rm link\n", user="alice", key=key).returncode == 0
    assert not link.is_symlink()
    assert (outside / "passwd").read_text() == "of this machine"
    assert (sftp.folder / "drop" / "bob" / "secret").read_text() == "bob's"


def test_no_links_are_made_in_a_logical_home(sftp: Sftp, key: Path) -> None:
    done = sftp.run("ln -s /etc/passwd link\n", user="alice", key=key)
    assert done.returncode == 1
    assert "Operation unsupported" in done.stderr
    assert sftp.run("put known_hosts a\nln a b\n", user="alice", key=key).returncode == 1
    assert [each.name for each in _home(sftp).iterdir()] == ["a"]


def test_broken_upload_is_resumed(client: Client, sftp: Sftp, key: Path) -> None:
    source = sftp.work / "big"
    source.write_bytes(os.urandom(2**20) * (BIG // 2**20))
    landed = _home(sftp) / "big"
    part = sftp.break_upload("big", landed, user="alice", key=key)
    assert part < BIG

    def is_told() -> bool:
        return any(each["activity-type"] == "PARTIAL_CLOSE" for each in _events(client, sftp))

    until(is_told)
    done = sftp.run("reput big\n", user="alice", key=key)
    assert done.returncode == 0, done.stderr
    assert digest(landed) == digest(source)
    closed = [each for each in _events(client, sftp) if each["activity-type"] == "CLOSE"]
    assert 0 < int(closed[-1]["bytes-in"]) <= BIG - part

    (sftp.work / "down").write_bytes(source.read_bytes()[: BIG // 2])
    assert sftp.run("reget big down\n", user="alice", key=key).returncode == 0
    assert digest(sftp.work / "down") == digest(source)


def test_folders_modes_times_and_space(sftp: Sftp, key: Path) -> None:
    (sftp.work / "mine").write_text("x" * 1234)
    os.utime(sftp.work / "mine", (1_600_000_000, 1_600_000_000))
    (sftp.work / "mine").chmod(0o644)
    batch = "mkdir d\nput -p mine d/one\nput -f mine d/two\nls -l d\ndf\nrename d/one d/three\nrm d/two\n"
    done = sftp.run(batch, user="alice", key=key)
    assert done.returncode == 0, done.stderr
    assert "-rw-r--r--    1 1001     1001         1234 Sep 13  2020 one" in done.stdout
    assert int(_home(sftp).joinpath("d", "three").stat().st_mtime) == 1_600_000_000
    assert files.owner(_home(sftp) / "d" / "three") == Owner(1001, 1001, 0o644)
    assert files.owner(_home(sftp) / "d" / "one") is None
    assert sftp.run("rmdir d\n", user="alice", key=key).returncode == 1  # it is not empty
    assert sftp.run("rm d/three\nrmdir d\n", user="alice", key=key).returncode == 0
    # AWS: owner and mode are root's to change, and a rename does not overwrite.
    for command in ("chmod 600 a", "chown 5 a", "rename a b", "rmdir /"):
        batch = f"put mine a\nput mine b\n{command}\n"
        assert sftp.run(batch, user="alice", key=key).returncode == 1, command
    assert files.owner(_home(sftp) / "a") == Owner(1001, 1001, 0o644)


def test_posix_permissions_hold(client: Client, sftp: Sftp, role: str, key: Path) -> None:
    sftp.add("dave", role, key, "/drop", uid=1003)
    (sftp.work / "mine").write_text("dave's")
    shared = make_folder(sftp.folder / "drop" / "shared", Owner(0, 1003, 0o2775))
    files.own(sftp.folder / "drop" / "bob" / "secret", Owner(1002, 1002, 0o640))

    def code(command: str) -> int:
        return sftp.run(command + "\n", user="dave", key=key).returncode

    assert code("ls bob") == 0
    for command in ("get bob/secret", "put mine bob/x", "ls alice", "cd alice/x", "mkdir mine", "rm bob/secret"):
        assert code(command) == 1, command
    assert code("put mine shared/x") == 0
    assert files.owner(shared / "x") == Owner(1003, 1003, 0o644)
    files.own(shared, Owner(0, 1003, 0o3775))
    (shared / "roots").write_text("root's")
    files.own(shared / "roots", Owner(0, 0, 0o644))
    assert code("rm shared/roots") == 1  # the folder is sticky
    assert code("rm shared/x") == 0

    root = make_role(client, f"sftp-root-{uuid4().hex[:8]}", *ALL, "ClientRootAccess")
    for name, with_role, expected in (("squashed", role, 1), ("superuser", root, 0)):
        sftp.add(name, with_role, key, "/drop", uid=0)
        batch = "get bob/secret\nput mine owned\nchown 7 owned\nchmod 600 owned\n"
        assert sftp.run(batch, user=name, key=key).returncode == expected
    assert files.owner(sftp.folder / "drop" / "owned") == Owner(7, 0, 0o600)


def test_what_the_role_allows(client: Client, sftp: Sftp, key: Path) -> None:
    (sftp.work / "mine").write_text("x")
    (_home(sftp) / "there").write_text("to read")
    files.own(_home(sftp) / "there", Owner(1001, 1001, 0o644))

    def give(**changed: Any) -> None:
        sftp.transfer.update_user(ServerId=sftp.server, UserName="alice", **changed)

    suffix = uuid4().hex[:8]
    give(Role=make_role(client, f"sftp-read-{suffix}", "ClientMount"))
    assert sftp.run("ls\nget there\n", user="alice", key=key).returncode == 0
    for command in ("put mine", "mkdir d", "rm there", "rename there d", "put -p mine there"):
        done = sftp.run(command + "\n", user="alice", key=key)
        assert done.returncode == 1, command
        assert "Permission denied" in done.stderr
    untrusting = {"Version": "2012-10-17", "Statement": []}
    for unfit in (
        make_role(client, f"sftp-none-{suffix}"),
        make_role(client, f"sftp-untrusting-{suffix}", *ALL, trust=untrusting),
        "arn:aws:iam::123456789012:role/missing",
    ):
        give(Role=unfit)
        done = sftp.run("pwd\n", user="alice", key=key)
        assert done.returncode in (1, 255)
        assert "Permission denied" in done.stderr  # as AWS's "Couldn't canonicalize"


def test_a_role_is_taken_for_a_user_and_an_account_allows_by_its_roles(client: Client, sftp: Sftp, key: Path) -> None:
    """As the user guide has it: the source of AssumeRole is the user's ARN."""

    def trust(what: str) -> dict[str, Any]:
        source = {"ArnLike": {"aws:SourceArn": f"arn:aws:transfer:eu-west-1:123456789012:{what}/*"}}
        statements: Any = TRUST["Statement"]
        return {"Version": "2012-10-17", "Statement": [{**statements[0], "Condition": source}]}

    def code(role: str) -> int:
        sftp.transfer.update_user(ServerId=sftp.server, UserName="alice", Role=role)
        return sftp.run("ls\n", user="alice", key=key).returncode

    suffix = uuid4().hex[:8]
    assert code(make_role(client, f"sftp-of-users-{suffix}", *ALL, trust=trust("user"))) == 0
    assert code(make_role(client, f"sftp-of-servers-{suffix}", *ALL, trust=trust("server"))) != 0
    allow = {"Effect": "Allow", "Action": "elasticfilesystem:*", "Resource": "*"}
    nothing = make_role(client, f"sftp-without-{suffix}")
    for principal, expected in (("arn:aws:iam::123456789012:root", False), (nothing, True)):
        policy = {"Version": "2012-10-17", "Statement": [{**allow, "Principal": {"AWS": principal}}]}
        client("efs").put_file_system_policy(FileSystemId=sftp.file_system, Policy=json.dumps(policy))
        assert (code(nothing) == 0) is expected


def test_file_system_policy_can_shut_it_out(client: Client, sftp: Sftp, key: Path) -> None:
    efs = client("efs")
    deny = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "*",
        "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    efs.put_file_system_policy(FileSystemId=sftp.file_system, Policy=policy)
    assert "Permission denied" in sftp.run("pwd\n", user="alice", key=key).stderr
    efs.delete_file_system_policy(FileSystemId=sftp.file_system)
    assert sftp.run("pwd\n", user="alice", key=key).returncode == 0


def test_home_that_is_missing(sftp: Sftp, role: str, key: Path) -> None:
    sftp.add("erin", role, key, "/drop/erin")
    done = sftp.run("pwd\nls\n", user="erin", key=key)
    assert "Remote working directory: /" in done.stdout
    assert "No such file or directory" in done.stderr  # the words that AWS documents


def test_other_homes(sftp: Sftp, role: str, key: Path) -> None:
    system = sftp.file_system
    mappings = [
        {"Entry": "/in/today", "Target": f"/{system}/drop/${{transfer:UserName}}"},
        {"Entry": "/bobs", "Target": f"/{system}/drop/bob"},
    ]
    sftp.add("frank", role, key, "", uid=1001, HomeDirectoryMappings=mappings, HomeDirectory="/bobs")
    make_folder(sftp.folder / "drop" / "frank", Owner(1001, 1001, 0o755))
    (sftp.work / "mine").write_text("x")
    done = sftp.run("pwd\nls\nls -l /\ncd /in\nls\nput mine today/x\n", user="frank", key=key)
    assert done.returncode == 0, done.stderr
    assert "Remote working directory: /bobs" in done.stdout
    assert "secret" in done.stdout
    assert (sftp.folder / "drop" / "frank" / "x").exists()
    for command in ("put mine /x", "mkdir /in/tomorrow", "rm /in/today", "ls /out"):
        assert sftp.run(command + "\n", user="frank", key=key).returncode == 1, command

    home = f"/{system}/drop/alice"
    sftp.transfer.update_user(ServerId=sftp.server, UserName="frank", HomeDirectoryType="PATH", HomeDirectory=home)
    batch = "pwd\nput mine x\nls ../bob\nln -s x link\nget link\nln -s /etc/passwd out\n-get out\n"
    done = sftp.run(batch, user="frank", key=key)
    assert done.returncode == 0, done.stderr
    assert f"Remote working directory: {home}" in done.stdout
    assert (sftp.work / "link").read_text() == "x"
    assert not (sftp.work / "out").exists()
    assert sftp.run("ls /\n", user="frank", key=key).returncode == 1


def test_stop_ends_sessions_and_keeps_the_host_key(sftp: Sftp, key: Path) -> None:
    before = sftp.address()
    program = ["sftp", "-F", "/dev/null", "-P", str(before["port"]), "-i", str(key)]
    known = sftp.work / "known"
    known.write_text(f"[127.0.0.1]:{before['port']} {before['host_keys'][0]}\n")
    with subprocess.Popen(
        [*program, "-o", f"UserKnownHostsFile={known}", "alice@127.0.0.1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as session:
        assert session.stdout
        assert session.stdin
        session.stdin.write(b"pwd\n")
        session.stdin.flush()
        while b"Remote working directory" not in session.stdout.readline():
            assert session.poll() is None
        sftp.transfer.stop_server(ServerId=sftp.server)
        session.stdin.write(b"pwd\nls\n")
        session.stdin.close()
        assert session.wait(timeout=10) != 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", before["port"]), timeout=5)
    until(lambda: sftp.transfer.describe_server(ServerId=sftp.server)["Server"]["State"] == "OFFLINE")
    sftp.transfer.start_server(ServerId=sftp.server)
    after = sftp.address()
    assert (after["port"], after["host_keys"]) == (before["port"], before["host_keys"])
    assert sftp.run("pwd\n", user="alice", key=key).returncode == 0
    sftp.transfer.delete_server(ServerId=sftp.server)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", after["port"]), timeout=5)


def test_shows_the_oldest_host_key_of_each_type(sftp: Sftp, key: Path) -> None:
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]
    sftp.address()  # it takes them while it listens
    for each in keys:
        body = each.export_private_key().decode()
        sftp.transfer.import_host_key(ServerId=sftp.server, HostKeyBody=body)
    shown = sftp.address()["host_keys"]
    assert [each.split()[0] for each in shown] == ["ssh-rsa", "ssh-ed25519"]
    assert shown[1] == " ".join(keys[0].export_public_key().decode().split()[:2])
    assert sftp.run("pwd\n", user="alice", key=key).returncode == 0  # which checks them


def test_nothing_but_sftp(sftp: Sftp, key: Path) -> None:
    address = sftp.address()
    known = sftp.work / "known"
    known.write_text(f"[127.0.0.1]:{address['port']} {address['host_keys'][0]}\n")
    ssh = ["ssh", "-F", "/dev/null", "-p", str(address["port"]), "-i", str(key), "-o", f"UserKnownHostsFile={known}"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*ssh, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, input="")

    assert run("alice@127.0.0.1", "id").returncode != 0
    assert run("alice@127.0.0.1").returncode != 0
    forwarded = run("-W", "127.0.0.1:22", "alice@127.0.0.1")
    assert forwarded.returncode != 0
    (sftp.work / "mine").write_text("x")
    old_scp = ["scp", "-O", "-F", "/dev/null", "-P", str(address["port"]), "-i", str(key)]
    done = subprocess.run(
        [*old_scp, "-o", f"UserKnownHostsFile={known}", "mine", "alice@127.0.0.1:x"],
        capture_output=True,
        cwd=sftp.work,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    assert not list(_home(sftp).iterdir())

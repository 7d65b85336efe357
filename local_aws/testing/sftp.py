"""A Transfer Family server with users, and Debian's own `sftp` to talk to it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncssh
import pytest

from local_aws import files
from local_aws.files import Owner
from local_aws.server import LocalAws
from local_aws.testing.ecs import Client, until
from local_aws.testing.faults import ask

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "transfer.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
    ],
}
ALL = ("ClientMount", "ClientWrite")
AWKWARD = ("with space", "ünïcödé-日本語", "quote'single", 'quote"double', "back\\slash", "star*[1]?", "-dash", "#hash")
needs_sftp = pytest.mark.skipif(
    shutil.which("sftp") is None, reason="there is no sftp on the PATH: install Debian's openssh-client"
)


def make_role(client: Client, name: str, *actions: str, trust: dict[str, Any] = TRUST) -> str:
    """A role that may do `actions` of EFS with every file system."""
    iam = client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    if actions:
        allowed = [f"elasticfilesystem:{each}" for each in actions]
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": allowed, "Resource": "*"}],
        }
        iam.put_role_policy(RoleName=name, PolicyName="files", PolicyDocument=json.dumps(document))
    return str(arn)


def make_key(folder: Path, name: str, kind: str = "ssh-ed25519", **more: Any) -> Path:
    """A key pair in OpenSSH's format: the private key's path; the public one is beside it, `.pub`."""
    key = asyncssh.generate_private_key(kind, **more)
    path = folder / name
    key.write_private_key(path)
    path.chmod(0o600)
    key.write_public_key(path.with_suffix(".pub"))
    return path


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def public(key: Path) -> str:
    return key.with_suffix(".pub").read_text()


@dataclass(frozen=True)
class Sftp:
    """A server of Domain EFS with one file system, whose root directory is `folder`."""

    aws: LocalAws
    transfer: Any
    server: str
    file_system: str
    folder: Path
    work: Path

    def address(self) -> dict[str, Any]:
        """Where it listens, once it does."""

        def listens() -> Any:
            found = ask(self.aws.endpoint, "/_local/transfer/servers")[self.server]
            return found if found["port"] else None

        return dict(until(listens))

    def run(self, batch: str, *, user: str, key: Path) -> subprocess.CompletedProcess[str]:
        """A batch of commands: a line that begins with `-` may fail; the first other that does ends it with 1."""
        return subprocess.run(
            self._command(user, key, "-b", "-"),
            input=batch,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self.work,
        )

    def break_upload(self, name: str, landed: Path, *, user: str, key: Path) -> int:
        """Kill a slow upload of the file `name` once more than 1 MiB is at `landed`. How many bytes are there then."""
        (self.work / "batch").write_text(f"put {name}\n")
        slow = subprocess.Popen(
            self._command(user, key, "-l", "40000", "-b", "batch"),
            cwd=self.work,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: landed.exists() and landed.stat().st_size > 2**20)
        slow.send_signal(signal.SIGKILL)
        slow.wait()
        return landed.stat().st_size

    def _command(self, user: str, key: Path, *more: str) -> list[str]:
        found = self.address()
        known = self.work / "known_hosts"
        known.write_text("".join(f"[127.0.0.1]:{found['port']} {each}\n" for each in found["host_keys"]))
        program = shutil.which("sftp")
        if program is None:
            pytest.skip("there is no sftp on the PATH: install Debian's openssh-client")
        options = [
            "IdentitiesOnly=yes",
            "BatchMode=yes",
            f"UserKnownHostsFile={known}",
            "GlobalKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=yes",
            "ConnectTimeout=10",
        ]
        command = [program, "-F", "/dev/null", *more, "-P", str(found["port"]), "-i", str(key)]
        for each in options:
            command += ["-o", each]
        return [*command, f"{user}@127.0.0.1"]

    def add(self, name: str, role: str, key: Path, target: str, *, uid: int = 1001, **more: Any) -> None:
        """A user with a logical home at `target` of the file system."""
        request = {
            "HomeDirectoryType": "LOGICAL",
            "HomeDirectoryMappings": [{"Entry": "/", "Target": f"/{self.file_system}{target}"}],
            "PosixProfile": {"Uid": uid, "Gid": uid},
            **more,
        }
        self.transfer.create_user(
            ServerId=self.server, UserName=name, Role=role, SshPublicKeyBody=public(key), **request
        )


@pytest.fixture
def folders(files_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process looks at the same folders and owners as the server."""
    monkeypatch.setenv("LOCAL_AWS_FILES", str(files_root))


@pytest.fixture(scope="module")
def role(client: Client) -> str:
    return make_role(client, f"sftp-all-{uuid4().hex[:8]}", *ALL)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("key"), "alice")


@pytest.fixture
def sftp(aws: LocalAws, client: Client, folders: None, tmp_path: Path, role: str, key: Path) -> Iterator[Sftp]:
    """A server with the user alice (1001), whose home is /drop/alice, and a folder of somebody else's beside it."""
    log_group = f"/sftp/{uuid4().hex[:8]}"
    client("logs").create_log_group(logGroupName=log_group)
    system = client("efs").create_file_system(CreationToken=uuid4().hex)["FileSystemId"]
    base = files.folder(system)
    make_folder(base / "drop", Owner(0, 0, 0o755))
    make_folder(base / "drop" / "alice", Owner(1001, 1001, 0o750))
    make_folder(base / "drop" / "bob", Owner(1002, 1002, 0o755))
    (base / "drop" / "bob" / "secret").write_text("bob's")
    transfer = client("transfer")
    server = transfer.create_server(
        Domain="EFS",
        SecurityPolicyName="TransferSecurityPolicy-2025-03",
        StructuredLogDestinations=[f"arn:aws:logs:eu-west-1:123456789012:log-group:{log_group}:*"],
        PreAuthenticationLoginBanner="For deliveries only.\n",
    )["ServerId"]
    made = Sftp(aws, transfer, server, system, base, tmp_path)
    made.add("alice", role, key, "/drop/alice")
    yield made
    with contextlib.suppress(transfer.exceptions.ResourceNotFoundException):
        transfer.delete_server(ServerId=server)


def make_folder(path: Path, owner: Owner) -> Path:
    """A folder that stands for one of EFS, whose owner is told to the server."""
    path.mkdir()
    files.own(path, owner)
    return path

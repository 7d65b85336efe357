"""The host keys of the endpoint: kept in Secrets Manager, so that a new server shows the same ones.

There are two, for every client that can be met: ED25519, and RSA for old ones. The secret is made in one call with both
in it, and never written again. The private keys are in this process's memory only, and go to AWS in the body of a
request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncssh

from contract import names
from contract.outputs import Data
from scripts import aws
from scripts.changes import Changes
from scripts.errors import Refused
from scripts.ingest.sftp.context import SftpContext

RSA_BITS = 3072


@dataclass(frozen=True)
class HostKeys:
    """Its `repr` shows no private key."""

    keys: tuple[asyncssh.SSHKey, ...]

    def __repr__(self) -> str:
        return f"HostKeys({', '.join(self.fingerprints)})"

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """As OpenSSH prints them."""
        return tuple(key.get_fingerprint() for key in self.keys)

    @property
    def public_lines(self) -> tuple[str, ...]:
        """`<type> <base64>`, as in a file known_hosts after the host's name."""
        return tuple(" ".join(key.export_public_key().decode().split()[:2]) for key in self.keys)

    def private(self, index: int) -> str:
        """The private key, for AWS alone, in the form that Transfer Family asks for (API reference, CreateServer).

        That is OpenSSH's own for ED25519, and PEM for the others, as `ssh-keygen -m PEM` writes it.
        """
        key = self.keys[index]
        form = "openssh" if key.get_algorithm() == "ssh-ed25519" else "pkcs1-pem"
        return str(key.export_private_key(form).decode())


def secret_name(context: SftpContext) -> str:
    """Of the secret that holds them."""
    return names.physical("secret", context.deployment.workspace.name, "sftp-host-keys")


def _about(context: SftpContext) -> Mapping[str, Any] | None:
    """DescribeSecret's answer; None if there is no such secret. One that waits for its deletion has a `DeletedDate`."""
    client, name = context.deployment.client("secretsmanager"), secret_name(context)
    found: Mapping[str, Any] | None = aws.read(
        lambda: client.describe_secret(SecretId=name), "ResourceNotFoundException"
    )
    return found


def read(context: SftpContext) -> HostKeys | None:
    """The keys that are kept; None if there are none, or they wait for their deletion.

    Raises:
        Refused: the secret holds something else.
    """
    client = context.deployment.client("secretsmanager")
    about = _about(context)
    if about is None or about.get("DeletedDate"):
        return None
    text = client.get_secret_value(SecretId=secret_name(context))["SecretString"]
    try:
        kept = json.loads(text)
        return HostKeys(tuple(asyncssh.import_private_key(kept[kind]) for kind in ("ed25519", "rsa")))
    except (ValueError, KeyError, TypeError, asyncssh.KeyImportError):
        raise Refused(
            f"the secret {secret_name(context)} does not hold host keys that this program wrote; restore its previous "
            "version (`aws secretsmanager list-secret-version-ids`)."
        ) from None


def ensure_secret(context: SftpContext, changes: Changes) -> HostKeys | None:
    """The keys that are kept, made if there are none; None in a dry run that would make them."""
    client, name = context.deployment.client("secretsmanager"), secret_name(context)
    about = _about(context)
    if about and about.get("DeletedDate"):
        changes.do(f"secret {name}: restored from its scheduled deletion", lambda: client.restore_secret(SecretId=name))
        return None if changes.dry_run else read(context)
    if about is None:
        changes.do(f"secret {name}: created, with new host keys", lambda: _make(context, client, name))
        return None if changes.dry_run else read(context)
    return read(context)


def _make(context: SftpContext, client: Any, name: str) -> None:
    made = {
        "ed25519": asyncssh.generate_private_key("ssh-ed25519"),
        "rsa": asyncssh.generate_private_key("ssh-rsa", key_size=RSA_BITS),
    }
    client.create_secret(
        Name=name,
        Description="Host keys of the SFTP endpoint: without them, every sender's client warns of a changed host key",
        KmsKeyId=context.deployment.parameter(Data.key_arn),
        SecretString=json.dumps({kind: key.export_private_key().decode() for kind, key in made.items()}),
        Tags=aws.tag_list(context.tags),
    )


def ensure_on_server(context: SftpContext, server_id: str, keys: HostKeys, changes: Changes) -> None:
    """Have the server show these keys and no other.

    It shows the oldest of each type (Transfer Family user guide, "Manage host keys"), so another one goes once ours
    are there.
    """
    rows = context.transfer.list_host_keys(ServerId=server_id)["HostKeys"]
    there = {row["Fingerprint"].rstrip("="): row for row in rows}  # which DescribeServer pads, and OpenSSH does not
    for index, fingerprint in enumerate(keys.fingerprints):
        if fingerprint not in there:
            kind = keys.keys[index].get_algorithm()
            changes.do(
                f"server {server_id}: host key {kind} {fingerprint} imported",
                lambda index=index: context.transfer.import_host_key(  # type: ignore[misc]
                    ServerId=server_id, HostKeyBody=keys.private(index), Description="In Secrets Manager"
                ),
            )
    for fingerprint, row in there.items():
        if fingerprint not in keys.fingerprints:
            changes.do(
                f"server {server_id}: foreign host key {row['Type']} {fingerprint} removed",
                lambda row=row: context.transfer.delete_host_key(  # type: ignore[misc]
                    ServerId=server_id, HostKeyId=row["HostKeyId"]
                ),
            )


def forget(context: SftpContext, changes: Changes) -> None:
    """Have Secrets Manager delete the keys, after the days in which they can be taken back."""
    client, name = context.deployment.client("secretsmanager"), secret_name(context)
    about = _about(context)
    if about and not about.get("DeletedDate"):
        changes.do(f"secret {name}: scheduled for deletion in 30 days", lambda: client.delete_secret(SecretId=name))

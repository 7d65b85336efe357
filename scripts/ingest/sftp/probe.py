"""Deliver a file for real, and take it away again: does a sender get in, is the host ours, how fast is it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import asyncssh

from scripts.errors import Failed, Refused
from scripts.ingest.sftp.host_keys import HostKeys

CONNECT_SECONDS = 20
MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where and as whom. `passphrase` opens the private key in the file `key`."""

    host: str
    port: int
    user: str
    key: Path
    host_keys: HostKeys
    passphrase: str | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """Seconds, and MiB/s; None for a user who may only read."""

    host: str
    user: str
    connect_seconds: float
    upload_mib_s: float | None = None
    download_mib_s: float | None = None
    mib: int | None = None

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def run(target: Target, *, mib: int, read_only: bool) -> Result:
    """Connect, upload `mib` MiB under a random name, read them back, compare, remove them.

    Raises:
        Refused: the private key cannot be used.
        Failed: the host shows another key, lets the user not in, or what came back differs.
    """
    key = _private_key(target)
    try:
        return asyncio.run(_run(target, key, mib=mib, read_only=read_only))
    except asyncssh.HostKeyNotVerifiable:
        raise Failed(
            f"{target.host} shows a host key that is not in Secrets Manager; if that is your endpoint's name, run "
            "`ensure`, which restores it; if not, send nothing, because somebody may be intercepting the "
            "connection."
        ) from None
    except asyncssh.PermissionDenied:
        raise Failed(
            f"{target.host} refused {target.user} with the key {target.key}; run `user show {target.user}` to see the "
            "user's keys."
        ) from None
    except asyncssh.SFTPError as error:
        raise Failed(
            f"{target.user} logged in, but the session failed: {error.reason}; see the server's log group."
        ) from None
    except (OSError, TimeoutError, asyncssh.Error) as error:
        why = "it took too long" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        raise Failed(
            f"{target.host}, port {target.port}, cannot be reached ({why}); run `status` to see whether the server is "
            "online, and check that sftp.cidrs contains this machine's address."
        ) from None


def _private_key(target: Target) -> asyncssh.SSHKey:
    try:
        return asyncssh.read_private_key(target.key, target.passphrase)
    except OSError as error:
        raise Refused(f"the key file {target.key} cannot be read: {error.strerror}; give a private key.") from None
    except asyncssh.KeyEncryptionError as error:
        if "bcrypt" in str(error):
            raise Refused(
                f"{target.key} has a passphrase, and opening it needs the Python package bcrypt; run `make setup`, or "
                "test with a temporary key that has none."
            ) from None
        raise Refused(f"the passphrase of {target.key} is wrong; try again.") from None
    except (asyncssh.KeyImportError, ValueError):
        if target.passphrase is not None:
            raise Refused(f"the passphrase of {target.key} is wrong; try again.") from None
        raise Refused(
            f"{target.key} does not contain a private key; give the one that belongs to the user's .pub file."
        ) from None


def is_encrypted(path: Path) -> bool:
    """Whether a private key needs a passphrase."""
    try:
        asyncssh.read_private_key(path)
    except asyncssh.KeyEncryptionError:
        return True
    except asyncssh.KeyImportError as error:
        return "passphrase" in str(error).lower()
    except (OSError, ValueError):
        return False
    return False


async def _run(target: Target, key: asyncssh.SSHKey, *, mib: int, read_only: bool) -> Result:
    begun = time.monotonic()
    connection = await asyncio.wait_for(
        asyncssh.connect(
            target.host,
            target.port,
            username=target.user,
            client_keys=[key],
            known_hosts=([key.convert_to_public() for key in target.host_keys.keys], [], []),
            agent_path=None,
            config=None,
        ),
        CONNECT_SECONDS,
    )
    result = Result(host=target.host, user=target.user, connect_seconds=round(time.monotonic() - begun, 2))
    async with connection, connection.start_sftp_client() as sftp:
        await sftp.listdir("/")
        if not read_only:
            result = await _deliver(sftp, result, mib)
    return result


async def _deliver(sftp: asyncssh.SFTPClient, result: Result, mib: int) -> Result:
    content, name = os.urandom(MIB) * mib, f"/.omero-sftp-test-{secrets.token_hex(8)}"
    try:
        begun = time.monotonic()
        async with sftp.open(name, "xb") as file:  # never over what is there
            await file.write(content)
        uploaded = time.monotonic()
        async with sftp.open(name, "rb") as file:
            came_back: Any = await file.read()
        downloaded = time.monotonic()
    finally:
        with contextlib.suppress(asyncssh.SFTPNoSuchFile):
            await sftp.remove(name)
    if came_back != content:
        raise Failed(
            f"the file downloaded from {result.host} differs from the uploaded one; run this again, and check the "
            "server's log group."
        )
    return Result(
        host=result.host,
        user=result.user,
        connect_seconds=result.connect_seconds,
        upload_mib_s=round(mib / (uploaded - begun), 1),
        download_mib_s=round(mib / (downloaded - uploaded), 1),
        mib=mib,
    )

"""Listening, and who may come in: public keys only, SFTP only.

One event loop, in a thread that ends with the process. Its callers wait for it; it never waits for the lock of moto's
state: whoever signs in is looked up in a thread of the loop's pool.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import asyncssh

from local_aws.services.transfer.logs import ERRORS
from local_aws.services.transfer.sftp.home import Home
from local_aws.services.transfer.sftp.session import SftpSession

HOST = "127.0.0.1"
_LOGIN_SECONDS = 60
_WAIT_SECONDS = 10  # of a caller for the loop
_BLOCKED = "root"  # whom Transfer Family never lets in

Result = TypeVar("Result")


@dataclass(frozen=True)
class SignIn:
    """A user as of the moment of signing in. `keys`: public keys in SSH's binary form."""

    user: str
    role: str
    keys: frozenset[bytes]
    home: Home


@dataclass(frozen=True)
class Config:
    """`log`: takes a stream and a message. `tell`: an event's kind and detail. `look_up`: blocks; None for a user that
    is not there."""

    arn: str
    host_keys: tuple[asyncssh.SSHKey, ...]
    algorithms: dict[str, list[str]]
    banner: str
    log: Callable[[str, dict[str, Any]], None]
    tell: Callable[[str, dict[str, Any]], None]
    look_up: Callable[[str], SignIn | None]


class Door(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.id = secrets.token_hex(8)
        self.sign_in: SignIn | None = None
        self.key: asyncssh.SSHKey | None = None
        self.is_in = False

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = conn
        conn.set_extra_info(door=self)
        self.listener.doors.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.listener.doors.discard(self)
        if self.is_in:
            # After what the session still has to say about its files.
            asyncio.get_running_loop().call_soon(self.log, "DISCONNECTED")

    def log(self, activity: str, **fields: Any) -> None:
        self.listener.config.log(self._stream(), {"activity-type": activity, **fields, **self._where()})

    def tell(self, what: str, began: float, *, failed: bool, **fields: Any) -> None:
        """Transfer Family user guide, "Transfer Family events detail reference"."""
        detail = {
            "status-code": "FAILED" if failed else "COMPLETED",
            "protocol": "SFTP",
            "client-ip": str(self.connection.get_extra_info("peername")[0]),
            "start-timestamp": _timestamp(began),
            "end-timestamp": _timestamp(time.time()),
            "server-id": self.listener.config.arn.rpartition("/")[2],
            "username": self.sign_in.user if self.sign_in else "",
            "session-id": self.id,
            **fields,
        }
        self.listener.config.tell(f"SFTP Server File {what} {'Failed' if failed else 'Completed'}", detail)

    def _stream(self) -> str:
        return f"{self.sign_in.user}.{self.id}" if self.sign_in else self.id

    def _where(self) -> dict[str, str]:
        return {"resource-arn": self.listener.config.arn, "session-id": self.id}

    async def begin_auth(self, username: str) -> bool:
        look_up = self.listener.config.look_up
        self.sign_in = await asyncio.get_running_loop().run_in_executor(None, look_up, username)
        if self.listener.config.banner:
            self.connection.send_auth_banner(self.listener.config.banner)
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        is_known = self.sign_in is not None and key.public_data in self.sign_in.keys and username != _BLOCKED
        if is_known:
            self.key = key
            return True
        kind = str(key.get_algorithm()).removeprefix("ssh-").partition("-")[0].upper()
        message = {
            "activity-type": "AUTH_FAILURE",
            "user": username,
            "method": "publickey",
            "message": f"{kind} {key.get_fingerprint()}",
            "source-ip": str(self.connection.get_extra_info("peername")[0]),
            **self._where(),
        }
        self.listener.config.log(ERRORS, message)
        return False

    def auth_completed(self) -> None:
        if self.sign_in is None or self.key is None:
            return  # it cannot be: no key is valid without
        self.is_in = True
        told = self.connection.get_extra_info
        self.log(
            "CONNECTED",
            role=self.sign_in.role,
            ciphers=f"{told('recv_cipher')},{told('send_cipher')}",
            client=str(told("client_version")),
            user=self.sign_in.user,
            **{
                "source-ip": str(told("peername")[0]),
                "home-dir": "/" if self.sign_in.home.is_logical else self.sign_in.home.landing,
                "ssh-public-key": self.key.export_public_key().decode().split()[1],
                "ssh-public-key-fingerprint": self.key.get_fingerprint(),
                "ssh-public-key-type": str(self.key.get_algorithm()),
            },
        )

    def sftp(self, channel: Any) -> SftpSession:
        if self.sign_in is None:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "Not signed in")
        return SftpSession(channel, self.sign_in.home, self.log, self.tell)


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _sftp(channel: Any) -> SftpSession:
    door: Door = channel.get_connection().get_extra_info("door")
    return door.sftp(channel)


class Listener:
    """The SFTP endpoint of one server."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.port = 0
        self.doors: set[Door] = set()
        self._acceptor: asyncssh.SSHAcceptor | None = None

    def start(self, port: int) -> None:
        """Listen on `port` (0: a free one). Raises OSError."""
        _call(self._start(port))

    async def _start(self, port: int) -> None:
        self._acceptor = await asyncssh.listen(
            HOST,
            port,
            config=None,
            server_factory=functools.partial(Door, self),
            sftp_factory=_sftp,
            sftp_version=3,
            allow_scp=False,
            allow_pty=False,
            x11_forwarding=False,
            agent_forwarding=False,
            gss_host=None,
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            server_version="AWS_SFTP_1.1",
            login_timeout=_LOGIN_SECONDS,
            **self._options(),
        )
        self.port = self._acceptor.get_port()

    def _options(self) -> dict[str, Any]:
        return {"server_host_keys": list(self.config.host_keys), **self.config.algorithms}

    def update(self, config: Config) -> None:
        """For the connections from now on."""
        _call(self._update(config))

    async def _update(self, config: Config) -> None:
        self.config = config
        if self._acceptor is not None:
            self._acceptor.update(**self._options())

    def stop(self) -> None:
        """Stop listening, and end every connection."""
        _call(self._stop())

    async def _stop(self) -> None:
        if self._acceptor is None:
            return
        self._acceptor.close()
        for door in list(self.doors):
            door.connection.abort()


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="sftp", daemon=True).start()
    return loop


def _call(coroutine: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run_coroutine_threadsafe(coroutine, _loop()).result(_WAIT_SECONDS)

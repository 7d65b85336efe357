"""What Transfer Family holds, for each account and region, and what its actions share."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncssh
from moto.core.exceptions import JsonRESTError
from moto.transfer.models import transfer_backends
from moto.utilities.tagging_service import TaggingService

Json = dict[str, Any]


@dataclass
class HostKey:
    id: str
    arn: str
    key: asyncssh.SSHKey
    description: str
    imported: datetime

    @property
    def type(self) -> str:
        """Such as ssh-rsa or ecdsa-sha2-nistp256."""
        return str(self.key.get_algorithm())


@dataclass
class User:
    """`shown` is what DescribeUser answers, but for the keys and tags."""

    shown: Json
    keys: dict[str, Json] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)  # key id: what the body says in base64


@dataclass
class Server:
    """`shown` is what DescribeServer answers, but for what changes by itself.

    `due`: when the present state ends (seconds since 1970); `next`: in which one. `port`: of 127.0.0.1, once it was
    online, and kept from then on. `endpoint_due`: when the VPC endpoint can be changed.
    """

    id: str
    arn: str
    shown: Json
    state: str = "STARTING"
    due: float | None = None
    next: str = "ONLINE"
    port: int | None = None
    endpoint_due: float = 0.0
    users: dict[str, User] = field(default_factory=dict)
    host_keys: dict[str, HostKey] = field(default_factory=dict)

    @property
    def is_efs(self) -> bool:
        return bool(self.shown["Domain"] == "EFS")

    def active_host_keys(self) -> list[HostKey]:
        """The oldest of each type: https://docs.aws.amazon.com/transfer/latest/userguide/edit-server-config.html"""
        active: dict[str, HostKey] = {}
        for key in self.host_keys.values():
            active.setdefault(key.type, key)
        return list(active.values())

    def move(self, state: str, seconds: float, following: str) -> None:
        self.state, self.next, self.due = state, following, time.time() + seconds


@dataclass
class State:
    servers: dict[str, Server] = field(default_factory=dict)
    tags: TaggingService = field(default_factory=lambda: TaggingService(key_name="Key", value_name="Value"))


def state_of(backend: Any) -> State:
    """The state that goes with moto's backend, and is reset with it."""
    if not hasattr(backend, "_local_state"):
        backend._local_state = State()
    return backend._local_state  # type: ignore[no-any-return]


def all_servers() -> list[tuple[Any, Server]]:
    """Every server of every account and region, with the backend it belongs to."""
    return [
        (backend, server)
        for regions in list(transfer_backends.values())
        for backend in list(regions.values())
        for server in list(state_of(backend).servers.values())
    ]


class Refusal(JsonRESTError):  # type: ignore[misc]
    """An error of the service's model. `members`: what it tells beside its message."""

    def __init__(self, code: str, message: str, *, status: int = 400, **members: str) -> None:
        super().__init__(code, message)
        self.code = status
        self.description = json.dumps({"__type": code, "Message": message, **members})


def invalid(message: str) -> Refusal:
    return Refusal("InvalidRequestException", message)


def missing(resource_type: str, resource: str) -> Refusal:
    message = f"Unknown {_WORDS[resource_type]}"
    return Refusal("ResourceNotFoundException", message, Resource=resource, ResourceType=resource_type)


def exists(resource_type: str, resource: str) -> Refusal:
    words = _WORDS[resource_type]
    message = f"{words[0].upper()}{words[1:]} already exists"
    return Refusal("ResourceExistsException", message, Resource=resource, ResourceType=resource_type)


_WORDS = {
    "Server": "server",
    "User": "user",
    "SshPublicKey": "SSH public key",
    "HostKey": "host key",
    "SecurityPolicy": "security policy",
}


def server_of(backend: Any, asked: Json) -> Server:
    """The server that a request names. Raises ResourceNotFoundException."""
    found = state_of(backend).servers.get(asked["ServerId"])
    if found is None:
        raise missing("Server", asked["ServerId"])
    return found


def user_of(backend: Any, asked: Json) -> tuple[Server, User]:
    """The user that a request names, and its server. Raises ResourceNotFoundException."""
    server = server_of(backend, asked)
    found = server.users.get(asked["UserName"])
    if found is None:
        raise missing("User", asked["UserName"])
    return server, found


def new_id(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(9)[:17]}"


def arn(backend: Any, rest: str) -> str:
    return f"arn:{backend.partition}:transfer:{backend.region_name}:{backend.account_id}:{rest}"


def page(things: list[Any], asked: Json, name: str) -> Json:
    """At most MaxResults (1,000) of them from NextToken on. Raises InvalidNextTokenException."""
    token = asked.get("NextToken")
    try:
        begin = int(base64.b64decode(token, validate=True)) if token else 0
    except (binascii.Error, ValueError):
        raise Refusal("InvalidNextTokenException", "The NextToken parameter that was passed is invalid.") from None
    end = begin + int(asked.get("MaxResults") or 1000)
    following = {"NextToken": base64.b64encode(str(end).encode()).decode()} if end < len(things) else {}
    return {name: things[begin:end], **following}

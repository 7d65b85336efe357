"""Host keys: up to 10 of a server, of which the oldest of each type is the one it shows.

https://docs.aws.amazon.com/transfer/latest/userguide/edit-server-config.html#configuring-servers-change-host-key
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import asyncssh

from local_aws.services.transfer import data_plane, keys
from local_aws.services.transfer.state import (
    HostKey,
    Json,
    Server,
    arn,
    exists,
    invalid,
    missing,
    new_id,
    page,
    server_of,
    state_of,
)

_MOST = 10  # host keys of a server


def made(backend: Any, server_id: str, key: asyncssh.SSHKey, description: str = "") -> HostKey:
    name = new_id("hostkey")
    return HostKey(name, arn(backend, f"host-key/{server_id}/{name}"), key, description, datetime.now(UTC))


def put_first(backend: Any, server: Server, key: asyncssh.SSHKey) -> None:
    """Have `key` be the one that DescribeServer tells, in place of the one that was; how AWS does it is not proved."""
    ours = made(backend, server.id, key)
    others = list(server.host_keys.values())[1:]
    server.host_keys = {each.id: each for each in (ours, *others)}


def import_host_key(backend: Any, asked: Json) -> Json:
    server = server_of(backend, asked)
    if asked.get("StorageType") == "SECRETS_MANAGER" or asked.get("KmsKey"):
        raise NotImplementedError("host keys in Secrets Manager")
    key = keys.private(asked["HostKeyBody"])
    if any(each.key.public_data == key.public_data for each in server.host_keys.values()):
        raise exists("HostKey", keys.fingerprint(key))
    if len(server.host_keys) >= _MOST:
        raise invalid(f"A server has at most {_MOST} host keys")
    added = made(backend, server.id, key, asked.get("Description") or "")
    server.host_keys[added.id] = added
    state_of(backend).tags.tag_resource(added.arn, asked.get("Tags") or [])
    data_plane.refresh(backend, server)
    return {"ServerId": server.id, "HostKeyId": added.id}


def _found(backend: Any, asked: Json) -> tuple[Server, HostKey]:
    server = server_of(backend, asked)
    key = server.host_keys.get(asked["HostKeyId"])
    if key is None:
        raise missing("HostKey", asked["HostKeyId"])
    return server, key


def _shown(key: HostKey) -> Json:
    return {
        "Arn": key.arn,
        "HostKeyId": key.id,
        "Description": key.description,
        "Type": key.type,
        "DateImported": key.imported,
        "StorageType": "SERVICE_MANAGED",
    }


def list_host_keys(backend: Any, asked: Json) -> Json:
    server = server_of(backend, asked)
    listed = [{**_shown(each), "Fingerprint": keys.fingerprint(each.key)} for each in server.host_keys.values()]
    return {"ServerId": server.id, **page(listed, asked, "HostKeys")}


def delete_host_key(backend: Any, asked: Json) -> None:
    server, key = _found(backend, asked)
    if len(server.host_keys) == 1:
        raise invalid("The last host key of a server cannot be deleted")
    del server.host_keys[key.id]
    state_of(backend).tags.delete_all_tags_for_resource(key.arn)
    data_plane.refresh(backend, server)

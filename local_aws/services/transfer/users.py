"""Users of a server and their public keys. https://docs.aws.amazon.com/transfer/latest/userguide/API_CreateUser.html"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from local_aws.services.transfer import keys
from local_aws.services.transfer.state import (
    Json,
    Server,
    User,
    arn,
    exists,
    invalid,
    missing,
    new_id,
    page,
    server_of,
    state_of,
    user_of,
)

# https://docs.aws.amazon.com/general/latest/gr/transfer-service.html
_MOST_USERS = 10_000  # of a server
_MOST_KEYS = 10  # of a user
_MOST_MAPPINGS = 2_000  # of a service-managed user, see "Rules for using logical directories"

_SETTABLE = ("HomeDirectory", "HomeDirectoryType", "HomeDirectoryMappings", "Policy", "PosixProfile", "Role")


def create_user(backend: Any, asked: Json) -> Json:
    server, name = server_of(backend, asked), asked["UserName"]
    if name in server.users:
        raise exists("User", name)
    if len(server.users) >= _MOST_USERS:
        raise invalid(f"A server has at most {_MOST_USERS} users")
    user = User(
        {
            "Arn": arn(backend, f"user/{server.id}/{name}"),
            "UserName": name,
            "HomeDirectoryType": "PATH",
            **{each: asked[each] for each in _SETTABLE if asked.get(each) is not None},
        }
    )
    _check(server, user.shown)
    if asked.get("SshPublicKeyBody"):
        _add_key(user, asked["SshPublicKeyBody"])
    server.users[name] = user
    state_of(backend).tags.tag_resource(user.shown["Arn"], asked.get("Tags") or [])
    return {"ServerId": server.id, "UserName": name}


def update_user(backend: Any, asked: Json) -> Json:
    server, user = user_of(backend, asked)
    changed = {**user.shown, **{each: asked[each] for each in _SETTABLE if asked.get(each) is not None}}
    if asked.get("HomeDirectoryType") == "PATH" and not asked.get("HomeDirectoryMappings"):
        changed.pop("HomeDirectoryMappings", None)
    _check(server, changed)
    user.shown = changed
    return {"ServerId": server.id, "UserName": asked["UserName"]}


def _check(server: Server, user: Json) -> None:
    if server.is_efs and not user.get("PosixProfile"):
        raise invalid("PosixProfile is required for users of a server with Domain EFS")
    mappings = user.get("HomeDirectoryMappings") or []
    if user["HomeDirectoryType"] == "PATH" and mappings:
        raise invalid("HomeDirectoryMappings can only be set when HomeDirectoryType is LOGICAL")
    if user["HomeDirectoryType"] == "LOGICAL" and not mappings:
        raise invalid("HomeDirectoryMappings is required when HomeDirectoryType is LOGICAL")
    if len(mappings) > _MOST_MAPPINGS:
        raise invalid(f"A user has at most {_MOST_MAPPINGS} HomeDirectoryMappings")
    _check_mappings(mappings)


def _check_mappings(mappings: list[Json]) -> None:
    entries = sorted(each["Entry"].rstrip("/") + "/" for each in mappings)
    for before, after in itertools.pairwise(entries):
        if after.startswith(before):
            raise invalid(f"Overlapping HomeDirectoryMappings: {before} and {after}")
    for each in mappings:
        if each["Target"] != "/" and each["Target"].endswith("/"):
            raise invalid(f"A Target of HomeDirectoryMappings must not end with a slash: {each['Target']}")


def describe_user(backend: Any, asked: Json) -> Json:
    server, user = user_of(backend, asked)
    described = {
        **user.shown,
        "SshPublicKeys": list(user.keys.values()),
        "Tags": state_of(backend).tags.list_tags_for_resource(user.shown["Arn"])["Tags"],
    }
    return {"ServerId": server.id, "User": described}


def list_users(backend: Any, asked: Json) -> Json:
    server = server_of(backend, asked)
    fields = ("Arn", "HomeDirectory", "HomeDirectoryType", "Role", "UserName")
    listed = [
        {
            **{name: user.shown[name] for name in fields if name in user.shown},
            "SshPublicKeyCount": len(user.keys),
        }
        for _, user in sorted(server.users.items())
    ]
    return {"ServerId": server.id, **page(listed, asked, "Users")}


def delete_user(backend: Any, asked: Json) -> None:
    server, user = user_of(backend, asked)
    del server.users[asked["UserName"]]
    state_of(backend).tags.delete_all_tags_for_resource(user.shown["Arn"])


def import_ssh_public_key(backend: Any, asked: Json) -> Json:
    server, user = user_of(backend, asked)
    added = _add_key(user, asked["SshPublicKeyBody"])
    return {"ServerId": server.id, "SshPublicKeyId": added, "UserName": asked["UserName"]}


def _add_key(user: User, body: str) -> str:
    blob = keys.public(body).public_data
    if blob in user.blobs.values():
        raise exists("SshPublicKey", user.shown["UserName"])
    if len(user.keys) >= _MOST_KEYS:
        raise invalid(f"A user has at most {_MOST_KEYS} SSH public keys")
    name = new_id("key")
    user.keys[name] = {
        "DateImported": datetime.now(UTC),
        "SshPublicKeyBody": body.strip(),
        "SshPublicKeyId": name,
    }
    user.blobs[name] = blob
    return name


def delete_ssh_public_key(backend: Any, asked: Json) -> None:
    _, user = user_of(backend, asked)
    if asked["SshPublicKeyId"] not in user.keys:
        raise missing("SshPublicKey", asked["SshPublicKeyId"])
    del user.keys[asked["SshPublicKeyId"]], user.blobs[asked["SshPublicKeyId"]]

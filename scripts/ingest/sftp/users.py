"""Users of the server: each has one folder of the drop area as `/`, and sees nothing else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from contract import omero
from scripts import aws
from scripts.changes import Changes
from scripts.errors import Refused
from scripts.ingest.sftp import folders, keys
from scripts.ingest.sftp.context import SftpContext, missing_is_none
from scripts.ingest.sftp.folders import Folder
from scripts.ingest.sftp.keys import PublicKey

# As in the API's model of CreateUser.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_@.-]{2,99}")
# Created, but not logged in (Transfer Family user guide, "Managing users for server endpoints").
BLOCKED = "root"
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")
MOST_UID = 2**32 - 2
# Senders' own uids are from here to twice as many: above all that systems give to people and programs.
FIRST_OWN_UID = 2**30
MOST_HOME = 500
MOST_KEYS = 10


@dataclass(frozen=True, kw_only=True)
class User:
    """As somebody wants it. `home` is below the drop area.

    A `uid` that nobody has asked for gives way to that of a folder that is there already.
    """

    name: str
    home: str
    uid: int
    uid_is_asked_for: bool = False
    read_only: bool = False
    keys: tuple[PublicKey, ...] = field(default=())

    @property
    def folder(self) -> Folder:
        """The user's folder."""
        return Folder(self.home, self.uid)

    @property
    def gid(self) -> int:
        """The group of a session. Whose uid is not OMERO.server's is not in its group either: that group may read what
        every sender has delivered."""
        return omero.GID if self.uid == omero.UID else self.uid


def own_uid(home: str) -> int:
    """The uid of whoever delivers into a folder: the same for all who share it, and another for every other folder,
    but for a chance of one in 2,000 that two of 1,000 meet; those then have the logical home as their only wall."""
    digest = hashlib.sha256(home.encode()).digest()
    return FIRST_OWN_UID + int.from_bytes(digest[:8], "big") % FIRST_OWN_UID


def requested(
    context: SftpContext,
    name: str,
    key: PublicKey,
    *,
    home: str | None = None,
    uid: int | None = None,
    read_only: bool = False,
) -> User:
    """A user as asked for; without a uid, with the one that the workspace's `sftp.uids` says.

    Raises:
        Refused: name, home or uid cannot be.
    """
    if not NAME.fullmatch(name):
        raise Refused(
            f"the user name {name!r} is not allowed; give 3 to 100 letters, digits and _ - . @, beginning with a "
            "letter, a digit or _."
        )
    if name == BLOCKED:
        raise Refused(
            f"the user name {name} is not allowed: Transfer Family refuses it at login, because password scanners try "
            "it; give another name."
        )
    if uid is not None and not 1 <= uid <= MOST_UID:
        raise Refused(f"the uid {uid} is not allowed; give 1 to {MOST_UID} (0 is root), or remove it for the default.")
    folder = _home(context, name if home is None else home)
    default = own_uid(folder) if context.settings.uids == "own" else omero.UID
    return User(
        name=name,
        home=folder,
        uid=default if uid is None else uid,
        uid_is_asked_for=uid is not None,
        read_only=read_only,
        keys=(key,),
    )


def _home(context: SftpContext, home: str) -> str:
    """Relative to the drop area; may be given as the whole path of it too."""
    area = context.settings.folder
    relative = home.removeprefix(f"{area}/").removesuffix("/")
    parts = relative.split("/")
    if len(relative) > MOST_HOME or not all(PART.fullmatch(part) for part in parts):
        raise Refused(
            f"the home {home!r} is not in the drop area; give folders of letters, digits and _ - . @ under {area}, "
            "for instance scanner-1 or lab/alice."
        )
    return relative


def describe(context: SftpContext, server_id: str, name: str) -> dict[str, Any] | None:
    """DescribeUser's answer; None if there is no such user."""
    if not NAME.fullmatch(name):
        return None
    user: dict[str, Any] | None = missing_is_none(
        lambda: context.transfer.describe_user(ServerId=server_id, UserName=name)["User"]
    )
    return user


def known(context: SftpContext, server_id: str, name: str) -> dict[str, Any]:
    """DescribeUser's answer.

    Raises:
        Refused: there is no such user.
    """
    user = describe(context, server_id, name)
    if user is None:
        raise Refused(f"user {name} does not exist; `{context.command} user list` shows the users.")
    return user


def rows(context: SftpContext, server_id: str) -> Iterator[dict[str, Any]]:
    """ListUsers' answer, all of it."""
    return aws.rows(context.transfer, "list_users", "Users", ServerId=server_id)


def shown(context: SftpContext, user: dict[str, Any]) -> dict[str, Any]:
    """A described user as data for JSON."""
    target = user["HomeDirectoryMappings"][0]["Target"] if user.get("HomeDirectoryMappings") else ""
    profile = user.get("PosixProfile", {})
    return {
        "name": user["UserName"],
        "home": target.removeprefix(f"/{context.file_system_id}"),
        "uid": profile.get("Uid"),
        "gid": profile.get("Gid"),
        "read_only": is_read_only(context, user),
        "keys": [key_shown(row) for row in user.get("SshPublicKeys", [])],
    }


def key_shown(row: dict[str, Any]) -> dict[str, Any]:
    """A key of a described user as data for JSON."""
    key = keys.parse(row["SshPublicKeyBody"], row["SshPublicKeyId"])
    imported = row["DateImported"].isoformat()
    return {
        "id": row["SshPublicKeyId"],
        "type": key.type,
        "fingerprint": key.fingerprint,
        "imported": imported,
        "body": key.body,
    }


def is_read_only(context: SftpContext, row: dict[str, Any]) -> bool:
    """Of a listed or described user."""
    return bool(row.get("Role", "").endswith(f"/{context.role_name(read_only=True)}"))


def add(context: SftpContext, server_id: str, users: Sequence[User], changes: Changes) -> int:
    """Add those that are not there: folder first, then the user with the key. Gives their number.

    Raises:
        Refused: one is there and is another; nothing was changed.
    """
    there = {row["UserName"] for row in rows(context, server_id)}
    new = [user for user in users if user.name not in there]
    faults = [fault for user in users if user.name in there and (fault := _difference(context, server_id, user))]
    if faults:
        raise Refused("\n".join(faults))
    if new:
        found = folders.look(context, [user.folder for user in new])
        new = [_as_the_folder(user, row) for user, row in zip(new, found, strict=True)]
        missing = folders.missing(context, [user.folder for user in new], found)
        if missing:
            several = len(missing) > 1
            what = f"{len(missing)} folders" if several else f"folder {context.settings.folder}/{missing[0].path}"
            changes.do(f"{what}: made", lambda: folders.make(context, missing))
    for user in new:
        _add(context, server_id, user, changes)
    return len(new)


def _as_the_folder(user: User, row: dict[str, Any]) -> User:
    foreign = row["state"] == "foreign" and not user.uid_is_asked_for
    return replace(user, uid=row["uid"]) if foreign else user


def _add(context: SftpContext, server_id: str, user: User, changes: Changes) -> None:
    changes.do(f"user {user.name}: added, {_about(context, user)}", lambda: _create(context, server_id, user))


def _about(context: SftpContext, user: User) -> str:
    access = "read only" if user.read_only else "may write"
    return f"home {context.settings.folder}/{user.home}, uid {user.uid}, {access}, key {user.keys[0].fingerprint}"


def _create(context: SftpContext, server_id: str, user: User) -> None:
    try:
        context.transfer.create_user(
            ServerId=server_id,
            UserName=user.name,
            SshPublicKeyBody=user.keys[0].body,
            Tags=aws.tag_list(context.deployment.tags),
            **_as_asked(context, user),
        )
    except ClientError as error:
        # The client asked a second time, after an answer that was lost.
        if aws.code_of(error) != "ResourceExistsException" or _difference(context, server_id, user):
            raise


def _as_asked(context: SftpContext, user: User) -> dict[str, Any]:
    target = f"/{context.file_system_id}{context.settings.folder}/{user.home}"
    return {
        "Role": context.role_arn(read_only=user.read_only),
        "HomeDirectoryType": "LOGICAL",
        "HomeDirectoryMappings": [{"Entry": "/", "Target": target}],
        "PosixProfile": {"Uid": user.uid, "Gid": user.gid},
    }


def _difference(context: SftpContext, server_id: str, user: User) -> str | None:
    """Why a user that is there is not the one that is asked for; None if it is."""
    found = describe(context, server_id, user.name)
    if found is None:
        return None
    asked = _as_asked(context, user)
    mappings = [{key: row[key] for key in ("Entry", "Target")} for row in found.get("HomeDirectoryMappings", [])]
    about = shown(context, found)
    # The group of a user that is there stays: earlier versions gave everyone OMERO.server's.
    if about["uid"] == user.uid or not user.uid_is_asked_for:
        asked.pop("PosixProfile")
    same = {**found, "HomeDirectoryMappings": mappings}
    if any(same.get(key) != value for key, value in asked.items()):
        access = "read only" if about["read_only"] else "may write"
        return (
            f"user {user.name} already exists, with the home {about['home']}, uid {about['uid']}, {access}; choose "
            f"another name, or run `{context.command} user remove {user.name}` first (the files stay)."
        )
    if user.keys[0].fingerprint not in [key["fingerprint"] for key in about["keys"]]:
        return (
            f"user {user.name} already exists, with another key; run `{context.command} user key add {user.name} "
            "--key FILE` to add this one."
        )
    return None


def add_key(context: SftpContext, server_id: str, name: str, key: PublicKey, changes: Changes) -> None:
    """One more key, unless the user has it.

    Raises:
        Refused: there is no such user, or it has ten keys.
    """
    about = shown(context, known(context, server_id, name))
    if key.fingerprint in [row["fingerprint"] for row in about["keys"]]:
        return
    if len(about["keys"]) >= MOST_KEYS:
        raise Refused(f"user {name} has {MOST_KEYS} keys, the maximum that AWS allows; remove one first.")
    changes.do(
        f"user {name}: key {key.type} {key.fingerprint} added",
        lambda: context.transfer.import_ssh_public_key(ServerId=server_id, UserName=name, SshPublicKeyBody=key.body),
    )


def remove_key(context: SftpContext, server_id: str, name: str, changes: Changes, *, key: str) -> None:
    """Take a key away, by its id or fingerprint.

    Raises:
        Refused: there is no such user, or it has no such key.
    """
    about = shown(context, known(context, server_id, name))
    found = [row for row in about["keys"] if key in (row["id"], row["fingerprint"])]
    if not found:
        has = ", ".join(f"{row['id']} ({row['fingerprint']})" for row in about["keys"]) or "none"
        raise Refused(f"user {name} has no key {key}; give one of {has}.")
    last = "; it was the last one, so nobody can log in as this user now" if len(about["keys"]) == 1 else ""
    changes.do(
        f"user {name}: key {found[0]['fingerprint']} removed{last}",
        lambda: context.transfer.delete_ssh_public_key(
            ServerId=server_id, UserName=name, SshPublicKeyId=found[0]["id"]
        ),
    )


def remove(context: SftpContext, server_id: str, name: str, changes: Changes) -> None:
    """Take a user away, with its keys; the files stay.

    Raises:
        Refused: there is no such user.
    """
    home = shown(context, known(context, server_id, name))["home"]
    changes.do(
        f"user {name}: removed; the files in {home} stay",
        lambda: missing_is_none(lambda: context.transfer.delete_user(ServerId=server_id, UserName=name)),
    )

"""Users and groups of users (RBAC), and what AWS refuses for them.

https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html and auth-iam.html beside it. moto has users
alone, which belong to no group and take any combination. All is there at once, as it is here for a group of subnets.
The words are ours, but for those about IAM's names and the user `default`, which terraform-aws-modules/
terraform-aws-elasticache issue 65 and terraform-provider-aws issue 25593 quote.
"""

from __future__ import annotations

import re
from typing import Any

from local_aws.actions import Action
from local_aws.services.elasticache.state import Json, arn, error, find, several, shown, state_of

_USERS = ("UserNotFound", "User")
_GROUPS = ("UserGroupNotFound", "User group")
_NAME = re.compile(r"[a-z](?!.*--)[a-z0-9-]{0,39}(?<!-)", re.IGNORECASE)
_COMBINATION, _VALUE = "InvalidParameterCombination", "InvalidParameterValue"
_ENGINES = ("redis", "valkey")


def _engine(asked: Json) -> str:
    engine = str(asked["Engine"]).lower()
    if engine not in _ENGINES:
        raise error(_VALUE, f"{asked['Engine']} is not a valid engine: valkey and redis are.")
    return engine


def _id(name: str, what: str) -> str:
    if not _NAME.fullmatch(name):
        raise error(_VALUE, f"{what} ID {name} is not valid.")
    return name.lower()


def _authentication(asked: Json) -> Json:
    """What a user authenticates by. Raises for none, or two of them."""
    mode = asked.get("AuthenticationMode") or {}
    passwords = mode.get("Passwords") or asked.get("Passwords") or []
    kind = mode.get("Type") or ("password" if passwords else "no-password-required")
    if kind == "no-password-required" and not (mode or asked.get("NoPasswordRequired")):
        raise error(_COMBINATION, "A user needs a password, IAM, or no password required.")
    if (kind == "password") != bool(passwords) or (asked.get("NoPasswordRequired") and kind != "no-password-required"):
        raise error(_COMBINATION, f"Passwords do not go with the authentication type {kind}.")
    return {"Type": kind.removesuffix("-required"), "PasswordCount": len(passwords)}


def _access(text: str) -> str:
    """Raises for what an access string may not have: passwords are given otherwise."""
    if any(word == "reset" or word[0] in "><#!" or word in ("nopass", "resetpass") for word in text.split()):
        raise error(_VALUE, f"The access string {text} is not valid.")
    return text


def create_user(backend: Any, asked: Json) -> Json:
    users, engine = state_of(backend).users, _engine(asked)
    name = _id(asked["UserId"], "The user")
    if name in users:
        raise error("UserAlreadyExists", f"User {name} already exists.")
    authentication = _authentication(asked)
    if authentication["Type"] == "iam" and asked["UserName"] != asked["UserId"]:
        raise error(_COMBINATION, "User Id and User name must be same for authentication type: iam")
    if engine == "valkey" and authentication["Type"] == "no-password":
        raise error(_COMBINATION, "A user of the engine valkey needs a password or IAM.")
    users[name] = {
        "UserId": name,
        "UserName": asked["UserName"],
        "Status": "active",
        "Engine": engine,
        "MinimumEngineVersion": "7.2" if engine == "valkey" else "6.0",
        "AccessString": _access(asked["AccessString"]),
        "Authentication": authentication,
        "ARN": arn(backend, "user", name),
    }
    backend.tagging_service.tag_resource(users[name]["ARN"], asked.get("Tags") or [])
    return _user(backend, users[name])


def _user(backend: Any, user: Json) -> Json:
    groups = state_of(backend).user_groups.items()
    return {**user, "UserGroupIds": [name for name, group in groups if user["UserId"] in group["UserIds"]]}


def modify_user(backend: Any, asked: Json) -> Json:
    user = find(state_of(backend).users, asked["UserId"], *_USERS)
    if asked.get("AppendAccessString"):
        raise NotImplementedError("what is appended to an access string")
    if asked.get("AuthenticationMode") or asked.get("Passwords") or asked.get("NoPasswordRequired"):
        user["Authentication"] = _authentication(asked)
    if asked.get("AccessString"):
        user["AccessString"] = _access(asked["AccessString"])
    return _user(backend, user)


def describe_users(backend: Any, asked: Json) -> Json:
    found = several(state_of(backend).users, asked.get("UserId"), *_USERS)
    return {"Users": [_user(backend, each) for each in found]}


def delete_user(backend: Any, asked: Json) -> Json:
    """It is removed from all groups, as the API reference says."""
    state = state_of(backend)
    user = find(state.users, asked["UserId"], *_USERS)
    if any(
        user["UserId"] in group["UserIds"] and user["UserName"] == "default" for group in state.user_groups.values()
    ):
        raise error("DefaultUserAssociatedToUserGroup", "The user default cannot be deleted from a group.")
    described = _user(backend, user)
    for group in state.user_groups.values():
        group["UserIds"] = [each for each in group["UserIds"] if each != user["UserId"]]
    del state.users[user["UserId"]]
    backend.tagging_service.delete_all_tags_for_resource(user["ARN"])
    return {**described, "Status": "deleting"}


def _members(backend: Any, engine: str, ids: list[str]) -> list[str]:
    """Raises for users that a group cannot have together."""
    users = [find(state_of(backend).users, each, *_USERS) for each in ids]
    names = [user["UserName"] for user in users]
    if len(set(names)) != len(names):
        raise error("DuplicateUserName", "A user group may have one user of a name.")
    if engine == "redis" and "default" not in names:
        raise error("DefaultUserRequired", "User group needs to contain a user with the user name default.")
    if engine == "valkey" and any(user["Authentication"]["Type"] == "no-password" for user in users):
        raise error(_COMBINATION, "A group of the engine valkey takes users with a password or IAM alone.")
    return [user["UserId"] for user in users]


def create_user_group(backend: Any, asked: Json) -> Json:
    groups, engine = state_of(backend).user_groups, _engine(asked)
    name = _id(asked["UserGroupId"], "The user group")
    if name in groups:
        raise error("UserGroupAlreadyExists", f"User group {name} already exists.")
    groups[name] = {
        "UserGroupId": name,
        "Status": "active",
        "Engine": engine,
        "MinimumEngineVersion": "7.2" if engine == "valkey" else "6.0",
        "UserIds": _members(backend, engine, asked.get("UserIds") or []),
        "ARN": arn(backend, "usergroup", name),
    }
    backend.tagging_service.tag_resource(groups[name]["ARN"], asked.get("Tags") or [])
    return _group(backend, groups[name])


def _group(backend: Any, group: Json) -> Json:
    caches = state_of(backend).replication_groups.items()
    used = [name for name, cache in caches if group["UserGroupId"] in cache["_user_groups"]]
    return {**shown(group), "ReplicationGroups": used}


def modify_user_group(backend: Any, asked: Json) -> Json:
    group = find(state_of(backend).user_groups, asked["UserGroupId"], *_GROUPS)
    kept = [each for each in group["UserIds"] if each not in (asked.get("UserIdsToRemove") or [])]
    group["UserIds"] = _members(backend, group["Engine"], kept + (asked.get("UserIdsToAdd") or []))
    return _group(backend, group)


def describe_user_groups(backend: Any, asked: Json) -> Json:
    found = several(state_of(backend).user_groups, asked.get("UserGroupId"), *_GROUPS)
    return {"UserGroups": [_group(backend, each) for each in found]}


def delete_user_group(backend: Any, asked: Json) -> Json:
    groups = state_of(backend).user_groups
    group = _group(backend, find(groups, asked["UserGroupId"], *_GROUPS))
    if group["ReplicationGroups"]:
        raise error("InvalidUserGroupState", f"User group {group['UserGroupId']} is associated with a cache.")
    del groups[group["UserGroupId"]]
    backend.tagging_service.delete_all_tags_for_resource(group["ARN"])
    return {**group, "Status": "deleting"}


def of_cache(backend: Any, cache: Json, ids: list[str]) -> list[str]:
    """The groups that a cache is to have. Raises for those that it cannot."""
    groups = [find(state_of(backend).user_groups, each, *_GROUPS) for each in ids]
    if groups and not cache["TransitEncryptionEnabled"]:
        raise error(_COMBINATION, "User groups can be used only when encryption in transit is enabled.")
    if cache["Engine"] == "redis" and any(group["Engine"] == "valkey" for group in groups):
        raise error(_COMBINATION, "A group of the engine valkey cannot be used with the engine redis.")
    return [group["UserGroupId"] for group in groups]


ACTIONS: dict[str, Action] = {
    "CreateUser": create_user,
    "ModifyUser": modify_user,
    "DescribeUsers": describe_users,
    "DeleteUser": delete_user,
    "CreateUserGroup": create_user_group,
    "ModifyUserGroup": modify_user_group,
    "DescribeUserGroups": describe_user_groups,
    "DeleteUserGroup": delete_user_group,
}

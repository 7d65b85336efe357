"""Users and user groups: who may do what in a cache (role-based access control).

https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
"""

from __future__ import annotations

import re
from typing import Any

from moto.core.responses import ActionResult
from moto.elasticache.responses import ElastiCacheResponse

from local_aws.services.elasticache.state import Json, arn, error, find, several, shown, state_of

_USERS = ("UserNotFound", "User")
_GROUPS = ("UserGroupNotFound", "User group")
_MODES = {"password": "password", "no-password-required": "no-password", "iam": "iam"}


def _authentication(asked: Json, present: Json | None) -> Json | None:
    """Raises InvalidParameterValue for passwords that AWS refuses."""
    mode = asked.get("AuthenticationMode") or {}
    passwords = mode.get("Passwords") or asked.get("Passwords") or []
    kind = _MODES.get(mode.get("Type") or "")
    if asked.get("NoPasswordRequired"):
        kind = "no-password"
    kind = kind or ("password" if passwords else None)
    if kind is None:
        if present is None:
            raise error(
                "InvalidParameterValue",
                "No password was provided. If you want to create/update the user without password, please use the "
                "NoPasswordRequired flag.",
            )
        return present
    if kind == "password" and not 1 <= len(passwords) <= 2:
        raise error("InvalidParameterValue", "A user must have one or two passwords.")
    if any(not 16 <= len(password) <= 128 for password in passwords):
        raise error("InvalidParameterValue", "Passwords length must be between 16-128 characters.")
    return {"Type": kind, **({"PasswordCount": len(passwords)} if kind == "password" else {})}


def create_user(self: Any) -> ActionResult:
    backend, asked = self.elasticache_backend, self.params
    name, users = asked["UserId"].lower(), state_of(backend).users
    if name in users:
        raise error("UserAlreadyExists", f"User {name} already exists.")
    if not re.fullmatch(r"[a-z][a-z0-9\-]*", name):
        raise error("InvalidParameterValue", f"The user ID {name} is not valid.")
    engine = asked["Engine"].lower()
    if engine not in ("valkey", "redis"):
        raise error(
            "InvalidParameterValue", f"Unknown parameter for Engine: {asked['Engine']}, must be valkey or redis"
        )
    users[name] = {
        "UserId": name,
        "UserName": asked["UserName"],
        "Status": "active",
        "Engine": engine,
        "MinimumEngineVersion": "7.2" if engine == "valkey" else "6.0",
        "AccessString": asked["AccessString"],
        "UserGroupIds": [],
        "Authentication": _authentication(asked, None),
        "ARN": arn(backend, "user", name),
    }
    backend.tagging_service.tag_resource(users[name]["ARN"], asked.get("Tags") or [])
    return ActionResult(shown(users[name]))


def modify_user(self: Any) -> ActionResult:
    asked = self.params
    user = find(state_of(self.elasticache_backend).users, asked["UserId"], *_USERS)
    user["Authentication"] = _authentication(asked, user["Authentication"])
    if asked.get("AccessString"):
        user["AccessString"] = asked["AccessString"]
    if asked.get("AppendAccessString"):
        user["AccessString"] += f" {asked['AppendAccessString']}"
    return ActionResult(shown(user))


def describe_users(self: Any) -> ActionResult:
    found = several(state_of(self.elasticache_backend).users, self.params.get("UserId"), *_USERS)
    return ActionResult({"Users": [shown(each) for each in found]})


def delete_user(self: Any) -> ActionResult:
    backend = self.elasticache_backend
    user = find(state_of(backend).users, self.params["UserId"], *_USERS)
    del state_of(backend).users[user["UserId"]]
    for group in state_of(backend).user_groups.values():  # AWS takes it out of its groups
        group["UserIds"] = [each for each in group["UserIds"] if each != user["UserId"]]
    backend.tagging_service.delete_all_tags_for_resource(user["ARN"])
    return ActionResult({**shown(user), "Status": "deleting"})


def _check_members(backend: Any, engine: str, members: list[str]) -> None:
    users = [find(state_of(backend).users, member, *_USERS) for member in members]
    if engine == "redis" and "default" not in [user["UserName"] for user in users]:
        raise error("DefaultUserRequired", "You must add default user to a user group.")
    if len({user["UserName"] for user in users}) != len(users):
        raise error("DuplicateUserName", "A user with this username already exists in the user group.")


def _set_members(backend: Any, group: Json, members: list[str]) -> None:
    _check_members(backend, group["Engine"], members)
    group["UserIds"] = members
    for user in state_of(backend).users.values():
        others = [each for each in user["UserGroupIds"] if each != group["UserGroupId"]]
        user["UserGroupIds"] = [*others, group["UserGroupId"]] if user["UserId"] in members else others


def create_user_group(self: Any) -> ActionResult:
    backend, asked = self.elasticache_backend, self.params
    name, groups = asked["UserGroupId"].lower(), state_of(backend).user_groups
    if name in groups:
        raise error("UserGroupAlreadyExists", f"User group {name} already exists.")
    engine, members = asked["Engine"].lower(), asked.get("UserIds") or []
    _check_members(backend, engine, members)
    groups[name] = {
        "UserGroupId": name,
        "Status": "active",
        "Engine": engine,
        "UserIds": [],
        "MinimumEngineVersion": "7.2" if engine == "valkey" else "6.0",
        "ReplicationGroups": [],
        "ARN": arn(backend, "usergroup", name),
    }
    _set_members(backend, groups[name], members)
    backend.tagging_service.tag_resource(groups[name]["ARN"], asked.get("Tags") or [])
    return ActionResult(shown(groups[name]))


def modify_user_group(self: Any) -> ActionResult:
    backend, asked = self.elasticache_backend, self.params
    group = find(state_of(backend).user_groups, asked["UserGroupId"], *_GROUPS)
    kept = [each for each in group["UserIds"] if each not in (asked.get("UserIdsToRemove") or [])]
    _set_members(backend, group, [*kept, *(asked.get("UserIdsToAdd") or [])])
    return ActionResult(shown(group))


def _described(backend: Any, group: Json) -> Json:
    name = group["UserGroupId"]
    used = [key for key, each in state_of(backend).replication_groups.items() if name in each["UserGroupIds"]]
    return {**shown(group), "ReplicationGroups": used}


def describe_user_groups(self: Any) -> ActionResult:
    backend = self.elasticache_backend
    found = several(state_of(backend).user_groups, self.params.get("UserGroupId"), *_GROUPS)
    return ActionResult({"UserGroups": [_described(backend, each) for each in found]})


def delete_user_group(self: Any) -> ActionResult:
    backend = self.elasticache_backend
    group = find(state_of(backend).user_groups, self.params["UserGroupId"], *_GROUPS)
    if _described(backend, group)["ReplicationGroups"]:
        raise error("InvalidUserGroupState", f"User group {group['UserGroupId']} is in use by a replication group.")
    _set_members_of_none(backend, group)
    del state_of(backend).user_groups[group["UserGroupId"]]
    backend.tagging_service.delete_all_tags_for_resource(group["ARN"])
    return ActionResult({**shown(group), "Status": "deleting"})


def _set_members_of_none(backend: Any, group: Json) -> None:
    for user in state_of(backend).users.values():
        user["UserGroupIds"] = [each for each in user["UserGroupIds"] if each != group["UserGroupId"]]


def install() -> None:
    """Put the actions into moto's ElastiCache."""
    for action in (
        create_user,
        modify_user,
        describe_users,
        delete_user,
        create_user_group,
        modify_user_group,
        describe_user_groups,
        delete_user_group,
    ):
        setattr(ElastiCacheResponse, action.__name__, action)

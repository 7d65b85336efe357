"""The user pool, one for the whole region, and which stacks its users see."""

from __future__ import annotations

import time

from local_aws.services.appstream.models import (
    FAULTS,
    AppStreamBackend,
    AppStreamError,
    Json,
    combination,
    limit,
    missing,
    page,
)

_ERRORS = {
    "STACK_NOT_FOUND": "The specified stack was not found.",
    "USER_NAME_NOT_FOUND": "The specified user was not found.",
    "DIRECTORY_NOT_FOUND": "The specified directory was not found.",
    "INTERNAL_ERROR": "An internal error occurred.",
}


def _check_pool(asked: Json) -> None:
    if asked["AuthenticationType"] != "USERPOOL":
        raise combination("AuthenticationType is USERPOOL.")


def create_user(backend: AppStreamBackend, asked: Json) -> Json:
    _check_pool(asked)
    name = asked["UserName"]
    if asked.get("MessageAction") == "RESEND":
        if asked.get("FirstName") or asked.get("LastName"):
            raise combination("FirstName and LastName are not allowed with RESEND.")
        if name not in backend.users:
            raise missing("user", name)
        return {}
    if name.count("@") != 1:
        raise combination("UserName is not an email address.")
    if name in backend.users:
        raise AppStreamError("ResourceAlreadyExistsException", "The user already exists.")
    if len(backend.users) >= backend.quotas["users"]:
        raise limit("users in the user pool")
    backend.users[name] = {
        "Arn": backend.arn("user", f"userpool/{len(backend.users)}"),
        "UserName": name,
        "Enabled": True,
        "Status": "FORCE_CHANGE_PASSWORD",
        **{key: asked[key] for key in ("FirstName", "LastName") if asked.get(key)},
        "CreatedTime": time.time(),
        "AuthenticationType": "USERPOOL",
    }
    return {}


def delete_user(backend: AppStreamBackend, asked: Json) -> Json:
    _of(backend, asked)
    del backend.users[asked["UserName"]]
    backend.stacks_of_users = {pair for pair in backend.stacks_of_users if pair[0] != asked["UserName"]}
    return {}


def _of(backend: AppStreamBackend, asked: Json) -> Json:
    _check_pool(asked)
    if asked["UserName"] not in backend.users:
        raise missing("user", asked["UserName"])
    return backend.users[asked["UserName"]]


def describe_users(backend: AppStreamBackend, asked: Json) -> Json:
    _check_pool(asked)
    return page(list(backend.users.values()), asked, "Users", 60)


def batch_associate_user_stack(backend: AppStreamBackend, asked: Json) -> Json:
    errors = _errors(backend, asked, "BatchAssociateUserStack")
    bad = [each["UserStackAssociation"] for each in errors]
    for each in asked["UserStackAssociations"]:
        if each not in bad:
            backend.stacks_of_users.add((each["UserName"], each["StackName"]))
    return {"errors": errors} if errors else {}


def batch_disassociate_user_stack(backend: AppStreamBackend, asked: Json) -> Json:
    errors = _errors(backend, asked, "BatchDisassociateUserStack")
    bad = [each["UserStackAssociation"] for each in errors]
    for each in asked["UserStackAssociations"]:
        if each not in bad:
            backend.stacks_of_users.discard((each["UserName"], each["StackName"]))
    return {"errors": errors} if errors else {}


def _errors(backend: AppStreamBackend, asked: Json, action: str) -> list[Json]:
    """Those of the single associations, which a call tells with status 200."""
    found = []
    for each in asked["UserStackAssociations"]:
        code = FAULTS.take(action) or ""
        if not code and each["StackName"] not in backend.things["stack"]:
            code = "STACK_NOT_FOUND"
        if not code and each["UserName"] not in backend.users:
            code = "USER_NAME_NOT_FOUND"
        if code:
            found.append({"UserStackAssociation": each, "ErrorCode": code, "ErrorMessage": _ERRORS[code]})
    return found


def describe_user_stack_associations(backend: AppStreamBackend, asked: Json) -> Json:
    user, stack = asked.get("UserName"), asked.get("StackName")
    if not user and not stack:
        raise combination("StackName or UserName is required.")
    if user and not asked.get("AuthenticationType"):
        raise combination("AuthenticationType is required with UserName.")
    rows = [
        {"StackName": its_stack, "UserName": its_user, "AuthenticationType": "USERPOOL"}
        for its_user, its_stack in sorted(backend.stacks_of_users)
        if user in (None, its_user) and stack in (None, its_stack)
    ]
    return page(rows, asked, "UserStackAssociations", 25)

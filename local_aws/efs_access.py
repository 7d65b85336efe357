"""What a role that a service takes may do with a file system: ClientMount, ClientWrite, ClientRootAccess.

Evaluated as IAM does for one account: the role must trust the service; a statement of the role's policies or of
the file system's own policy must allow the action, and none of them may deny it. Known are Action and NotAction,
Resource and NotResource, Principal, wild cards, and the conditions StringEquals, StringLike, ArnEquals, ArnLike and
their negations, Bool and Null, each with IfExists, on the keys that a `Request` has. A statement with another
condition, or with a variable in it, counts as not there, and is told on standard error.

Not evaluated: NotPrincipal, permissions boundaries, service control policies, session policies (which AWS ignores for
EFS), other accounts. A file system without a policy grants nothing by itself: the role has to.
https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html
"""

from __future__ import annotations

import fnmatch
import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.iam.models import iam_backends

Json = dict[str, Any]

_PREFIX = "elasticfilesystem:"


@dataclass(frozen=True)
class Grants:
    """What a role may do with one file system. Without `mount` the others mean nothing."""

    mount: bool
    write: bool
    root: bool


NOTHING = Grants(mount=False, write=False, root=False)


@dataclass(frozen=True)
class Request:
    """Who asks: a `service` that takes the role, in an account and a region; `keys` of the request beside the usual."""

    account: str
    partition: str
    region: str
    service: str
    role_arn: str
    keys: Mapping[str, str]

    def context(self) -> dict[str, str]:
        """Keys of the request, in lower case; all come over TLS."""
        return {
            "aws:principalarn": self.role_arn,
            "aws:principalaccount": self.account,
            "aws:securetransport": "true",
            **self.keys,
        }


def grants(request: Request, file_system: Any) -> Grants:
    """`file_system`: moto's."""
    role = _role(request)
    if role is None or not _trusts(request, role):
        return NOTHING
    arn = f"arn:{request.partition}:elasticfilesystem:{request.region}:{request.account}:file-system/"
    resource = arn + file_system.file_system_id
    own = [statement for document in _policies(role) for statement in _statements(document)]
    account_root = f"arn:{request.partition}:iam::{request.account}:root"
    theirs = [
        statement
        for statement in _statements(file_system.file_system_policy)
        if _is_principal(statement, "AWS", (request.role_arn,))
        # Said of the account, an Allow leaves it to the roles' own policies, and a Deny holds for all of them.
        or (statement.get("Effect") == "Deny" and _is_principal(statement, "AWS", (request.account, account_root)))
    ]
    context = request.context()

    def may(action: str) -> bool:
        met = [each for each in (*own, *theirs) if _meets(each, _PREFIX + action, resource, context)]
        return bool(met) and all(each.get("Effect") == "Allow" for each in met)

    return Grants(mount=may("ClientMount"), write=may("ClientWrite"), root=may("ClientRootAccess"))


def _role(request: Request) -> Any:
    roles = iam_backends[request.account][request.partition].get_roles()
    return next((each for each in roles if each.arn == request.role_arn), None)


def _trusts(request: Request, role: Any) -> bool:
    met = [
        each
        for each in _statements(role.assume_role_policy_document)
        if _is_principal(each, "Service", (request.service,))
        and _meets(each, "sts:AssumeRole", role.arn, request.context())
    ]
    return bool(met) and all(each.get("Effect") == "Allow" for each in met)


def _policies(role: Any) -> Iterable[Any]:
    yield from role.policies.values()
    for policy in role.managed_policies.values():
        yield next(each.document for each in policy.versions if each.is_default)


def _statements(document: Any) -> list[Json]:
    """Of a policy document; none for what is no such document."""
    try:
        found = (json.loads(document) if isinstance(document, str) else document or {}).get("Statement") or []
    except (ValueError, AttributeError):
        return []
    return [found] if isinstance(found, dict) else list(found)


def _list(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [] if value is None else [str(value)]


def _like(value: str, patterns: list[str], *, fold: bool = False) -> bool:
    """IAM's wild cards are * and ? alone."""
    if fold:
        value, patterns = value.lower(), [each.lower() for each in patterns]
    return any(re.fullmatch(fnmatch.translate(each.replace("[", "[[]")), value) for each in patterns)


def _is_principal(statement: Json, kind: str, names: tuple[str, ...]) -> bool:
    principal = statement.get("Principal")
    if principal == "*":
        return True
    found = _list(principal.get(kind)) if isinstance(principal, dict) else []
    return any(each == "*" or each in names for each in found)


def _meets(statement: Json, action: str, resource: str, context: dict[str, str]) -> bool:
    if "Action" in statement and not _like(action, _list(statement["Action"]), fold=True):
        return False
    if "NotAction" in statement and _like(action, _list(statement["NotAction"]), fold=True):
        return False
    if "Resource" in statement and not _like(resource, _list(statement["Resource"])):
        return False
    if "NotResource" in statement and _like(resource, _list(statement["NotResource"])):
        return False
    return all(
        _holds(operator, key, _list(wanted), context)
        for operator, tests in (statement.get("Condition") or {}).items()
        for key, wanted in tests.items()
    )


def _holds(operator: str, key: str, wanted: list[str], context: dict[str, str]) -> bool:
    name, value = operator, context.get(key.lower())
    if name == "Null":
        return (value is None) == (wanted[0].lower() == "true")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    negated = "Not" in name
    name = name.replace("Not", "")
    if name not in ("StringEquals", "StringLike", "ArnEquals", "ArnLike", "Bool") or any("${" in x for x in wanted):
        sys.stderr.write(f"transfer: a policy's condition is not evaluated here: {operator} {key} {wanted}\n")
        return False
    if value is None:
        return if_exists or negated
    if name == "StringEquals":
        return (value in wanted) != negated
    if name == "Bool":
        return value in [each.lower() for each in wanted]
    return _like(value, wanted) != negated

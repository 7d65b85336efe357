"""What a role that a service takes may do with a file system: ClientMount, ClientWrite, ClientRootAccess.

Evaluated as IAM does for one account: the role must trust the service; a statement of the role's policies or of
the file system's own policy must allow the action, and none of them may deny it (`local_aws.rights.policies`). What
cannot be evaluated grants nothing, and is told on standard error and by `/_local/iam/usage`.

A file system without a policy lets every client mount, write and be root that does not ask with IAM; a role that asks
has to be allowed by its own policies. Not evaluated: permissions boundaries, service control policies, session policies
(which AWS ignores for EFS), other accounts.
https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.rights import principals, usage
from local_aws.rights.policies import NotEvaluated, Statement, statements

_PREFIX = "elasticfilesystem:"


@dataclass(frozen=True)
class Grants:
    """What a role may do with one file system. Without `mount` the others mean nothing."""

    mount: bool
    write: bool
    root: bool


NOTHING = Grants(mount=False, write=False, root=False)
EVERYTHING = Grants(mount=True, write=True, root=True)


@dataclass(frozen=True)
class Request:
    """Who asks: a `service` that takes the role, in an account and a region; `keys` of the request beside the usual.

    `session`: the name of the role's session; with one, what is used or refused is noted as a right's use.
    """

    account: str
    partition: str
    region: str
    service: str
    role_arn: str
    keys: Mapping[str, str]
    session: str = ""

    def context(self) -> dict[str, str]:
        """Keys of the request, in lower case; all come over TLS."""
        return {
            "aws:principalarn": self.role_arn,
            "aws:principalaccount": self.account,
            "aws:resourceaccount": self.account,
            "aws:requestedregion": self.region,
            "aws:securetransport": "true",
            **self.keys,
        }


def grants(request: Request, file_system: Any) -> Grants:
    """`file_system`: moto's."""
    try:
        principals.take(request.role_arn, request.service, request.region, request.context())
        return _grants(request, file_system)
    except principals.NotTrusted:
        return NOTHING
    except NotEvaluated as error:
        sys.stderr.write(f"efs: {error}\n")
        if request.session:
            usage.refused(_caller(request), str(error))
        return NOTHING


def anonymous(account: str, region: str, partition: str, file_system: Any) -> Grants:
    """What a client may do that asks without IAM."""
    if not file_system.file_system_policy:
        return EVERYTHING
    context = {"aws:securetransport": "true", "elasticfilesystem:accessedviamounttarget": "true"}
    resource = _arn(account, region, partition, file_system)
    rows = [each for each in _own(file_system) if each.names("AWS", ())]
    return _decide(rows, resource, context)


def _grants(request: Request, file_system: Any) -> Grants:
    resource = _arn(request.account, request.region, request.partition, file_system)
    caller, context = _caller(request), request.context()
    account_root = f"arn:{request.partition}:iam::{request.account}:root"
    own = list(caller.statements())
    theirs = [
        each
        for each in _own(file_system)
        if each.names("AWS", caller.names)
        # Said of the account, an Allow leaves it to the roles' own policies, and a Deny holds for all of them.
        or (not each.allows and each.names("AWS", (request.account, account_root)))
    ]
    found = _decide([*own, *theirs], resource, context)
    if request.session:
        _note(caller, found, own, resource, context)
    return found


def _decide(rows: list[Statement], resource: str, context: Mapping[str, str]) -> Grants:
    def may(action: str) -> bool:
        met = [each for each in rows if each.holds(_PREFIX + action, resource, context)]
        return bool(met) and all(each.allows for each in met)

    return Grants(mount=may("ClientMount"), write=may("ClientWrite"), root=may("ClientRootAccess"))


def _note(
    caller: principals.Caller, found: Grants, own: list[Statement], resource: str, context: Mapping[str, str]
) -> None:
    """EFS asks for all three and takes what it gets: without ClientMount alone nothing works."""
    for action, granted in (
        ("ClientMount", found.mount),
        ("ClientWrite", found.write),
        ("ClientRootAccess", found.root),
    ):
        if granted:
            by = [each for each in own if each.allows and each.holds(_PREFIX + action, resource, context)]
            usage.allowed(caller, _PREFIX + action, by)
    if not found.mount:
        usage.refused(
            caller,
            f"User: {caller.arn} is not authorized to perform: {_PREFIX}ClientMount on resource: {resource} because no "
            f"identity-based policy allows the {_PREFIX}ClientMount action",
        )


def _caller(request: Request) -> principals.Caller:
    return principals.session(request.role_arn, request.session or request.service, request.region)


def _own(file_system: Any) -> list[Statement]:
    policy = file_system.file_system_policy
    return list(statements(policy, f"the policy of {file_system.file_system_id}"))


def _arn(account: str, region: str, partition: str, file_system: Any) -> str:
    return f"arn:{partition}:elasticfilesystem:{region}:{account}:file-system/{file_system.file_system_id}"

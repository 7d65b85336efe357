"""Who calls: a role's session, an IAM user, or the account's administrator; and the credentials of roles.

The key `testing`, and any other that this AWS has not issued, is the administrator's, who may do everything: Terraform
and a rehearsal call so. Keys that it has issued (they begin with ASIA or AKIA) are looked up; one that it does not
know, or whose session token differs, is refused. Signatures are not verified.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends
from moto.utilities.utils import get_partition

from local_aws.rights.policies import Statement, statements

_ISSUED = ("ASIA", "AKIA")
_RENEW_SECONDS = 1800  # sessions last an hour; a container starts with one that is good for half of it at least


class UnknownKey(Exception):
    """The request has an access key that is not known, or another session token than was issued with it."""


class NotTrusted(Exception):
    """The role is not there, or its trust policy does not let the service take it; the message is one clause."""


@dataclass(frozen=True)
class Caller:
    """Who calls, by the ARN that AWS's messages show, and the ARN of the role or user that policies speak of."""

    arn: str
    owner: str
    account: str
    partition: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which a policy's Principal may mean the caller alone."""
        return (self.arn, self.owner)

    def statements(self) -> Iterator[Statement]:
        """Of the identity policies: inline, and attached to the role, the user or the user's groups."""
        found = identity(self.account, self.partition, self.owner)
        if found is not None:
            yield from of_identity(found)
        if ":user/" in self.owner and found is not None:
            for group in iam_backends[self.account][self.partition].get_groups_for_user(found.name):
                yield from of_identity(group)


def identity(account: str, partition: str, arn: str) -> Any:
    """moto's role or user with an ARN; None where there is none."""
    iam = iam_backends[account][partition]
    return next((each for each in (*iam.roles.values(), *iam.users.values()) if each.arn == arn), None)


def of_identity(found: Any) -> Iterator[Statement]:
    """The statements of one role's, user's or group's policies, with the policies' names."""
    inline = found.policies
    documents = inline.items() if isinstance(inline, dict) else ()
    for name, document in documents:
        yield from statements(document, name)
    for policy in found.managed_policies.values():
        yield from statements(next(each.document for each in policy.versions if each.is_default), policy.name)


def caller(key: str, token: str | None) -> Caller | None:
    """Who has an access key; None for the administrator. Raises UnknownKey."""
    if not key.startswith(_ISSUED) or len(key) != 20:
        return None
    for regions in list(sts_backends.values()):
        for partition, backend in list(regions.items()):
            for each in backend.assumed_roles:
                if each.access_key_id == key:
                    if each.session_token != token:
                        raise UnknownKey(key)
                    return Caller(each.arn, each.role_arn, each.account_id, partition)
    for account, partitions in list(iam_backends.items()):
        for partition, iam in list(partitions.items()):
            for user in iam.users.values():
                if any(each.access_key_id == key for each in user.access_keys):
                    return Caller(user.arn, user.arn, account, partition)
    raise UnknownKey(key)


def take(role_arn: str, service: str, region: str, context: Mapping[str, str]) -> None:
    """Raise NotTrusted where a service may not take a role.

    `context`: the keys that the service sends along when it does, such as aws:sourcearn.
    """
    account, partition = role_arn.split(":")[4], get_partition(region)
    role = identity(account, partition, role_arn)
    if role is None:
        raise NotTrusted(f"the role {role_arn} does not exist")
    met = [
        each
        for each in statements(role.assume_role_policy_document, f"the trust policy of {role.name}")
        if each.names("Service", (service,)) and each.holds("sts:AssumeRole", role.arn, context)
    ]
    if not met or not all(each.allows for each in met):
        raise NotTrusted(f"the trust policy of {role_arn} does not let {service} take it")


def session(role_arn: str, name: str, region: str) -> Caller:
    """A service that acts in a role, without credentials of its own."""
    account, partition = role_arn.split(":")[4], get_partition(region)
    arn = f"arn:{partition}:sts::{account}:assumed-role/{role_arn.rpartition('/')[2]}/{name}"
    return Caller(arn, role_arn, account, partition)


_sessions: dict[tuple[str, str], tuple[float, Any]] = {}


def credentials(role_arn: str, name: str, region: str) -> dict[str, str]:
    """The variables with the credentials of a role's session, for a program that a service starts."""
    issued, held = _sessions.get((role_arn, name), (0.0, None))
    if held is None or time.monotonic() - issued > _RENEW_SECONDS:
        held = sts_backends[role_arn.split(":")[4]][get_partition(region)].assume_role(
            region_name=region, role_session_name=name, role_arn=role_arn, policy="", duration=3600, external_id=""
        )
        _sessions[role_arn, name] = (time.monotonic(), held)
    return {
        "AWS_ACCESS_KEY_ID": str(held.access_key_id),
        "AWS_SECRET_ACCESS_KEY": str(held.secret_access_key),
        "AWS_SESSION_TOKEN": str(held.session_token),
    }

"""A service that acts in a role for a task, a function, a host or a sender: whether the role lets it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from moto.utilities.utils import get_partition

from local_aws.rights import decision, needs_data, needs_images, needs_run, needs_ways, principals, usage
from local_aws.rights.decision import Refusal
from local_aws.rights.needs import ROWS, Call, Need
from local_aws.rights.policies import NotEvaluated

_told: set[str] = set()
TABLES = (needs_data, needs_images, needs_run, needs_ways)  # they fill ROWS


def refusal(role_arn: str, session: str, region: str, needs: Iterable[Need], *, noted: bool = True) -> Refusal | None:
    """The first refusal; None if the role may do all of it. What cannot be evaluated is refused, with its sentence."""
    caller = principals.session(role_arn, session, region)
    for need in needs:
        try:
            found = decision.refusal(caller, need, region, noted=noted)
        except NotEvaluated as error:
            found = Refusal(need, str(error))
            usage.refused(caller, found.message)
        if found is not None:
            if noted and found.message not in _told:
                _told.add(found.message)
                sys.stderr.write(f"AccessDenied: {found.message}\n")
            return found
    return None


def call(role_arn: str, session: str, region: str, service: str, operation: str, **asked: Any) -> Refusal | None:
    """The same, for a call of botocore's `service` with these parameters."""
    account = role_arn.split(":")[4]
    made = Call(service, operation, asked, account, region, get_partition(region))
    return refusal(role_arn, session, region, ROWS[f"{service}:{operation}"](made))


def untrusted(role_arn: str, service: str, region: str, context: Mapping[str, str]) -> str | None:
    """Why a service may not take a role, as a clause; None if it may. `context`: what the service sends along."""
    try:
        principals.take(role_arn, service, region, context)
    except (principals.NotTrusted, NotEvaluated) as error:
        return str(error)
    return None

"""Whether a caller may do what a call needs, as IAM decides it within one account.

An explicit deny, of an identity policy or of the resource's, wins. Else one Allow is enough, of either. A KMS key is
different: its key policy has to allow it, to the caller, or to the account, which leaves it to the identity policies.
Role trust policies decide on sts:AssumeRole likewise. Policies of resources are those of keys, buckets and roles.

Not evaluated: permissions boundaries, service control policies, session policies, access control lists, grants of KMS,
policies of other resources (EFS has `local_aws.efs_access`), and other accounts.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moto.kms.models import kms_backends
from moto.s3.models import s3_backends

from local_aws.rights import usage
from local_aws.rights.needs import Need
from local_aws.rights.policies import Statement, statements
from local_aws.rights.principals import Caller, identity


@dataclass(frozen=True)
class Refusal:
    """Why a call is refused, in AWS's words (IAM User Guide, "Troubleshoot access denied error messages")."""

    need: Need
    message: str


def refusal(caller: Caller, need: Need, region: str, *, noted: bool = True) -> Refusal | None:
    """Why the caller may not do it; None if it may. What is used or refused is `noted`. Raises NotEvaluated."""
    context = _context(caller, need, region)
    own = [each for each in caller.statements() if each.holds(need.action, need.resource, context)]
    theirs, delegates = _of_resource(caller, need, context)
    reason = _reason(need, own, theirs, delegates=delegates)
    if reason is None:
        if noted:
            usage.allowed(caller, need.action, [each for each in own if each.allows])
        return None
    message = f"User: {caller.arn} is not authorized to perform: {need.action} on resource: {need.resource} {reason}"
    if noted:
        usage.refused(caller, message)
    return Refusal(need, message)


def _reason(need: Need, own: list[Statement], theirs: list[Statement], *, delegates: bool | None) -> str | None:
    """`delegates`: whether a policy that has to allow it leaves it to identity policies; None: there is none such."""
    if not all(each.allows for each in own):
        return "with an explicit deny in an identity-based policy"
    if not all(each.allows for each in theirs):
        return "with an explicit deny in a resource-based policy"
    if theirs and delegates is not True:
        return None
    if delegates is False:
        return f"because no resource-based policy allows the {need.action} action"
    return None if own else f"because no identity-based policy allows the {need.action} action"


def _context(caller: Caller, need: Need, region: str) -> dict[str, str]:
    return {
        "aws:principalarn": caller.owner,
        "aws:principalaccount": caller.account,
        "aws:requestedregion": region,
        # Requests never leave the machine.
        "aws:securetransport": "true",
        "kms:calleraccount": caller.account,
        **_resource_account(caller, need.resource),
        **need.context,
    }


def _resource_account(caller: Caller, resource: str) -> dict[str, str]:
    parts = resource.split(":", 5)
    if len(parts) < 6:
        return {}
    if parts[2] != "s3":
        return {"aws:resourceaccount": parts[4] or caller.account}
    name = parts[5].partition("/")[0]
    for account, partitions in list(s3_backends.items()):
        if any(name in backend.buckets for backend in list(partitions.values())):
            return {"aws:resourceaccount": str(account)}
    return {}


def _of_resource(caller: Caller, need: Need, context: Mapping[str, str]) -> tuple[list[Statement], bool | None]:
    """The statements of the resource's policy that hold for the caller; and whether they leave it to the caller's own.

    None where the resource has no policy that must allow it.
    """
    service, what = need.action.partition(":")[0], (need.action, need.resource)
    if service == "kms":
        return _decided(_key_policy(need.resource), caller, need, context)
    if need.action == "sts:AssumeRole":
        role = identity(caller.account, caller.partition, need.resource)
        document = role.assume_role_policy_document if role else "{}"
        # A trust policy has no Resource, and says of a role all that is to be said.
        return _decided(document, caller, need, context)
    if service == "s3" and (document := _bucket_policy(need.resource)):
        rows = statements(document, f"the policy of {need.resource.partition('/')[0]}")
        met = [each for each in rows if _concerns(each, caller) and each.holds(*what, context)]
        # An Allow for the account leaves it to the identity policies, as everything else does.
        return [each for each in met if not each.allows or each.names("AWS", caller.names)], None
    return [], None


def _decided(
    document: str | None, caller: Caller, need: Need, context: Mapping[str, str]
) -> tuple[list[Statement], bool]:
    rows = [each for each in statements(document, f"the policy of {need.resource}") if _concerns(each, caller)]
    met = [each for each in rows if each.holds(need.action, need.resource, context)]
    named = [each for each in met if not each.allows or each.names("AWS", caller.names)]
    return named, bool(met) and not any(each.allows for each in named)


def _concerns(statement: Statement, caller: Caller) -> bool:
    """Whether a resource's statement is about the caller, or about its whole account."""
    root = f"arn:{caller.partition}:iam::{caller.account}:root"
    return statement.names("AWS", (*caller.names, root, caller.account))


def _key_policy(arn: str) -> str | None:
    _, _, _, region, account, name = arn.split(":", 5)
    key = kms_backends[account][region].keys.get(name.rpartition("/")[2])
    return str(key.policy) if key and key.policy else None


def _bucket_policy(arn: str) -> str | None:
    name = arn.split(":", 5)[5].partition("/")[0]
    for partitions in list(s3_backends.values()):
        for backend in list(partitions.values()):
            if name in backend.buckets:
                policy = backend.buckets[name].policy
                return policy.decode() if isinstance(policy, bytes) else policy
    return None

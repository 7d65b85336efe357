"""Which rights of roles and users were used, and which calls were refused: `/_local/iam/usage` of the server.

A right is one action of one statement of an identity policy; it is used when a call was allowed by it. What a role was
granted is kept after the role, or its policy, is gone. Policies of AWS's own are named and not listed. Roles that only
services take which this AWS does not check (`CHECKED`) are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.iam.models import IAMBackend, iam_backends

from local_aws.rights.policies import Statement, any_like, statements
from local_aws.rights.principals import Caller, of_identity

PATH = "/_local/iam/usage"

# Whose roles are checked; the others take theirs without a check: see README.md, "Rights".
CHECKED = ("datasync", "ec2", "ecs-tasks", "lambda", "transfer")

Json = dict[str, Any]
Right = tuple[str, str, str]  # policy, statement, action

_granted: dict[str, dict[Right, list[str]]] = {}
_managed: dict[str, set[str]] = {}
_used: dict[str, set[Right]] = {}
_calls: dict[str, int] = {}
_refused: dict[str, dict[str, int]] = {}


def install() -> None:
    """Keep what is granted whenever IAM changes. A second time changes nothing."""
    if hasattr(IAMBackend, "_local_usage"):
        return
    IAMBackend._local_usage = True
    for name in ("put_role_policy", "attach_role_policy", "put_user_policy", "attach_user_policy"):
        _after(name)


def _after(name: str) -> None:
    change = getattr(IAMBackend, name)

    def changed(self: Any, *arguments: Any, **named: Any) -> Any:
        answer = change(self, *arguments, **named)
        _look(self)
        return answer

    setattr(IAMBackend, name, changed)


def _look(iam: Any) -> None:
    for each in (*iam.roles.values(), *iam.users.values()):
        if not _is_checked(each):
            continue
        granted = _granted.setdefault(each.arn, {})
        own = {policy.name for policy in each.managed_policies.values() if ":iam::aws:policy/" in str(policy.arn)}
        _managed.setdefault(each.arn, set()).update(own)
        for statement in of_identity(each):
            if statement.allows and statement.policy not in own:
                for right in _rights(statement):
                    granted[right] = _resources(statement)


def _is_checked(found: Any) -> bool:
    """Whether somebody takes it whose calls are checked; users are."""
    trust = getattr(found, "assume_role_policy_document", None)
    if trust is None:
        return True
    names = [f"{each}.amazonaws.com" for each in CHECKED]
    return any(
        each.body.get("Principal") == "*" or "AWS" in (each.body.get("Principal") or {}) or each.names("Service", names)
        for each in statements(trust)
    )


def _rights(statement: Statement) -> Iterator[Right]:
    yield from ((statement.policy, statement.name, action) for action in statement.actions)


def _resources(statement: Statement) -> list[str]:
    found = statement.body.get("Resource") or "*"
    return [found] if isinstance(found, str) else list(found)


def allowed(caller: Caller, action: str, by: list[Statement]) -> None:
    """Note a call that these statements of the caller's own policies allow."""
    _calls[caller.owner] = _calls.get(caller.owner, 0) + 1
    used = _used.setdefault(caller.owner, set())
    for statement in by:
        used.update(right for right in _rights(statement) if any_like(action, (right[2],), fold=True))


def refused(caller: Caller, message: str) -> None:
    """Note a call that was refused."""
    told = _refused.setdefault(caller.owner, {})
    # A session's name is another each time.
    short = message.replace(caller.arn, caller.owner)
    told[short] = told.get(short, 0) + 1


def resource(method: str, _body: bytes) -> tuple[int, Any]:
    """The HTTP resource: DELETE forgets what was used and refused; GET tells it, for each role and user."""
    if method == "DELETE":
        for each in (_used, _calls, _refused):
            each.clear()
    for partitions in list(iam_backends.values()):
        for iam in list(partitions.values()):
            _look(iam)
    return 200, {owner: _of(owner) for owner in sorted({*_granted, *_refused})}


def _of(owner: str) -> Json:
    used, granted = _used.get(owner, set()), _granted.get(owner, {})

    def told(rights: list[Right]) -> list[Json]:
        return [
            {
                "policy": policy,
                "statement": statement,
                "action": action,
                "resources": granted[policy, statement, action],
            }
            for policy, statement, action in rights
        ]

    return {
        "calls": _calls.get(owner, 0),
        "used": told([each for each in granted if each in used]),
        "unused": told([each for each in granted if each not in used]),
        "managed": sorted(_managed.get(owner, ())),
        "refused": [{"message": message, "times": times} for message, times in _refused.get(owner, {}).items()],
    }

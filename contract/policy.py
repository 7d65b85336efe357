"""IAM policies as typed values, rendered once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Conditions = Mapping[str, Mapping[str, str | tuple[str, ...]]]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement. A trust policy leaves `resources` out, an identity policy `principals`.

    Raises:
        ValueError: an action is `*` or `service:*` on an allow without a reason, or a resource is
            `*` without one. The reason is for the reader of the code; it is not rendered.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ()
    effect: Literal["Allow", "Deny"] = "Allow"
    principals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    conditions: Conditions = field(default_factory=dict)
    any_resource_because: str = ""

    def __post_init__(self) -> None:
        if not self.sid.isalnum():
            raise ValueError(f"the statement id {self.sid!r} may have letters and digits only")
        if not self.actions:
            raise ValueError(f"statement {self.sid} names no action")
        if self.effect == "Allow" and "*" in self.actions:
            raise ValueError(f"statement {self.sid} allows every action; name the actions")
        if "*" in self.resources and self.effect == "Allow" and not self.any_resource_because:
            raise ValueError(f"statement {self.sid} allows its actions on every resource; name them or say why")

    def render(self) -> dict[str, Any]:
        """The statement as IAM's JSON has it."""
        rendered: dict[str, Any] = {"Sid": self.sid, "Effect": self.effect, "Action": _one_or_many(self.actions)}
        if self.principals:
            rendered["Principal"] = _principals(self.principals)
        if self.resources:
            rendered["Resource"] = _one_or_many(self.resources)
        if self.conditions:
            rendered["Condition"] = {
                operator: {key: _one_or_many(value) for key, value in tests.items()}
                for operator, tests in self.conditions.items()
            }
        return rendered


def document(*statements: Statement) -> str:
    """The policy's JSON.

    Raises:
        ValueError: there is no statement, or two have the same id.
    """
    sids = [statement.sid for statement in statements]
    if not sids or len(set(sids)) != len(sids):
        raise ValueError(f"a policy needs statements with ids of their own, not {sids}")
    return json.dumps({"Version": "2012-10-17", "Statement": [statement.render() for statement in statements]})


def trust(service: str, *, account_id: str = "", source_arn: str = "") -> str:
    """A trust policy that lets an AWS service take a role.

    `account_id` and `source_arn` keep the service from acting for someone else's resources (the
    confused deputy). Give them only where the service's documentation says that it sends them: one
    that does not could never take the role.
    """
    conditions: dict[str, dict[str, str]] = {}
    if account_id:
        conditions["StringEquals"] = {"aws:SourceAccount": account_id}
    if source_arn:
        conditions["ArnLike"] = {"aws:SourceArn": source_arn}
    return document(
        Statement(sid="Trust", actions=("sts:AssumeRole",), principals={"Service": (service,)}, conditions=conditions)
    )


def deny_insecure_transport(*resources: str) -> Statement:
    """Refuse every request to a bucket that does not come over TLS."""
    return Statement(
        sid="DenyInsecureTransport",
        effect="Deny",
        actions=("s3:*",),
        resources=resources,
        principals={"*": ("*",)},
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )


def _principals(principals: Mapping[str, tuple[str, ...]]) -> Any:
    if principals == {"*": ("*",)}:
        return "*"
    return {kind: _one_or_many(names) for kind, names in principals.items()}


def _one_or_many(values: str | tuple[str, ...]) -> str | list[str]:
    if isinstance(values, str):
        return values
    return values[0] if len(values) == 1 else list(values)

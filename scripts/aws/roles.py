"""IAM roles that scripts make: one trust policy, one policy of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from scripts import aws
from scripts.changes import Changes


@dataclass(frozen=True, kw_only=True)
class Role:
    """`trust` and `policy` are IAM's JSON (`contract.policy`). `allows` says for people what the policy lets it do."""

    name: str
    trust: str
    policy_name: str
    policy: str
    allows: str
    tags: dict[str, str]


def ensure(iam: Any, role: Role, changes: Changes) -> None:
    """Have the role with these documents."""
    name = role.name
    found = aws.read(lambda: iam.get_role(RoleName=name)["Role"], "NoSuchEntity")
    if found is None:
        changes.do(
            f"role {name}: created",
            lambda: iam.create_role(RoleName=name, AssumeRolePolicyDocument=role.trust, Tags=aws.tag_list(role.tags)),
        )
    elif found["AssumeRolePolicyDocument"] != json.loads(role.trust):
        changes.do(
            f"role {name}: its trust policy set",
            lambda: iam.update_assume_role_policy(RoleName=name, PolicyDocument=role.trust),
        )
    there = found and aws.read(
        lambda: iam.get_role_policy(RoleName=name, PolicyName=role.policy_name)["PolicyDocument"], "NoSuchEntity"
    )
    if there != json.loads(role.policy):
        changes.do(
            f"role {name}: {role.allows}",
            lambda: iam.put_role_policy(RoleName=name, PolicyName=role.policy_name, PolicyDocument=role.policy),
        )


def delete(iam: Any, name: str, changes: Changes, *, policy_name: str) -> None:
    """Have no such role."""

    def deleting() -> None:
        aws.read(lambda: iam.delete_role_policy(RoleName=name, PolicyName=policy_name), "NoSuchEntity")
        aws.read(lambda: iam.delete_role(RoleName=name), "NoSuchEntity")

    if aws.read(lambda: iam.get_role(RoleName=name), "NoSuchEntity"):
        changes.do(f"role {name}: deleted", deleting)

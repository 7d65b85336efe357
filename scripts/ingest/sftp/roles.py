"""The roles that sessions have: one that writes, one that only reads; both see the OMERO file system and nothing else.

Where on the file system a user is kept is the user's logical home: EFS takes no session policies.
"""

from __future__ import annotations

import json
from typing import Any

from scripts import aws
from scripts.changes import Changes
from scripts.errors import Refused
from scripts.ingest.deployment import deploy_command
from scripts.ingest.sftp.context import Site

POLICY = "files"


def ensure(site: Site, changes: Changes) -> None:
    """Make both roles what they shall be."""
    for read_only in (False, True):
        _ensure(site, changes, read_only=read_only)


def _ensure(site: Site, changes: Changes, *, read_only: bool) -> None:
    iam, name = site.opened.client("iam"), site.role_name(read_only=read_only)
    trust, policy = _trust(site), _policy(site, read_only=read_only)
    found = aws.read(lambda: iam.get_role(RoleName=name)["Role"], "NoSuchEntity")
    if found is None:
        changes.do(
            f"role {name}: made",
            lambda: iam.create_role(
                RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), Tags=aws.tag_list(site.tags)
            ),
        )
    elif found["AssumeRolePolicyDocument"] != trust:
        changes.do(
            f"role {name}: taken by Transfer Family of this account only",
            lambda: iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust)),
        )
    there = found and aws.read(
        lambda: iam.get_role_policy(RoleName=name, PolicyName=POLICY)["PolicyDocument"], "NoSuchEntity"
    )
    if there != policy:
        what = "may read" if read_only else "may read and write"
        changes.do(
            f"role {name}: {what} on {site.file_system_id}",
            lambda: iam.put_role_policy(RoleName=name, PolicyName=POLICY, PolicyDocument=json.dumps(policy)),
        )


def remove(site: Site, changes: Changes) -> None:
    """Take both away."""
    iam = site.opened.client("iam")
    for read_only in (False, True):
        name = site.role_name(read_only=read_only)
        if aws.read(lambda name=name: iam.get_role(RoleName=name), "NoSuchEntity"):  # type: ignore[misc]
            changes.do(f"role {name}: deleted", lambda name=name: _delete(iam, name))  # type: ignore[misc]


def _delete(iam: Any, name: str) -> None:
    aws.read(lambda: iam.delete_role_policy(RoleName=name, PolicyName=POLICY), "NoSuchEntity")
    aws.read(lambda: iam.delete_role(RoleName=name), "NoSuchEntity")


def _trust(site: Site) -> dict[str, Any]:
    """Transfer Family takes the role "in the context of a Transfer Family user ARN" (its user guide)."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "transfer.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": site.opened.workspace.account_id},
                    "ArnLike": {"aws:SourceArn": site.opened.arn("transfer", "user/*")},
                },
            }
        ],
    }


def _policy(site: Site, *, read_only: bool) -> dict[str, Any]:
    actions = ["elasticfilesystem:ClientMount", *([] if read_only else ["elasticfilesystem:ClientWrite"])]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": actions,
                "Resource": site.opened.arn("elasticfilesystem", f"file-system/{site.file_system_id}"),
            }
        ],
    }


def check_file_system(site: Site) -> None:
    """Look whether the file system's policy lets Transfer Family in. The stack `data` wrote it, and it does.

    Raises:
        Refused: somebody has set a condition that shuts it out.
    """
    efs = site.opened.client("efs")
    text = aws.read(
        lambda: efs.describe_file_system_policy(FileSystemId=site.file_system_id)["Policy"], "PolicyNotFound"
    )
    if text and "accessedviamounttarget" in text.lower():
        raise Refused(
            f"the policy of the file system {site.file_system_id} has a condition on AccessedViaMountTarget, which "
            f"shuts Transfer Family out; `{deploy_command(site.opened.workspace, 'data')}` puts back the one that lets "
            "it in."
        )

"""The roles that sessions have: one that writes, one that only reads; both see the OMERO file system and nothing else.

Where on the file system a user is kept is the user's logical home: EFS takes no session policies.
"""

from __future__ import annotations

from contract.policy import Statement, document, trust
from scripts import aws
from scripts.aws import roles
from scripts.aws.roles import Role
from scripts.changes import Changes
from scripts.errors import Refused
from scripts.ingest.deployment import deploy_command
from scripts.ingest.sftp.context import SftpContext

POLICY = "files"


def ensure(context: SftpContext, changes: Changes) -> None:
    """Create both roles or bring them up to date."""
    for read_only in (False, True):
        roles.ensure(context.deployment.client("iam"), _role(context, read_only=read_only), changes)


def _role(context: SftpContext, *, read_only: bool) -> Role:
    what = "may read" if read_only else "may read and write"
    actions = ("elasticfilesystem:ClientMount", *(() if read_only else ("elasticfilesystem:ClientWrite",)))
    file_system = context.deployment.arn("elasticfilesystem", f"file-system/{context.file_system_id}")
    return Role(
        name=context.role_name(read_only=read_only),
        # Transfer Family takes the role "in the context of a Transfer Family user ARN" (its user guide).
        trust=trust(
            "transfer.amazonaws.com",
            account_id=context.deployment.workspace.account_id,
            source_arn=context.deployment.arn("transfer", "user/*"),
        ),
        policy_name=POLICY,
        policy=document(Statement(sid="Files", actions=actions, resources=(file_system,))),
        allows=f"{what} on {context.file_system_id}",
        tags=context.tags,
    )


def remove(context: SftpContext, changes: Changes) -> None:
    """Take both away."""
    for read_only in (False, True):
        roles.delete(
            context.deployment.client("iam"), context.role_name(read_only=read_only), changes, policy_name=POLICY
        )


def check_file_system(context: SftpContext) -> None:
    """Look whether the file system's policy lets Transfer Family in. The stack `data` wrote it, and it does.

    Raises:
        Refused: somebody has set a condition that shuts it out.
    """
    efs = context.deployment.client("efs")
    text = aws.read(
        lambda: efs.describe_file_system_policy(FileSystemId=context.file_system_id)["Policy"], "PolicyNotFound"
    )
    if text and "accessedviamounttarget" in text.lower():
        raise Refused(
            f"the policy of the file system {context.file_system_id} has a condition on AccessedViaMountTarget, "
            f"which blocks Transfer Family; run `{deploy_command(context.deployment.workspace, 'data')}` to "
            "restore the policy that admits it."
        )

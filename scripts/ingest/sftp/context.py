"""A workspace whose stack `sftp` is deployed, and the server that belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contract import names
from contract.outputs import Data, Network
from contract.sections.sftp import SftpOutputs
from scripts import aws
from scripts.errors import Refused
from scripts.ingest.deployment import DeployedWorkspace, deploy_command, deployed_workspace
from settings.sftp import Sftp

MANAGER = "omero-aws sftp"
STOPPED_TAG = "StoppedOnPurpose"
"""On a server that the operator has stopped: `ensure` starts every other one that is offline."""

NEEDED = (
    *(Data.file_system_id, Data.key_arn),
    *(Network.vpc_id, Network.public_subnet_ids, Network.private_subnet_ids, Network.log_key_arn),
)
"""What commands read of other stacks."""


@dataclass(frozen=True, kw_only=True)
class SftpContext:
    """`settings` are the workspace's section `sftp`."""

    deployment: DeployedWorkspace
    settings: Sftp

    @property
    def name(self) -> str:
        """Of the server, and what the names of all that goes with it begin with."""
        return names.sftp(self.deployment.workspace.name)

    @property
    def tags(self) -> dict[str, str]:
        """By which a server, its addresses and its security group are found again."""
        return {**self.deployment.tags, "ManagedBy": MANAGER, "Name": self.name}

    @property
    def transfer(self) -> Any:
        """Transfer Family takes few calls a second."""
        return self.deployment.client("transfer", patient=True)

    @property
    def file_system_id(self) -> str:
        """The file system of /OMERO."""
        return self.deployment.parameter(Data.file_system_id)

    @property
    def log_group_name(self) -> str:
        """What the server logs to; the key of the workspace's logs admits this name."""
        return names.physical("log_group", self.deployment.workspace.name, "sftp")

    @property
    def command(self) -> str:
        """How this program is called for this workspace."""
        return f"TF_WORKSPACE={self.deployment.workspace.name} omero-aws sftp"

    def role_name(self, *, read_only: bool) -> str:
        """Of the role that a sender's session has, or that of somebody who only reads."""
        return f"{self.name}-{'reader' if read_only else 'sender'}"

    def role_arn(self, *, read_only: bool) -> str:
        """Its ARN."""
        return self.deployment.arn("iam", f"role/{self.role_name(read_only=read_only)}")


def sftp_context(name: str | None = None) -> SftpContext:
    """What `sftp` needs to know of a workspace.

    Raises:
        Refused: it has no section `sftp`, or is deployed otherwise than its file says.
    """
    deployment = deployed_workspace(name)
    workspace = deployment.workspace
    deploy = f"`{deploy_command(workspace, 'sftp')}`"
    if workspace.sftp is None:
        raise Refused(
            f"workspace {workspace.name} has no section sftp; add it to the workspace file (sftp: {{cidrs: [...]}}) "
            f"and run {deploy}."
        )
    # All that commands read, so that none is found missing after the first change.
    for output in (*NEEDED, *SftpOutputs.all()):
        deployment.parameter(output)
    deployed = deployment.parameter(SftpOutputs.folder)
    if deployed != workspace.sftp.folder:
        raise Refused(
            f"sftp.folder is {workspace.sftp.folder} in the workspace file, but {deployed} is deployed; run {deploy} "
            "first, and move the files and users of the old folder."
        )
    return SftpContext(deployment=deployment, settings=workspace.sftp)


def sftp_remains(name: str | None = None) -> SftpContext:
    """What `sftp teardown` needs to know of a workspace: no stack, no parameter and no section has to be there."""
    deployment = deployed_workspace(name, may_be_gone=True)
    # What takes away goes by names and tags, and reads none of the settings.
    return SftpContext(deployment=deployment, settings=deployment.workspace.sftp or Sftp.model_construct())


def find_server(context: SftpContext) -> dict[str, Any] | None:
    """DescribeServer's answer for the workspace's server; None if there is none.

    Raises:
        Refused: there are several, so that nobody can tell which one senders use.
    """
    wanted = {key: context.tags[key] for key in ("Project", "Workspace", "ManagedBy")}
    found = []
    for row in aws.rows(context.transfer, "list_servers", "Servers"):
        if row.get("Domain") != "EFS":
            continue
        server = missing_is_none(lambda id_=row["ServerId"]: describe(context, id_))  # type: ignore[misc]
        if server and wanted.items() <= tags_of(server).items():
            found.append(server)
    if len(found) > 1:
        ids = " and ".join(server["ServerId"] for server in found)
        raise Refused(
            f"the servers {ids} are both tagged as the server of workspace {context.deployment.workspace.name}; "
            "find out which one senders use (`aws transfer list-users`), and delete the other."
        )
    return found[0] if found else None


def server_of(context: SftpContext) -> dict[str, Any]:
    """The workspace's server.

    Raises:
        Refused: there is none yet.
    """
    server = find_server(context)
    if server is None:
        raise Refused(
            f"workspace {context.deployment.workspace.name} has no SFTP server yet; run `{context.command} ensure`."
        )
    return server


def describe(context: SftpContext, server_id: str) -> dict[str, Any]:
    """DescribeServer's answer."""
    server: dict[str, Any] = context.transfer.describe_server(ServerId=server_id)["Server"]
    return server


def missing_is_none(call: Callable[[], Any]) -> Any:
    """What a call of Transfer Family answers; None for what is not there."""
    return aws.read(call, "ResourceNotFoundException")


def tags_of(server: dict[str, Any]) -> dict[str, str]:
    """The tags of a described server."""
    return aws.tag_dict(server.get("Tags", ()))

"""A workspace that is deployed: its settings, a session in its account, and what its stacks have published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

from contract import names
from contract.outputs import Output
from scripts import aws
from scripts.errors import Refused
from settings import Workspace, load

# With botocore's back-off of up to 20 s, 15 attempts are some minutes.
RETRIES: dict[str, Any] = {
    "patient": {"mode": "adaptive", "total_max_attempts": 15},
    "once": {"mode": "standard", "total_max_attempts": 1},
}


@dataclass(frozen=True, kw_only=True)
class DeployedWorkspace:
    """`parameters` are the workspace's SSM parameters, named `<stack>/<key>`, for instance `data/file_system_id`."""

    workspace: Workspace
    session: boto3.Session
    parameters: Mapping[str, str]
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    def published(self, output: Output) -> str | None:
        """What a stack has published; None where it has not."""
        return self.parameters.get(output.path)

    def parameter(self, output: Output) -> str:
        """What a stack has published.

        Raises:
            Refused: it has not: the stack is not deployed, or by an older version of this program.
        """
        value = self.published(output)
        if value is None:
            workspace = self.workspace
            raise Refused(
                f"workspace {workspace.name} has no SSM parameter "
                f"{names.parameter_path(workspace.name)}/{output.path} in {workspace.region}; deploy its "
                f"{output.stack} stack first: `{deploy_command(workspace, output.stack)}`."
            )
        return value

    def listed(self, output: Output) -> list[str]:
        """A parameter that holds several values."""
        return self.parameter(output).split(",")

    def client(self, service: str, *, patient: bool = False, once: bool = False) -> Any:
        """A client of boto3. A `patient` one slows down and asks again for minutes where AWS limits its rate.

        One that asks `once` is for what makes a second thing if it is asked again because an answer was lost.
        """
        mode = "patient" if patient else "once" if once else "standard"
        if (service, mode) not in self._clients:
            config = Config(retries=RETRIES[mode]) if mode in RETRIES else None
            made: Any = self.session.client(service, config=config)  # type: ignore[call-overload]
            self._clients[service, mode] = made
        return self._clients[service, mode]

    def arn(self, service: str, rest: str) -> str:
        """The ARN of something of this account and region. IAM has no regions, and S3's names are the world's."""
        workspace = self.workspace
        region = "" if service in ("iam", "s3") else workspace.region
        account = "" if service == "s3" else workspace.account_id
        return f"arn:{names.partition(workspace.region)}:{service}:{region}:{account}:{rest}"

    @property
    def tags(self) -> dict[str, str]:
        """As on what the stacks make; who adds `ManagedBy` says which program looks after a thing."""
        return {**self.workspace.tags, "Project": "omero-on-aws", "Workspace": self.workspace.name}


def deploy_command(workspace: Workspace, stack: str) -> str:
    """What a person types to deploy one stack, those that it builds on being there."""
    return f"omero-aws deploy {stack} -w {workspace.name}"


def published_parameters(session: boto3.Session, workspace: Workspace) -> dict[str, str]:
    """What the stacks of a workspace have published, by the path of each output (`contract.outputs.Output.path`)."""
    path = names.parameter_path(workspace.name)
    rows = aws.rows(session.client("ssm"), "get_parameters_by_path", "Parameters", Path=path, Recursive=True)
    return {row["Name"].removeprefix(f"{path}/"): row["Value"] for row in rows}


def deployed_workspace(name: str | None = None, *, may_be_gone: bool = False) -> DeployedWorkspace:
    """The workspace of that name, by default the selected one, once AWS has said whose account it is.

    With `may_be_gone`, also one of which no stack is deployed any more: for what takes away.

    Raises:
        SettingsError: there is no such workspace, or its file cannot be used.
        Refused: the credentials belong to another account; or nothing of it is deployed.
    """
    workspace = load(name)
    session = aws.session(workspace)
    aws.check_account(session, workspace)
    found = published_parameters(session, workspace)
    if not found and not may_be_gone:
        raise Refused(
            f"workspace {workspace.name} is not deployed in account {workspace.account_id}, {workspace.region}: there "
            f"is no SSM parameter under {names.parameter_path(workspace.name)}; run `omero-aws deploy -w "
            f"{workspace.name}` first."
        )
    return DeployedWorkspace(workspace=workspace, session=session, parameters=found)

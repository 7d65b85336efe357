"""A workspace whose balancer signs people in, as far as it is deployed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contract.outputs import Frontend
from scripts.errors import Refused
from scripts.ingest.deployment import DeployedWorkspace, deploy_command, deployed_workspace
from settings.sign_in import SignIn

MANAGER = "omero-aws sign-in"


@dataclass(frozen=True, kw_only=True)
class SignInContext:
    """`settings` are the workspace's section `sign_in`."""

    deployment: DeployedWorkspace
    settings: SignIn

    @property
    def elb(self) -> Any:
        """Elastic Load Balancing."""
        return self.deployment.client("elbv2")

    @property
    def listener_arn(self) -> str:
        """The listener that people come to."""
        return self.deployment.parameter(Frontend.web_listener_arn)

    @property
    def tags(self) -> dict[str, str]:
        """By which the rule is found again."""
        return {**self.deployment.tags, "ManagedBy": MANAGER}

    @property
    def command(self) -> str:
        """How this program is called for this workspace."""
        return f"TF_WORKSPACE={self.deployment.workspace.name} {MANAGER}"


def sign_in_context(name: str | None = None) -> SignInContext:
    """What `sign-in` needs to know of a workspace.

    Raises:
        Refused: it has no section `sign_in`, or is not deployed with it.
    """
    deployment = deployed_workspace(name)
    workspace = deployment.workspace
    if workspace.sign_in is None:
        raise Refused(
            f"workspace {workspace.name} has no section sign_in; add it to the workspace file (`{MANAGER} discover "
            f"ISSUER` prints most of it) and run `{deploy_command(workspace, Frontend.stack)}`."
        )
    for output in (Frontend.web_listener_arn, Frontend.web_target_group_arn, Frontend.web_balancer_security_group_id):
        deployment.parameter(output)
    return SignInContext(deployment=deployment, settings=workspace.sign_in)

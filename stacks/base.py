"""What every stack has: provider, state, the guard of the workspace, and values for scripts."""

from __future__ import annotations

from cdktf import S3Backend, TerraformElement, TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderDefaultTags
from cdktf_cdktf_provider_aws.ssm_parameter import SsmParameter
from constructs import Construct, Node

from contract import names
from contract.outputs import Output
from modules.account import Account
from modules.addresses import address
from modules.audit import skip
from modules.key import Key, KeyProps
from settings import Workspace


class WorkspaceStack(TerraformStack):
    """A stack of one workspace. `workspace` are its settings, `account` is where it lives.

    `tags` are on all that it makes; a module needs them only for what AWS makes on its behalf.
    """

    def __init__(self, scope: Construct, id_: str, workspace: Workspace) -> None:
        # Before the first element asks for its name.
        self._paths_of_ids: dict[str, str] = {}
        super().__init__(scope, id_)
        self.workspace = workspace
        self.account = Account(
            id=workspace.account_id, region=workspace.region, partition=names.partition(workspace.region)
        )
        self._published = Construct(self, "published")
        self.tags = {**workspace.tags, "Project": "omero-on-aws", "Workspace": workspace.name, "Stack": id_}
        AwsProvider(
            self,
            "aws",
            region=workspace.region,
            allowed_account_ids=[workspace.account_id],
            default_tags=[AwsProviderDefaultTags(tags=self.tags)],
        )
        S3Backend(
            self,
            bucket=names.state_bucket(workspace),
            key=names.state_key(id_),
            region=workspace.state_region,
            dynamodb_table=names.state_table(workspace),
            workspace_key_prefix=names.STATE_KEY_PREFIX,
            encrypt=True,
        )
        self._guard()
        self._forget()

    def _allocate_logical_id(self, element: TerraformElement | Node) -> str:
        """The element's name in Terraform.

        Raises:
            ValueError: two elements would have the same address.
        """
        path = element.path if isinstance(element, Node) else element.node.path
        id_ = address(path)
        if self._paths_of_ids.setdefault(id_, path) != path:
            raise ValueError(f"{path} and {self._paths_of_ids[id_]} would have the same address {id_}; rename one")
        return id_

    def _guard(self) -> None:
        """Refuse to plan, apply or destroy in a workspace that this output was not made for."""
        name = self.workspace.name
        output = TerraformOutput(
            self, "workspace", value=name, description="The workspace that this output was synthesised for."
        )
        # CDKTF 0.21 takes a `precondition` for outputs and leaves it out of the JSON.
        output.add_override(
            "precondition",
            {
                "condition": f'${{terraform.workspace == "{name}"}}',
                "error_message": (
                    f"This output was synthesised for the workspace {name}, and the selected one is "
                    f"${{terraform.workspace}}: set TF_WORKSPACE to the one you mean and synthesise again."
                ),
            },
        )

    def _forget(self) -> None:
        """Let go, without destroying them, what the workspace says of this stack."""
        here = f"{self.node.id}."
        removed = [
            {"from": address.removeprefix(here), "lifecycle": {"destroy": False}}
            for address in self.workspace.forget
            if address.startswith(here)
        ]
        if removed:
            self.add_override("removed", removed)

    def key(
        self, what: str, *, retain: bool, logs_prefixes: tuple[str, ...] = (), services: tuple[str, ...] = ()
    ) -> Key:
        """The stack's own key. `what` it encrypts is for its description; `retain` keeps it from being destroyed."""
        name = self.workspace.name
        return Key(
            self,
            "key",
            KeyProps(
                name=names.physical("alias", name, self.node.id),
                description=f"OMERO {name}: {what}",
                account=self.account,
                retain=retain,
                logs_prefixes=logs_prefixes,
                services=services,
            ),
        )

    def publish(self, output: Output, value: str) -> SsmParameter:
        """Give a value to people as an output and to scripts as an SSM parameter of the workspace, which is returned.

        Raises:
            ValueError: it is an output of another stack.
        """
        if output.stack != self.node.id:
            raise ValueError(f"{output} is an output of the stack {output.stack}, not of {self.node.id}")
        TerraformOutput(self, output.key, value=value, description=output.description)
        parameter = SsmParameter(
            self._published,
            output.key,
            name=f"{names.parameter_path(self.workspace.name)}/{output.path}",
            type="String",
            value=value,
            description=output.description,
        )
        skip(parameter, CKV2_AWS_34="it holds a name or an address, no secret")
        return parameter

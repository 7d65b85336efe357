"""Stack `network`: the VPC, and the key of every log group, which every other stack builds on."""

from __future__ import annotations

from constructs import Construct

from contract import names
from contract.outputs import Network
from modules.cluster import insights_log_group_name
from modules.database import logs_prefix
from modules.existing_vpc import ExistingVpc, ExistingVpcProps
from modules.log_group import LogSettings
from modules.vpc import FlowLogsProps, Vpc, VpcProps
from settings import Workspace
from settings.network import ExistingVpc as ExistingVpcSettings
from stacks.base import WorkspaceStack


class NetworkStack(WorkspaceStack):
    """`vpc` is what the other stacks live in; `log_key_arn` encrypts the logs of all of them.

    With `retain: true`, log groups outlive their stacks: their key cannot be in one that can be destroyed before.
    """

    def __init__(self, scope: Construct, workspace: Workspace) -> None:
        super().__init__(scope, "network", workspace)
        # It encrypts no image and no metadata.
        self.log_key_arn = self.key("logs", retain=workspace.retain, logs_prefixes=_log_prefixes(workspace.name)).arn
        existing = workspace.network.existing
        self.vpc: Vpc | ExistingVpc = self._existing_vpc(existing) if existing else self._own_vpc()
        self.publish(Network.log_key_arn, self.log_key_arn)
        self.publish(Network.vpc_id, self.vpc.id)
        self.publish(Network.public_subnet_ids, ",".join(self.vpc.public_subnet_ids))
        self.publish(Network.private_subnet_ids, ",".join(self.vpc.private_subnet_ids))

    def log_settings(self, retention_days: int) -> LogSettings:
        """For log groups of any stack of the workspace, whose records go after `retention_days` days."""
        return LogSettings(key_arn=self.log_key_arn, retention_days=retention_days, retain=self.workspace.retain)

    def _own_vpc(self) -> Vpc:
        settings = self.workspace.network
        return Vpc(
            self,
            "vpc",
            VpcProps(
                name=names.base(self.workspace.name),
                account=self.account,
                cidr=settings.cidr,
                public_subnets=settings.public_subnets,
                private_subnets=settings.private_subnets,
                availability_zones=settings.availability_zones,
                nat_gateways=settings.nat_gateways,
                flow_logs=self._flow_logs(),
            ),
        )

    def _existing_vpc(self, settings: ExistingVpcSettings) -> ExistingVpc:
        return ExistingVpc(
            self,
            "vpc",
            ExistingVpcProps(
                vpc_id=settings.vpc_id,
                public_subnet_ids=settings.public_subnet_ids,
                private_subnet_ids=settings.private_subnet_ids,
            ),
        )

    def _flow_logs(self) -> FlowLogsProps | None:
        workspace = self.workspace
        settings = workspace.network.flow_logs
        if settings is None:
            return None
        return FlowLogsProps(
            traffic=settings.traffic,
            log_group_name=names.physical("log_group", workspace.name, "flow-logs"),
            role_name=names.physical("role", workspace.name, "flow-logs"),
            logs=self.log_settings(settings.retention_days),
        )


def _log_prefixes(workspace: str) -> tuple[str, ...]:
    """What the names of all log groups of a workspace begin with: ours, and those that RDS and ECS decide on."""
    return (
        f"{names.log_prefix(workspace)}/",
        logs_prefix(names.database(workspace)),
        insights_log_group_name(names.cluster(workspace)),
    )

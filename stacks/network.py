"""Stack `network`: the VPC."""

from __future__ import annotations

from constructs import Construct

from contract import names
from contract.outputs import Network
from modules.existing_vpc import ExistingVpc, ExistingVpcProps
from modules.vpc import FlowLogsProps, Vpc, VpcProps
from settings import Workspace
from settings.network import ExistingVpc as ExistingVpcSettings
from stacks.base import WorkspaceStack


class NetworkStack(WorkspaceStack):
    """`vpc` is what the other stacks live in."""

    def __init__(self, scope: Construct, workspace: Workspace) -> None:
        super().__init__(scope, "network", workspace)
        existing = workspace.network.existing
        self.vpc: Vpc | ExistingVpc = self._existing_vpc(existing) if existing else self._own_vpc()
        self.publish(Network.vpc_id, self.vpc.id)
        self.publish(Network.public_subnet_ids, ",".join(self.vpc.public_subnet_ids))
        self.publish(Network.private_subnet_ids, ",".join(self.vpc.private_subnet_ids))

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
        log_group_name = names.physical("log_group", workspace.name, "flow-logs")
        # It encrypts no image and no metadata.
        key = self.key("flow logs", retain=False, logs_prefixes=(log_group_name,))
        return FlowLogsProps(
            traffic=settings.traffic,
            retention_days=settings.retention_days,
            log_group_name=log_group_name,
            role_name=names.physical("role", workspace.name, "flow-logs"),
            key_arn=key.arn,
        )

"""Stack `network`: the VPC."""

from __future__ import annotations

from constructs import Construct

from modules.vpc import FlowLogsProps, Vpc, VpcProps
from settings import Workspace, names
from stacks.base import WorkspaceStack


class NetworkStack(WorkspaceStack):
    """`vpc` is what the other stacks live in."""

    def __init__(self, scope: Construct, workspace: Workspace) -> None:
        super().__init__(scope, "network", workspace)
        settings = workspace.network
        self.vpc = Vpc(
            self,
            "vpc",
            VpcProps(
                name=f"omero-{workspace.name}",
                account=self.account,
                cidr=settings.cidr,
                public_subnets=settings.public_subnets,
                private_subnets=settings.private_subnets,
                availability_zones=settings.availability_zones,
                nat_gateways=settings.nat_gateways,
                flow_logs=self._flow_logs(),
            ),
        )
        self.publish("vpc_id", self.vpc.id, "The VPC.")
        self.publish("public_subnet_ids", ",".join(self.vpc.public_subnet_ids), "Public subnets, one a zone.")
        self.publish("private_subnet_ids", ",".join(self.vpc.private_subnet_ids), "Private subnets, one a zone.")

    def _flow_logs(self) -> FlowLogsProps | None:
        workspace = self.workspace
        settings = workspace.network.flow_logs
        if settings is None:
            return None
        log_group_name = names.physical("log_group", workspace.name, "flow-logs")
        # It encrypts no image and no metadata.
        key = self.key("flow logs", retain=False, logs_prefix=log_group_name)
        return FlowLogsProps(
            traffic=settings.traffic,
            retention_days=settings.retention_days,
            log_group_name=log_group_name,
            role_name=names.physical("role", workspace.name, "flow-logs"),
            key_arn=key.arn,
        )

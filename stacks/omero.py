"""Stack `omero`: cluster, servers with the importer, and web. It can go and come back; the data stays."""

from __future__ import annotations

from constructs import Construct

from contract import names
from contract.outputs import Omero
from modules.alarm_topic import PUBLISHERS
from modules.cluster import Cluster, ClusterProps
from modules.dashboard import Dashboard, DashboardProps
from modules.instances import Instances, InstancesProps
from settings import Workspace
from settings.omero import Ec2
from stacks.base import WorkspaceStack
from stacks.built import Built
from stacks.services.context import ServiceContext
from stacks.services.importer import Importer
from stacks.services.servers import Servers, endpoint_of
from stacks.services.web import web_service
from stacks.shares import share_of


class OmeroStack(WorkspaceStack):
    """The containers of one OMERO. `server` is the read-write one, at `server_endpoint` inside the VPC."""

    def __init__(self, scope: Construct, workspace: Workspace, built: Built) -> None:
        super().__init__(scope, "omero", workspace)
        self._network, self._data, self._frontend = built.network, built.data, built.frontend
        self._cluster_name = names.cluster(workspace.name)
        # It encrypts no image and no metadata.
        self._key = self.key(
            "sessions of ECS Exec, the importer's program and alarms", retain=False, services=PUBLISHERS
        )
        self._instances = self._make_instances(workspace.omero.ec2) if workspace.omero.ec2 else None
        self.cluster = self._make_cluster()
        context = ServiceContext(
            stack=self,
            network=built.network,
            data=built.data,
            frontend=built.frontend,
            cluster=self.cluster,
            instances=self._instances,
        )
        share = share_of(workspace, "servers", built.file_gateway)
        gateway = built.file_gateway
        self._importer = Importer(context, key_arn=self._key.arn, share_arn=gateway.share_arn if gateway else None)
        self._servers = Servers(context, share, self._importer)
        self.server = self._servers.read_write
        self.server_endpoint = endpoint_of(self.server)
        self.web = web_service(context, self._servers.endpoints)
        if workspace.omero.dashboard:
            self._dashboard()
        self._publish()

    def _make_instances(self, settings: Ec2) -> Instances:
        workspace = self.workspace
        return Instances(
            self,
            "instances",
            InstancesProps(
                name=names.physical("launch_template", workspace.name, "servers"),
                account=self.account,
                cluster_name=self._cluster_name,
                vpc_id=self._network.vpc.id,
                subnet_ids=self._network.vpc.private_subnet_ids,
                instance_type=settings.instance_type,
                maximum=settings.max_instances,
                volume_gib=settings.volume_gib,
                tags=self.tags,
            ),
        )

    def _make_cluster(self) -> Cluster:
        workspace = self.workspace
        return Cluster(
            self,
            "cluster",
            ClusterProps(
                name=self._cluster_name,
                namespace=names.namespace(workspace.name),
                vpc_id=self._network.vpc.id,
                key_arn=self._key.arn,
                exec_log_group_name=names.physical("log_group", workspace.name, "exec"),
                logs=self._network.log_settings(workspace.omero.log_retention_days),
                capacity_providers=(self._instances.capacity_provider,) if self._instances else (),
            ),
        )

    def _dashboard(self) -> None:
        services = {**self._servers.all, "web": self.web}
        balancer = self._frontend.web
        dashboard = Dashboard(
            self,
            "dashboard",
            DashboardProps(
                name=names.physical("dashboard", self.workspace.name, "overview"),
                region=self.workspace.region,
                zones=self._network.vpc.availability_zones,
                balancer=balancer.arn_suffix,
                target_group=balancer.target_group_arn_suffix,
                cluster_name=self.cluster.name,
                services={role: service.name for role, service in services.items()},
                database_name=self._data.database_name,
                instances=self._instances.autoscaling_group_name if self._instances else None,
                arrivals=self._importer.graphs(),
            ),
        )
        self.publish(Omero.dashboard_name, dashboard.name)

    def _publish(self) -> None:
        frontend = self._frontend
        self.publish(Omero.web_url, frontend.web_url)
        if frontend.server:
            self.publish(Omero.server_address, frontend.server.dns_name)
        self.publish(Omero.cluster_name, self.cluster.name)
        self.publish(Omero.server_service_name, self.server.name)
        self.publish(Omero.server_host, self.server.host)
        self.publish(Omero.server_security_group_id, self.server.security_group_id)
        self.publish(Omero.server_log_group_name, self.server.log_group_name)
        if self._servers.read_only:
            hosts = ",".join(server.host for server in self._servers.read_only.values())
            self.publish(Omero.read_only_hosts, hosts)
        self.publish(Omero.web_service_name, self.web.name)

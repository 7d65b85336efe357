"""Stack `omero`: cluster, server, web and balancer. It can go and come back; the data stays."""

from __future__ import annotations

from constructs import Construct

from modules.cluster import Cluster, ClusterProps
from modules.database import NAME, POSTGRES_PORT, USER
from modules.fargate_service import Container, Deployment, FargateService, FargateServiceProps, Mount
from modules.file_system import NFS_PORT
from modules.key import Key, KeyProps
from modules.load_balancer import LoadBalancer, LoadBalancerProps
from modules.log_bucket import LogBucket, LogBucketProps
from modules.omero import (
    DATA_DIR,
    ONE_WRITER,
    SERVER_PORT,
    WEB_HEALTH_CODES,
    WEB_HEALTH_PATH,
    WEB_PORT,
    server_container,
    web_container,
)
from modules.security_group import connect
from settings import Workspace, names
from settings.omero import Task
from stacks.base import WorkspaceStack
from stacks.data import DataStack
from stacks.network import NetworkStack


class OmeroStack(WorkspaceStack):
    """The containers of one OMERO."""

    def __init__(self, scope: Construct, workspace: Workspace, network: NetworkStack, data: DataStack) -> None:
        super().__init__(scope, "omero", workspace)
        self._network = network
        self._data = data
        self._key = Key(
            self,
            "key",
            KeyProps(
                name=names.physical("alias", workspace.name, "omero"),
                description=f"OMERO {workspace.name}: logs and ECS Exec",
                account=self.account,
                # It encrypts no image and no metadata.
                retain=False,
                logs_prefix=f"/omero/{workspace.name}/",
            ),
        )
        self.cluster = Cluster(
            self,
            "cluster",
            ClusterProps(
                name=f"omero-{workspace.name}",
                namespace=names.namespace(workspace.name),
                vpc_id=network.vpc.id,
                key_arn=self._key.arn,
                exec_log_group_name=names.physical("log_group", workspace.name, "exec"),
                log_retention_days=workspace.omero.log_retention_days,
            ),
        )
        self.balancer = self._balancer()
        self.server = self._server()
        self.web = self._web()
        self._connect()
        self._publish()

    def _balancer(self) -> LoadBalancer:
        workspace = self.workspace
        bucket = LogBucket(
            self,
            "access_logs",
            LogBucketProps(
                name=names.bucket(workspace.name, "lb-logs", workspace.account_id, workspace.region),
                account=self.account,
                retention_days=workspace.omero.access_log_retention_days,
                retain=workspace.retain,
            ),
        )
        return LoadBalancer(
            self,
            "balancer",
            LoadBalancerProps(
                name=names.physical("alb", workspace.name, "web"),
                target_group_name=names.physical("target_group", workspace.name, "web"),
                vpc_id=self._network.vpc.id,
                subnet_ids=self._network.vpc.public_subnet_ids,
                cidrs=workspace.access.cidrs,
                target_port=WEB_PORT,
                health_path=WEB_HEALTH_PATH,
                health_codes=WEB_HEALTH_CODES,
                access_log_bucket=bucket.name,
                retain=workspace.retain,
            ),
        )

    def _server(self) -> FargateService:
        settings = self.workspace.omero.server
        data = self._data
        container = server_container(
            image=settings.image,
            system_memory_mib=settings.system_memory_mib,
            database_host=data.database.address,
            database_name=NAME,
            database_user=USER,
            database_connections=settings.database_connections,
            database_password_arn=data.database_password.arn,
            root_password_arn=data.root_password.arn,
            mount=Mount(
                volume="omero",
                path=DATA_DIR,
                file_system_id=data.file_system.id,
                file_system_arn=data.file_system.arn,
                access_point_id=data.file_system.access_point_id,
                access_point_arn=data.file_system.access_point_arn,
            ),
        )
        return self._service("server", container, settings, ONE_WRITER)

    def _web(self) -> FargateService:
        settings = self.workspace.omero.web
        container = web_container(
            image=settings.image, server_host=self.server.host, secret_key_arn=self._data.web_secret_key.arn
        )
        rolling = Deployment(count=settings.count, minimum_percent=100, maximum_percent=200)
        return self._service("web", container, settings, rolling, balancer=self.balancer)

    def _service(
        self, id_: str, container: Container, size: Task, deployment: Deployment, balancer: LoadBalancer | None = None
    ) -> FargateService:
        workspace = self.workspace
        return FargateService(
            self,
            id_,
            FargateServiceProps(
                name=names.physical("service", workspace.name, id_),
                account=self.account,
                cluster=self.cluster,
                container=container,
                cpu=size.cpu,
                memory_mib=size.memory_mib,
                deployment=deployment,
                vpc_id=self._network.vpc.id,
                subnet_ids=self._network.vpc.private_subnet_ids,
                secrets_key_arn=self._data.key.arn,
                log_group_name=names.physical("log_group", workspace.name, id_),
                log_retention_days=workspace.omero.log_retention_days,
                log_key_arn=self._key.arn,
                target_group_arn=balancer.target_group_arn if balancer else None,
                wait_for=(balancer.listener,) if balancer else (),
            ),
        )

    def _connect(self) -> None:
        """Who may reach whom; whatever is not here is closed."""
        server, web, data = self.server.security_group_id, self.web.security_group_id, self._data
        for id_, source, target, port, description in (
            ("balancer_to_web", self.balancer.security_group_id, web, WEB_PORT, "OMERO.web"),
            ("web_to_server", web, server, SERVER_PORT, "OMERO over TLS"),
            ("server_to_database", server, data.database.security_group_id, POSTGRES_PORT, "PostgreSQL"),
            ("server_to_file_system", server, data.file_system.security_group_id, NFS_PORT, "NFS over TLS"),
        ):
            connect(self, id_, source_id=source, target_id=target, port=port, description=description)

    def _publish(self) -> None:
        self.publish("web_url", f"http://{self.balancer.dns_name}", "Where people open OMERO.web.")
        self.publish("cluster_name", self.cluster.name, "The ECS cluster.")
        self.publish("server_service_name", self.server.name, "The read-write server's ECS service.")
        self.publish("server_host", self.server.host, "The server's name inside the VPC, port 4064.")
        self.publish("server_security_group_id", self.server.security_group_id, "Guards the server's port 4064.")
        self.publish("server_log_group_name", self.server.log_group_name, "The server's log.")
        self.publish("web_service_name", self.web.name, "The web application's ECS service.")

"""Stack `omero`: cluster, server, web and balancer. It can go and come back; the data stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdktf import ITerraformDependable
from constructs import Construct

from contract import names
from contract.outputs import Omero
from contract.policy import Statement
from modules.audit import skip
from modules.autoscaling import Autoscaling, AutoscalingProps
from modules.cluster import Cluster, ClusterProps
from modules.container import Container, Deployment, Mount, Share
from modules.dashboard import Dashboard, DashboardProps
from modules.database import NAME, POSTGRES_PORT, DatabaseUser
from modules.file_system import NFS_PORT
from modules.instances import Instances, InstancesProps
from modules.ledger import use_statements
from modules.load_balancer import LoadBalancer
from modules.network_load_balancer import NetworkLoadBalancer
from modules.omero import (
    DATA_DIR,
    ONE_AT_A_TIME,
    SERVER_PORT,
    TRANSPORTS,
    WEB_PORT,
    ServerProps,
    importer_container,
    read_only_role_container,
    read_only_server_container,
    server_container,
    web_container,
)
from modules.security_group import connect
from modules.service import Service, ServiceProps
from modules.sessions import VALKEY_PORT, Sessions, SessionsProps
from modules.task import Task, TaskProps
from settings import Workspace
from settings.omero import Ec2, ReadOnly, system_memory_mib
from settings.omero import Sessions as SessionsSettings
from stacks.base import WorkspaceStack
from stacks.data import DataStack
from stacks.entrance import Entrance
from stacks.file_gateway import FileGatewayStack
from stacks.network import NetworkStack
from stacks.shares import share_of


class OmeroStack(WorkspaceStack):
    """The containers of one OMERO."""

    def __init__(
        self,
        scope: Construct,
        workspace: Workspace,
        network: NetworkStack,
        data: DataStack,
        file_gateway: FileGatewayStack | None = None,
    ) -> None:
        super().__init__(scope, "omero", workspace)
        self._network = network
        self._data = data
        # Only the topologies with a share mount one.
        self._file_gateway = file_gateway if workspace.traits.share else None
        self._share = share_of(workspace, self._file_gateway)
        # It encrypts no image and no metadata.
        self._key = self.key("logs and ECS Exec", retain=False, logs_prefix=f"/omero/{workspace.name}/")
        self._cluster_name = f"omero-{workspace.name}"
        self._instances = self._make_instances(workspace.omero.ec2) if workspace.omero.ec2 else None
        self.cluster = Cluster(
            self,
            "cluster",
            ClusterProps(
                name=self._cluster_name,
                namespace=names.namespace(workspace.name),
                vpc_id=network.vpc.id,
                key_arn=self._key.arn,
                exec_log_group_name=names.physical("log_group", workspace.name, "exec"),
                log_retention_days=workspace.omero.log_retention_days,
                capacity_providers=(self._instances.capacity_provider,) if self._instances else (),
            ),
        )
        self.entrance = Entrance(self, network)
        self.server = self._server()
        self.read_only = self._read_only_servers(workspace.omero.read_only) if workspace.omero.read_only else {}
        self.sessions = self._sessions(workspace.omero.web.sessions) if workspace.omero.web.sessions else None
        self.web = self._web()
        self.importer = self._importer()
        self._connect()
        if workspace.omero.dashboard:
            self._dashboard()
        self._publish()

    def _make_instances(self, settings: Ec2) -> Instances:
        workspace = self.workspace
        instances = Instances(
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
        if workspace.share:
            instances.security_group.allow_out_to_cidr(
                "share", cidr=f"{workspace.share.address}/32", port=NFS_PORT, description="Share of the File Gateway"
            )
        return instances

    def _server_props(self, user: DatabaseUser, memory_mib: int, *, read_only: bool) -> ServerProps:
        data, workspace = self._data, self.workspace
        mounts: list[Mount | Share] = [
            Mount(
                volume="omero",
                path=DATA_DIR,
                file_system_id=data.file_system.id,
                file_system_arn=data.file_system.arn,
                access_point_id=data.file_system.access_point_id,
                access_point_arn=data.file_system.access_point_arn,
                read_only=read_only,
            )
        ]
        mounts += [self._share] if self._share else []
        return ServerProps(
            image=workspace.omero.server.image,
            transports=("ssl",) if read_only else self.entrance.transports,
            system_memory_mib=system_memory_mib(memory_mib),
            database_host=data.database.address,
            database_name=NAME,
            database_user=user,
            mounts=mounts,
        )

    def _server(self) -> Service:
        settings, data = self.workspace.omero.server, self._data
        props = self._server_props(data.database_user, settings.memory_mib, read_only=False)
        container = server_container(
            props,
            database_connections=settings.database_connections,
            root_password_arn=data.root_password.arn,
            importer_password_arn=self._importer_password_arn,
        )
        first = (read_only_role_container(props, data.read_only_user),) if data.read_only_user else ()
        balancer = self.entrance.server
        size = (settings.cpu, settings.memory_mib)
        return self._service(
            "server",
            container,
            size,
            ONE_AT_A_TIME,
            balancer=balancer,
            first=first,
            on_instances=True,
            statements=self._ledger_statements(),
        )

    def _read_only_servers(self, settings: ReadOnly) -> Mapping[str, Service]:
        """By the name that people see when they log in. They wait until the read-write server has run."""
        assert self._data.read_only_user is not None  # noqa: S101 - the topology has both or neither
        props = self._server_props(self._data.read_only_user, settings.memory_mib, read_only=True)
        size = (settings.cpu, settings.memory_mib)
        roles = [f"read-only-{number}" for number in range(1, settings.count + 1)]
        return {
            role: self._service(
                role,
                read_only_server_container(props, name=role),
                size,
                ONE_AT_A_TIME,
                on_instances=True,
                wait_for=[self.server.service],
            )
            for role in roles
        }

    def _sessions(self, settings: SessionsSettings) -> Sessions:
        return Sessions(
            self,
            "sessions",
            SessionsProps(
                name=names.physical("cache", self.workspace.name, "sessions"),
                description="Sessions of OMERO.web",
                vpc_id=self._network.vpc.id,
                subnet_ids=self._network.vpc.private_subnet_ids,
                key_arn=self._key.arn,
                node_type=settings.node_type,
                replicas=settings.replicas,
            ),
        )

    def _web(self) -> Service:
        settings = self.workspace.omero.web
        container = web_container(
            image=settings.image,
            servers={"omero": self.server.host, **{name: server.host for name, server in self.read_only.items()}},
            secret_key_arn=self._data.web_secret_key.arn,
            sessions_url=self.sessions.url if self.sessions else None,
            domain_name=self.workspace.tls.domain_name if self.workspace.tls else None,
        )
        rolling = Deployment(
            count=settings.count,
            minimum_percent=100,
            maximum_percent=200,
            scaled=settings.max_count is not None,
        )
        web = self._service("web", container, (settings.cpu, settings.memory_mib), rolling, balancer=self.entrance.web)
        if settings.max_count is not None:
            Autoscaling(
                self,
                "web_scaling",
                AutoscalingProps(
                    cluster_name=self.cluster.name,
                    service_name=web.name,
                    minimum=settings.count,
                    maximum=settings.max_count,
                ),
            )
        return web

    def _importer(self) -> Task:
        """On instances where there is a share to import from, for Fargate mounts none."""
        workspace, data, settings = self.workspace, self._data, self.workspace.omero.importer
        props = self._server_props(data.database_user, settings.memory_mib, read_only=False)
        container = importer_container(
            image=props.image,
            server=self.server.host,
            admin=settings.admin,
            password_arn=self._importer_password_arn,
            ledger_table=data.ledger.name,
            region=workspace.region,
            mounts=props.mounts,
        )
        task = Task(
            Construct(self, "importer"),
            self._task(
                "importer",
                container,
                (settings.cpu, settings.memory_mib),
                on_instances=self._share is not None,
                statements=self._ledger_statements(),
            ),
        )
        skip(task.security_group.resource, CKV2_AWS_5="RunTask gives it to each importer; none may run")
        return task

    @property
    def _importer_password_arn(self) -> str:
        return self.workspace.omero.importer.password_arn or self._data.root_password.arn

    def _ledger_statements(self) -> Sequence[Statement]:
        """Importers record what they did themselves, in tasks of their own and in the server's container."""
        return use_statements(arn=self._data.ledger.arn, key_arn=self._data.key_arn, account=self.account)

    def _task(
        self,
        role: str,
        container: Container,
        size: tuple[int, int],
        *,
        first: Sequence[Container] = (),
        on_instances: bool = False,
        statements: Sequence[Statement] = (),
    ) -> TaskProps:
        workspace = self.workspace
        cpu, memory_mib = size
        return TaskProps(
            name=names.physical("service", workspace.name, role),
            account=self.account,
            cluster=self.cluster,
            container=container,
            first=first,
            capacity_provider=self._instances.capacity_provider if on_instances and self._instances else None,
            cpu=cpu,
            memory_mib=memory_mib,
            vpc_id=self._network.vpc.id,
            secrets_key_arn=self._data.key_arn,
            log_group_name=names.physical("log_group", workspace.name, role),
            log_retention_days=workspace.omero.log_retention_days,
            log_key_arn=self._key.arn,
            statements=statements,
        )

    def _service(
        self,
        role: str,
        container: Container,
        size: tuple[int, int],
        deployment: Deployment,
        *,
        balancer: LoadBalancer | NetworkLoadBalancer | None = None,
        first: Sequence[Container] = (),
        on_instances: bool = False,
        wait_for: Sequence[ITerraformDependable] = (),
        statements: Sequence[Statement] = (),
    ) -> Service:
        return Service(
            self,
            role.replace("-", "_"),
            ServiceProps(
                task=self._task(role, container, size, first=first, on_instances=on_instances, statements=statements),
                deployment=deployment,
                subnet_ids=self._network.vpc.private_subnet_ids,
                targets=balancer.targets if balancer else (),
                wait_for=[*wait_for, *(balancer.listeners if balancer else ())],
            ),
        )

    def _connect(self) -> None:
        """Who may reach whom; whatever is not here is closed."""
        web, data = self.web.security_group_id, self._data
        ways = [("balancer_to_web", self.entrance.web.security_group_id, web, WEB_PORT, "OMERO.web")]
        servers = {"server": self.server, **self.read_only}
        for role, service in servers.items():
            server, name = service.security_group_id, role.replace("-", "_")
            ways += [
                (f"web_to_{name}", web, server, SERVER_PORT, "OMERO over TLS"),
                (f"{name}_to_database", server, data.database.security_group_id, POSTGRES_PORT, "PostgreSQL"),
            ]
            if not self._instances:
                ways.append(
                    (f"{name}_to_file_system", server, data.file_system.security_group_id, NFS_PORT, "NFS over TLS")
                )
        importer = self.importer.security_group.id
        ways.append(("importer_to_server", importer, self.server.security_group_id, SERVER_PORT, "OMERO over TLS"))
        if not self._share:
            ways.append(
                ("importer_to_file_system", importer, data.file_system.security_group_id, NFS_PORT, "NFS over TLS")
            )
        if self._instances:
            # An instance mounts in its own network, whatever the task's (ECS Developer Guide, "EFS volumes").
            from_, to = self._instances.security_group.id, data.file_system.security_group_id
            ways.append(("instances_to_file_system", from_, to, NFS_PORT, "NFS over TLS"))
            if self._file_gateway:
                ways.append(("instances_to_share", from_, self._file_gateway.security_group_id, NFS_PORT, "NFS"))
        if self.sessions:
            ways.append(("web_to_sessions", web, self.sessions.security_group_id, VALKEY_PORT, "Valkey over TLS"))
        if self.entrance.server:
            from_ = self.entrance.server.security_group_id
            to = self.server.security_group_id
            ways += [
                (f"balancer_to_server_{transport}", from_, to, TRANSPORTS[transport], f"OMERO, {transport}")
                for transport in self.entrance.transports
            ]
        for id_, source, target, port, description in ways:
            connect(self, id_, source_id=source, target_id=target, port=port, description=description)

    def _dashboard(self) -> None:
        servers = {"server": self.server, **self.read_only, "web": self.web}
        dashboard = Dashboard(
            self,
            "dashboard",
            DashboardProps(
                name=names.physical("dashboard", self.workspace.name, "overview"),
                region=self.workspace.region,
                zones=self._network.vpc.availability_zones,
                balancer=self.entrance.web.arn_suffix,
                target_group=self.entrance.web.target_group_arn_suffix,
                cluster_name=self.cluster.name,
                services={role: service.name for role, service in servers.items()},
                database_name=self._data.database_name,
                instances=self._instances.autoscaling_group_name if self._instances else None,
            ),
        )
        self.publish(Omero.dashboard_name, dashboard.name)

    def _publish(self) -> None:
        tls = self.workspace.tls
        web_url = f"https://{tls.domain_name}" if tls else f"http://{self.entrance.web.dns_name}"
        self.publish(Omero.web_url, web_url)
        if self.entrance.server:
            self.publish(Omero.server_address, self.entrance.server.dns_name)
        self.publish(Omero.cluster_name, self.cluster.name)
        self.publish(Omero.server_service_name, self.server.name)
        self.publish(Omero.server_host, self.server.host)
        self.publish(Omero.server_security_group_id, self.server.security_group_id)
        self.publish(Omero.server_log_group_name, self.server.log_group_name)
        if self.read_only:
            hosts = ",".join(server.host for server in self.read_only.values())
            self.publish(Omero.read_only_hosts, hosts)
        settings = self.workspace.omero.importer
        # Its family: a newer revision is no change of the parameter, and RunTask takes the newest by itself.
        self.publish(Omero.importer_task_family, self.importer.family)
        self.publish(Omero.importer_security_group_id, self.importer.security_group.id)
        self.publish(Omero.importer_log_group_name, self.importer.log_group_name)
        self.publish(Omero.importer_max_tasks, str(settings.max_tasks))
        self.publish(Omero.importer_parallel_filesets, str(settings.parallel_filesets))
        if self._share and self._instances:
            self.publish(Omero.importer_capacity_provider, self._instances.capacity_provider)
        self.publish(Omero.web_service_name, self.web.name)

"""OMERO.server: the read-write one, and the read-only ones beside it."""

from __future__ import annotations

from collections.abc import Mapping

from contract.omero import DATA_DIR, SERVER_PORT
from modules.connections import Endpoint
from modules.container import Mount, Share
from modules.database import NAME, DatabaseUser
from modules.omero import (
    ONE_AT_A_TIME,
    ServerProps,
    read_only_role_container,
    read_only_server_container,
    server_container,
)
from modules.service import Service
from settings.ldap import Ldap
from settings.mail import Mail
from settings.memory import heaps_mib, server_mib
from stacks.services.context import ServiceContext, TaskSize
from stacks.services.importer import Importer


def endpoint_of(server: Service) -> Endpoint:
    """Where clients inside the VPC reach a server."""
    return server.endpoint(SERVER_PORT, "OMERO over TLS")


def _calls(ldap: Ldap | None, mail: Mail | None) -> list[Endpoint]:
    """Whom OMERO.server calls for what its users do."""
    told = {
        "directory": (ldap, "LDAP over TLS"),
        "mail": (mail, "Outgoing mail"),
    }
    return [
        Endpoint(id=id_, port=section.port, description=what, security_group_id=None, cidrs=section.cidrs)
        for id_, (section, what) in told.items()
        if section
    ]


class Servers:
    """`read_write` is the one that writes; `read_only` are by the name that people see when they log in."""

    def __init__(self, context: ServiceContext, share: Share | None, importer: Importer) -> None:
        self._context = context
        self._share = share
        self._importer = importer
        self.read_write = self._read_write()
        self.read_only = self._read_only()

    @property
    def all(self) -> Mapping[str, Service]:
        """Every server, by its role."""
        return {"server": self.read_write, **self.read_only}

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """Where clients inside the VPC reach each server, by the name that people see."""
        servers = {"omero": self.read_write, **self.read_only}
        return {name: endpoint_of(server) for name, server in servers.items()}

    def _props(self, user: DatabaseUser, memory_mib: int, *, read_only: bool) -> ServerProps:
        """What a server with a limit of `memory_mib` is given, and an importer beside it."""
        data, workspace = self._context.data, self._context.workspace
        mounts: list[Mount | Share] = [
            Mount(
                volume="omero",
                path=DATA_DIR,
                file_system_id=data.file_system.id,
                file_system_arn=data.file_system.arn,
                access_point_id=data.file_system.access_point_id,
                access_point_arn=data.file_system.access_point_arn,
                endpoint=data.file_system.endpoint,
                read_only=read_only,
            )
        ]
        mounts += [self._share] if self._share else []
        omero = workspace.omero
        return ServerProps(
            image=workspace.omero.server.image,
            transports=("ssl",) if read_only else self._context.frontend.transports,
            memory_mib=memory_mib,
            heaps_mib=heaps_mib(memory_mib),
            database=data.database.endpoint,
            database_name=NAME,
            database_user=user,
            mounts=mounts,
            site=omero.server_properties.values,
            site_secrets=omero.server_properties.secrets,
            site_calls=_calls(omero.ldap, omero.mail),
            trusted_certificates=omero.ldap.ca_certificate if omero.ldap else None,
        )

    def _read_write(self) -> Service:
        context, data = self._context, self._context.data
        settings = context.workspace.omero.server
        limit_mib = server_mib(settings.memory_mib, context.workspace.omero.importer.memory_mib)
        props = self._props(data.database_user, limit_mib, read_only=False)
        container = server_container(
            props,
            database_connections=settings.database_connections,
            root_password_arn=data.root_password.arn,
        )
        task = context.task(
            "server",
            container,
            TaskSize(cpu=settings.cpu, memory_mib=settings.memory_mib),
            first=(read_only_role_container(props, data.read_only_user),) if data.read_only_user else (),
            beside=self._importer.beside(props),
            on_instances=True,
            statements=self._importer.statements,
        )
        balancer = context.frontend.server
        return context.service(task, "server", ONE_AT_A_TIME, targets=balancer.targets if balancer else ())

    def _read_only(self) -> Mapping[str, Service]:
        """They wait until the read-write server has run."""
        settings = self._context.workspace.omero.read_only
        if settings is None:
            return {}
        assert self._context.data.read_only_user is not None  # noqa: S101 - the workspace has both or neither
        limit_mib = server_mib(settings.memory_mib)
        props = self._props(self._context.data.read_only_user, limit_mib, read_only=True)
        size = TaskSize(cpu=settings.cpu, memory_mib=settings.memory_mib)
        found = {}
        for number in range(1, settings.count + 1):
            role = f"read-only-{number}"
            container = read_only_server_container(props, name=role)
            task = self._context.task(role, container, size, on_instances=True)
            found[role] = self._context.service(task, role, ONE_AT_A_TIME, wait_for=[self.read_write.service])
        return found

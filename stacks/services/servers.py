"""OMERO.server: the read-write one, and the read-only ones beside it."""

from __future__ import annotations

from collections.abc import Mapping

from contract.omero import DATA_DIR
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
from settings.omero import system_memory_mib
from stacks.services.context import ServiceContext, TaskSize


class Servers:
    """`read_write` is the one that writes; `read_only` are by the name that people see when they log in."""

    def __init__(self, context: ServiceContext, share: Share | None) -> None:
        self._context = context
        self._share = share
        self.read_write = self._read_write()
        self.read_only = self._read_only()

    @property
    def all(self) -> Mapping[str, Service]:
        """Every server, by its role."""
        return {"server": self.read_write, **self.read_only}

    @property
    def hosts(self) -> Mapping[str, str]:
        """The servers' names inside the VPC, by the name that people see."""
        return {"omero": self.read_write.host, **{name: server.host for name, server in self.read_only.items()}}

    def props(self, user: DatabaseUser, memory_mib: int, *, read_only: bool) -> ServerProps:
        """What a server, or an importer beside it, is given."""
        data, workspace = self._context.data, self._context.workspace
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
            transports=("ssl",) if read_only else self._context.frontend.transports,
            system_memory_mib=system_memory_mib(memory_mib),
            database_host=data.database.address,
            database_name=NAME,
            database_user=user,
            mounts=mounts,
        )

    def _read_write(self) -> Service:
        context, data = self._context, self._context.data
        settings = context.workspace.omero.server
        props = self.props(data.database_user, settings.memory_mib, read_only=False)
        container = server_container(
            props,
            database_connections=settings.database_connections,
            root_password_arn=data.root_password.arn,
            importer_password_arn=context.importer_password_arn,
        )
        task = context.task(
            "server",
            container,
            TaskSize(cpu=settings.cpu, memory_mib=settings.memory_mib),
            first=(read_only_role_container(props, data.read_only_user),) if data.read_only_user else (),
            capacity_provider=context.servers_run_on,
            statements=context.ledger_statements(),
        )
        balancer = context.frontend.server
        return context.service(task, "server", ONE_AT_A_TIME, targets=balancer.targets if balancer else ())

    def _read_only(self) -> Mapping[str, Service]:
        """They wait until the read-write server has run."""
        settings = self._context.workspace.omero.read_only
        if settings is None:
            return {}
        assert self._context.data.read_only_user is not None  # noqa: S101 - the workspace has both or neither
        props = self.props(self._context.data.read_only_user, settings.memory_mib, read_only=True)
        size = TaskSize(cpu=settings.cpu, memory_mib=settings.memory_mib)
        found = {}
        for number in range(1, settings.count + 1):
            role = f"read-only-{number}"
            container = read_only_server_container(props, name=role)
            task = self._context.task(role, container, size, capacity_provider=self._context.servers_run_on)
            found[role] = self._context.service(task, role, ONE_AT_A_TIME, wait_for=[self.read_write.service])
        return found

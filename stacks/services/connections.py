"""Who may reach whom among OMERO's parts; whatever is not here is closed."""

from __future__ import annotations

from collections.abc import Iterator

from contract.omero import SERVER_PORT, TRANSPORTS, WEB_PORT
from modules.database import POSTGRES_PORT
from modules.file_system import NFS_PORT
from modules.security_group import connect
from modules.service import Service
from modules.sessions import VALKEY_PORT
from modules.task import Task
from stacks.file_gateway import FileGatewayStack
from stacks.services.context import ServiceContext
from stacks.services.servers import Servers

# Id, the groups from and to, port, and what passes.
Way = tuple[str, str, str, int, str]


def connect_services(
    context: ServiceContext,
    *,
    servers: Servers,
    web: Service,
    importer: Task,
    mounts_share: bool,
    file_gateway: FileGatewayStack | None,
) -> None:
    """Open the ways. `file_gateway` is one whose share the servers mount."""
    ways: list[Way] = [
        *_to_web(context, web),
        *_of_servers(context, servers, web),
        *_of_importers(context, importer, servers, mounts_share=mounts_share),
        *_of_instances(context, file_gateway),
    ]
    for id_, source, target, port, description in ways:
        connect(context.stack, id_, source_id=source, target_id=target, port=port, description=description)


def _to_web(context: ServiceContext, web: Service) -> Iterator[Way]:
    frontend, group = context.frontend, web.security_group_id
    yield "balancer_to_web", frontend.web.security_group_id, group, WEB_PORT, "OMERO.web"
    if frontend.sessions:
        yield "web_to_sessions", group, frontend.sessions.security_group_id, VALKEY_PORT, "Valkey over TLS"


def _of_servers(context: ServiceContext, servers: Servers, web: Service) -> Iterator[Way]:
    data, frontend = context.data, context.frontend
    for role, service in servers.all.items():
        server, name = service.security_group_id, role.replace("-", "_")
        yield f"web_to_{name}", web.security_group_id, server, SERVER_PORT, "OMERO over TLS"
        yield f"{name}_to_database", server, data.database.security_group_id, POSTGRES_PORT, "PostgreSQL"
        if not context.instances:
            yield f"{name}_to_file_system", server, data.file_system.security_group_id, NFS_PORT, "NFS over TLS"
    if frontend.server:
        from_, to = frontend.server.security_group_id, servers.read_write.security_group_id
        for transport in frontend.transports:
            yield f"balancer_to_server_{transport}", from_, to, TRANSPORTS[transport], f"OMERO, {transport}"


def _of_importers(context: ServiceContext, importer: Task, servers: Servers, *, mounts_share: bool) -> Iterator[Way]:
    group = importer.security_group.id
    server = servers.read_write.security_group_id
    yield "importer_to_server", group, server, SERVER_PORT, "OMERO over TLS"
    if not mounts_share:
        yield "importer_to_file_system", group, context.data.file_system.security_group_id, NFS_PORT, "NFS over TLS"


def _of_instances(context: ServiceContext, file_gateway: FileGatewayStack | None) -> Iterator[Way]:
    """An instance mounts in its own network, whatever the task's (ECS Developer Guide, "EFS volumes")."""
    if not context.instances:
        return
    from_ = context.instances.security_group.id
    yield "instances_to_file_system", from_, context.data.file_system.security_group_id, NFS_PORT, "NFS over TLS"
    if file_gateway:
        yield "instances_to_share", from_, file_gateway.security_group_id, NFS_PORT, "NFS"

"""The task that imports images, started by `omero-aws imports`."""

from __future__ import annotations

from constructs import Construct

from modules.audit import skip
from modules.omero import importer_container
from modules.task import Task
from stacks.services.context import ServiceContext, TaskSize
from stacks.services.servers import Servers


def importer_task(context: ServiceContext, servers: Servers, *, on_instances: bool) -> Task:
    """The importer's task definition. It runs on instances where there is a share, which Fargate cannot mount."""
    settings = context.workspace.omero.importer
    props = servers.props(context.data.database_user, settings.memory_mib, read_only=False)
    container = importer_container(
        image=props.image,
        server=servers.read_write.host,
        admin=settings.admin,
        password_arn=context.importer_password_arn,
        ledger_table=context.data.ledger.name,
        region=context.workspace.region,
        mounts=props.mounts,
    )
    task = Task(
        Construct(context.stack, "importer"),
        context.task(
            "importer",
            container,
            TaskSize(cpu=settings.cpu, memory_mib=settings.memory_mib),
            capacity_provider=context.servers_run_on if on_instances else None,
            statements=context.ledger_statements(),
        ),
    )
    skip(task.security_group.resource, CKV2_AWS_5="RunTask gives it to each importer; none may run")
    return task

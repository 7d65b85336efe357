"""What the services of OMERO have in common: where they run, and how a task or a service is made there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import ITerraformDependable

from contract import names
from contract.policy import Statement
from modules.cluster import Cluster
from modules.container import Beside, Container, Deployment, Target
from modules.instances import Instances
from modules.service import Service, ServiceProps
from modules.task import TaskProps
from settings import Workspace
from stacks.base import WorkspaceStack
from stacks.data import DataStack
from stacks.frontend import FrontendStack
from stacks.network import NetworkStack


@dataclass(frozen=True, kw_only=True)
class TaskSize:
    """CPU units (1,024 are one vCPU) and MiB of memory of a task."""

    cpu: int
    memory_mib: int


@dataclass(frozen=True, kw_only=True)
class ServiceContext:
    """The stack `omero` as its services see it. `instances` are None where everything runs on Fargate."""

    stack: WorkspaceStack
    network: NetworkStack
    data: DataStack
    frontend: FrontendStack
    cluster: Cluster
    instances: Instances | None

    @property
    def workspace(self) -> Workspace:
        """The stack's settings."""
        return self.stack.workspace

    def task(
        self,
        role: str,
        container: Container,
        size: TaskSize,
        *,
        first: Sequence[Container] = (),
        beside: Beside | None = None,
        on_instances: bool = False,
        statements: Sequence[Statement] = (),
    ) -> TaskProps:
        """A task that plays `role`, on the stack's instances if `on_instances` is asked for and there are any."""
        workspace = self.workspace
        return TaskProps(
            name=names.physical("service", workspace.name, role),
            account=self.stack.account,
            cluster=self.cluster,
            container=container,
            first=first,
            beside=beside,
            instances=self.instances if on_instances else None,
            moves=on_instances,
            cpu=size.cpu,
            memory_mib=size.memory_mib,
            vpc_id=self.network.vpc.id,
            secrets_key_arn=self.data.key_arn,
            log_group_name=names.physical("log_group", workspace.name, role),
            logs=self.network.log_settings(workspace.omero.log_retention_days),
            statements=statements,
        )

    def service(
        self,
        task: TaskProps,
        role: str,
        deployment: Deployment,
        *,
        targets: Sequence[Target] = (),
        wait_for: Sequence[ITerraformDependable] = (),
    ) -> Service:
        """A service of such tasks, behind the balancer of `targets`."""
        return Service(
            self.stack,
            role.replace("-", "_"),
            ServiceProps(
                task=task,
                deployment=deployment,
                subnet_ids=self.network.vpc.private_subnet_ids,
                targets=targets,
                wait_for=wait_for,
            ),
        )

"""One ECS task definition with its roles, its log and its security group."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.ecs_task_definition import (
    EcsTaskDefinition,
    EcsTaskDefinitionRuntimePlatform,
)
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from constructs import Construct

from contract import names
from contract.policy import Statement, document, trust
from modules.account import Account
from modules.cluster import FARGATE, Cluster
from modules.connections import Endpoint, open_ways
from modules.container import Beside, Container, Mount, Share
from modules.instances import Instances
from modules.log_group import LogSettings, log_group
from modules.security_group import SecurityGroup, SecurityGroupProps

ECR_IMAGE = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com[^/]*/(?P<name>[^:@]+)")


@dataclass(frozen=True, kw_only=True)
class TaskProps:
    """`cpu` in units (1,024 are one vCPU), `memory_mib` in MiB: what Fargate offers, or an instance has room for.

    `instances` are those to run on; None is Fargate. `moves` is true for what a change of settings may move between the
    two, which takes a capacity provider on either side. The containers of `first` run to their end before `container`
    starts, and `beside` runs beside it. `secrets_key_arn` is the key that the containers' secrets are encrypted with.
    `statements` are what the containers may do beyond an ECS Exec session and their mounts: they share one role.

    Raises:
        ValueError: a share would be mounted on Fargate; or limits of containers are more than the task has.
    """

    name: str
    account: Account
    cluster: Cluster
    container: Container
    first: Sequence[Container] = ()
    beside: Beside | None = None
    instances: Instances | None = None
    moves: bool = False
    cpu: int
    memory_mib: int
    vpc_id: str
    secrets_key_arn: str
    log_group_name: str
    logs: LogSettings
    statements: Sequence[Statement] = ()

    def __post_init__(self) -> None:
        if self.shares and self.instances is None:
            raise ValueError(f"Fargate cannot mount the NFS share at {self.shares[0].path}; give the task instances")
        limits = sum(container.memory_mib or 0 for container in self.containers)
        if limits > self.memory_mib:
            raise ValueError(f"containers with {limits} MiB do not fit into the task's {self.memory_mib} MiB")

    @property
    def containers(self) -> Sequence[Container]:
        """All of the task's, in the order in which they start."""
        return [*self.first, self.container, *([self.beside.container] if self.beside else [])]

    @property
    def mounts(self) -> Sequence[Mount | Share]:
        """What they mount, each once: containers that mount the same volume share one mount."""
        return list({mount.volume: mount for container in self.containers for mount in container.mounts}.values())

    @property
    def shares(self) -> Sequence[Share]:
        """What they mount from NFS servers other than EFS."""
        return [mount for mount in self.mounts if isinstance(mount, Share)]

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """What the task connects to from its own network interface: all its containers' calls, and EFS."""
        calls = [endpoint for container in self.containers for endpoint in container.calls]
        return [*calls, *(mount.endpoint for mount in self.mounts if isinstance(mount, Mount))]

    @property
    def capacity_provider(self) -> str | None:
        """The capacity provider of the task's service; None where its launch type is Fargate for good."""
        if self.instances:
            return self.instances.capacity_provider
        return FARGATE if self.moves else None


class Task:
    """`definition_arn` and its `family`, `policies` and `ways` to wait for, `security_group` and `log_group_name`.

    Terraform knows the definition as `definition_fqn`.

    Its resources belong to the scope that it is given: a service's are its own, not those of a part of it.
    """

    def __init__(self, scope: Construct, props: TaskProps) -> None:
        container = props.container
        group = SecurityGroup(
            scope,
            "security_group",
            SecurityGroupProps(name=props.name, description=f"OMERO {container.name} tasks", vpc_id=props.vpc_id),
        )
        # Images, secrets, logs and ECS Exec's channel are reached over HTTPS, through the NAT gateway.
        group.allow_out_to_anywhere("https", port=443, description="Images, secrets, logs, ECS Exec")
        self.ways = open_ways(scope, group, props.endpoints)
        if props.instances and props.shares:
            self.ways += props.instances.open_ways(share.endpoint for share in props.shares)
        logs = log_group(scope, "log_group", name=props.log_group_name, logs=props.logs)
        execution_role, execution_policy = _role(scope, props, "execution", _execution_statements(props, logs.arn))
        task_role, task_policy = _role(scope, props, "task", _task_statements(props))
        definition = EcsTaskDefinition(
            scope,
            "task_definition",
            family=props.name,
            requires_compatibilities=["EC2" if props.instances else "FARGATE"],
            network_mode="awsvpc",
            cpu=str(props.cpu),
            memory=str(props.memory_mib),
            # OMERO's images are made for x86 only.
            runtime_platform=EcsTaskDefinitionRuntimePlatform(
                cpu_architecture="X86_64", operating_system_family="LINUX"
            ),
            execution_role_arn=execution_role.arn,
            task_role_arn=task_role.arn,
            container_definitions=json.dumps(_container_definitions(props)),
            volume=[mount.render() for mount in props.mounts],
            # ECS rolls back to a revision only as long as it is registered: it goes once the next one runs.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        self.definition_arn = definition.arn
        self.definition_fqn = definition.fqn
        self.policies = (execution_policy, task_policy)
        self.security_group = group
        self.log_group_name = logs.name


def _role(
    scope: Construct, props: TaskProps, kind: str, statements: Sequence[Statement]
) -> tuple[IamRole, IamRolePolicy]:
    role = IamRole(
        scope,
        f"{kind}_role",
        name=names.suffixed("role", props.name, f"-{kind}"),
        assume_role_policy=trust(
            "ecs-tasks.amazonaws.com", account_id=props.account.id, source_arn=props.account.arn("ecs", "*")
        ),
    )
    policy = IamRolePolicy(scope, f"{kind}_policy", name=kind, role=role.id, policy=document(*statements))
    return role, policy


def _execution_statements(props: TaskProps, log_group_arn: str) -> tuple[Statement, ...]:
    """What ECS itself needs to start the containers: their logs, their secrets, their image."""
    logs = [log_group_arn, *([props.beside.log_group_arn] if props.beside else [])]
    statements = [
        Statement(
            sid="WriteOwnLog",
            actions=("logs:CreateLogStream", "logs:PutLogEvents"),
            resources=tuple(f"{arn}:*" for arn in logs),
        )
    ]
    secrets = sorted({arn for container in props.containers for arn in container.secrets.values()})
    if secrets:
        statements += [
            Statement(
                sid="ReadOwnSecrets",
                actions=("secretsmanager:GetSecretValue",),
                resources=tuple(secrets),
            ),
            Statement(
                sid="DecryptOwnSecrets",
                actions=("kms:Decrypt",),
                resources=(props.secrets_key_arn,),
                conditions=props.account.kms_via("secretsmanager"),
            ),
        ]
    if ecr := ECR_IMAGE.match(props.container.image):
        repository = f"arn:{props.account.partition}:ecr:{ecr['region']}:{ecr['account']}:repository/{ecr['name']}"
        statements += [
            Statement(
                sid="PullOwnImage",
                actions=("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
                resources=(repository,),
            ),
            Statement(
                sid="LogInToRegistry",
                actions=("ecr:GetAuthorizationToken",),
                resources=("*",),
                any_resource_because="the action takes no narrower resource",
            ),
        ]
    return tuple(statements)


def _task_statements(props: TaskProps) -> tuple[Statement, ...]:
    """What the containers may do: hold an ECS Exec session, mount their access points, and what is their own."""
    mounts = tuple(
        Statement(
            sid=f"Mount{mount.volume.capitalize()}",
            actions=(
                ("elasticfilesystem:ClientMount",)
                if mount.read_only
                else ("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite")
            ),
            resources=(mount.file_system_arn,),
            conditions={"StringEquals": {"elasticfilesystem:AccessPointArn": mount.access_point_arn}},
        )
        for mount in props.mounts
        if isinstance(mount, Mount)
    )
    return (*props.cluster.exec_statements(), *mounts, *props.statements)


def _container_definitions(props: TaskProps) -> list[dict[str, object]]:
    log, container = _log(props, props.log_group_name), props.container
    definitions = [
        *(each.render(log, {}) for each in props.first),
        container.render(log, {each.name: "SUCCESS" for each in props.first}),
    ]
    if beside := props.beside:
        own_log = _log(props, beside.log_group_name)
        definitions.append(beside.container.render(own_log, {container.name: "START"}))
    return definitions


def _log(props: TaskProps, group_name: str) -> dict[str, str]:
    return {"awslogs-group": group_name, "awslogs-region": props.account.region, "awslogs-stream-prefix": "ecs"}

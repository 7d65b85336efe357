"""One container as an ECS service on Fargate: roles, log, task definition, name in the VPC, deployment."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdktf import ITerraformDependable, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.ecs_service import (
    EcsService,
    EcsServiceDeploymentCircuitBreaker,
    EcsServiceLoadBalancer,
    EcsServiceNetworkConfiguration,
    EcsServiceServiceRegistries,
)
from cdktf_cdktf_provider_aws.ecs_task_definition import (
    EcsTaskDefinition,
    EcsTaskDefinitionRuntimePlatform,
    EcsTaskDefinitionVolume,
    EcsTaskDefinitionVolumeEfsVolumeConfiguration,
    EcsTaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfig,
)
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.service_discovery_service import (
    ServiceDiscoveryService,
    ServiceDiscoveryServiceDnsConfig,
    ServiceDiscoveryServiceDnsConfigDnsRecords,
)
from constructs import Construct

from modules.account import Account
from modules.addresses import MAIN
from modules.cluster import Cluster
from modules.log_group import log_group
from modules.policy import Statement, document, trust
from modules.security_group import SecurityGroup, SecurityGroupProps

ECR_IMAGE = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com[^/]*/(?P<name>[^:@]+)")


@dataclass(frozen=True, kw_only=True)
class Mount:
    """An EFS access point in the container, over TLS and with the task's own role."""

    volume: str
    path: str
    file_system_id: str
    file_system_arn: str
    access_point_id: str
    access_point_arn: str


@dataclass(frozen=True, kw_only=True)
class Health:
    """A shell command that says whether the container is well; times in seconds."""

    command: str
    interval: int = 30
    timeout: int = 15
    retries: int = 5
    start_period: int = 300


@dataclass(frozen=True, kw_only=True)
class Target:
    """A balancer's target group, and the container's port that it forwards to."""

    arn: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Container:
    """`secrets` maps a variable's name to the ARN of the secret that holds its value.

    `stop_timeout` is the seconds from SIGTERM to SIGKILL, at most 120 on Fargate.
    """

    name: str
    image: str
    ports: Sequence[int]
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    health: Health
    mounts: Sequence[Mount] = ()
    stop_timeout: int = 120


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """How many tasks run, and how many may run during a deployment, in percent of `count`.

    `scaled` leaves the number to autoscaling once the service is there.
    """

    count: int
    minimum_percent: int
    maximum_percent: int
    scaled: bool = False

    def __post_init__(self) -> None:
        if self.maximum_percent <= self.minimum_percent:
            raise ValueError(
                f"a deployment between {self.minimum_percent} % and {self.maximum_percent} % can never begin; "
                "the maximum has to be above the minimum"
            )


@dataclass(frozen=True, kw_only=True)
class FargateServiceProps:
    """`cpu` in units (1,024 are one vCPU), `memory_mib` in MiB: a pair that Fargate offers.

    `secrets_key_arn` is the key that the container's secrets are encrypted with.
    """

    name: str
    account: Account
    cluster: Cluster
    container: Container
    cpu: int
    memory_mib: int
    deployment: Deployment
    vpc_id: str
    subnet_ids: Sequence[str]
    secrets_key_arn: str
    log_group_name: str
    log_retention_days: int
    log_key_arn: str
    targets: Sequence[Target] = ()
    wait_for: Sequence[ITerraformDependable] = field(default_factory=tuple)


class FargateService(Construct):
    """`name` of the service, `host` in the VPC, `security_group_id`, `log_group_name`."""

    def __init__(self, scope: Construct, id_: str, props: FargateServiceProps) -> None:
        super().__init__(scope, id_)
        self._props = props
        container = props.container
        group = SecurityGroup(
            self,
            "security_group",
            SecurityGroupProps(name=props.name, description=f"OMERO {container.name} tasks", vpc_id=props.vpc_id),
        )
        # Images, secrets, logs and ECS Exec's channel are reached over HTTPS, through the NAT gateway.
        group.allow_out_to_anywhere("https", port=443, description="Images, secrets, logs, ECS Exec")
        logs = log_group(
            self,
            "log_group",
            name=props.log_group_name,
            retention_days=props.log_retention_days,
            key_arn=props.log_key_arn,
        )
        execution_role, execution_policy = self._role("execution", _execution_statements(props, logs.arn))
        task_role, task_policy = self._role("task", _task_statements(props))
        definition = EcsTaskDefinition(
            self,
            "task_definition",
            family=props.name,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(props.cpu),
            memory=str(props.memory_mib),
            # OMERO's images are made for x86 only.
            runtime_platform=EcsTaskDefinitionRuntimePlatform(
                cpu_architecture="X86_64", operating_system_family="LINUX"
            ),
            execution_role_arn=execution_role.arn,
            task_role_arn=task_role.arn,
            container_definitions=json.dumps([_container_definition(props)]),
            volume=[_volume(mount) for mount in container.mounts],
        )
        discovery = ServiceDiscoveryService(
            self,
            "discovery",
            name=container.name,
            description=f"OMERO {container.name}",
            dns_config=ServiceDiscoveryServiceDnsConfig(
                namespace_id=props.cluster.namespace_id,
                routing_policy="MULTIVALUE",
                dns_records=[ServiceDiscoveryServiceDnsConfigDnsRecords(type="A", ttl=10)],
            ),
            # ECS takes its instances out a little after the service is gone.
            force_destroy=True,
        )
        service = EcsService(
            self,
            MAIN,
            name=props.name,
            cluster=props.cluster.arn,
            task_definition=definition.arn,
            launch_type="FARGATE",
            platform_version="LATEST",
            desired_count=props.deployment.count,
            deployment_minimum_healthy_percent=props.deployment.minimum_percent,
            deployment_maximum_percent=props.deployment.maximum_percent,
            deployment_circuit_breaker=EcsServiceDeploymentCircuitBreaker(enable=True, rollback=True),
            # Moving a task to another zone takes a second one for a while, above 100 %.
            availability_zone_rebalancing="ENABLED" if props.deployment.maximum_percent > 100 else "DISABLED",
            enable_execute_command=True,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            wait_for_steady_state=True,
            network_configuration=EcsServiceNetworkConfiguration(
                subnets=list(props.subnet_ids), security_groups=[group.id], assign_public_ip=False
            ),
            service_registries=EcsServiceServiceRegistries(registry_arn=discovery.arn),
            load_balancer=[
                EcsServiceLoadBalancer(
                    target_group_arn=target.arn, container_name=container.name, container_port=target.port
                )
                for target in props.targets
            ],
            health_check_grace_period_seconds=container.health.start_period if props.targets else None,
            depends_on=[execution_policy, task_policy, *props.wait_for],
            lifecycle=TerraformResourceLifecycle(ignore_changes=["desired_count"]) if props.deployment.scaled else None,
        )
        self.name = service.name
        self.host = f"{container.name}.{props.cluster.namespace}"
        self.security_group_id = group.id
        self.log_group_name = logs.name

    def _role(self, kind: str, statements: Sequence[Statement]) -> tuple[IamRole, IamRolePolicy]:
        props = self._props
        role = IamRole(
            self,
            f"{kind}_role",
            name=f"{props.name}-{kind}",
            assume_role_policy=trust(
                "ecs-tasks.amazonaws.com", account_id=props.account.id, source_arn=props.account.arn("ecs", "*")
            ),
        )
        policy = IamRolePolicy(self, f"{kind}_policy", name=kind, role=role.id, policy=document(*statements))
        return role, policy


def _execution_statements(props: FargateServiceProps, log_group_arn: str) -> tuple[Statement, ...]:
    """What ECS itself needs to start the container: its log, its secrets, its image."""
    statements = [
        Statement(
            sid="WriteOwnLog", actions=("logs:CreateLogStream", "logs:PutLogEvents"), resources=(f"{log_group_arn}:*",)
        )
    ]
    if props.container.secrets:
        statements += [
            Statement(
                sid="ReadOwnSecrets",
                actions=("secretsmanager:GetSecretValue",),
                resources=tuple(props.container.secrets.values()),
            ),
            Statement(
                sid="DecryptOwnSecrets",
                actions=("kms:Decrypt",),
                resources=(props.secrets_key_arn,),
                conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{props.account.region}.amazonaws.com"}},
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


def _task_statements(props: FargateServiceProps) -> tuple[Statement, ...]:
    """What the container may do: hold an ECS Exec session and mount its access points."""
    mounts = tuple(
        Statement(
            sid=f"Mount{mount.volume.capitalize()}",
            actions=("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"),
            resources=(mount.file_system_arn,),
            conditions={"StringEquals": {"elasticfilesystem:AccessPointArn": mount.access_point_arn}},
        )
        for mount in props.container.mounts
    )
    return (*props.cluster.exec_statements(), *mounts)


def _container_definition(props: FargateServiceProps) -> dict[str, Any]:
    container, health = props.container, props.container.health
    return {
        "name": container.name,
        "image": container.image,
        "essential": True,
        "portMappings": [{"containerPort": port, "hostPort": port, "protocol": "tcp"} for port in container.ports],
        "environment": [{"name": name, "value": value} for name, value in sorted(container.environment.items())],
        "secrets": [{"name": name, "valueFrom": arn} for name, arn in sorted(container.secrets.items())],
        "mountPoints": [
            {"sourceVolume": mount.volume, "containerPath": mount.path, "readOnly": False} for mount in container.mounts
        ],
        # An init process reaps what ECS Exec sessions leave behind.
        "linuxParameters": {"initProcessEnabled": True},
        "stopTimeout": container.stop_timeout,
        "healthCheck": {
            "command": ["CMD-SHELL", health.command],
            "interval": health.interval,
            "timeout": health.timeout,
            "retries": health.retries,
            "startPeriod": health.start_period,
        },
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": props.log_group_name,
                "awslogs-region": props.account.region,
                "awslogs-stream-prefix": "ecs",
            },
        },
    }


def _volume(mount: Mount) -> EcsTaskDefinitionVolume:
    return EcsTaskDefinitionVolume(
        name=mount.volume,
        efs_volume_configuration=EcsTaskDefinitionVolumeEfsVolumeConfiguration(
            file_system_id=mount.file_system_id,
            transit_encryption="ENABLED",
            authorization_config=EcsTaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfig(
                access_point_id=mount.access_point_id, iam="ENABLED"
            ),
        ),
    )

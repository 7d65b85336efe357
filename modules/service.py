"""One container as an ECS service: roles, log, task definition, name in the VPC, deployment."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cdktf import ITerraformDependable, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.ecs_service import (
    EcsService,
    EcsServiceCapacityProviderStrategy,
    EcsServiceDeploymentCircuitBreaker,
    EcsServiceLoadBalancer,
    EcsServiceNetworkConfiguration,
    EcsServiceServiceRegistries,
)
from cdktf_cdktf_provider_aws.ecs_task_definition import (
    EcsTaskDefinition,
    EcsTaskDefinitionRuntimePlatform,
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
from modules.container import Container, Deployment, Mount, Share, Target
from modules.log_group import log_group
from modules.policy import Statement, document, trust
from modules.security_group import SecurityGroup, SecurityGroupProps

ECR_IMAGE = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com[^/]*/(?P<name>[^:@]+)")


@dataclass(frozen=True, kw_only=True)
class ServiceProps:
    """`cpu` in units (1,024 are one vCPU), `memory_mib` in MiB: what Fargate offers, or an instance has room for.

    `capacity_provider` is that of the instances to run on; None is Fargate. The containers of `first` run to their end
    before `container` starts. `secrets_key_arn` is the key that the containers' secrets are encrypted with.

    Raises:
        ValueError: a share would be mounted on Fargate.
    """

    name: str
    account: Account
    cluster: Cluster
    container: Container
    first: Sequence[Container] = ()
    capacity_provider: str | None = None
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

    def __post_init__(self) -> None:
        shares = [mount.path for mount in self.container.mounts if isinstance(mount, Share)]
        if shares and self.capacity_provider is None:
            raise ValueError(f"Fargate cannot mount the NFS share at {shares[0]}; give the service a capacity provider")


class Service(Construct):
    """`service` itself, its `name`, `host` in the VPC, `security_group_id`, `log_group_name`."""

    def __init__(self, scope: Construct, id_: str, props: ServiceProps) -> None:
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
            requires_compatibilities=["EC2" if props.capacity_provider else "FARGATE"],
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
            volume=[mount.render() for mount in container.mounts],
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
            launch_type=None if props.capacity_provider else "FARGATE",
            platform_version=None if props.capacity_provider else "LATEST",
            capacity_provider_strategy=_strategy(props.capacity_provider),
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
            health_check_grace_period_seconds=container.health.start_period
            if container.health and props.targets
            else None,
            depends_on=[execution_policy, task_policy, props.cluster.capacity, *props.wait_for],
            lifecycle=TerraformResourceLifecycle(ignore_changes=["desired_count"]) if props.deployment.scaled else None,
        )
        self.service = service
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


def _execution_statements(props: ServiceProps, log_group_arn: str) -> tuple[Statement, ...]:
    """What ECS itself needs to start the container: its log, its secrets, its image."""
    statements = [
        Statement(
            sid="WriteOwnLog", actions=("logs:CreateLogStream", "logs:PutLogEvents"), resources=(f"{log_group_arn}:*",)
        )
    ]
    secrets = sorted({arn for container in (*props.first, props.container) for arn in container.secrets.values()})
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


def _task_statements(props: ServiceProps) -> tuple[Statement, ...]:
    """What the container may do: hold an ECS Exec session and mount its access points."""
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
        for mount in props.container.mounts
        if isinstance(mount, Mount)
    )
    return (*props.cluster.exec_statements(), *mounts)


def _strategy(capacity_provider: str | None) -> list[EcsServiceCapacityProviderStrategy] | None:
    if capacity_provider is None:
        return None
    return [EcsServiceCapacityProviderStrategy(capacity_provider=capacity_provider, weight=1)]


def _container_definitions(props: ServiceProps) -> list[dict[str, object]]:
    log = {
        "awslogs-group": props.log_group_name,
        "awslogs-region": props.account.region,
        "awslogs-stream-prefix": "ecs",
    }
    return [*(container.render(log) for container in props.first), props.container.render(log, props.first)]

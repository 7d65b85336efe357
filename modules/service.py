"""One container as an ECS service: its task, its name in the VPC, its deployment."""

from __future__ import annotations

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
from cdktf_cdktf_provider_aws.service_discovery_service import (
    ServiceDiscoveryService,
    ServiceDiscoveryServiceDnsConfig,
    ServiceDiscoveryServiceDnsConfigDnsRecords,
)
from constructs import Construct

from modules.addresses import MAIN
from modules.cluster import FARGATE
from modules.container import Deployment, Target
from modules.task import Task, TaskProps


@dataclass(frozen=True, kw_only=True)
class ServiceProps:
    """`task` is what runs, `deployment` how many of it."""

    task: TaskProps
    deployment: Deployment
    subnet_ids: Sequence[str]
    targets: Sequence[Target] = ()
    wait_for: Sequence[ITerraformDependable] = field(default_factory=tuple)


class Service(Construct):
    """`service` itself, its `name`, `host` in the VPC, `security_group_id`, `log_group_name`."""

    def __init__(self, scope: Construct, id_: str, props: ServiceProps) -> None:
        super().__init__(scope, id_)
        container, cluster = props.task.container, props.task.cluster
        provider = props.task.capacity_provider
        task = Task(self, props.task)
        discovery = ServiceDiscoveryService(
            self,
            "discovery",
            name=container.name,
            description=f"OMERO {container.name}",
            dns_config=ServiceDiscoveryServiceDnsConfig(
                namespace_id=cluster.namespace_id,
                routing_policy="MULTIVALUE",
                dns_records=[ServiceDiscoveryServiceDnsConfigDnsRecords(type="A", ttl=10)],
            ),
            # ECS takes its instances out a little after the service is gone.
            force_destroy=True,
        )
        service = EcsService(
            self,
            MAIN,
            name=props.task.name,
            cluster=cluster.arn,
            task_definition=task.definition_arn,
            launch_type=None if provider else FARGATE,
            capacity_provider_strategy=_strategy(provider),
            # Without it, the AWS provider destroys and creates a service that gets another capacity provider.
            force_new_deployment=True if provider else None,
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
                subnets=list(props.subnet_ids), security_groups=[task.security_group.id], assign_public_ip=False
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
            depends_on=[*task.policies, cluster.capacity, *props.wait_for],
            lifecycle=TerraformResourceLifecycle(ignore_changes=["desired_count"]) if props.deployment.scaled else None,
        )
        self.service = service
        self.name = service.name
        self.host = f"{container.name}.{cluster.namespace}"
        self.security_group_id = task.security_group.id
        self.log_group_name = task.log_group_name


def _strategy(capacity_provider: str | None) -> list[EcsServiceCapacityProviderStrategy] | None:
    if capacity_provider is None:
        return None
    return [EcsServiceCapacityProviderStrategy(capacity_provider=capacity_provider, weight=1)]

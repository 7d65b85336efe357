"""One container as an ECS service: its task, its name in the VPC, its deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cdktf import ITerraformDependable, Postcondition, TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_aws.ecs_service import (
    EcsService,
    EcsServiceCapacityProviderStrategy,
    EcsServiceDeploymentCircuitBreaker,
    EcsServiceLoadBalancer,
    EcsServiceNetworkConfiguration,
    EcsServiceServiceRegistries,
    EcsServiceTimeouts,
)
from cdktf_cdktf_provider_aws.service_discovery_service import (
    ServiceDiscoveryService,
    ServiceDiscoveryServiceDnsConfig,
    ServiceDiscoveryServiceDnsConfigDnsRecords,
)
from constructs import Construct

from modules.addresses import MAIN
from modules.cluster import FARGATE
from modules.connections import Endpoint, open_ways
from modules.container import Deployment, Target
from modules.security_group import Rule
from modules.task import Task, TaskProps

EXTRA_SECONDS = 900
"""What Terraform waits beyond the grace period: for images to be pulled, and old tasks to stop (120 s on Fargate)."""


@dataclass(frozen=True, kw_only=True)
class ServiceProps:
    """`task` is what runs, with a health check; `deployment` is how many of it.

    Terraform waits for its grace period and `EXTRA_SECONDS`.
    """

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
        health = container.health
        if health is None:
            raise ValueError(f"the service {props.task.name} has no health check; give its container one")
        patience = f"{(health.grace + EXTRA_SECONDS) // 60}m"
        task = Task(self, props.task)
        self._id, self._ports = id_, container.ports
        self.host = f"{container.name}.{cluster.namespace}"
        self.security_group_id = task.security_group.id
        self.log_group_name = task.log_group_name
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
            # It holds back the container's health check too, with a balancer or without (ECS API, CreateService).
            health_check_grace_period_seconds=health.grace,
            timeouts=EcsServiceTimeouts(create=patience, update=patience),
            # A task that starts before its ways are open fails, and one that drains still needs them.
            depends_on=[
                *task.policies,
                *task.ways,
                *self._ways_from_balancers(scope, props.targets),
                cluster.capacity,
                *props.wait_for,
            ],
            lifecycle=TerraformResourceLifecycle(
                ignore_changes=["desired_count"] if props.deployment.scaled else None,
                postcondition=[_runs_what_was_asked_for(props.task, task)],
            ),
        )
        self.service = service
        self.name = service.name

    def endpoint(self, port: int, description: str) -> Endpoint:
        """Where the service's tasks answer on one of their ports.

        Raises:
            ValueError: the container has no such port.
        """
        if port not in self._ports:
            raise ValueError(f"service {self._id} has no port {port}; its container listens on {list(self._ports)}")
        return Endpoint(
            id=f"to_{self._id}",
            port=port,
            description=description,
            security_group_id=self.security_group_id,
            host=self.host,
        )

    def _ways_from_balancers(self, scope: Construct, targets: Sequence[Target]) -> list[Rule]:
        """The balancers belong to another stack, and the ways to this one's: what else a balancer reaches is not."""
        opened: list[Rule] = []
        for target in targets:
            role = f"_{target.role}" if target.role else ""
            endpoint = self.endpoint(target.port, target.description).named(f"balancer_to_{self._id}{role}")
            opened += open_ways(scope, target.balancer, [endpoint])
        here = TerraformStack.of(scope)
        return [rule for rule in dict.fromkeys(opened) if TerraformStack.of(rule) is here]


def _runs_what_was_asked_for(props: TaskProps, task: Task) -> Postcondition:
    """Terraform's own wait ends as well once ECS has rolled back (terraform-provider-aws, issue 19519)."""
    return Postcondition(
        condition=f"${{self.task_definition == {task.definition_fqn}.arn}}",
        error_message=(
            f"ECS rolled back the deployment of service {props.name}: its new tasks failed, and the previous "
            "task definition runs; correct what made them fail, and deploy again."
        ),
    )


def _strategy(capacity_provider: str | None) -> list[EcsServiceCapacityProviderStrategy] | None:
    if capacity_provider is None:
        return None
    return [EcsServiceCapacityProviderStrategy(capacity_provider=capacity_provider, weight=1)]

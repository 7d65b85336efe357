"""An ECS cluster with an encrypted, logged ECS Exec, and the private DNS names of its services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.ecs_cluster import (
    EcsCluster,
    EcsClusterConfiguration,
    EcsClusterConfigurationExecuteCommandConfiguration,
    EcsClusterConfigurationExecuteCommandConfigurationLogConfiguration,
    EcsClusterSetting,
)
from cdktf_cdktf_provider_aws.ecs_cluster_capacity_providers import EcsClusterCapacityProviders
from cdktf_cdktf_provider_aws.service_discovery_private_dns_namespace import ServiceDiscoveryPrivateDnsNamespace
from constructs import Construct

from contract.policy import Statement
from modules.addresses import MAIN
from modules.log_group import LogSettings, log_group

FARGATE = "FARGATE"
"""ECS's own capacity provider."""


def insights_log_group_name(cluster_name: str) -> str:
    """Where Container Insights writes; the name is its own (CloudWatch User Guide, "Container Insights")."""
    return f"/aws/ecs/containerinsights/{cluster_name}/performance"


@dataclass(frozen=True, kw_only=True)
class ClusterProps:
    """`key_arn` encrypts ECS Exec's sessions; `namespace` is a private DNS domain.

    `capacity_providers` are offered to services beside Fargate, by name.
    """

    name: str
    namespace: str
    vpc_id: str
    key_arn: str
    exec_log_group_name: str
    logs: LogSettings
    capacity_providers: Sequence[str] = ()


class Cluster(Construct):
    """`arn` and `name` of the cluster, `namespace_id` and `namespace`, and what ECS Exec needs.

    A service waits for `capacity`, and so goes before it. Without instances that is what was attached when the cluster
    was created, not the list of today: ECS detaches a capacity provider only when no task uses it, so services that
    leave the instances must not wait for that.
    """

    def __init__(self, scope: Construct, id_: str, props: ClusterProps) -> None:
        super().__init__(scope, id_)
        exec_log = log_group(self, "exec_log_group", name=props.exec_log_group_name, logs=props.logs)
        # ECS would make it itself: without an end, without the key, and to stay when the cluster goes.
        insights_log = log_group(self, "insights_log_group", name=insights_log_group_name(props.name), logs=props.logs)
        cluster = EcsCluster(
            self,
            MAIN,
            name=props.name,
            setting=[EcsClusterSetting(name="containerInsights", value="enabled")],
            configuration=EcsClusterConfiguration(
                execute_command_configuration=EcsClusterConfigurationExecuteCommandConfiguration(
                    kms_key_id=props.key_arn,
                    logging="OVERRIDE",
                    log_configuration=EcsClusterConfigurationExecuteCommandConfigurationLogConfiguration(
                        cloud_watch_encryption_enabled=True, cloud_watch_log_group_name=exec_log.name
                    ),
                )
            ),
            depends_on=[insights_log],
        )
        providers = [FARGATE, *props.capacity_providers]
        attached = EcsClusterCapacityProviders(
            self,
            "attached",
            cluster_name=cluster.name,
            capacity_providers=providers,
            lifecycle=TerraformResourceLifecycle(ignore_changes=["capacity_providers"]),
        )
        # The provider asks again for 10 minutes while ECS answers ResourceInUseException.
        capacity = EcsClusterCapacityProviders(
            self, "capacity", cluster_name=cluster.name, capacity_providers=providers, depends_on=[attached]
        )
        self.capacity = capacity if props.capacity_providers else attached
        namespace = ServiceDiscoveryPrivateDnsNamespace(
            self, "namespace", name=props.namespace, description="OMERO services", vpc=props.vpc_id
        )
        self.name = props.name
        self.arn = cluster.arn
        self.namespace = props.namespace
        self.namespace_id = namespace.id
        self._exec_log_arn = exec_log.arn
        self._key_arn = props.key_arn

    def exec_statements(self) -> tuple[Statement, ...]:
        """What a task role needs for ECS Exec (ECS Developer Guide, "ECS Exec", required permissions)."""
        return (
            Statement(
                sid="ExecChannels",
                actions=(
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ),
                resources=("*",),
                any_resource_because="these actions take no narrower resource",
            ),
            Statement(
                sid="ExecLog",
                actions=("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
                resources=(f"{self._exec_log_arn}:*",),
            ),
            Statement(
                sid="ExecFindsItsLog",
                actions=("logs:DescribeLogGroups",),
                resources=("*",),
                any_resource_because="the action lists groups and takes no narrower resource",
            ),
            Statement(sid="ExecKey", actions=("kms:Decrypt",), resources=(self._key_arn,)),
        )

"""EC2 instances for ECS tasks: a launch template, an autoscaling group, and the capacity provider that scales it.

ECS starts instances when tasks need room, protects those with tasks on them, and drains one before it goes. People
come in by Session Manager; there is no key pair and no open port.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cdktf import Fn, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.autoscaling_group import (
    AutoscalingGroup,
    AutoscalingGroupLaunchTemplate,
    AutoscalingGroupTag,
)
from cdktf_cdktf_provider_aws.ecs_capacity_provider import (
    EcsCapacityProvider,
    EcsCapacityProviderAutoScalingGroupProvider,
    EcsCapacityProviderAutoScalingGroupProviderManagedScaling,
)
from constructs import Construct

from contract import names
from contract.policy import Statement
from modules.account import Account
from modules.addresses import MAIN
from modules.connections import Endpoint, open_ways
from modules.launch_template import SESSION_MANAGER, LaunchTemplateProps, instance_profile, launch_template
from modules.security_group import Rule, SecurityGroup, SecurityGroupProps

# AWS publishes the newest ECS-optimised Amazon Linux 2023 here (ECS Developer Guide, "Linux AMI metadata").
IMAGE_PARAMETER = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"


@dataclass(frozen=True, kw_only=True)
class InstancesProps:
    """`volume_gib` is the root volume's size. `tags` are given to instances and volumes, which no provider tags."""

    name: str
    account: Account
    cluster_name: str
    vpc_id: str
    subnet_ids: Sequence[str]
    instance_type: str
    maximum: int
    volume_gib: int
    tags: Mapping[str, str]


class Instances(Construct):
    """`capacity_provider` is the provider's name; `security_group` is the instances', not the tasks'.

    Through it go the agent, image pulls, logs and what Docker mounts itself (`open_ways`); what a task mounts from EFS
    and connects to goes through the task's own security group.
    CloudWatch knows the instances by `autoscaling_group_name`.
    """

    def __init__(self, scope: Construct, id_: str, props: InstancesProps) -> None:
        super().__init__(scope, id_)
        self.security_group = SecurityGroup(
            self,
            "security_group",
            SecurityGroupProps(
                name=names.suffixed("security_group", props.name, "-instances"),
                description="Instances of OMERO.server",
                vpc_id=props.vpc_id,
            ),
        )
        self.security_group.allow_out_to_anywhere("https", port=443, description="ECS, images, Session Manager")
        profile, policy = instance_profile(
            self, name=names.suffixed("role", props.name, "-instance"), statements=_statements(props)
        )
        template = launch_template(
            self,
            LaunchTemplateProps(
                name=props.name,
                image_parameter=IMAGE_PARAMETER,
                instance_type=props.instance_type,
                volume_gib=props.volume_gib,
                user_data=_user_data(props.cluster_name),
                security_group_id=self.security_group.id,
                tags=props.tags,
                profile=profile,
            ),
        )
        group = AutoscalingGroup(
            self,
            MAIN,
            name=props.name,
            min_size=0,
            max_size=props.maximum,
            vpc_zone_identifier=list(props.subnet_ids),
            launch_template=AutoscalingGroupLaunchTemplate(
                id=template.id, version=Fn.tostring(template.latest_version)
            ),
            # ECS takes the protection off an instance once no task is on it.
            protect_from_scale_in=True,
            # Without it, Terraform would wait for protected instances to go by themselves.
            force_delete=True,
            health_check_type="EC2",
            termination_policies=["OldestLaunchTemplate", "Default"],
            tag=[
                # ECS sets it; left out, the next plan would take it away.
                AutoscalingGroupTag(key="AmazonECSManaged", value="true", propagate_at_launch=True),
                *(
                    AutoscalingGroupTag(key=key, value=value, propagate_at_launch=False)
                    for key, value in sorted(props.tags.items())
                ),
            ],
            lifecycle=TerraformResourceLifecycle(ignore_changes=["desired_capacity"]),
            # Without a way out, an instance neither joins the cluster nor drains.
            depends_on=[policy, *self.security_group.rules],
        )
        provider = EcsCapacityProvider(
            self,
            "capacity_provider",
            name=props.name,
            auto_scaling_group_provider=EcsCapacityProviderAutoScalingGroupProvider(
                auto_scaling_group_arn=group.arn,
                managed_termination_protection="ENABLED",
                managed_draining="ENABLED",
                managed_scaling=EcsCapacityProviderAutoScalingGroupProviderManagedScaling(
                    status="ENABLED",
                    target_capacity=100,
                    minimum_scaling_step_size=1,
                    maximum_scaling_step_size=props.maximum,
                ),
            ),
            # Deleted after the cluster has let go of it, not before. Terraform extends this to the group, its template
            # and role, which no change of settings replaces: their names never collide.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        self.capacity_provider = provider.name
        self.autoscaling_group_name = group.name

    def open_ways(self, endpoints: Iterable[Endpoint]) -> list[Rule]:
        """Let the instances reach what Docker mounts in their own network; rules for a task to wait for."""
        return open_ways(self, self.security_group, endpoints)


def _user_data(cluster_name: str) -> str:
    """What the ECS agent is told: its cluster, and that no task may ask for the instance's own role."""
    return "\n".join(
        (
            "#!/bin/bash",
            "cat >> /etc/ecs/ecs.config <<'CONFIG'",
            f"ECS_CLUSTER={cluster_name}",
            "ECS_AWSVPC_BLOCK_IMDS=true",
            "ECS_RESERVED_MEMORY=256",
            "CONFIG",
            "",
        )
    )


def _statements(props: InstancesProps) -> tuple[Statement, ...]:
    """What agents need: ECS's on one cluster, and Session Manager's.

    The ECS Developer Guide's page on the container instance role and the Systems Manager guide's on the least
    permissions of an instance profile; nothing of S3, logs or images, which belong to the tasks' own roles.
    """
    account = props.account
    cluster = account.arn("ecs", f"cluster/{props.cluster_name}")
    return (
        Statement(
            sid="JoinOwnCluster",
            actions=("ecs:DeregisterContainerInstance", "ecs:RegisterContainerInstance"),
            resources=(cluster,),
        ),
        Statement(
            sid="ReportToOwnCluster",
            actions=(
                "ecs:SubmitAttachmentStateChanges",
                "ecs:SubmitContainerStateChange",
                "ecs:SubmitTaskStateChange",
            ),
            resources=(cluster,),
        ),
        Statement(
            sid="BeInstanceOfOwnCluster",
            actions=("ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"),
            resources=(account.arn("ecs", f"container-instance/{props.cluster_name}/*"),),
        ),
        Statement(
            sid="FindEcs",
            actions=("ecs:DiscoverPollEndpoint",),
            resources=("*",),
            any_resource_because="the action takes no narrower resource",
        ),
        SESSION_MANAGER,
    )

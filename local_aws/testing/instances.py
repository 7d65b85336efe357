"""Instances for tasks on EC2."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from local_aws.testing.ecs import Client, Network
from local_aws.testing.rights import make_role, statement

IMAGE = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"


def instances_group(
    client: Client,
    network: Network,
    cluster: str,
    *,
    size: int = 0,
    most: int = 2,
    groups: Sequence[str] = (),
    statements: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """An Auto Scaling group of instances that join a cluster, with security groups or the VPC's default one."""
    name = f"g-{uuid4().hex[:8]}"
    client("iam").create_instance_profile(InstanceProfileName=name)
    # What agents do; a test of rights gives the statements of a role of its own.
    granted = statements or (statement("ecs:*", "ssm:*", "ssmmessages:*"),)
    role = make_role(client, *granted, service="ec2.amazonaws.com").rpartition("/")[2]
    client("iam").add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    image = client("ssm").get_parameter(Name=IMAGE)["Parameter"]["Value"]
    data = f"#!/bin/bash\necho ECS_CLUSTER={cluster} >> /etc/ecs/ecs.config\n"
    client("ec2").create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData={
            "ImageId": image,
            "InstanceType": "m6i.large",
            "UserData": base64.b64encode(data.encode()).decode(),
            "IamInstanceProfile": {"Name": name},
            **({"SecurityGroupIds": list(groups)} if groups else {}),
        },
    )
    scaling = client("autoscaling")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
        MinSize=size,
        MaxSize=most,
        DesiredCapacity=size,
        VPCZoneIdentifier=",".join(network.subnets),
        NewInstancesProtectedFromScaleIn=True,
    )
    return dict(scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0])


def capacity_provider(client: Client, group: dict[str, Any], cluster: str, **more: Any) -> str:
    """A capacity provider of such a group, which the cluster has from then on."""
    name = f"p-{uuid4().hex[:8]}"
    asked = {
        "autoScalingGroupArn": group["AutoScalingGroupARN"],
        "managedScaling": {"status": "ENABLED"},
        "managedTerminationProtection": "ENABLED",
        **more,
    }
    client("ecs").create_capacity_provider(name=name, autoScalingGroupProvider=asked)
    client("ecs").put_cluster_capacity_providers(
        cluster=cluster, capacityProviders=[name], defaultCapacityProviderStrategy=[]
    )
    return name

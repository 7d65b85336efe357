"""What every EC2 instance here has: tokens only, an encrypted gp3 volume, Session Manager, no key pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cdktf import Fn, ITerraformDependable
from cdktf_cdktf_provider_aws.data_aws_ssm_parameter import DataAwsSsmParameter
from cdktf_cdktf_provider_aws.iam_instance_profile import IamInstanceProfile
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.launch_template import (
    LaunchTemplate,
    LaunchTemplateBlockDeviceMappings,
    LaunchTemplateBlockDeviceMappingsEbs,
    LaunchTemplateIamInstanceProfile,
    LaunchTemplateMetadataOptions,
    LaunchTemplateMonitoring,
    LaunchTemplateTagSpecifications,
)
from constructs import Construct

from contract.policy import Statement, document, trust

# The Systems Manager User Guide's page on the least permissions of an instance profile.
SESSION_MANAGER = Statement(
    sid="SessionManager",
    actions=(
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ),
    resources=("*",),
    any_resource_because="the agent registers itself, and these channels take no narrower resource",
)


@dataclass(frozen=True, kw_only=True)
class LaunchTemplateProps:
    """`image_parameter` is the SSM parameter that names the AMI, an Amazon Linux whose root volume is /dev/xvda.

    `volume_gib` is that volume's size. `tags` are given to instances and volumes, which no provider tags.
    """

    name: str
    image_parameter: str
    instance_type: str
    volume_gib: int
    user_data: str
    security_group_id: str
    tags: Mapping[str, str]
    profile: IamInstanceProfile


def launch_template(scope: Construct, props: LaunchTemplateProps) -> LaunchTemplate:
    """The launch template `template` of `scope`, and the `image` that it starts from."""
    image = DataAwsSsmParameter(scope, "image", name=props.image_parameter)
    return LaunchTemplate(
        scope,
        "template",
        name=props.name,
        image_id=image.insecure_value,
        instance_type=props.instance_type,
        update_default_version=True,
        ebs_optimized="true",
        vpc_security_group_ids=[props.security_group_id],
        iam_instance_profile=LaunchTemplateIamInstanceProfile(arn=props.profile.arn),
        user_data=Fn.base64encode(props.user_data),
        monitoring=LaunchTemplateMonitoring(enabled=True),
        metadata_options=LaunchTemplateMetadataOptions(
            http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
        ),
        block_device_mappings=[
            LaunchTemplateBlockDeviceMappings(
                device_name="/dev/xvda",
                ebs=LaunchTemplateBlockDeviceMappingsEbs(
                    volume_type="gp3",
                    volume_size=props.volume_gib,
                    encrypted="true",
                    delete_on_termination="true",
                ),
            )
        ],
        tag_specifications=[
            LaunchTemplateTagSpecifications(resource_type=kind, tags={**props.tags, "Name": props.name})
            for kind in ("instance", "volume")
        ],
    )


def instance_profile(
    scope: Construct, *, name: str, statements: tuple[Statement, ...]
) -> tuple[IamInstanceProfile, ITerraformDependable]:
    """The profile of a role that may do what `statements` say, and the policy that an instance has to wait for."""
    role = IamRole(scope, "role", name=name, assume_role_policy=trust("ec2.amazonaws.com"))
    policy = IamRolePolicy(scope, "policy", name="instance", role=role.id, policy=document(*statements))
    return IamInstanceProfile(scope, "profile", name=name, role=role.name), policy

"""An S3 File Gateway on an EC2 instance: its machine, its activation and its cache.

A gateway is activated once. Its address and its key are looked at then and never again; another image is for the next
instance. An instance that is made anew is a new gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.data_aws_ssm_parameter import DataAwsSsmParameter
from cdktf_cdktf_provider_aws.data_aws_storagegateway_local_disk import DataAwsStoragegatewayLocalDisk
from cdktf_cdktf_provider_aws.ebs_volume import EbsVolume
from cdktf_cdktf_provider_aws.instance import Instance, InstanceMetadataOptions, InstanceRootBlockDevice
from cdktf_cdktf_provider_aws.storagegateway_cache import StoragegatewayCache
from cdktf_cdktf_provider_aws.storagegateway_gateway import StoragegatewayGateway
from cdktf_cdktf_provider_aws.volume_attachment import VolumeAttachment
from constructs import Construct

from contract import names
from modules.account import Account
from modules.addresses import MAIN
from modules.audit import skip
from modules.connections import HTTP_PORT, Endpoint
from modules.file_system import NFS_PORT
from modules.function import VpcConfig
from modules.gateway_activation import GatewayActivation, GatewayActivationProps
from modules.log_group import LogSettings
from modules.security_group import SecurityGroup, SecurityGroupProps

# AWS publishes the newest image of an S3 File Gateway here (S3 File Gateway User Guide, "Deploying on EC2").
IMAGE_PARAMETER = "/aws/service/storagegateway/ami/FILE_S3/latest"
# What AWS asks for (the same guide, "Requirements").
ROOT_GIB = 80
LEAST_CACHE_GIB = 150
CACHE_DEVICE = "/dev/sdb"


@dataclass(frozen=True, kw_only=True)
class FileGatewayProps:
    """The gateway lives in the first of `vpc_config.subnet_ids`. `log_group_arn` gets what it has to say of its health.

    `activation_cidrs` are networks from which Terraform reaches it to activate it; empty, a function in `vpc_config`
    fetches the key, and writes to the log `function_log_group_name`.
    """

    name: str
    account: Account
    vpc_config: VpcConfig
    instance_type: str
    cache_gib: int
    activation_cidrs: Sequence[str]
    log_group_arn: str
    function_log_group_name: str
    logs: LogSettings
    key_arn: str

    def __post_init__(self) -> None:
        if self.cache_gib < LEAST_CACHE_GIB:
            raise ValueError(
                f"{self.cache_gib} GiB of cache is not enough for a gateway; give {LEAST_CACHE_GIB} or more"
            )


class FileGateway(Construct):
    """`arn` is the gateway's, known once it has its cache; clients mount its share at `endpoint`."""

    def __init__(self, scope: Construct, id_: str, props: FileGatewayProps) -> None:
        super().__init__(scope, id_)
        group = SecurityGroup(
            self,
            "security_group",
            SecurityGroupProps(name=props.name, description="File Gateway", vpc_id=props.vpc_config.vpc_id),
        )
        group.allow_out_to_anywhere("https", port=443, description="Storage Gateway, S3")
        group.allow_in_from_cidrs(
            "activation", cidrs=props.activation_cidrs, port=HTTP_PORT, description="Activation of the gateway"
        )
        instance = self._instance(props, group.id)
        disk = self._disk(props, instance)
        key = None if props.activation_cidrs else self._key(props, instance, disk, group.id)
        gateway = StoragegatewayGateway(
            self,
            MAIN,
            gateway_name=props.name,
            gateway_timezone="GMT",
            # Terraform's default is STORED, which is another kind of gateway.
            gateway_type="FILE_S3",
            gateway_ip_address=None if key else instance.private_ip,
            activation_key=key,
            cloudwatch_log_group_arn=props.log_group_arn,
            lifecycle=TerraformResourceLifecycle(
                ignore_changes=["activation_key", "gateway_ip_address"],
                replace_triggered_by=[f"{instance.terraform_resource_type}.{instance.friendly_unique_id}.id"],
            ),
            depends_on=[disk],
        )
        found = DataAwsStoragegatewayLocalDisk(self, "cache_disk", gateway_arn=gateway.arn, disk_node=disk.device_name)
        cache = StoragegatewayCache(
            self,
            "cache",
            gateway_arn=gateway.arn,
            disk_id=found.disk_id,
            # Any change to the gateway defers the look at its disks, and a new cache would be planned for the same one.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["disk_id"]),
        )
        self.arn = cache.gateway_arn
        self.endpoint = Endpoint(
            id="to_share", port=NFS_PORT, description="NFS", security_group_id=group.id, host=instance.private_ip
        )
        self.security_group_id = group.id

    def _instance(self, props: FileGatewayProps, security_group_id: str) -> Instance:
        image = DataAwsSsmParameter(self, "image", name=IMAGE_PARAMETER)
        instance = Instance(
            self,
            "machine",
            ami=image.insecure_value,
            instance_type=props.instance_type,
            subnet_id=props.vpc_config.subnet_ids[0],
            vpc_security_group_ids=[security_group_id],
            ebs_optimized=True,
            monitoring=True,
            metadata_options=InstanceMetadataOptions(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            root_block_device=InstanceRootBlockDevice(
                volume_type="gp3", volume_size=ROOT_GIB, encrypted=True, kms_key_id=props.key_arn
            ),
            tags={"Name": props.name},
            # A gateway updates itself; a newer image would be a new gateway.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["ami"]),
        )
        skip(instance, CKV2_AWS_41="a gateway is given its rights in AWS when it is activated, not by its instance")
        return instance

    def _disk(self, props: FileGatewayProps, instance: Instance) -> VolumeAttachment:
        volume = EbsVolume(
            self,
            "cache_volume",
            availability_zone=instance.availability_zone,
            size=props.cache_gib,
            type="gp3",
            encrypted=True,
            kms_key_id=props.key_arn,
            tags={"Name": f"{props.name}-cache"},
            # A gateway does not take a disk that has grown.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["size"]),
        )
        skip(volume, CKV2_AWS_9="it holds copies of what is in the bucket, and nothing else")
        return VolumeAttachment(
            self,
            "cache_attachment",
            device_name=CACHE_DEVICE,
            instance_id=instance.id,
            volume_id=volume.id,
            # A disk that is in use stays busy (EBS User Guide, "Detach an EBS volume").
            stop_instance_before_detaching=True,
        )

    def _key(self, props: FileGatewayProps, instance: Instance, disk: VolumeAttachment, security_group_id: str) -> str:
        activation = GatewayActivation(
            self,
            "activation",
            GatewayActivationProps(
                name=names.suffixed("function", props.name, "-activation"),
                account=props.account,
                endpoint=Endpoint(
                    id="to_gateway",
                    port=HTTP_PORT,
                    description="Activation of the gateway",
                    security_group_id=security_group_id,
                    host=instance.private_ip,
                ),
                instance_id=instance.id,
                vpc_config=props.vpc_config,
                log_group_name=props.function_log_group_name,
                logs=props.logs,
                # The key is that of a machine which has its disk.
                ready=[disk],
            ),
        )
        return activation.key

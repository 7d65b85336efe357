"""The EFS file system that holds /OMERO: encrypted, over TLS and IAM only, one access point as uid 1000."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.efs_access_point import (
    EfsAccessPoint,
    EfsAccessPointPosixUser,
    EfsAccessPointRootDirectory,
    EfsAccessPointRootDirectoryCreationInfo,
)
from cdktf_cdktf_provider_aws.efs_file_system import EfsFileSystem, EfsFileSystemLifecyclePolicy
from cdktf_cdktf_provider_aws.efs_file_system_policy import EfsFileSystemPolicy
from cdktf_cdktf_provider_aws.efs_mount_target import EfsMountTarget
from constructs import Construct

from contract import names
from contract.omero import DATA_DIR, UID
from contract.policy import Statement, document
from modules.account import Account
from modules.addresses import MAIN
from modules.connections import Endpoint
from modules.security_group import SecurityGroup, SecurityGroupProps
from modules.vpc import ZONES

NFS_PORT = 2049
# The user that OMERO's images run as (omero-server in openmicroscopy/omero-server).


@dataclass(frozen=True, kw_only=True)
class FileSystemProps:
    """`infrequent_access_after_days` None keeps every file in EFS Standard."""

    name: str
    account: Account
    vpc_id: str
    subnet_ids: Sequence[str]
    key_arn: str
    throughput_mode: str
    infrequent_access_after_days: int | None
    retain: bool


class FileSystem(Construct):
    """`id`, `arn`, `security_group_id`, and `access_point_id` and `access_point_arn` of /OMERO.

    Clients mount it at `endpoint`.
    """

    def __init__(self, scope: Construct, id_: str, props: FileSystemProps) -> None:
        super().__init__(scope, id_)
        file_system = EfsFileSystem(
            self,
            MAIN,
            encrypted=True,
            kms_key_id=props.key_arn,
            throughput_mode=props.throughput_mode,
            lifecycle_policy=_lifecycle_policies(props.infrequent_access_after_days),
            tags={"Name": props.name},
            lifecycle=TerraformResourceLifecycle(prevent_destroy=props.retain),
        )
        group = SecurityGroup(
            self,
            "security_group",
            SecurityGroupProps(
                name=names.suffixed("security_group", props.name, "-nfs"),
                description="OMERO file system",
                vpc_id=props.vpc_id,
            ),
        )
        for zone, subnet_id in zip(ZONES, props.subnet_ids, strict=True):
            EfsMountTarget(
                self,
                f"mount_target_{zone}",
                file_system_id=file_system.id,
                subnet_id=subnet_id,
                security_groups=[group.id],
            )
        EfsFileSystemPolicy(
            self, "policy", file_system_id=file_system.id, policy=_policy(props.account, file_system.arn)
        )
        access_point = EfsAccessPoint(
            self,
            "omero",
            file_system_id=file_system.id,
            posix_user=EfsAccessPointPosixUser(uid=UID, gid=UID),
            root_directory=EfsAccessPointRootDirectory(
                path=DATA_DIR,
                creation_info=EfsAccessPointRootDirectoryCreationInfo(owner_uid=UID, owner_gid=UID, permissions="0755"),
            ),
            tags={"Name": f"{props.name}-omero"},
        )
        self.id = file_system.id
        self.arn = file_system.arn
        self.security_group_id = group.id
        self.endpoint = Endpoint(
            id="to_file_system", port=NFS_PORT, description="NFS over TLS", security_group_id=group.id
        )
        self.access_point_id = access_point.id
        self.access_point_arn = access_point.arn


def _lifecycle_policies(days: int | None) -> list[EfsFileSystemLifecyclePolicy]:
    if days is None:
        return []
    unit = "DAY" if days == 1 else "DAYS"
    return [
        EfsFileSystemLifecyclePolicy(transition_to_ia=f"AFTER_{days}_{unit}"),
        # Without this, a slide that is looked at daily would be billed by the byte for every look.
        EfsFileSystemLifecyclePolicy(transition_to_primary_storage_class="AFTER_1_ACCESS"),
    ]


def _policy(account: Account, arn: str) -> str:
    """With a policy in place EFS lets no anonymous client in; which roles may mount, IAM decides.

    There is no condition on `AccessedViaMountTarget`: it would shut Transfer Family out.
    """
    return document(
        Statement(
            sid="AccountPoliciesDecide",
            actions=("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"),
            resources=(arn,),
            principals={"AWS": (account.root,)},
        ),
        Statement(
            sid="DenyInsecureTransport",
            effect="Deny",
            actions=("*",),
            resources=(arn,),
            principals={"AWS": ("*",)},
            conditions={"Bool": {"aws:SecureTransport": "false"}},
        ),
    )

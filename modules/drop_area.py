"""The folder of the file system that senders deliver into, and the function that makes folders in it.

A folder of a sender's belongs to the sender's uid, and an owner is root's to give. So the function is root, through an
access point that shows it the drop area and nothing else of the file system.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdktf_cdktf_provider_aws.efs_access_point import (
    EfsAccessPoint,
    EfsAccessPointPosixUser,
    EfsAccessPointRootDirectory,
    EfsAccessPointRootDirectoryCreationInfo,
)
from constructs import Construct

from contract.omero import GID, UID
from contract.policy import Statement
from modules.file_system import FileSystem
from modules.function import Function, FunctionProps, Mounted, VpcConfig
from modules.log_group import LogSettings

MOUNT_PATH = "/mnt/drop"
ROOT = 0
# Well above what a thousand folders take.
TIMEOUT_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class DropAreaProps:
    """`folder` is a path of the file system; `name` is the function's."""

    name: str
    folder: str
    file_system: FileSystem
    vpc_config: VpcConfig
    log_group_name: str
    logs: LogSettings


class DropArea(Construct):
    """`function_name` makes folders in it (functions/sftp_folders.py)."""

    def __init__(self, scope: Construct, id_: str, props: DropAreaProps) -> None:
        super().__init__(scope, id_)
        point = EfsAccessPoint(
            self,
            "access_point",
            file_system_id=props.file_system.id,
            # It shows the drop area only, and the function alone may be root in it.
            posix_user=EfsAccessPointPosixUser(uid=ROOT, gid=ROOT),
            root_directory=EfsAccessPointRootDirectory(
                path=props.folder,
                creation_info=EfsAccessPointRootDirectoryCreationInfo(owner_uid=UID, owner_gid=GID, permissions="0755"),
            ),
            tags={"Name": props.name},
        )
        function = Function(
            self,
            "folders",
            FunctionProps(
                name=props.name,
                description="Makes the folders that senders deliver into by SFTP",
                code="sftp_folders",
                timeout_seconds=TIMEOUT_SECONDS,
                environment={"FOLDER": MOUNT_PATH},
                statements=(_be_root(props.file_system.arn, point.arn),),
                log_group_name=props.log_group_name,
                logs=props.logs,
                vpc_config=props.vpc_config,
                # The rules' addresses are older than the endpoint's name.
                mounted=Mounted(
                    access_point_arn=point.arn, path=MOUNT_PATH, endpoint=props.file_system.endpoint.named("nfs")
                ),
            ),
        )
        self.function_name = function.name


def _be_root(file_system_arn: str, access_point_arn: str) -> Statement:
    return Statement(
        sid="BeRootInTheDropArea",
        actions=(
            "elasticfilesystem:ClientMount",
            "elasticfilesystem:ClientWrite",
            "elasticfilesystem:ClientRootAccess",
        ),
        resources=(file_system_arn,),
        conditions={"StringEquals": {"elasticfilesystem:AccessPointArn": access_point_arn}},
    )

"""An NFS file share of a gateway: a bucket, as files that nobody can change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.storagegateway_nfs_file_share import (
    StoragegatewayNfsFileShare,
    StoragegatewayNfsFileShareCacheAttributes,
    StoragegatewayNfsFileShareNfsFileShareDefaults,
)
from constructs import Construct

from contract.omero import GID, UID
from contract.policy import Statement, document, trust
from modules.account import Account
from modules.addresses import MAIN


@dataclass(frozen=True, kw_only=True)
class FileShareProps:
    """`clients` are the address ranges that may mount it. `key_arn` is the bucket's, if it has a key of its own.

    `stale_timeout_seconds` 0 never lists a folder anew by itself; else 300 to 2,592,000 (API reference of
    CacheAttributes).
    """

    name: str
    account: Account
    gateway_arn: str
    bucket_name: str
    bucket_arn: str
    key_arn: str | None
    clients: Sequence[str]
    stale_timeout_seconds: int
    audit_log_group_arn: str

    def __post_init__(self) -> None:
        if self.stale_timeout_seconds and not 300 <= self.stale_timeout_seconds <= 2_592_000:
            raise ValueError(f"stale_timeout_seconds {self.stale_timeout_seconds} is neither 0 nor 300 to 2592000")


class FileShare(Construct):
    """`arn` is the share's, and `export` what clients mount: `/<bucket>`."""

    def __init__(self, scope: Construct, id_: str, props: FileShareProps) -> None:
        super().__init__(scope, id_)
        role = IamRole(
            self,
            "role",
            name=props.name,
            assume_role_policy=trust(
                "storagegateway.amazonaws.com", account_id=props.account.id, source_arn=props.gateway_arn
            ),
        )
        policy = IamRolePolicy(self, "policy", name="bucket", role=role.id, policy=document(*_statements(props)))
        share = StoragegatewayNfsFileShare(
            self,
            MAIN,
            gateway_arn=props.gateway_arn,
            location_arn=props.bucket_arn,
            role_arn=role.arn,
            client_list=list(props.clients),
            read_only=True,
            squash="RootSquash",
            # They hold for objects without an owner of their own, which all are that no gateway wrote.
            nfs_file_share_defaults=StoragegatewayNfsFileShareNfsFileShareDefaults(
                owner_id=str(UID), group_id=str(GID), file_mode="0644", directory_mode="0755"
            ),
            cache_attributes=StoragegatewayNfsFileShareCacheAttributes(
                cache_stale_timeout_in_seconds=props.stale_timeout_seconds
            ),
            audit_destination_arn=props.audit_log_group_arn,
            depends_on=[policy],
        )
        self.arn = share.arn
        self.export = f"/{props.bucket_name}"


def _statements(props: FileShareProps) -> tuple[Statement, ...]:
    """The reading half of what AWS lists (S3 File Gateway User Guide, "Granting access to an S3 bucket")."""
    look = Statement(
        sid="LookIntoTheBucket",
        actions=(
            "s3:GetAccelerateConfiguration",
            "s3:GetBucketLocation",
            "s3:GetBucketVersioning",
            "s3:ListBucket",
            "s3:ListBucketMultipartUploads",
            "s3:ListBucketVersions",
        ),
        resources=(props.bucket_arn,),
    )
    read = Statement(
        sid="ReadObjects",
        actions=("s3:GetObject", "s3:GetObjectAcl", "s3:GetObjectVersion"),
        resources=(f"{props.bucket_arn}/*",),
    )
    if props.key_arn is None:
        return (look, read)
    return (look, read, Statement(sid="DecryptObjects", actions=("kms:Decrypt",), resources=(props.key_arn,)))

"""What the roles of DataSync's locations let it do: read a bucket, write a report, mount a file system.

An execution lists the bucket as it launches, reads each object, and puts its report. Without the right to list,
creating the location fails already. How AWS words that is known from reports of users alone; how an execution ends that
lacks a right later is worded here as the service words the same failure for other reasons.

https://docs.aws.amazon.com/datasync/latest/userguide/create-s3-location.html#create-role-manually
"""

from __future__ import annotations

from typing import Any

from moto.datasync.models import DataSyncBackend
from moto.efs.models import efs_backends
from moto.s3.models import s3_backends

from local_aws import efs_access
from local_aws.rights import acting
from local_aws.rights.needs import Call, Need, via

SERVICE = "datasync.amazonaws.com"
_SESSION = "AwsSync"  # the name of DataSync's sessions, as CloudTrail shows it

Json = dict[str, Any]


def sent_along(backend: DataSyncBackend) -> dict[str, str]:
    """The keys that DataSync sends when it takes a role (its user guide, on confused deputies)."""
    arn = f"arn:{backend.partition}:datasync:{backend.region_name}:{backend.account_id}:location/loc-00000000000000000"
    return {"aws:sourceaccount": backend.account_id, "aws:sourcearn": arn}


def cannot_list(backend: DataSyncBackend, metadata: Json) -> str | None:
    """Why DataSync cannot see what is in the bucket of a location; None if it can."""
    bucket, role = str(metadata["S3BucketArn"]), str(metadata["S3Config"]["BucketAccessRoleArn"])
    prefix = str(metadata.get("Subdirectory") or "/").lstrip("/")
    needs = [
        Need("s3:GetBucketLocation", bucket),
        Need("s3:ListBucket", bucket, {"s3:prefix": prefix}),
        Need("s3:ListBucketMultipartUploads", bucket),
    ]
    refused = acting.refusal(role, _SESSION, backend.region_name, needs)
    if refused is None:
        return None
    operation = {"s3:ListBucket": "s3:ListObjectsV2"}.get(refused.need.action, refused.need.action)
    return (
        f"DataSync location access test failed: could not perform {operation} in bucket {bucket.rpartition(':')[2]}. "
        f"Access denied. Ensure bucket access role has {refused.need.action} permission."
    )


def may_read(backend: DataSyncBackend, metadata: Json, key: str, version: str | None) -> bool:
    """Whether it may read an object, and its tags."""
    resource = f"{metadata['S3BucketArn']}/{key}"
    needs = [Need("s3:GetObjectVersion" if version else "s3:GetObject", resource)]
    found = s3_backends[backend.account_id][backend.partition].get_object(
        str(metadata["S3BucketArn"]).rpartition(":")[2], key, version
    )
    needs += via(_call(backend), "s3", "kms:Decrypt", getattr(found, "kms_key_id", None))
    return _may(backend, metadata["S3Config"]["BucketAccessRoleArn"], needs)


def may_write(backend: DataSyncBackend, bucket_arn: str, role: str, key: str) -> bool:
    """Whether it may put an object, as it puts reports."""
    return _may(backend, role, [Need("s3:PutObject", f"{bucket_arn}/{key}")])


def mounted(backend: DataSyncBackend, metadata: Json) -> efs_access.Grants:
    """What it may do with the file system of a location. It mounts as root (its user guide, "EFS locations")."""
    region, system_id = str(metadata["EfsFilesystemArn"]).split(":")[3], metadata["EfsFilesystemArn"].rpartition("/")[2]
    system = efs_backends[backend.account_id][region].file_systems_by_id[system_id]
    role = metadata.get("FileSystemAccessRoleArn")
    if not role:
        return efs_access.anonymous(backend.account_id, region, backend.partition, system)
    keys = {**sent_along(backend), "elasticfilesystem:accessedviamounttarget": "true"}
    if point := metadata.get("AccessPointArn"):
        keys["elasticfilesystem:accesspointarn"] = point
    request = efs_access.Request(backend.account_id, backend.partition, region, SERVICE, role, keys, _SESSION)
    return efs_access.grants(request, system)


def _may(backend: DataSyncBackend, role: str, needs: list[Need]) -> bool:
    return acting.refusal(role, _SESSION, backend.region_name, needs) is None


def _call(backend: DataSyncBackend) -> Call:
    return Call("s3", "", {}, backend.account_id, backend.region_name, backend.partition)

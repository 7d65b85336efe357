"""EFS: file system policies that can go, backup policies, updates and protection.

moto 5.2.5 lacks PutBackupPolicy, UpdateFileSystem, UpdateFileSystemProtection and DeleteFileSystemPolicy;
DescribeBackupPolicy answers PolicyNotFound for a policy that was disabled (AWS: `DISABLED`), so that
`terraform destroy` fails; an access point can be made for a file system that is not there; and any life-cycle
policy is accepted. AWS creates file systems and mount targets in half a minute to two, here they are at once.
"""

from __future__ import annotations

from typing import Any

from moto.efs import urls
from moto.efs.exceptions import BadRequest, FileSystemNotFound, PolicyNotFound
from moto.efs.models import EFSBackend, FileSystem
from moto.efs.responses import EFSResponse

from local_aws import actions

Json = dict[str, Any]

_AFTER_DAYS = {f"AFTER_{days}_DAYS" for days in (1, 7, 14, 30, 60, 90, 180, 270, 365)}
_TRANSITIONS = {
    "TransitionToIA": _AFTER_DAYS,
    "TransitionToArchive": _AFTER_DAYS,
    "TransitionToPrimaryStorageClass": {"AFTER_1_ACCESS"},
}


def _file_system(backend: Any, name: str) -> Any:
    if name not in backend.file_systems_by_id:
        raise FileSystemNotFound(name)
    return backend.file_systems_by_id[name]


def put_backup_policy(backend: Any, asked: Json) -> Json:
    status = (asked.get("BackupPolicy") or {}).get("Status")
    if status not in ("ENABLED", "DISABLED"):
        raise BadRequest(f"The status of a backup policy is ENABLED or DISABLED, not {status}.")
    system = _file_system(backend, asked["FileSystemId"])
    system._backup_status = status
    return {"BackupPolicy": {"Status": status}}


def describe_backup_policy(backend: Any, asked: Json) -> Json:
    system = _file_system(backend, asked["FileSystemId"])
    status = getattr(system, "_backup_status", "ENABLED" if system._backup else None)
    if status is None:
        raise PolicyNotFound("None")
    return {"BackupPolicy": {"Status": status}}


def update_file_system(backend: Any, asked: Json) -> Json:
    system = _file_system(backend, asked["FileSystemId"])
    mode = asked.get("ThroughputMode") or system.throughput_mode
    provisioned = asked.get("ProvisionedThroughputInMibps")
    if mode == "provisioned" and not (provisioned or system.provisioned_throughput_in_mibps):
        raise BadRequest("ProvisionedThroughputInMibps is required when ThroughputMode is provisioned.")
    system.throughput_mode = mode
    system.provisioned_throughput_in_mibps = (
        (provisioned or system.provisioned_throughput_in_mibps) if mode == "provisioned" else None
    )
    return dict(system.info_json())


def update_file_system_protection(backend: Any, asked: Json) -> Json:
    system = _file_system(backend, asked["FileSystemId"])
    status = asked.get("ReplicationOverwriteProtection")
    system.file_system_protection = {"ReplicationOverwriteProtection": status}
    return dict(system.file_system_protection)


def delete_file_system_policy(backend: Any, asked: Json) -> Json:
    _file_system(backend, asked["FileSystemId"]).file_system_policy = None
    return {}


def put_lifecycle_configuration(backend: Any, asked: Json) -> Json:
    system = _file_system(backend, asked["FileSystemId"])
    policies = asked.get("LifecyclePolicies") or []
    for policy in policies:
        if len(policy) != 1 or any(value not in _TRANSITIONS.get(name, ()) for name, value in policy.items()):
            raise BadRequest("One or more LifecyclePolicy objects specified are malformed.")
    if any("TransitionToArchive" in policy for policy in policies) and system.throughput_mode != "elastic":
        raise BadRequest("TransitionToArchive needs the elastic throughput mode.")
    system.lifecycle_policies = policies
    return {"LifecyclePolicies": policies}


_ACTIONS: dict[str, actions.Action] = {
    "PutBackupPolicy": put_backup_policy,
    "DescribeBackupPolicy": describe_backup_policy,
    "UpdateFileSystem": update_file_system,
    "UpdateFileSystemProtection": update_file_system_protection,
    "DeleteFileSystemPolicy": delete_file_system_policy,
    "PutLifecycleConfiguration": put_lifecycle_configuration,
}


def install() -> None:
    """Put the actions, their paths and the checks into moto's EFS."""
    actions.add(EFSResponse, "efs_backend", _ACTIONS)
    urls.url_paths["/2015-02-01/file-systems/<file_system_id>/protection"] = EFSResponse.dispatch

    initialise, create, describe = (
        FileSystem.__init__,
        EFSBackend.create_access_point,
        EFSBackend.describe_file_system_policy,
    )

    def __init__(self: Any, *arguments: Any, **named: Any) -> None:  # noqa: N807
        initialise(self, *arguments, **named)
        self.file_system_protection = {"ReplicationOverwriteProtection": "ENABLED"}

    def create_access_point(self: Any, *arguments: Any, **named: Any) -> Any:
        _file_system(self, named["file_system_id"])
        return create(self, *arguments, **named)

    def describe_file_system_policy(self: Any, file_system_id: str) -> Any:
        _file_system(self, file_system_id)
        return describe(self, file_system_id)

    FileSystem.__init__ = __init__
    EFSBackend.create_access_point = create_access_point
    EFSBackend.describe_file_system_policy = describe_file_system_policy

"""EFS: file system policies that can go, backup policies, updates and protection.

moto 5.2.5 lacks PutBackupPolicy, UpdateFileSystem, UpdateFileSystemProtection and DeleteFileSystemPolicy;
DescribeBackupPolicy answers PolicyNotFound for a policy that was disabled (AWS: `DISABLED`), so that
`terraform destroy` fails; an access point can be made for a file system that is not there; and any life-cycle
policy is accepted. AWS creates file systems and mount targets in half a minute to two, here they are at once.
"""

from __future__ import annotations

import json
from typing import Any

from moto.efs import urls
from moto.efs.exceptions import BadRequest, FileSystemNotFound, PolicyNotFound
from moto.efs.models import EFSBackend, FileSystem
from moto.efs.responses import EFSResponse

Answer = tuple[str, dict[str, Any]]

_JSON = {"Content-Type": "application/json"}
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


def put_backup_policy(self: Any) -> Answer:
    status = (self._get_param("BackupPolicy") or {}).get("Status")
    if status not in ("ENABLED", "DISABLED"):
        raise BadRequest(f"The status of a backup policy is ENABLED or DISABLED, not {status}.")
    system = _file_system(self.efs_backend, self._get_param("FileSystemId"))
    system._backup_status = status
    return json.dumps({"BackupPolicy": {"Status": status}}), _JSON


def describe_backup_policy(self: Any) -> Answer:
    system = _file_system(self.efs_backend, self._get_param("FileSystemId"))
    status = getattr(system, "_backup_status", "ENABLED" if system._backup else None)
    if status is None:
        raise PolicyNotFound("None")
    return json.dumps({"BackupPolicy": {"Status": status}}), _JSON


def update_file_system(self: Any) -> Answer:
    system = _file_system(self.efs_backend, self._get_param("FileSystemId"))
    mode = self._get_param("ThroughputMode") or system.throughput_mode
    provisioned = self._get_param("ProvisionedThroughputInMibps")
    if mode == "provisioned" and not (provisioned or system.provisioned_throughput_in_mibps):
        raise BadRequest("ProvisionedThroughputInMibps is required when ThroughputMode is provisioned.")
    system.throughput_mode = mode
    system.provisioned_throughput_in_mibps = (
        (provisioned or system.provisioned_throughput_in_mibps) if mode == "provisioned" else None
    )
    return json.dumps(system.info_json()), {**_JSON, "status": 202}


def update_file_system_protection(self: Any) -> Answer:
    system = _file_system(self.efs_backend, self._get_param("FileSystemId"))
    status = self._get_param("ReplicationOverwriteProtection")
    system.file_system_protection = {"ReplicationOverwriteProtection": status}
    return json.dumps(system.file_system_protection), _JSON


def delete_file_system_policy(self: Any) -> Answer:
    _file_system(self.efs_backend, self._get_param("FileSystemId")).file_system_policy = None
    return "{}", _JSON


def put_lifecycle_configuration(self: Any) -> Answer:
    system = _file_system(self.efs_backend, self._get_param("FileSystemId"))
    policies = self._get_param("LifecyclePolicies") or []
    for policy in policies:
        if len(policy) != 1 or any(value not in _TRANSITIONS.get(name, ()) for name, value in policy.items()):
            raise BadRequest("One or more LifecyclePolicy objects specified are malformed.")
    if any("TransitionToArchive" in policy for policy in policies) and system.throughput_mode != "elastic":
        raise BadRequest("TransitionToArchive needs the elastic throughput mode.")
    system.lifecycle_policies = policies
    return json.dumps({"LifecyclePolicies": policies}), _JSON


def install() -> None:
    """Put the actions, their paths and the checks into moto's EFS."""
    actions = (
        put_backup_policy,
        describe_backup_policy,
        update_file_system,
        update_file_system_protection,
        delete_file_system_policy,
        put_lifecycle_configuration,
    )
    for action in actions:
        setattr(EFSResponse, action.__name__, action)
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

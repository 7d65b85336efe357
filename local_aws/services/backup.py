"""AWS Backup: selections, jobs and recovery points, and tags of plans and vaults.

moto 5.2.5 lacks selections, UpdateBackupPlan, every job and every recovery point; it looks for the ARN at the
wrong place of the path when tags are listed without a closing slash, as the Go SDK does; a plan with a vault that
is not there, or with windows and life cycles that AWS refuses, is accepted; a missing vault answers
ResourceNotFoundException, where AWS answers AccessDeniedException.

A backup job of StartBackupJob ends at once in a recovery point without content; schedules do not run.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from moto.backup import urls
from moto.backup.exceptions import (
    AlreadyExistsException,
    InvalidParameterValueException,
    InvalidRequestException,
    ResourceNotFoundException,
)
from moto.backup.models import BackupBackend
from moto.backup.responses import BackupResponse as Response
from moto.core.exceptions import JsonRESTError

Json = dict[str, Any]

_DAY = 86_400
_COLD_DAYS = 90  # a recovery point stays in cold storage for 90 days at least
_BELOW_VAULT = "(?P<name>[^/]+)/(?P<rest>.+)"
_MISSING_PLAN = "Cannot find Backup plan with ID "


def _store(backend: Any, name: str) -> dict[str, Json]:
    """A dictionary of ours on moto's backend, so that a reset of moto empties it too."""
    return backend.__dict__.setdefault(f"local_{name}", {})  # type: ignore[no-any-return]


def _plan(backend: Any, plan_id: str) -> Any:
    plan = backend.plans.get(plan_id)
    if plan is None or plan.deletion_date is not None:
        raise ResourceNotFoundException(_MISSING_PLAN + plan_id)
    return plan


def _vault(backend: Any, name: str) -> Any:
    if name not in backend.vaults:
        raise JsonRESTError("AccessDeniedException", "Insufficient privileges to perform this action.")
    return backend.vaults[name]


def _points(backend: Any, vault: str) -> list[Json]:
    return [point for point in _store(backend, "points").values() if point["BackupVaultName"] == vault]


def _check_plan(backend: Any, plan: Json) -> None:
    for rule in plan["Rules"]:
        name = rule["RuleName"]
        if rule["TargetBackupVaultName"] not in backend.vaults:
            raise InvalidParameterValueException(
                f"Backup vault {rule['TargetBackupVaultName']} of rule {name} not found."
            )
        if not re.match(r"^(cron|rate)\(.+\)$", rule.get("ScheduleExpression", "rate(1 day)")):
            raise InvalidParameterValueException(f"Invalid schedule expression in rule {name}.")
        start, end = rule.get("StartWindowMinutes", 480), rule.get("CompletionWindowMinutes", 10_080)
        if start < 60:
            raise InvalidParameterValueException("Start window must be at least 60 minutes.")
        if end < start + 60:
            raise InvalidParameterValueException(
                "Completion window must be at least 60 minutes greater than the start window."
            )
        lifecycle = rule.get("Lifecycle") or {}
        cold, delete = lifecycle.get("MoveToColdStorageAfterDays"), lifecycle.get("DeleteAfterDays")
        if cold is not None and delete is not None and delete < cold + _COLD_DAYS:
            raise InvalidParameterValueException(
                "Invalid lifecycle. DeleteAfterDays must be at least 90 days apart from MoveToColdStorageAfterDays"
            )


def create_backup_selection(self: Any) -> str:
    backend, plan_id = self.backup_backend, self._get_param("backupPlanId")
    _plan(backend, plan_id)
    selection = json.loads(self.body)["BackupSelection"]
    if not selection.get("IamRoleArn"):
        raise InvalidParameterValueException("IAM role is required.")
    if not any(selection.get(name) for name in ("Resources", "ListOfTags", "Conditions")):
        raise InvalidParameterValueException("A selection names resources, tags or conditions.")
    selections = _store(backend, "selections")
    for present in selections.values():
        if (present["BackupPlanId"], present["SelectionName"]) == (plan_id, selection["SelectionName"]):
            raise AlreadyExistsException("Backup selection with the same name already exists")
    added = {
        "SelectionId": str(uuid4()),
        "SelectionName": selection["SelectionName"],
        "BackupPlanId": plan_id,
        "IamRoleArn": selection["IamRoleArn"],
        "CreationDate": time.time(),
        "BackupSelection": selection,
    }
    selections[added["SelectionId"]] = added
    return json.dumps({name: added[name] for name in ("SelectionId", "BackupPlanId", "CreationDate")})


def _selection(self: Any) -> Json:
    selection = _store(self.backup_backend, "selections").get(self._get_param("selectionId"))
    if selection is None or selection["BackupPlanId"] != self._get_param("backupPlanId"):
        raise ResourceNotFoundException("Cannot find the backup selection " + str(self._get_param("selectionId")))
    return selection


def get_backup_selection(self: Any) -> str:
    return json.dumps(_selection(self))


def delete_backup_selection(self: Any) -> str:
    del _store(self.backup_backend, "selections")[_selection(self)["SelectionId"]]
    return "{}"


def list_backup_selections(self: Any) -> str:
    plan_id = self._get_param("backupPlanId")
    _plan(self.backup_backend, plan_id)
    fields = ("SelectionId", "SelectionName", "BackupPlanId", "IamRoleArn", "CreationDate")
    found = [each for each in _store(self.backup_backend, "selections").values() if each["BackupPlanId"] == plan_id]
    return json.dumps({"BackupSelectionsList": [{name: each[name] for name in fields} for each in found]})


def update_backup_plan(self: Any) -> str:
    backend = self.backup_backend
    plan = _plan(backend, self._get_param("backupPlanId"))
    document = json.loads(self.body)["BackupPlan"]
    _check_plan(backend, document)
    # A plan of moto's own fills in the defaults and the rules' ids.
    fresh = type(plan)(backup_plan=document, creator_request_id=plan.creator_request_id, backend=backend)
    plan.backup_plan, plan.version_id = fresh.backup_plan, fresh.version_id
    plan.advanced_backup_settings = fresh.advanced_backup_settings
    return json.dumps(dict(plan.to_dict()))


def list_tags(self: Any) -> str:
    arn = unquote(self.path.partition("/tags/")[2].rstrip("/"))
    return json.dumps({"Tags": self.backup_backend.list_tags(arn)})


def start_backup_job(self: Any) -> str:
    backend, request, now = self.backup_backend, json.loads(self.body), time.time()
    vault = _vault(backend, request["BackupVaultName"])
    job_id, where = str(uuid4()).upper(), f"{backend.region_name}:{backend.account_id}"
    arn = f"arn:{backend.partition}:backup:{where}:recovery-point:{uuid4()}"
    common = {
        "BackupVaultName": vault.backup_vault_name,
        "BackupVaultArn": vault.backup_vault_arn,
        "RecoveryPointArn": arn,
        "ResourceArn": request["ResourceArn"],
        "ResourceType": {"elasticfilesystem": "EFS", "rds": "RDS", "s3": "S3"}.get(
            request["ResourceArn"].split(":")[2], ""
        ),
        "IamRoleArn": request["IamRoleArn"],
        "CreationDate": now,
        "CompletionDate": now,
        "BackupSizeInBytes": 0,
        "EncryptionKeyArn": vault.encryption_key_arn,
    }
    _store(backend, "points")[arn] = {
        **common,
        "Status": "COMPLETED",
        "Lifecycle": request.get("Lifecycle") or {},
        "IsEncrypted": bool(vault.encryption_key_arn),
    }
    vault.num_of_recovery_points = len(_points(backend, vault.backup_vault_name))
    _store(backend, "jobs")[job_id] = {**common, "BackupJobId": job_id, "State": "COMPLETED", "PercentDone": "100.0"}
    return json.dumps({"BackupJobId": job_id, "RecoveryPointArn": arn, "CreationDate": now})


def describe_backup_job(self: Any) -> str:
    job_id = self._get_param("backupJobId")
    if job_id not in _store(self.backup_backend, "jobs"):
        raise ResourceNotFoundException(f"Cannot find the backup job {job_id}")
    return json.dumps(_store(self.backup_backend, "jobs")[job_id])


def list_backup_jobs(self: Any) -> str:
    wanted = {
        "ResourceArn": self._get_param("resourceArn"),
        "State": self._get_param("state"),
        "BackupVaultName": self._get_param("backupVaultName"),
    }
    jobs = [
        job
        for job in _store(self.backup_backend, "jobs").values()
        if all(value is None or job[name] == value for name, value in wanted.items())
    ]
    return json.dumps({"BackupJobs": jobs})


def list_recovery_points_by_backup_vault(self: Any) -> str:
    vault = _vault(self.backup_backend, self._get_param("backupVaultName"))
    resource = self._get_param("resourceArn")
    points = _points(self.backup_backend, vault.backup_vault_name)
    return json.dumps({"RecoveryPoints": [each for each in points if resource in (None, each["ResourceArn"])]})


def list_recovery_points_by_resource(self: Any) -> str:
    arn = unquote(self._get_param("resourceArn"))
    points = [each for each in _store(self.backup_backend, "points").values() if each["ResourceArn"] == arn]
    return json.dumps({"RecoveryPoints": points})


def _point(self: Any) -> Json:
    point = _store(self.backup_backend, "points").get(unquote(self._get_param("recoveryPointArn")))
    if point is None or point["BackupVaultName"] != self._get_param("backupVaultName"):
        raise ResourceNotFoundException("Cannot find the recovery point " + str(self._get_param("recoveryPointArn")))
    return point


def describe_recovery_point(self: Any) -> str:
    return json.dumps(_point(self))


def delete_recovery_point(self: Any) -> str:
    point = _point(self)
    vault = self.backup_backend.vaults[point["BackupVaultName"]]
    if vault.locked and time.time() < point["CreationDate"] + _DAY * (vault.min_retention_days or 0):
        raise InvalidRequestException("The recovery point is protected by the vault's lock.")
    del _store(self.backup_backend, "points")[point["RecoveryPointArn"]]
    vault.num_of_recovery_points -= 1
    return "{}"


def install() -> None:
    """Put the actions, their paths and the checks into moto's AWS Backup."""
    for action in (
        create_backup_selection,
        get_backup_selection,
        delete_backup_selection,
        list_backup_selections,
        update_backup_plan,
        list_tags,
        start_backup_job,
        describe_backup_job,
        list_backup_jobs,
        list_recovery_points_by_backup_vault,
        list_recovery_points_by_resource,
        describe_recovery_point,
        delete_recovery_point,
    ):
        setattr(Response, action.__name__, action)
    for path in ("backup-jobs", "backup-jobs/(?P<job>.+)", "resources/(?P<name>.+)", f"backup-vaults/{_BELOW_VAULT}"):
        urls.url_paths["{0}/" + path + "/?$"] = Response.dispatch
    _wrap_backend()


def _wrap_backend() -> None:
    create, delete = BackupBackend.create_backup_plan, BackupBackend.delete_backup_plan
    delete_vault = BackupBackend.delete_backup_vault

    def create_backup_plan(self: Any, backup_plan: Json, **named: Any) -> Any:
        _check_plan(self, backup_plan)
        return create(self, backup_plan=backup_plan, **named)

    def get_backup_plan(self: Any, backup_plan_id: str, version_id: str | None = None) -> Any:
        plan = _plan(self, backup_plan_id)
        if version_id and plan.version_id != version_id:
            raise ResourceNotFoundException(_MISSING_PLAN + backup_plan_id)
        return plan

    def delete_backup_plan(self: Any, backup_plan_id: str) -> Any:
        _plan(self, backup_plan_id)
        if any(each["BackupPlanId"] == backup_plan_id for each in _store(self, "selections").values()):
            raise InvalidRequestException(
                "Related backup plan selections must be deleted prior to backup plan deletion"
            )
        answer = delete(self, backup_plan_id)
        # moto refuses a new plan with a deleted one's name as long as it keeps the deleted one.
        del self.plans[backup_plan_id]
        return answer

    def describe_backup_vault(self: Any, backup_vault_name: str) -> Any:
        return _vault(self, backup_vault_name)

    def delete_backup_vault(self: Any, backup_vault_name: str) -> None:
        vault = _vault(self, backup_vault_name)
        if vault.num_of_recovery_points:
            raise InvalidRequestException(
                f"Backup vault cannot be deleted (contains {vault.num_of_recovery_points} recovery points)"
            )
        delete_vault(self, backup_vault_name)

    BackupBackend.create_backup_plan = create_backup_plan
    BackupBackend.get_backup_plan = get_backup_plan
    BackupBackend.delete_backup_plan = delete_backup_plan
    BackupBackend.describe_backup_vault = describe_backup_vault
    BackupBackend.delete_backup_vault = delete_backup_vault

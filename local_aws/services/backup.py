"""AWS Backup: selections, the lists of recovery points, and tags of plans and vaults.

moto 5.2.5 lacks selections, UpdateBackupPlan and ListRecoveryPointsByBackupVault; it looks for the ARN at the
wrong place of the path when tags are listed without a closing slash, as the Go SDK does; a plan with a vault that
is not there, or with windows and life cycles that AWS refuses, is accepted; a missing vault answers
ResourceNotFoundException, where AWS answers AccessDeniedException.

There are no backup jobs and no recovery points: schedules do not run.
"""

from __future__ import annotations

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

from local_aws import actions

Json = dict[str, Any]

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


def create_backup_selection(backend: Any, asked: Json) -> Json:
    plan_id = asked["BackupPlanId"]
    _plan(backend, plan_id)
    selection = asked["BackupSelection"]
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
    return {name: added[name] for name in ("SelectionId", "BackupPlanId", "CreationDate")}


def _selection(backend: Any, asked: Json) -> Json:
    selection = _store(backend, "selections").get(asked["SelectionId"])
    if selection is None or selection["BackupPlanId"] != asked["BackupPlanId"]:
        raise ResourceNotFoundException("Cannot find the backup selection " + str(asked["SelectionId"]))
    return selection


def get_backup_selection(backend: Any, asked: Json) -> Json:
    return _selection(backend, asked)


def delete_backup_selection(backend: Any, asked: Json) -> Json:
    del _store(backend, "selections")[_selection(backend, asked)["SelectionId"]]
    return {}


def list_backup_selections(backend: Any, asked: Json) -> Json:
    plan_id = asked["BackupPlanId"]
    _plan(backend, plan_id)
    fields = ("SelectionId", "SelectionName", "BackupPlanId", "IamRoleArn", "CreationDate")
    found = [each for each in _store(backend, "selections").values() if each["BackupPlanId"] == plan_id]
    return {"BackupSelectionsList": [{name: each[name] for name in fields} for each in found]}


def update_backup_plan(backend: Any, asked: Json) -> Json:
    plan = _plan(backend, asked["BackupPlanId"])
    document = asked["BackupPlan"]
    _check_plan(backend, document)
    # A plan of moto's own fills in the defaults and the rules' ids.
    fresh = type(plan)(backup_plan=document, creator_request_id=plan.creator_request_id, backend=backend)
    plan.backup_plan, plan.version_id = fresh.backup_plan, fresh.version_id
    plan.advanced_backup_settings = fresh.advanced_backup_settings
    return dict(plan.to_dict())


def list_tags(backend: Any, asked: Json) -> Json:
    return {"Tags": backend.list_tags(unquote(asked["ResourceArn"]).rstrip("/"))}


def list_recovery_points_by_backup_vault(backend: Any, asked: Json) -> Json:
    """None: nothing makes any. Terraform asks before it deletes a vault."""
    _vault(backend, asked["BackupVaultName"])
    return {"RecoveryPoints": []}


_ACTIONS: dict[str, actions.Action] = {
    "CreateBackupSelection": create_backup_selection,
    "GetBackupSelection": get_backup_selection,
    "DeleteBackupSelection": delete_backup_selection,
    "ListBackupSelections": list_backup_selections,
    "UpdateBackupPlan": update_backup_plan,
    "ListTags": list_tags,
    "ListRecoveryPointsByBackupVault": list_recovery_points_by_backup_vault,
}


def install() -> None:
    """Put the actions, their paths and the checks into moto's AWS Backup."""
    actions.add(Response, "backup_backend", _ACTIONS)
    urls.url_paths["{0}/backup-vaults/" + _BELOW_VAULT + "/?$"] = Response.dispatch
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
        _vault(self, backup_vault_name)
        delete_vault(self, backup_vault_name)

    BackupBackend.create_backup_plan = create_backup_plan
    BackupBackend.get_backup_plan = get_backup_plan
    BackupBackend.delete_backup_plan = delete_backup_plan
    BackupBackend.describe_backup_vault = describe_backup_vault
    BackupBackend.delete_backup_vault = delete_backup_vault

"""AWS Backup: what a plan selects, what a vault holds, and what AWS refuses."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.ecs import Client

ROLE = "arn:aws:iam::123456789012:role/backup"
FILES = "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-12345678"


@pytest.fixture
def vault(client: Client) -> str:
    name = f"vault-{uuid4().hex[:8]}"
    client("backup").create_backup_vault(BackupVaultName=name, BackupVaultTags={"Application": "omero"})
    return name


def _rule(vault: str, **more: Any) -> dict[str, Any]:
    return {
        "RuleName": "daily",
        "TargetBackupVaultName": vault,
        "ScheduleExpression": "cron(0 3 * * ? *)",
        "StartWindowMinutes": 60,
        "CompletionWindowMinutes": 480,
        **more,
    }


def _plan(client: Client, vault: str, **more: Any) -> dict[str, Any]:
    document = {"BackupPlanName": f"plan-{uuid4().hex[:8]}", "Rules": [_rule(vault, **more)]}
    return dict(client("backup").create_backup_plan(BackupPlan=document, BackupPlanTags={"Application": "omero"}))


def test_selections_live_below_their_plan(client: Client, vault: str) -> None:
    backup, plan = client("backup"), _plan(client, vault)["BackupPlanId"]
    selection = {"SelectionName": "all", "IamRoleArn": ROLE, "Resources": [FILES]}
    created = backup.create_backup_selection(BackupPlanId=plan, BackupSelection=selection)["SelectionId"]

    found = backup.get_backup_selection(BackupPlanId=plan, SelectionId=created)
    assert found["BackupSelection"] == selection
    listed = backup.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"]
    assert [each["SelectionId"] for each in listed] == [created]
    with pytest.raises(ClientError, match="AlreadyExistsException"):
        backup.create_backup_selection(BackupPlanId=plan, BackupSelection=selection)
    with pytest.raises(ClientError, match="selections must be deleted prior"):
        backup.delete_backup_plan(BackupPlanId=plan)

    backup.delete_backup_selection(BackupPlanId=plan, SelectionId=created)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.get_backup_selection(BackupPlanId=plan, SelectionId=created)
    backup.delete_backup_plan(BackupPlanId=plan)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.get_backup_plan(BackupPlanId=plan)


def test_tags_of_plans_and_vaults_are_returned(client: Client, vault: str) -> None:
    backup = client("backup")
    for arn in (
        _plan(client, vault)["BackupPlanArn"],
        backup.describe_backup_vault(BackupVaultName=vault)["BackupVaultArn"],
    ):
        assert backup.list_tags(ResourceArn=arn)["Tags"] == {"Application": "omero"}


def test_updated_plan_has_another_version(client: Client, vault: str) -> None:
    backup, plan = client("backup"), _plan(client, vault)
    document = {"BackupPlanName": "renamed", "Rules": [_rule(vault, Lifecycle={"DeleteAfterDays": 35})]}
    updated = backup.update_backup_plan(BackupPlanId=plan["BackupPlanId"], BackupPlan=document)
    assert updated["VersionId"] != plan["VersionId"]
    found = backup.get_backup_plan(BackupPlanId=plan["BackupPlanId"])["BackupPlan"]
    assert found["Rules"][0]["Lifecycle"] == {"DeleteAfterDays": 35}


def test_a_vault_that_is_gone_is_denied(client: Client, vault: str) -> None:
    backup = client("backup")
    assert backup.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"] == []
    backup.delete_backup_vault(BackupVaultName=vault)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        backup.describe_backup_vault(BackupVaultName=vault)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"TargetBackupVaultName": "missing"}, "missing of rule daily not found"),
        ({"StartWindowMinutes": 30}, "at least 60 minutes"),
        ({"CompletionWindowMinutes": 90}, "60 minutes greater"),
        ({"Lifecycle": {"MoveToColdStorageAfterDays": 30, "DeleteAfterDays": 60}}, "at least 90 days apart"),
        ({"ScheduleExpression": "every day"}, "Invalid schedule expression"),
    ],
)
def test_refuses_a_rule(client: Client, vault: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=f"InvalidParameterValueException.*{message}"):
        _plan(client, vault, **change)

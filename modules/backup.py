"""Daily AWS Backup of the named resources into an encrypted vault of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.backup_plan import BackupPlan, BackupPlanRule, BackupPlanRuleLifecycle
from cdktf_cdktf_provider_aws.backup_selection import BackupSelection
from cdktf_cdktf_provider_aws.backup_vault import BackupVault
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from constructs import Construct

from contract.policy import trust
from modules.account import Account

POLICIES = ("AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForRestores")


@dataclass(frozen=True, kw_only=True)
class BackupProps:
    """`schedule` is an AWS cron expression in UTC; `resources` are the ARNs that are backed up."""

    name: str
    account: Account
    key_arn: str
    schedule: str
    retention_days: int
    resources: Sequence[str]
    retain: bool


class Backup(Construct):
    """`vault_name` is where the recovery points are."""

    def __init__(self, scope: Construct, id_: str, props: BackupProps) -> None:
        super().__init__(scope, id_)
        vault = BackupVault(
            self,
            "vault",
            name=props.name,
            kms_key_arn=props.key_arn,
            force_destroy=not props.retain,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=props.retain),
        )
        plan = BackupPlan(
            self,
            "plan",
            name=props.name,
            rule=[
                BackupPlanRule(
                    rule_name="daily",
                    target_vault_name=vault.name,
                    schedule=props.schedule,
                    # Minutes: one hour to begin, a day to end (a first full copy of terabytes takes long).
                    start_window=60,
                    completion_window=1440,
                    lifecycle=BackupPlanRuleLifecycle(delete_after=props.retention_days),
                )
            ],
        )
        role = IamRole(
            self,
            "role",
            name=props.name,
            # No condition: AWS documents none for this service, and a backup must not fail in silence.
            assume_role_policy=trust("backup.amazonaws.com"),
        )
        attachments = [
            IamRolePolicyAttachment(
                self,
                policy,
                role=role.name,
                policy_arn=props.account.managed_policy(f"service-role/{policy}"),
            )
            for policy in POLICIES
        ]
        BackupSelection(
            self,
            "selection",
            name="omero",
            plan_id=plan.id,
            iam_role_arn=role.arn,
            resources=list(props.resources),
            depends_on=attachments,
        )
        self.vault_name = vault.name

"""A customer-managed KMS key with an alias, rotated every year."""

from __future__ import annotations

from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from contract.policy import Statement, document
from modules.account import Account
from modules.addresses import MAIN


@dataclass(frozen=True, kw_only=True)
class KeyProps:
    """`logs_prefixes` let CloudWatch Logs use the key for the log groups whose names begin so.

    `services` of AWS may use it too, to write into what it encrypts, for instance `events.amazonaws.com` into a topic.

    `retain` keeps the key from being destroyed: what it encrypts is lost without it.
    """

    name: str
    description: str
    account: Account
    retain: bool
    logs_prefixes: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


class Key(Construct):
    """`arn` is the key's."""

    def __init__(self, scope: Construct, id_: str, props: KeyProps) -> None:
        super().__init__(scope, id_)
        key = KmsKey(
            self,
            MAIN,
            description=props.description,
            enable_key_rotation=True,
            # 7 to 30 days are allowed; the longest leaves the most time to notice a mistake.
            deletion_window_in_days=30 if props.retain else 7,
            policy=document(*_statements(props)),
            lifecycle=TerraformResourceLifecycle(prevent_destroy=props.retain),
        )
        KmsAlias(self, "alias", name=f"alias/{props.name}", target_key_id=key.key_id)
        self.arn = key.arn


def _statements(props: KeyProps) -> tuple[Statement, ...]:
    this_key = "a key policy speaks of its own key as *"
    administration = Statement(
        sid="AccountPoliciesDecide",
        actions=("kms:*",),
        resources=("*",),
        principals={"AWS": (props.account.root,)},
        any_resource_because=this_key,
    )
    services = Statement(
        sid="ServicesWrite",
        # Without a condition on their source, which not every service sends along to KMS.
        actions=("kms:Decrypt", "kms:GenerateDataKey*"),
        resources=("*",),
        principals={"Service": props.services},
        any_resource_because=this_key,
    )
    ours = (administration, services) if props.services else (administration,)
    if not props.logs_prefixes:
        return ours
    logs = Statement(
        sid="LogGroupsOfThisWorkspace",
        actions=("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"),
        resources=("*",),
        principals={"Service": (props.account.logs,)},
        conditions={
            "ArnLike": {
                "kms:EncryptionContext:aws:logs:arn": tuple(
                    props.account.arn("logs", f"log-group:{prefix}*") for prefix in props.logs_prefixes
                )
            }
        },
        any_resource_because=this_key,
    )
    return (*ours, logs)

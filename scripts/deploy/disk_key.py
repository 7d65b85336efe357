"""Whether Auto Scaling may use the key that EC2 encrypts disks with: instances die at launch otherwise, unseen by ECS.

EC2 Auto Scaling's user guide, "Required AWS KMS key policy for use with encrypted volumes": a key of the customer's own
has to admit the service-linked role in its policy, one of another account by a grant. Changes nothing.
"""

from __future__ import annotations

from typing import Any

import boto3

from contract import names
from scripts import aws, console
from scripts.errors import Refused
from settings import Workspace

ROLE = "AWSServiceRoleForAutoScaling"


def check(session: boto3.Session, workspace: Workspace) -> None:
    """Refuse a default key for disks that Auto Scaling may not use, where the workspace has instances that it starts.

    Raises:
        Refused: neither the key's policy nor a grant admits the service-linked role.
    """
    if workspace.omero.server.launch_type != "EC2" and not workspace.upload_host:
        return
    key_id = str(session.client("ec2").get_ebs_default_kms_key_id()["KmsKeyId"])
    if key_id == "alias/aws/ebs":
        return
    kms = session.client("kms")
    try:
        key: Any = kms.describe_key(KeyId=key_id)["KeyMetadata"]
        if key["KeyManager"] == "AWS" or _admits(kms, key["Arn"], workspace, own=key["AWSAccountId"]):
            return
    except aws.ERRORS as error:
        console.say(f"could not check whether Auto Scaling may use the key {key_id} of disks: {aws.sentence(error)}")
        return
    raise Refused(
        f"EC2 encrypts disks in {workspace.region} with the key {key['Arn']}, which neither its policy nor a grant "
        f"lets Auto Scaling's role {ROLE} use, so that no instance would start; create a grant for {_role(workspace)} "
        "(`aws kms create-grant`), or set another default key (`aws ec2 modify-ebs-default-kms-key-id`)."
    )


def _role(workspace: Workspace) -> str:
    partition = names.partition(workspace.region)
    return f"arn:{partition}:iam::{workspace.account_id}:role/aws-service-role/autoscaling.amazonaws.com/{ROLE}"


def _admits(kms: Any, arn: str, workspace: Workspace, *, own: str) -> bool:
    role = _role(workspace)
    if any(row.get("GranteePrincipal") == role for row in aws.rows(kms, "list_grants", "Grants", KeyId=arn)):
        return True
    # Another account's policy cannot be read, and would not suffice.
    return own == workspace.account_id and role in str(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])

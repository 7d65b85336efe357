"""The key that EC2 encrypts disks with, and Auto Scaling's role."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local_aws.install import install
from scripts.deploy import disk_key
from scripts.errors import Refused
from tests.conftest import workspace

install()
ROLE = "arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
ON_EC2: dict[str, Any] = {"account_id": "123456789012", "omero": {"server": {"launch_type": "EC2"}}}


@pytest.fixture
def key(mocked_aws: object) -> str:
    return str(boto3.client("kms", region_name="eu-central-1").create_key()["KeyMetadata"]["Arn"])


def _check(key_id: str = "", **changes: Any) -> None:
    session = boto3.Session(region_name="eu-central-1")
    if key_id:
        session.client("ec2").modify_ebs_default_kms_key_id(KmsKeyId=key_id)
    disk_key.check(session, workspace(**{**ON_EC2, **changes}))


def test_refuses_a_key_that_auto_scaling_may_not_use(key: str) -> None:
    with pytest.raises(Refused, match=r"no instance would start; create a grant for arn:aws:iam::123456789012:role/"):
        _check(key)
    with pytest.raises(Refused, match="no instance would start"):
        _check(key, omero={}, upload_host={"sources": [{"bucket": "lab-slides"}]})
    _check(key, omero={})


def test_does_not_mind_awss_own_key(mocked_aws: object) -> None:
    _check()


def test_a_grant_suffices(key: str) -> None:
    kms = boto3.client("kms", region_name="eu-central-1")
    kms.create_grant(KeyId=key, GranteePrincipal=ROLE, Operations=["Decrypt", "CreateGrant"])
    _check(key)


def test_a_policy_suffices(key: str) -> None:
    kms = boto3.client("kms", region_name="eu-central-1")
    statement = {"Effect": "Allow", "Principal": {"AWS": [ROLE]}, "Action": "kms:*", "Resource": "*"}
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps({"Statement": [statement]}))
    _check(key)


def test_another_accounts_key_needs_a_grant(key: str) -> None:
    """Its policy is not ours to read: what it says does not count."""
    kms = boto3.client("kms", region_name="eu-central-1")
    policy = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:*"}]})
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    with pytest.raises(Refused, match="no instance would start"):
        _check(key, account_id="210987654321")


def test_says_what_it_could_not_check(
    key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(*_: Any, **__: Any) -> bool:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "ListGrants")

    monkeypatch.setattr(disk_key, "_admits", denied)
    _check(key)
    assert "could not check whether Auto Scaling may use the key" in " ".join(capsys.readouterr().err.split())

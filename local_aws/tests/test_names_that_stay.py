"""What outlives its deletion: a secret's name, log groups that services write again, a key that waits for its end."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.ecs import Client, Network, until


def _code(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


def _groups(client: Client, prefix: str) -> list[str]:
    found = client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
    return [group["logGroupName"] for group in found]


def test_deleted_secret_keeps_its_name_for_its_window(client: Client) -> None:
    secrets, name = client("secretsmanager"), f"omero/{uuid4().hex}"
    secrets.create_secret(Name=name, SecretString="first")
    secrets.delete_secret(SecretId=name, RecoveryWindowInDays=30)
    with pytest.raises(ClientError) as raised:
        secrets.create_secret(Name=name, SecretString="second")
    assert _code(raised) == "InvalidRequestException"
    # Terraform's provider looks for these words.
    assert "scheduled for deletion" in str(raised.value)
    secrets.restore_secret(SecretId=name)
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "first"
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    secrets.create_secret(Name=name, SecretString="second")


def test_database_writes_its_logs_again_after_its_deletion(client: Client, network: Network) -> None:
    rds, logs, name = client("rds"), client("logs"), f"db-{uuid4().hex[:8]}"
    rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="Two zones", SubnetIds=network.subnets)
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        DBInstanceClass="db.t4g.medium",
        AllocatedStorage=20,
        MasterUsername="omero",
        MasterUserPassword="a-long-password",
        DBSubnetGroupName=name,
        EnableCloudwatchLogsExports=["postgresql"],
    )
    group = f"/aws/rds/instance/{name}/postgresql"
    until(lambda: _groups(client, group) == [group])
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    logs.delete_log_group(logGroupName=group)
    (again,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert "retentionInDays" not in again
    logs.delete_log_group(logGroupName=group)
    assert _groups(client, group) == []


def test_container_insights_has_its_own_log_group(client: Client) -> None:
    ecs, name = client("ecs"), f"cluster-{uuid4().hex[:8]}"
    group = f"/aws/ecs/containerinsights/{name}/performance"
    without = f"cluster-{uuid4().hex[:8]}"
    ecs.create_cluster(clusterName=without, settings=[{"name": "containerInsights", "value": "disabled"}])
    assert _groups(client, f"/aws/ecs/containerinsights/{without}/") == []
    ecs.create_cluster(clusterName=name, settings=[{"name": "containerInsights", "value": "enabled"}])
    assert _groups(client, group) == [group]
    ecs.delete_cluster(cluster=name)
    client("logs").delete_log_group(logGroupName=group)
    assert _groups(client, group) == []


def _key(client: Client, arn: str | None = None) -> str:
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    ]
    if arn:
        statements.append(
            {
                "Effect": "Allow",
                "Principal": {"Service": "logs.eu-west-1.amazonaws.com"},
                "Action": "kms:Encrypt*",
                "Resource": "*",
                "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn}},
            }
        )
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return str(client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"])


def test_log_group_takes_a_key_that_admits_it(client: Client) -> None:
    logs, name = client("logs"), f"/omero/{uuid4().hex}"
    key = _key(client, arn="arn:aws:logs:eu-west-1:123456789012:log-group:/omero/*")
    for refused in (_key(client), _key(client, arn="arn:aws:logs:eu-west-1:123456789012:log-group:/other/*")):
        with pytest.raises(ClientError) as raised:
            logs.create_log_group(logGroupName=name, kmsKeyId=refused)
        assert _code(raised) == "AccessDeniedException"
    logs.create_log_group(logGroupName=name)
    logs.associate_kms_key(logGroupName=name, kmsKeyId=key)
    (group,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert group["kmsKeyId"] == key
    logs.disassociate_kms_key(logGroupName=name)
    client("kms").schedule_key_deletion(KeyId=key.rpartition("/")[2], PendingWindowInDays=7)
    with pytest.raises(ClientError) as raised:
        logs.associate_kms_key(logGroupName=name, kmsKeyId=key)
    assert _code(raised) == "InvalidParameterException"


def test_key_that_waits_for_its_deletion_decrypts_nothing(client: Client) -> None:
    kms = client("kms")
    key = _key(client)
    blob = kms.encrypt(KeyId=key, Plaintext=b"slides")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key.rpartition("/")[2], PendingWindowInDays=7)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("decrypt", {"CiphertextBlob": blob}),
        ("encrypt", {"KeyId": key, "Plaintext": b"more"}),
        ("generate_data_key", {"KeyId": key, "KeySpec": "AES_256"}),
    ]
    for name, asked in calls:
        with pytest.raises(ClientError, match="is pending deletion") as raised:
            getattr(kms, name)(**asked)
        assert _code(raised) == "KMSInvalidStateException"
    kms.cancel_key_deletion(KeyId=key.rpartition("/")[2])
    with pytest.raises(ClientError) as raised:
        kms.decrypt(CiphertextBlob=blob)
    assert _code(raised) == "DisabledException"
    kms.enable_key(KeyId=key.rpartition("/")[2])
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"slides"


def test_secret_of_elsewhere_has_its_arn(client: Client) -> None:
    """So that a workspace that names one by its ARN can be rehearsed."""
    manager = client("secretsmanager")
    tags = [{"Key": "local-aws:id", "Value": "omero-ldap-a1B2c3"}]
    made = manager.create_secret(Name="omero-ldap", SecretString="x", Tags=tags)
    assert made["ARN"].endswith(":secret:omero-ldap-a1B2c3")
    assert manager.get_secret_value(SecretId=made["ARN"])["SecretString"] == "x"

"""EFS: policies, protection and life cycle as AWS keeps them."""

from __future__ import annotations

from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.ecs import Client


@pytest.fixture
def files(client: Client) -> str:
    made = client("efs").create_file_system(CreationToken=uuid4().hex, Encrypted=True, ThroughputMode="elastic")
    return str(made["FileSystemId"])


def test_disabled_backup_policy_is_not_a_missing_one(client: Client, files: str) -> None:
    efs = client("efs")
    with pytest.raises(ClientError, match="PolicyNotFound"):
        efs.describe_backup_policy(FileSystemId=files)
    for status in ("ENABLED", "DISABLED"):
        efs.put_backup_policy(FileSystemId=files, BackupPolicy={"Status": status})
        assert efs.describe_backup_policy(FileSystemId=files)["BackupPolicy"] == {"Status": status}


def test_policy_can_be_deleted(client: Client, files: str) -> None:
    efs = client("efs")
    efs.put_file_system_policy(FileSystemId=files, Policy="{}")
    efs.delete_file_system_policy(FileSystemId=files)
    with pytest.raises(ClientError, match="PolicyNotFound"):
        efs.describe_file_system_policy(FileSystemId=files)
    with pytest.raises(ClientError, match="FileSystemNotFound"):
        efs.describe_file_system_policy(FileSystemId="fs-00000000")


def test_updates_throughput_and_protection(client: Client, files: str) -> None:
    efs = client("efs")
    described = efs.describe_file_systems(FileSystemId=files)["FileSystems"][0]
    assert described["FileSystemProtection"] == {"ReplicationOverwriteProtection": "ENABLED"}
    efs.update_file_system_protection(FileSystemId=files, ReplicationOverwriteProtection="DISABLED")
    assert efs.update_file_system(FileSystemId=files, ThroughputMode="bursting")["ThroughputMode"] == "bursting"
    described = efs.describe_file_systems(FileSystemId=files)["FileSystems"][0]
    assert described["FileSystemProtection"] == {"ReplicationOverwriteProtection": "DISABLED"}
    with pytest.raises(ClientError, match="ProvisionedThroughputInMibps is required"):
        efs.update_file_system(FileSystemId=files, ThroughputMode="provisioned")


def test_life_cycle_has_one_transition_a_policy(client: Client, files: str) -> None:
    efs = client("efs")
    policies = [
        {"TransitionToIA": "AFTER_30_DAYS"},
        {"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"},
        {"TransitionToArchive": "AFTER_90_DAYS"},
    ]
    efs.put_lifecycle_configuration(FileSystemId=files, LifecyclePolicies=policies)
    assert efs.describe_lifecycle_configuration(FileSystemId=files)["LifecyclePolicies"] == policies
    merged = [{"TransitionToIA": "AFTER_30_DAYS", "TransitionToArchive": "AFTER_90_DAYS"}]
    with pytest.raises(ClientError, match="malformed"):
        efs.put_lifecycle_configuration(FileSystemId=files, LifecyclePolicies=merged)
    efs.update_file_system(FileSystemId=files, ThroughputMode="bursting")
    with pytest.raises(ClientError, match="elastic"):
        efs.put_lifecycle_configuration(FileSystemId=files, LifecyclePolicies=policies)


def test_access_point_needs_its_file_system(client: Client) -> None:
    with pytest.raises(ClientError, match="FileSystemNotFound"):
        client("efs").create_access_point(ClientToken=uuid4().hex, FileSystemId="fs-00000000")

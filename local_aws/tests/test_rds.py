"""RDS: a PostgreSQL instance as Terraform reads it back, its states, and what AWS refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.services import rds_changes
from local_aws.testing.ecs import Client, Network, until


@pytest.fixture(scope="module")
def subnets(client: Client, network: Network) -> str:
    name = f"subnets-{uuid4().hex[:8]}"
    client("rds").create_db_subnet_group(
        DBSubnetGroupName=name, DBSubnetGroupDescription="Two zones", SubnetIds=network.subnets
    )
    return name


def _create(client: Client, subnets: str, **more: Any) -> dict[str, Any]:
    request = {
        "DBInstanceIdentifier": f"db-{uuid4().hex[:8]}",
        "Engine": "postgres",
        "EngineVersion": "16",
        "DBInstanceClass": "db.t4g.medium",
        "AllocatedStorage": 20,
        "StorageType": "gp3",
        "MasterUsername": "omero",
        "MasterUserPassword": "a-long-password",
        "DBSubnetGroupName": subnets,
        **more,
    }
    return dict(client("rds").create_db_instance(**request)["DBInstance"])


def _describe(client: Client, name: str) -> dict[str, Any]:
    return dict(client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])


def test_instance_is_created_and_then_available(client: Client, subnets: str) -> None:
    created = _create(client, subnets)
    assert created["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in created
    name = created["DBInstanceIdentifier"]
    until(lambda: _describe(client, name)["DBInstanceStatus"] == "available")

    described = _describe(client, name)
    assert described["Endpoint"]["Port"] == 5432
    assert described["EngineVersion"].startswith("16.")
    assert described["LicenseModel"] == "postgresql-license"
    assert described["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"
    assert described["OptionGroupMemberships"][0]["OptionGroupName"] == "default:postgres-16"
    assert described["DbiResourceId"] != _create(client, subnets)["DbiResourceId"]


def test_performance_insights_can_be_switched(client: Client, subnets: str) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/0"
    name = _create(client, subnets, EnablePerformanceInsights=True, PerformanceInsightsKMSKeyId=key)[
        "DBInstanceIdentifier"
    ]
    described = _describe(client, name)
    assert (described["PerformanceInsightsEnabled"], described["PerformanceInsightsKMSKeyId"]) == (True, key)
    assert described["PerformanceInsightsRetentionPeriod"] == 7
    client("rds").modify_db_instance(DBInstanceIdentifier=name, EnablePerformanceInsights=False)
    assert _describe(client, name)["PerformanceInsightsEnabled"] is False


def test_deletion_needs_protection_off_and_a_fresh_snapshot_name(client: Client, subnets: str) -> None:
    rds = client("rds")
    name = _create(client, subnets, DeletionProtection=True)["DBInstanceIdentifier"]
    with pytest.raises(ClientError, match="Cannot delete protected DB Instance"):
        rds.delete_db_instance(DBInstanceIdentifier=name, FinalDBSnapshotIdentifier="final")
    rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False)
    with pytest.raises(ClientError, match="FinalDBSnapshotIdentifier is required"):
        rds.delete_db_instance(DBInstanceIdentifier=name)
    rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier="taken")
    with pytest.raises(ClientError, match="DBSnapshotAlreadyExists"):
        rds.delete_db_instance(DBInstanceIdentifier=name, FinalDBSnapshotIdentifier="taken")
    rds.delete_db_instance(DBInstanceIdentifier=name, FinalDBSnapshotIdentifier="final")
    with pytest.raises(ClientError, match="DBInstanceNotFound"):
        _describe(client, name)
    assert rds.describe_db_snapshots(DBSnapshotIdentifier="final")["DBSnapshots"][0]["DBInstanceIdentifier"] == name


def test_parameters_are_the_users_and_can_be_reset(client: Client, subnets: str) -> None:
    rds, name = client("rds"), f"parameters-{uuid4().hex[:8]}"
    rds.create_db_parameter_group(
        DBParameterGroupName=name, DBParameterGroupFamily="postgres16", Description="TLS only"
    )
    force = {"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "immediate"}
    rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=[force])
    found = rds.describe_db_parameters(DBParameterGroupName=name)["Parameters"]
    assert [(each["ParameterName"], each["ParameterValue"], each["Source"]) for each in found] == [
        ("rds.force_ssl", "1", "user")
    ]
    static = {"ParameterName": "max_connections", "ParameterValue": "9", "ApplyMethod": "immediate"}
    with pytest.raises(ClientError, match="static parameter"):
        rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=[static])
    with pytest.raises(ClientError, match="DBParameterGroupFamily postgres17"):
        _create(client, subnets, DBParameterGroupName=name, EngineVersion="17")
    rds.reset_db_parameter_group(DBParameterGroupName=name, Parameters=[force])
    assert rds.describe_db_parameters(DBParameterGroupName=name)["Parameters"] == []


def test_snapshot_can_be_restored(client: Client, subnets: str) -> None:
    rds = client("rds")
    source = _create(client, subnets)
    snapshot = f"snapshot-{uuid4().hex[:8]}"
    rds.create_db_snapshot(DBInstanceIdentifier=source["DBInstanceIdentifier"], DBSnapshotIdentifier=snapshot)
    restored = rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=f"restored-{uuid4().hex[:8]}", DBSnapshotIdentifier=snapshot, DBSubnetGroupName=subnets
    )["DBInstance"]
    assert restored["DBInstanceStatus"] == "creating"
    assert restored["EngineVersion"] == source["EngineVersion"]
    assert restored["DbiResourceId"] != source["DbiResourceId"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"EngineVersion": "9.9"}, "Cannot find version 9.9"),
        ({"MasterUserPassword": "with/slash"}, "not a valid password"),
        ({"MasterUserPassword": ""}, "must not be blank"),
    ],
)
def test_refuses_an_instance(client: Client, subnets: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        _create(client, subnets, **change)


def test_refuses_subnets_in_one_zone(client: Client, network: Network) -> None:
    name = f"one-{uuid4().hex[:8]}"
    client("rds").create_db_subnet_group(
        DBSubnetGroupName=name, DBSubnetGroupDescription="One zone", SubnetIds=network.subnets[:1]
    )
    with pytest.raises(ClientError, match="DBSubnetGroupDoesNotCoverEnoughAZs"):
        _create(client, name)


def test_change_waits_for_the_window_unless_it_is_to_be_at_once(client: Client, subnets: str) -> None:
    rds, name = client("rds"), _create(client, subnets)["DBInstanceIdentifier"]
    until(lambda: _describe(client, name)["DBInstanceStatus"] == "available")
    rds.modify_db_instance(DBInstanceIdentifier=name, DBInstanceClass="db.m6g.large", BackupRetentionPeriod=9)
    waiting = _describe(client, name)
    assert waiting["DBInstanceClass"] == "db.t4g.medium"
    assert waiting["PendingModifiedValues"] == {"DBInstanceClass": "db.m6g.large"}
    assert waiting["BackupRetentionPeriod"] == 9
    rds.modify_db_instance(DBInstanceIdentifier=name, MultiAZ=True, ApplyImmediately=True)
    applied = _describe(client, name)
    assert (applied["DBInstanceClass"], applied["MultiAZ"]) == ("db.m6g.large", True)
    assert not applied.get("PendingModifiedValues")


def test_change_that_is_taken_back_waits_no_longer(client: Client, subnets: str) -> None:
    rds, name = client("rds"), _create(client, subnets)["DBInstanceIdentifier"]
    for class_ in ("db.m6g.large", "db.t4g.medium"):
        rds.modify_db_instance(DBInstanceIdentifier=name, DBInstanceClass=class_)
    assert not _describe(client, name).get("PendingModifiedValues")


def test_window_is_in_utc_and_may_cross_the_end_of_the_week() -> None:
    sunday = datetime(2026, 11, 29, 5, 30, tzinfo=UTC).timestamp()
    assert rds_changes.in_window("sun:05:00-sun:06:00", sunday)
    assert not rds_changes.in_window("sun:05:00-sun:06:00", sunday + 1800)
    assert rds_changes.in_window("sun:23:30-mon:00:30", datetime(2026, 11, 30, 0, 10, tzinfo=UTC).timestamp())

"""What must outlive everything else: encrypted, kept, and its passwords seen by nobody."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.conftest import Stacks, of_type, only

KEPT = (
    "aws_backup_vault",
    "aws_db_instance",
    "aws_dynamodb_table",
    "aws_efs_file_system",
    "aws_kms_key",
    "aws_secretsmanager_secret",
)


@pytest.mark.parametrize("type_", KEPT)
def test_data_is_kept_unless_the_workspace_says_otherwise(synthesise: Callable[..., Stacks], type_: str) -> None:
    for resource in of_type(synthesise()["data"], type_).values():
        assert resource["lifecycle"]["prevent_destroy"] is True
    for resource in of_type(synthesise(retain=False)["data"], type_).values():
        assert resource["lifecycle"]["prevent_destroy"] is False


def test_database_is_protected_and_takes_no_final_snapshot(synthesise: Callable[..., Stacks]) -> None:
    database = only(synthesise()["data"], "aws_db_instance")
    assert database["deletion_protection"] is True
    assert database["skip_final_snapshot"] is False
    # None is ever taken, and the provider deletes no instance that asks for one without a name.
    assert "final_snapshot_identifier" not in database
    let_go = only(synthesise(retain=False)["data"], "aws_db_instance")
    assert let_go["deletion_protection"] is False
    assert let_go["skip_final_snapshot"] is True


def test_database_is_postgresql_16_with_tls_forced(synthesise: Callable[..., Stacks]) -> None:
    data = synthesise()["data"]
    database, parameters = only(data, "aws_db_instance"), only(data, "aws_db_parameter_group")
    assert (database["engine"], database["engine_version"]) == ("postgres", "16")
    assert parameters["family"] == "postgres16"
    assert {"name": "rds.force_ssl", "value": "1"} in parameters["parameter"]
    assert database["publicly_accessible"] is False
    assert database["storage_encrypted"] is True


def test_database_has_the_defaults_of_the_original(synthesise: Callable[..., Stacks]) -> None:
    database = only(synthesise()["data"], "aws_db_instance")
    assert database["instance_class"] == "db.t3.medium"
    assert database["allocated_storage"] == 20
    assert database["backup_retention_period"] == 30
    assert database["multi_az"] is False
    assert database["username"] == "omero"


def test_passwords_are_drawn_and_handed_on_without_being_written(synthesise: Callable[..., Stacks]) -> None:
    data = synthesise()["data"]
    versions = of_type(data, "aws_secretsmanager_secret_version")
    assert set(versions) == {"database_password_version", "root_password_version", "web_secret_key_version"}
    for version in versions.values():
        assert version["secret_string_wo"].startswith("${ephemeral.aws_secretsmanager_random_password.")
        assert "secret_string" not in version
    drawn = data["ephemeral"]["aws_secretsmanager_random_password"]
    assert all(password["password_length"] >= 32 for password in drawn.values())


def test_database_gets_the_stored_password_not_a_new_draw(synthesise: Callable[..., Stacks]) -> None:
    """Between two applies a draw differs: only what is stored is the same for database and containers."""
    data = synthesise(data={"database": {"password_version": 3}})["data"]
    database = only(data, "aws_db_instance")
    assert "password" not in database
    assert database["password_wo"] == (
        "${ephemeral.aws_secretsmanager_secret_version.database_password_read.secret_string}"
    )
    read = data["ephemeral"]["aws_secretsmanager_secret_version"]["database_password_read"]
    version = of_type(data, "aws_secretsmanager_secret_version")["database_password_version"]
    assert read["secret_id"] == "${aws_secretsmanager_secret_version.database_password_version.secret_id}"
    assert version["secret_string_wo_version"] == 3
    assert "database_password_version.version_id" in database["password_wo_version"]


def test_no_password_rotates_by_itself(synthesise: Callable[..., Stacks]) -> None:
    data = synthesise()["data"]
    assert "manage_master_user_password" not in only(data, "aws_db_instance")
    assert not of_type(data, "aws_secretsmanager_secret_rotation")


def test_file_system_takes_tls_and_known_roles_only(synthesise: Callable[..., Stacks]) -> None:
    data = synthesise()["data"]
    assert only(data, "aws_efs_file_system")["encrypted"] is True
    allow, deny = json.loads(only(data, "aws_efs_file_system_policy")["policy"])["Statement"]
    assert allow["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    assert "elasticfilesystem:ClientRootAccess" not in allow["Action"]
    assert deny["Effect"] == "Deny"
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_file_system_policy_lets_transfer_family_in(synthesise: Callable[..., Stacks]) -> None:
    assert "AccessedViaMountTarget" not in only(synthesise()["data"], "aws_efs_file_system_policy")["policy"]


def test_file_system_can_be_reached_in_both_zones(synthesise: Callable[..., Stacks]) -> None:
    targets = of_type(synthesise()["data"], "aws_efs_mount_target").values()
    assert len({target["subnet_id"] for target in targets}) == 2


def test_access_point_is_the_user_of_omeros_images(synthesise: Callable[..., Stacks]) -> None:
    point = only(synthesise()["data"], "aws_efs_access_point")
    assert point["posix_user"] == {"gid": 1000, "uid": 1000}
    info = point["root_directory"]["creation_info"]
    assert (info["owner_uid"], info["owner_gid"], info["permissions"]) == (1000, 1000, "0755")


def test_files_that_are_read_come_back_from_the_cheaper_class(synthesise: Callable[..., Stacks]) -> None:
    file_system = only(synthesise()["data"], "aws_efs_file_system")
    assert file_system["lifecycle_policy"] == [
        {"transition_to_ia": "AFTER_90_DAYS"},
        {"transition_to_primary_storage_class": "AFTER_1_ACCESS"},
    ]
    kept_near = synthesise(data={"file_system": {"infrequent_access_after_days": None}})["data"]
    assert not only(kept_near, "aws_efs_file_system").get("lifecycle_policy")


def test_file_system_and_database_are_backed_up_together(synthesise: Callable[..., Stacks]) -> None:
    data = synthesise()["data"]
    assert set(only(data, "aws_backup_selection")["resources"]) == {
        "${aws_efs_file_system.file_system.arn}",
        "${aws_db_instance.database.arn}",
    }
    (rule,) = only(data, "aws_backup_plan")["rule"]
    assert rule["schedule"] == "cron(0 3 * * ? *)"
    assert rule["lifecycle"]["delete_after"] == 35


def test_backups_can_be_left_out(synthesise: Callable[..., Stacks]) -> None:
    data = synthesise(data={"backup": None})["data"]
    assert not [type_ for type_ in data["resource"] if type_.startswith("aws_backup")]
    assert only(data, "aws_db_instance")["backup_retention_period"] == 30


def test_databases_logs_have_an_end_and_the_key(synthesise: Callable[..., Stacks]) -> None:
    stacks = synthesise(data={"database": {"log_retention_days": 90}})
    data = stacks["data"]
    groups = of_type(data, "aws_cloudwatch_log_group")
    exported = only(data, "aws_db_instance")["enabled_cloudwatch_logs_exports"]
    assert {group["name"] for group in groups.values()} == {
        f"/aws/rds/instance/omero-lab-database/{log}" for log in exported
    }
    assert {group["retention_in_days"] for group in groups.values()} == {90}
    depends = only(data, "aws_db_instance")["depends_on"]
    assert {f"aws_cloudwatch_log_group.{name}" for name in groups} <= set(depends), "or RDS makes them first"
    assert "/aws/rds/instance/omero-lab-database/*" in only(stacks["network"], "aws_kms_key")["policy"]


@pytest.mark.parametrize(
    ("id_", "name"), [("ledger", "omero-lab-imports"), ("import_requests", "omero-lab-import-requests")]
)
def test_tables_of_imports_are_protected_recoverable_and_encrypted(
    synthesise: Callable[..., Stacks], id_: str, name: str
) -> None:
    table = of_type(synthesise()["data"], "aws_dynamodb_table")[id_]
    assert table["name"] == name
    assert table["billing_mode"] == "PAY_PER_REQUEST"
    assert table["point_in_time_recovery"] == {"enabled": True}
    assert table["server_side_encryption"] == {"enabled": True, "kms_key_arn": "${aws_kms_key.key.arn}"}
    assert table["deletion_protection_enabled"] is True
    let_go = of_type(synthesise(retain=False)["data"], "aws_dynamodb_table")[id_]
    assert let_go["deletion_protection_enabled"] is False


def test_requests_are_read_by_part_and_go_when_their_time_is_over(synthesise: Callable[..., Stacks]) -> None:
    data = synthesise()["data"]
    table = of_type(data, "aws_dynamodb_table")["import_requests"]
    assert (table["hash_key"], table["range_key"]) == ("part", "row")
    assert table["ttl"] == {"attribute_name": "ends", "enabled": True}
    assert "global_secondary_index" not in table, "an index lags"
    assert data["output"]["requests_table_name"]["value"] == "${aws_dynamodb_table.import_requests.name}"


def test_ledger_finds_entries_by_state(synthesise: Callable[..., Stacks]) -> None:
    table = of_type(synthesise()["data"], "aws_dynamodb_table")["ledger"]
    (index,) = table["global_secondary_index"]
    assert (table["hash_key"], index["hash_key"], index["range_key"]) == ("id", "queue", "found")
    keyed = {"id", "queue", "found"}
    assert {attribute["name"] for attribute in table["attribute"]} == keyed

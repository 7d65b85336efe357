"""RDS: PostgreSQL instances as Terraform reads them back, with the states and faults that matter.

moto 5.2.5 drops Performance Insights, gives every instance the same `DbiResourceId` (Terraform's id of an
instance), keeps the engine version "16" as it was asked for (AWS: the default minor version), calls the
licence of PostgreSQL "general-public-license", leaves out a parameter's source (so that a parameter group differs at
every plan), lacks ResetDBParameterGroup, and lets an instance be available at once. A final
snapshot whose name is taken, a subnet group in one zone and a static parameter that is to apply at once are accepted.

An instance is `creating` for LOCAL_AWS_DATABASE_SECONDS (2). There is no database behind the address.
Parameters' names are not checked: moto has no list of them.
"""

from __future__ import annotations

import re
import secrets
import string
import time
from typing import Any

from moto.rds.exceptions import InvalidParameterCombination, InvalidParameterValue, RDSClientError
from moto.rds.models import DBInstance, DBParameterGroup, RDSBackend
from moto.rds.responses import RDSResponse

from local_aws import actions
from local_aws.clock import seconds

Json = dict[str, Any]

CREATING = seconds("LOCAL_AWS_DATABASE_SECONDS", 2)

# A major version alone means its default minor version (the middle of 2025, when provider 5.100.0 came out).
_POSTGRES = {"13": "13.20", "14": "14.17", "15": "15.12", "16": "16.8", "17": "17.4"}
# The common ones; AWS applies them at a reboot only.
_STATIC = {
    "autovacuum_max_workers",
    "huge_pages",
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_replication_slots",
    "max_wal_senders",
    "max_worker_processes",
    "rds.logical_replication",
    "shared_buffers",
    "shared_preload_libraries",
    "track_activity_query_size",
    "wal_buffers",
}


def _check_new(backend: Any, asked: Any) -> None:
    """Raises for an instance that RDS does not create."""
    name = asked.get("db_subnet_group_name")
    if name:
        subnets = backend.describe_db_subnet_groups(name)[0].subnets
        zones = sorted({subnet["SubnetAvailabilityZone"]["Name"] for subnet in subnets})
        if len(zones) < 2:
            raise RDSClientError(
                "DBSubnetGroupDoesNotCoverEnoughAZs",
                "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: "
                f"{', '.join(zones)}. Add subnets to cover at least 2 AZs.",
            )
    password = asked.get("master_user_password")
    if asked["engine"] != "postgres":
        return
    if not asked.get("manage_master_user_password") and not password:
        raise InvalidParameterValue("The parameter MasterUserPassword must be provided and must not be blank.")
    if password and (not 8 <= len(password) <= 128 or re.search(r"[/@\" ]", password)):
        raise InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', "
            "'@', '\"', ' ' may be used, 8 to 128 of them."
        )
    group_name = asked.get("db_parameter_group_name") or ""
    if group := backend.db_parameter_groups.get(group_name):
        family = "postgres" + _version(asked.get("engine_version") or "16").partition(".")[0]
        if group.family != family:
            raise InvalidParameterCombination(
                f"The Parameter Group {group_name} with DBParameterGroupFamily {group.family} can't be used for this "
                f"instance. Please use a Parameter Group with DBParameterGroupFamily {family}"
            )


def _version(asked: str) -> str:
    major = asked.partition(".")[0]
    if major not in _POSTGRES:
        raise InvalidParameterCombination(f"Cannot find version {asked} for postgres")
    return _POSTGRES[major] if asked == major else asked


def modify_db_parameter_group(backend: Any, asked: Json, moto: actions.Moto) -> Json:
    for parameter in asked.get("Parameters") or []:
        name, method = parameter["ParameterName"], parameter.get("ApplyMethod")
        if name in _STATIC and method == "immediate":
            raise InvalidParameterCombination(f"cannot use immediate apply method for static parameter ({name})")
    return moto()


def reset_db_parameter_group(backend: Any, asked: Json) -> Json:
    name = asked["DBParameterGroupName"]
    group = backend.describe_db_parameter_groups({"db_parameter_group_name": name})[0]
    if asked.get("ResetAllParameters"):
        group.parameters.clear()
    for parameter in asked.get("Parameters") or []:
        group.parameters.pop(parameter["ParameterName"], None)
    return {"DBParameterGroupName": name}


def install() -> None:
    """Put the missing properties, states and checks into moto's RDS."""
    actions.add(RDSResponse, "backend", {"ResetDBParameterGroup": reset_db_parameter_group})
    actions.wrap(RDSResponse, "backend", {"ModifyDBParameterGroup": modify_db_parameter_group})
    _extend_parameter_groups()
    _extend_backend()
    _extend_instances()


def _extend_parameter_groups() -> None:
    update = DBParameterGroup.update_parameters

    def update_parameters(self: Any, new_parameters: Any) -> None:
        new_parameters = list(new_parameters)
        update(self, new_parameters)
        for parameter in new_parameters:
            name = parameter["ParameterName"]
            self.parameters[name].update(
                {"Source": "user", "IsModifiable": True, "ApplyType": "static" if name in _STATIC else "dynamic"}
            )

    DBParameterGroup.update_parameters = update_parameters


def _extend_backend() -> None:
    create, delete = RDSBackend.create_db_instance, RDSBackend.delete_db_instance

    def create_db_instance(self: Any, db_kwargs: Any) -> Any:
        _check_new(self, db_kwargs)
        return create(self, db_kwargs)

    def delete_db_instance(self: Any, db_instance_identifier: str, **named: Any) -> Any:
        final = named.get("final_db_snapshot_identifier")
        if not named.get("skip_final_snapshot") and not final:
            raise InvalidParameterCombination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
            )
        if final and final in self.database_snapshots:
            raise RDSClientError(
                "DBSnapshotAlreadyExists",
                f"Cannot create the snapshot because a snapshot with the identifier {final} already exists.",
            )
        return delete(self, db_instance_identifier=db_instance_identifier, **named)

    RDSBackend.create_db_instance = create_db_instance
    RDSBackend.delete_db_instance = delete_db_instance


def _extend_instances() -> None:
    initialise, update = DBInstance.__init__, DBInstance.update
    address = DBInstance.endpoint.fget

    def __init__(self: Any, *arguments: Any, **asked: Any) -> None:  # noqa: N807
        postgres = asked.get("engine") == "postgres"
        if postgres:
            asked["engine_version"] = _version(asked.get("engine_version") or "16")
            asked.setdefault("license_model", "postgresql-license")
            # With another one than AWS's default, Terraform modifies each new instance, and waits again.
            asked.setdefault("ca_certificate_identifier", "rds-ca-rsa2048-g1")
        initialise(self, *arguments, **asked)
        if postgres:
            self.option_group_name = (
                asked.get("option_group_name") or f"default:postgres-{self.engine_version.split('.')[0]}"
            )
        alphabet = string.ascii_uppercase + string.digits
        self.dbi_resource_id = "db-" + "".join(secrets.choice(alphabet) for _ in range(26))
        self._available_from = time.time() + CREATING
        self.network_type = "IPV4"
        _insights(self, asked)

    def update_instance(self: Any, **asked: Any) -> None:
        if self.engine == "postgres" and asked.get("engine_version"):
            asked["engine_version"] = _version(asked["engine_version"])
        update(self, **asked)
        _insights(self, asked)

    def status(self: Any) -> str:
        state = self.__dict__.get("_state", "available")
        creating = state == "available" and time.time() < self.__dict__.get("_available_from", 0)
        return "creating" if creating else str(state)

    def set_status(self: Any, value: str) -> None:
        self._state = value

    def endpoint(self: Any) -> dict[str, Any] | None:
        if self.status == "creating":
            return None
        return {**address(self), "HostedZoneId": "Z29XKXDKYMONMX"}

    DBInstance.__init__ = __init__
    DBInstance.update = update_instance
    DBInstance.status = property(status, set_status)
    DBInstance.endpoint = property(endpoint)


def _insights(instance: Any, asked: Any) -> None:
    """Performance Insights: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html."""
    enabled = asked.get("enable_performance_insights")
    if enabled is None:
        enabled = getattr(instance, "performance_insights_enabled", False)
    instance.performance_insights_enabled = enabled
    if not enabled:
        instance.performance_insights_kms_key_id = instance.performance_insights_retention_period = None
        return
    for name, default in (("performance_insights_kms_key_id", None), ("performance_insights_retention_period", 7)):
        present = getattr(instance, name, None)
        setattr(instance, name, asked.get(name) or present or default)

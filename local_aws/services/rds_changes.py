"""RDS: changes that wait for the maintenance window, and minor versions that RDS raises by itself.

moto 5.2.5 applies every change at once and keeps an engine version for good. Without ApplyImmediately, RDS keeps a
change of class, storage, standby or engine version in PendingModifiedValues until the window, or until a request with
ApplyImmediately, which applies what is pending, too (botocore's documentation of ModifyDBInstance; the members of its
shape PendingModifiedValues). A password, days of backups, windows and logs change at once.

With LOCAL_AWS_MINOR_UPGRADE_SECONDS (0: never), an instance with AutoMinorVersionUpgrade gets the next minor version
that long after its creation.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from moto.rds.models import RDSBackend, rds_backends

from local_aws import clock

UPGRADE_AFTER = clock.seconds("LOCAL_AWS_MINOR_UPGRADE_SECONDS", 0)

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WAIT = {
    "allocated_storage": "AllocatedStorage",
    "db_instance_class": "DBInstanceClass",
    "engine_version": "EngineVersion",
    "iops": "Iops",
    "multi_az": "MultiAZ",
    "storage_throughput": "StorageThroughput",
    "storage_type": "StorageType",
}


def install() -> None:
    """Let changes wait, and apply them when their time has come."""
    modify = RDSBackend.modify_db_instance

    def modify_db_instance(self: Any, db_instance_identifier: str, db_kwargs: Any) -> Any:
        instance = self.describe_db_instances(db_instance_identifier)[0]
        waiting = _waiting(instance)
        if db_kwargs.get("apply_immediately"):
            now = {name: value for name, value in waiting.items() if db_kwargs.get(name) is None}
            _keep(instance, {})
            for name, value in now.items():
                db_kwargs[name] = value
        else:
            for name in _WAIT:
                asked = db_kwargs.get(name)
                if asked is not None:
                    del db_kwargs[name]
                    waiting.pop(name, None)
                    if asked != _present(instance, name, asked):
                        waiting[name] = asked
            _keep(instance, waiting)
        return modify(self, db_instance_identifier, db_kwargs)

    RDSBackend.modify_db_instance = modify_db_instance
    clock.every_request(tick)


def _waiting(instance: Any) -> dict[str, Any]:
    return dict(getattr(instance, "_waiting", {}))


def _keep(instance: Any, waiting: dict[str, Any]) -> None:
    instance._waiting = waiting
    instance.pending_modified_values = {_WAIT[name]: value for name, value in waiting.items()}


def _present(instance: Any, name: str, asked: Any) -> Any:
    """What the instance has; a major version alone is what it has if that is of this major version."""
    present = getattr(instance, name, None)
    same_major = name == "engine_version" and str(present).startswith(f"{asked}.")
    return asked if same_major else present


def tick(now: float) -> None:
    for regions in list(rds_backends.values()):
        for backend in list(regions.values()):
            for instance in backend.databases.values():
                waiting = _waiting(instance)
                if waiting and in_window(instance.preferred_maintenance_window, now):
                    _keep(instance, {})
                    instance.update(**waiting)
                _raise(instance)


def in_window(window: str, now: float) -> bool:
    """Whether the time is in a window such as sun:05:00-sun:06:00, UTC."""
    begin, end = (_minute_of_week(each) for each in window.lower().split("-"))
    moment = datetime.fromtimestamp(now, UTC)
    minute = moment.weekday() * 1440 + moment.hour * 60 + moment.minute
    return begin <= minute < end if begin <= end else minute >= begin or minute < end


def _minute_of_week(text: str) -> int:
    day, hour, minute = text.split(":")
    return _DAYS.index(day) * 1440 + int(hour) * 60 + int(minute)


def _raise(instance: Any) -> None:
    available = instance.__dict__.get("_available_from")
    if not UPGRADE_AFTER or available is None or time.time() < available + UPGRADE_AFTER:
        return
    if instance.auto_minor_version_upgrade and not getattr(instance, "_was_raised", False):
        instance._was_raised = True
        major, _, minor = str(instance.engine_version).partition(".")
        instance.engine_version = f"{major}.{int(minor) + 1}"

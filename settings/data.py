"""Section `data`: what must outlive everything else, the file system, the database and their backups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from settings import schedules
from settings.fields import Fault, KeyArn, Like, RetentionDays, Settings, rule

MOST_STORAGE_GIB = 65_536


def _backup_schedule(value: str) -> str:
    schedules.cron(value)
    if window := schedules.meets_a_window(value):
        raise ValueError(
            f"{value} starts within {window}, or less than an hour before it, when RDS takes no other backup; choose "
            f"another hour, for instance {schedules.EXAMPLE}"
        )
    return value


def _least_to_grow_to(storage_gib: int) -> int:
    """RDS wants 10 % more at least, or autoscaling is refused (RDS User Guide, storage autoscaling)."""
    return -(-storage_gib * 11 // 10)


def _max_storage(given: dict[str, Any]) -> int:
    return max(200, _least_to_grow_to(given["storage_gib"]))


class FileSystem(Settings):
    """The EFS file system that holds `/OMERO`."""

    # The periods that EFS knows (API reference of PutLifecycleConfiguration).
    infrequent_access_after_days: Literal[1, 7, 14, 30, 60, 90, 180, 270, 365] | None = 90
    """Days without a read after which a file moves to the cheaper storage class; `null` keeps all files in Standard.
    The first read moves it back."""
    throughput_mode: Literal["elastic", "bursting"] = "elastic"
    """`elastic` is billed by the bytes transferred; `bursting` grows with the size stored and costs nothing extra."""


class Database(Settings):
    """The RDS PostgreSQL 16 instance that holds OMERO's metadata."""

    instance_class: Annotated[str, Like(r"db\.[a-z0-9]+\.[a-z0-9]+", "RDS instance class", "db.t3.medium")] = (
        "db.t3.medium"
    )
    """RDS instance class; db.t3.medium has 2 vCPUs and 4 GiB."""
    storage_gib: Annotated[int, Field(ge=20, le=MOST_STORAGE_GIB * 10 // 11)] = 20
    """Initial gp3 storage in GiB; RDS cannot shrink it."""
    max_storage_gib: Annotated[int, Field(ge=22, le=MOST_STORAGE_GIB)] = Field(default_factory=_max_storage)
    """Maximum storage in GiB, at least 10 % above `storage_gib`; RDS grows the storage automatically up to this size.
    Left out, 200 GiB, or 10 % above `storage_gib` if that is more."""
    multi_az: bool = False
    """True adds a standby in the second Availability Zone: twice the price, but it survives an outage of one zone."""
    backup_days: Annotated[int, Field(ge=1, le=35)] = 30
    """Days of point-in-time recovery, 1 to 35; it cannot be turned off."""
    apply_changes: Literal["immediately", "maintenance_window"] = "maintenance_window"
    """When RDS applies a change of instance class, storage or standby. `maintenance_window` waits until Sunday, 05:00
    to 06:00 UTC, and every plan shows the change until then. `immediately` applies it during the deployment: the
    database restarts, and OMERO is unavailable for some minutes."""
    log_retention_days: RetentionDays = 365
    """Days for which PostgreSQL's logs (schema changes, statements over 5 s) are kept; with `retain: true`, even after
    the stack is destroyed."""
    password_version: Annotated[int, Field(ge=1)] = 1
    """Raise it by one to generate and set a new database password; restart the server afterwards."""

    @rule
    def _room_to_grow(self) -> Iterator[Fault]:
        least = _least_to_grow_to(self.storage_gib)
        if self.max_storage_gib < least:
            yield (
                "max_storage_gib",
                f"{self.max_storage_gib} leaves no room above storage_gib {self.storage_gib}; give {least} or "
                "more, or remove it",
            )


class Backup(Settings):
    """Daily backups of the file system and the database by AWS Backup, at the same hour so that they match."""

    schedule: Annotated[str, AfterValidator(_backup_schedule)] = "cron(0 3 * * ? *)"
    """When a backup starts, in UTC."""
    retention_days: Annotated[int, Field(ge=1, le=36500)] = 35
    """Days for which a backup is kept."""


class Data(Settings):
    """File system, database, secrets, key and backups."""

    key_arn: KeyArn | None = None
    """An existing KMS key for images, metadata, secrets and backups; left out, one is created. Its key policy must
    allow IAM policies to grant access. A deployed data stack cannot change its key."""
    file_system: FileSystem = FileSystem()
    """The file system of the images."""
    database: Database = Database()
    """The database of OMERO's metadata."""
    backup: Backup | None = Backup()
    """Left out, a daily backup, kept for 35 days; with `null`, none is made (RDS still keeps its own for
    `backup_days`)."""

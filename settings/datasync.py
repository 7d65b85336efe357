"""Section `datasync`: objects in an S3 bucket become files below `/OMERO`, by AWS DataSync."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from settings import schedules
from settings.fields import BucketName, Distinct, Email, Fault, KeyArn, OmeroFolder, RetentionDays, rule
from settings.section import ExistingBucket, Section

MINUTES = {"minute": 1, "hour": 60, "day": 1440}
# What a location's subdirectory may hold (DataSync API reference, CreateLocationS3), without its kinds of space.
PREFIX_PART = r"[A-Za-z0-9_+.()-]+"


def _schedule(value: str) -> str:
    """At most once an hour: DataSync takes nothing faster (its user guide, "Scheduling your task")."""
    if rate := re.fullmatch(r"rate\(([1-9][0-9]*) (minute|hour|day)s?\)", value):
        minutes = int(rate[1]) * MINUTES[rate[2]]
    elif value.startswith("cron("):
        minutes = schedules.least_minutes_apart(value)
    else:
        raise ValueError(
            f"{value} is no AWS schedule; one looks like cron(0 * * * ? *), six fields in UTC, or rate(1 hour)"
        )
    if minutes < 60:
        raise ValueError(
            f"{value} runs more often than once an hour, which DataSync does not offer; give one minute, for instance "
            "cron(0 * * * ? *), or rate(1 hour), and leave start_on_arrival on to have objects fetched at once"
        )
    return value


def _prefix(value: str) -> str:
    parts = value.split("/")
    if len(value) > 512 or any(not re.fullmatch(PREFIX_PART, part) or part in (".", "..") for part in parts):
        raise ValueError(
            f"{value!r} is no prefix that DataSync takes: folders of letters, digits and _ + . ( ) -, with a slash "
            "between them and none at either end; one looks like scanner-1/incoming"
        )
    return value


class DataSync(Section):
    """A bucket that images are put into, and the DataSync task that copies them onto OMERO's file system.

    The task never deletes anything at the destination, and runs in Basic mode: DataSync offers Enhanced mode for
    transfers between S3 and S3, other clouds or file servers only, not for S3 to EFS.
    """

    bucket: BucketName | None = None
    """A bucket of this account and region that is there already; left out, one is made: versioned, encrypted with the
    key of the data, TLS only, and kept when `retain` is true. For `start_on_arrival`, a bucket that is there already
    must send its events to EventBridge; that is not switched on here, for it would replace its other notifications."""
    key_arn: KeyArn | None = None
    """The KMS key of a bucket that is there already, so that DataSync may read it; left out, it is read without one."""
    prefix: Annotated[str, AfterValidator(_prefix)] | None = None
    """The folder in the bucket that is copied, without slashes at its ends; left out, the whole bucket."""
    folder: OmeroFolder = "/OMERO/DropZone"
    """Where the files go, as OMERO.server sees it: below /OMERO, which is all of the file system that it mounts. They
    belong to the server's user (1000:1000)."""
    schedule: Annotated[str, AfterValidator(_schedule)] = "cron(0 * * * ? *)"
    """When all that is below the prefix is compared and what is missing is copied, in UTC; hourly as in the original
    solution, which is the most often that DataSync offers. It is the net below `start_on_arrival`: it cannot be off."""
    start_on_arrival: bool = True
    """True copies an object within minutes of its arrival; false leaves it to `schedule`."""
    replace_changed_files: bool = False
    """False never touches a file that is there: the first version of an object stays, and a later one under the same
    name is not copied. True replaces the file by the object if they differ, even if an image was imported from it in
    place; what was there before is then in the backups only."""
    log_level: Literal["BASIC", "TRANSFER"] = "TRANSFER"
    """What DataSync logs: TRANSFER every file, as in the original solution; BASIC errors only."""
    log_retention_days: RetentionDays = 365
    """Days that its logs and its reports, both of which name files, are kept."""
    alarm_emails: Annotated[tuple[Email, ...], Field(max_length=20), Distinct(str.casefold)] = ()
    """Who hears of failed transfers; each has to confirm an e-mail from AWS first. Left out, nobody: the topic's ARN is
    an output."""

    @rule
    def _key_of_a_bucket(self) -> Iterator[Fault]:
        if self.key_arn and not self.bucket:
            yield (
                "key_arn",
                "it is the key of a bucket that exists, and none is given; give bucket too, or neither",
            )

    @property
    def key_prefix(self) -> str:
        """What the keys of the objects that are copied begin with: "" or the prefix and a slash."""
        return f"{self.prefix}/" if self.prefix else ""

    def addresses(self) -> int:
        # Of a transfer between S3 and EFS without an agent (DataSync user guide, "Network interfaces for transfers").
        return 2

    def arns(self) -> dict[str, str | None]:
        return {"key_arn": self.key_arn}

    def folders(self) -> dict[str, str]:
        return {"folder": self.folder}

    def buckets(self) -> dict[str, ExistingBucket]:
        return {"bucket": ExistingBucket(name=self.bucket, events=self.start_on_arrival)} if self.bucket else {}

    def share(self) -> str | None:
        return None

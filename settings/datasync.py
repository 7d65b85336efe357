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
            f"{value} is not an AWS schedule; one looks like cron(0 * * * ? *), six fields in UTC, or rate(1 hour)"
        )
    if minutes < 60:
        raise ValueError(
            f"{value} runs more often than once an hour, which DataSync does not offer; give one minute, for instance "
            "cron(0 * * * ? *), or rate(1 hour), and leave start_on_arrival on to copy objects as they arrive"
        )
    return value


def _prefix(value: str) -> str:
    parts = value.split("/")
    if len(value) > 512 or any(not re.fullmatch(PREFIX_PART, part) or part in (".", "..") for part in parts):
        raise ValueError(
            f"{value!r} is not a prefix that DataSync accepts; give folders of letters, digits and _ + . ( ) -, "
            "separated by slashes, without a slash at either end, for instance scanner-1/incoming"
        )
    return value


class DataSync(Section):
    """A bucket for images, and the DataSync task that copies them to OMERO's file system.

    The task never deletes anything at the destination, and runs in Basic mode. Enhanced mode is faster and copies from
    S3 to EFS too, but AWS charges 0.55 USD for each execution: an hourly schedule alone would cost 400 USD a month.
    """

    bucket: BucketName | None = None
    """An existing bucket of this account and region; left out, one is created: versioned, encrypted with the data
    key, TLS only, and kept when `retain` is true. For `start_on_arrival`, an existing bucket must send its events to
    EventBridge; turn that on yourself, because doing it here would replace its other notifications."""
    key_arn: KeyArn | None = None
    """The KMS key of an existing bucket, so that DataSync may read it; left out, DataSync gets access to no key."""
    prefix: Annotated[str, AfterValidator(_prefix)] | None = None
    """The folder in the bucket to copy, without a slash at either end; left out, the whole bucket."""
    folder: OmeroFolder = "/OMERO/DropZone"
    """Where the files go, as OMERO.server sees it: under /OMERO, the only folder it mounts. They belong to the
    server's user (1000:1000)."""
    schedule: Annotated[str, AfterValidator(_schedule)] = "cron(0 * * * ? *)"
    """When DataSync compares everything under the prefix and copies what is missing, in UTC; hourly, as in the
    original solution and the most often that DataSync allows. It catches what `start_on_arrival` missed, so it cannot
    be off."""
    start_on_arrival: bool = True
    """True copies an object within minutes of its arrival; false leaves it to `schedule`."""
    replace_changed_files: bool = False
    """False never changes an existing file: the first version of an object stays, and a later one with the same name
    is not copied. True replaces the file with the object if they differ, even if an image was imported from it in
    place; the earlier content is then only in the backups."""
    log_level: Literal["BASIC", "TRANSFER"] = "TRANSFER"
    """What DataSync logs: TRANSFER logs every file, as in the original solution; BASIC only errors."""
    log_retention_days: RetentionDays = 365
    """Days for which its logs and reports are kept; with `retain: true`, even after the stack is destroyed. Both
    contain file names."""
    alarm_emails: Annotated[tuple[Email, ...], Field(max_length=20), Distinct(str.casefold)] = ()
    """E-mail addresses that are notified of failed transfers; each has to confirm an e-mail from AWS first. Left out,
    nobody is: the topic's ARN is an output."""

    @rule
    def _key_of_a_bucket(self) -> Iterator[Fault]:
        if self.key_arn and not self.bucket:
            yield (
                "key_arn",
                "the key of an existing bucket needs the bucket; set bucket, or remove key_arn",
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
        if self.bucket is None:
            return {}
        return {"bucket": ExistingBucket(name=self.bucket, events=self.start_on_arrival, originals=False)}

    def keeps_anything(self) -> bool:
        # Its reports at least.
        return True

    def share(self) -> str | None:
        return None

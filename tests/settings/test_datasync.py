"""What the section `datasync` says when it is left alone, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from settings import SettingsError
from settings.datasync import DataSync
from settings.load import parse
from tests.conftest import workspace

KEY = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"


def test_there_is_none_unless_asked_for() -> None:
    assert workspace().datasync is None


def test_defaults_are_the_originals_and_touch_no_file_that_is_there() -> None:
    settings = workspace(datasync={}).datasync
    assert settings
    assert settings.schedule == "cron(0 * * * ? *)"
    assert settings.log_level == "TRANSFER"
    assert settings.folder == "/OMERO/DropZone"
    assert settings.start_on_arrival is True
    assert settings.replace_changed_files is False
    assert (settings.prefix, settings.key_prefix) == (None, "")


def test_nothing_says_that_files_be_deleted_or_unverified() -> None:
    assert not [key for key in DataSync.model_fields if "delete" in key or "verify" in key]


@pytest.mark.parametrize(
    "schedule",
    ["cron(0 * * * ? *)", "cron(30 2 * * ? *)", "cron(5 0/2 ? * MON-FRI *)", "rate(1 hour)", "rate(60 minutes)"],
)
def test_takes_schedules_of_an_hour_or_more(schedule: str) -> None:
    assert DataSync(schedule=schedule).schedule == schedule


@pytest.mark.parametrize(
    "schedule",
    ["cron(* * * * ? *)", "cron(*/30 * * * ? *)", "cron(0,30 * * * ? *)", "cron(0-59 * * * ? *)", "rate(59 minutes)"],
)
def test_refuses_a_schedule_that_runs_more_often_than_hourly(schedule: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DataSync(schedule=schedule)
    assert f"{schedule} runs more often than once an hour, which DataSync does not offer; give one minute" in str(
        caught.value
    )


@pytest.mark.parametrize("schedule", ["hourly", "cron(0 * * * *)", "rate(0 hours)", "rate(1 month)", ""])
def test_refuses_what_is_no_schedule(schedule: str) -> None:
    with pytest.raises(ValidationError, match=r"is not an AWS (schedule|cron expression); one looks like cron\("):
        DataSync(schedule=schedule)


def test_prefix_becomes_what_keys_begin_with() -> None:
    assert DataSync(prefix="scanner-1/incoming").key_prefix == "scanner-1/incoming/"


@pytest.mark.parametrize("prefix", ["", "/incoming", "incoming/", "a//b", "a/../b", ".", "a b", "µ", "a*", "x" * 513])
def test_refuses_a_prefix_that_datasync_does_not_take(prefix: str) -> None:
    with pytest.raises(ValidationError, match="is not a prefix that DataSync accepts; give folders of letters"):
        DataSync(prefix=prefix)


@pytest.mark.parametrize(
    "folder", ["/DropZone", "DropZone", "/OMERO", "/OMERO/", "/OMERO/a/b/c/d", "/OMERO/../x", "/OMERO/" + "x" * 99]
)
def test_refuses_a_folder_that_the_server_could_not_see(folder: str) -> None:
    with pytest.raises(ValidationError, match="is not allowed; give one to three folders"):
        DataSync(folder=folder)


@pytest.mark.parametrize("folder", ["/OMERO/ManagedRepository", "/OMERO/Files/new", "/OMERO/DropBox"])
def test_refuses_a_folder_of_omeros_own(folder: str) -> None:
    with pytest.raises(
        ValidationError, match=r"where OMERO keeps its own files; choose another folder, for instance /OMERO/DropZ"
    ):
        DataSync(folder=folder)


def test_refuses_a_key_without_its_bucket() -> None:
    assert DataSync(bucket="lab-slides", key_arn=KEY)
    with pytest.raises(ValidationError, match="key_arn\n  the key of an existing bucket needs the bucket"):
        DataSync(key_arn=KEY)


def test_refuses_a_key_of_another_region() -> None:
    with pytest.raises(
        ValidationError, match=r"datasync\.key_arn\n +the ARN is in region eu-central-1, and the workspace is in"
    ):
        workspace(region="eu-west-1", datasync={"bucket": "lab-slides", "key_arn": KEY})


def test_refuses_what_is_no_email_address() -> None:
    with pytest.raises(ValidationError, match="imaging is not an e-mail address"):
        DataSync(alarm_emails=("imaging",))


def test_its_interfaces_take_addresses_of_the_private_subnets() -> None:
    small: dict[str, Any] = {"private_subnets": ["10.192.20.0/28", "10.192.21.0/28"]}
    many = {"web": {"count": 7}}
    workspace(network=small, omero=many)
    with pytest.raises(ValidationError, match=r"22 addresses are not enough, .* need 2\d;"):
        workspace(network=small, omero=many, datasync={})


def test_faults_are_sentences_with_file_and_key() -> None:
    text = (
        'account_id: "111122223333"\nregion: eu-west-1\ntopology: rw-http\naccess: {cidrs: [192.0.2.0/24]}\n'
        "datasync: {schedule: rate(5 minutes), prefix: /in}\n"
    )
    with pytest.raises(SettingsError) as caught:
        parse(text, "lab", "lab.yaml")
    schedule, prefix = sorted(caught.value.faults, reverse=True)
    assert schedule.startswith("lab.yaml: datasync.schedule: rate(5 minutes) runs more often than once an hour")
    assert prefix.startswith("lab.yaml: datasync.prefix: '/in' is not a prefix")

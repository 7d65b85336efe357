"""DataSync: what it refuses, and what locations and tasks are read back as."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.datasync import Place, place

__all__ = ["place"]


@pytest.mark.parametrize(
    "more",
    [
        {"Options": {"VerifyMode": "SOMETIMES"}},
        {"Options": {"Mtime": "NONE"}},
        {"Options": {"PreserveDeletedFiles": "REMOVE", "TransferMode": "ALL"}},
        {"TaskMode": "ENHANCED", "Options": {"VerifyMode": "POINT_IN_TIME_CONSISTENT"}},
        {"TaskMode": "TURBO"},
        {"Schedule": {"ScheduleExpression": "rate(30 minutes)"}},
        {"Schedule": {"ScheduleExpression": "cron(0/15 * * * ? *)"}},
        {"Schedule": {"ScheduleExpression": "at noon"}},
        {"Includes": [{"FilterType": "SIMPLE_PATTERN", "Value": "*.tif"}]},
        {"Includes": [{"FilterType": "SIMPLE_PATTERN", "Value": "/" * 102_401}]},
        {"CloudWatchLogGroupArn": "arn:aws:logs:eu-west-1:123456789012:log-group:/missing:*"},
    ],
)
def test_refuses_tasks(place: Place, more: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as raised:
        place.task(**more)
    assert raised.value.response["Error"]["Code"] == "InvalidRequestException"


def test_include_filter_has_a_longest_length(place: Place) -> None:
    place.put({"a.tif": b"1"})
    rule = {"FilterType": "SIMPLE_PATTERN", "Value": "/a.tif|" + "/" + "x" * 102_392}
    assert len(rule["Value"]) == 102_400
    assert place.run(place.task(), Includes=[rule])["Status"] == "SUCCESS"
    with pytest.raises(ClientError, match="102400 characters"):
        place.datasync.start_task_execution(TaskArn=place.task(), Includes=[{**rule, "Value": rule["Value"] + "x"}])


@pytest.mark.parametrize(
    "more",
    [
        {"InTransitEncryption": "NONE", "FileSystemAccessRoleArn": "role"},
        {"InTransitEncryption": "NONE", "AccessPointArn": "point"},
        {"AccessPointArn": "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0"},
        {"EfsFilesystemArn": "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-0123456789abcdef0"},
        {"Subdirectory": "/a/../b"},
        {"FileSystemAccessRoleArn": "arn:aws:iam::123456789012:role/missing"},
    ],
)
def test_refuses_efs_locations(place: Place, more: dict[str, Any]) -> None:
    made = {"role": place.role, "point": place.access_point()}
    with pytest.raises(ClientError) as raised:
        place.destination(**{name: made.get(value, value) for name, value in more.items()})
    assert raised.value.response["Error"]["Code"] == "InvalidRequestException"


def test_locations_are_described_listed_and_kept_while_used(place: Place) -> None:
    source = place.source("/in")
    assert ":123456789012:location/loc-0" in source
    described = place.datasync.describe_location_s3(LocationArn=source)
    assert described["LocationUri"] == f"s3://{place.bucket}/in/"
    assert described["S3StorageClass"] == "STANDARD"
    place.datasync.update_location_s3(LocationArn=source, Subdirectory="/elsewhere")
    condition = {"Name": "LocationUri", "Operator": "Equals", "Values": [f"s3://{place.bucket}/elsewhere/"]}
    found = place.datasync.list_locations(Filters=[condition])["Locations"]
    assert [each["LocationArn"] for each in found] == [source]
    task = place.task(source)
    with pytest.raises(ClientError, match="is used by"):
        place.datasync.delete_location(LocationArn=source)
    place.datasync.tag_resource(ResourceArn=source, Tags=[{"Key": "a", "Value": "b"}])
    assert place.datasync.list_tags_for_resource(ResourceArn=source)["Tags"] == [{"Key": "a", "Value": "b"}]
    place.datasync.delete_task(TaskArn=task)
    place.datasync.delete_location(LocationArn=source)
    with pytest.raises(ClientError, match="not found"):
        place.datasync.describe_location_s3(LocationArn=source)
    with pytest.raises(ClientError, match="not found"):
        place.datasync.describe_task(TaskArn=task)
    with pytest.raises(ClientError, match="not found"):
        place.datasync.list_tags_for_resource(ResourceArn=source)


def test_task_is_changed(place: Place) -> None:
    schedule = {"ScheduleExpression": "rate(1 hour)"}
    task = place.task(Schedule=schedule, Name="import")
    place.datasync.update_task(TaskArn=task, Options={"LogLevel": "BASIC"}, Schedule={"ScheduleExpression": ""})
    described = place.datasync.describe_task(TaskArn=task)
    assert described["Options"]["LogLevel"] == "BASIC"
    assert described["Options"]["Uid"] == "NONE"
    assert "Schedule" not in described
    assert described["Name"] == "import"

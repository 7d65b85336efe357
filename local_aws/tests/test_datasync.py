"""DataSync: what executions copy, who owns it, what they count and how they end."""

from __future__ import annotations

import json
import time
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.files import Owner
from local_aws.testing.datasync import AS_THE_ACCESS_POINT, Place, place, thousand_objects
from local_aws.testing.ecs import until

__all__ = ["place"]

OMERO = Owner(1000, 1000, 0o755)
NOBODY = Owner(65534, 65534, 0o755)


def test_thousand_objects_arrive_whole_and_owned(place: Place) -> None:
    objects = thousand_objects()
    place.put({f"in/{key}": content for key, content in objects.items()})
    began = time.monotonic()
    ended = place.run(place.task(place.source("/in")))
    assert time.monotonic() - began < 20
    assert ended["Status"] == "SUCCESS", ended
    assert place.contents() == objects
    folders = {key.rsplit("/", count)[0] for key in objects for count in range(1, 6)}
    assert {place.owner(path) for path in {*objects, *folders}} == {OMERO}
    # Basic mode counts folders among the files; the location itself was made with the right owner already.
    assert ended["FilesTransferred"] == ended["EstimatedFilesToTransfer"] == 1000 + len(folders)
    assert ended["FilesVerified"] == 1000 + len(folders)
    size = sum(map(len, objects.values()))
    assert ended["BytesTransferred"] == ended["BytesWritten"] == ended["EstimatedBytesToTransfer"] == size
    assert [ended["Result"][f"{step}Status"] for step in ("Prepare", "Transfer", "Verify")] == ["SUCCESS"] * 3


def test_second_run_moves_only_what_changed_and_deletes_nothing(place: Place) -> None:
    place.put({"a.tif": b"1", "b/c.tif": b"2", "b/d.tif": b"3"})
    task = place.task()
    place.run(task)
    (place.folder / "omero/import/own.txt").write_bytes(b"kept")
    place.client("s3").delete_object(Bucket=place.bucket, Key="b/d.tif")
    place.put({"a.tif": b"changed"})
    ended = place.run(task)
    assert ended["FilesTransferred"] == 1
    assert ended["FilesSkipped"] == 3  # /, /b and /b/c.tif
    assert place.contents() == {"a.tif": b"changed", "b/c.tif": b"2", "b/d.tif": b"3", "own.txt": b"kept"}
    removed = place.run(task, OverrideOptions={"PreserveDeletedFiles": "REMOVE"})
    assert removed["FilesDeleted"] == 2
    assert place.contents() == {"a.tif": b"changed", "b/c.tif": b"2"}


def test_never_overwrites_when_told_so(place: Place) -> None:
    place.put({"a.tif": b"1"})
    task = place.task(Options={**AS_THE_ACCESS_POINT, "OverwriteMode": "NEVER"})
    place.run(task)
    place.put({"a.tif": b"changed", "new.tif": b"2"})
    ended = place.run(task)
    assert (ended["Status"], ended["FilesTransferred"]) == ("SUCCESS", 1)
    assert place.contents() == {"a.tif": b"1", "new.tif": b"2"}


def test_without_access_point_files_are_nobodys(place: Place) -> None:
    place.put({"a b/c.tif": b"1", "empty/": b""})
    ended = place.run(place.task(destination=place.destination(), Options={}))
    assert ended["Status"] == "SUCCESS"
    assert ended["Options"]["VerifyMode"] == "POINT_IN_TIME_CONSISTENT"
    assert {place.owner(path, "") for path in ("a b", "a b/c.tif", "empty")} == {NOBODY}
    assert (place.folder / "empty").is_dir()


def test_metadata_of_objects_is_kept(place: Place) -> None:
    metadata = {"file-owner": "42", "file-group": "43", "file-permissions": "100640", "file-mtime": "1600000000500"}
    place.put({"a.tif": b"1"}, Metadata=metadata)
    place.run(place.task(destination=place.destination(), Options={}))
    assert place.owner("a.tif", "") == Owner(42, 43, 0o640)
    assert (place.folder / "a.tif").stat().st_mtime == 1_600_000_000.5


def test_enforced_user_needs_uid_and_gid_none(place: Place) -> None:
    place.put({"a.tif": b"1"})
    ended = place.run(place.task(Options={}))
    assert ended["Status"] == "ERROR"
    assert "Verification detected mismatches" in ended["Result"]["ErrorDetail"]
    assert ended["Result"]["VerifyStatus"] == "ERROR"
    assert place.owner("a.tif") == OMERO
    unverified = place.run(place.task(Options={"VerifyMode": "NONE"}))
    assert unverified["Status"] == "SUCCESS"


def test_user_of_access_point_needs_permission(place: Place) -> None:
    place.put({"a.tif": b"1"})
    point = place.access_point(path="/", uid=1001)
    ended = place.run(place.task(destination=place.destination(AccessPointArn=point)))
    assert ended["Status"] == "ERROR"
    assert "files skipped due to errors" in ended["Result"]["ErrorDetail"]
    assert place.contents("") == {}


def test_subdirectories_bound_both_sides(place: Place) -> None:
    place.put({"in/a.tif": b"1", "inside.tif": b"2", "other/b.tif": b"3"})
    (place.folder / "omero/import/sub dir").mkdir(parents=True)
    destination = place.destination(AccessPointArn=place.access_point(), Subdirectory="/sub dir")
    described = place.datasync.describe_location_efs(LocationArn=destination)
    assert described["LocationUri"] == f"efs://eu-west-1.{place.file_system}/sub dir/"
    assert place.run(place.task(place.source("in"), destination))["Status"] == "SUCCESS"
    assert place.contents() == {"sub dir/a.tif": b"1"}
    missing = place.destination(AccessPointArn=place.access_point(), Subdirectory="/missing")
    ended = place.run(place.task(place.source("in"), missing))
    assert "mount.nfs" in ended["Result"]["ErrorDetail"]


def test_names_that_are_no_files_never_leave_the_folder(place: Place) -> None:
    odd = {"../up.tif": b"1", "a/../../up.tif": b"2", "b//c.tif": b"3", "/d.tif": b"4", "./e.tif": b"5"}
    place.put({**odd, "fine.tif": b"6", "x": b"7", "x/y.tif": b"8", "n" * 300: b"9"})
    outside = place.folder / "outside"
    outside.mkdir(parents=True)
    top = place.folder / "omero/import"
    top.mkdir(parents=True)
    (top / "link").symlink_to(outside)
    (top / "up").symlink_to("..")
    place.put({"link/f.tif": b"10", "up/g.tif": b"11"})
    ended = place.run(place.task())
    assert ended["Status"] == "ERROR"  # x is a file and a folder, and a name is too long
    assert ended["FilesSkipped"] >= len(odd)
    assert {name for name in place.contents() if "/" not in name} <= {"fine.tif", "x"}
    assert "fine.tif" in place.contents()
    assert list(outside.iterdir()) == []
    assert {path.name for path in place.folder.rglob("*.tif")} <= {"fine.tif", "y.tif"}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"Includes": "/a"}, {"a/1.tif", "a/b/2.tmp"}),
        ({"Includes": "/a/b/|/d.tif"}, {"a/b/2.tmp", "d.tif"}),
        ({"Includes": "/p*"}, {"p|q.tif", "plain.tif"}),
        ({"Includes": r"/p\|q.tif"}, {"p|q.tif"}),
        ({"Excludes": "*.tmp|*/.snapshot|/p*"}, {"a/1.tif", "d.tif"}),
        ({"Includes": "/a", "Excludes": "*/b"}, {"a/1.tif"}),
        ({"Includes": "a"}, set()),
    ],
)
def test_filters(place: Place, request_: dict[str, str], expected: set[str]) -> None:
    names = ("a/1.tif", "a/b/2.tmp", "d.tif", "p|q.tif", "plain.tif", "x/.snapshot/3.tif")
    place.put(dict.fromkeys(names, b"1"))
    rules = {kind: [{"FilterType": "SIMPLE_PATTERN", "Value": value}] for kind, value in request_.items()}
    assert place.run(place.task(), **rules)["Status"] == "SUCCESS"
    assert set(place.contents()) == expected


def test_manifest_names_objects(place: Place) -> None:
    place.put({"in/a,b.tif": b"1", "in/c.tif": b"2", "list.csv": b'"a,b.tif"\nmissing.tif\n'})
    manifest = {
        "Action": "TRANSFER",
        "Format": "CSV",
        "Source": {
            "S3": {
                "S3BucketArn": f"arn:aws:s3:::{place.bucket}",
                "ManifestObjectPath": "list.csv",
                "BucketAccessRoleArn": place.role,
            }
        },
    }
    ended = place.run(place.task(place.source("/in")), ManifestConfig=manifest)
    assert place.contents() == {"a,b.tif": b"1"}
    assert (ended["Status"], ended["Result"]["PrepareStatus"]) == ("ERROR", "ERROR")
    manifest["Source"]["S3"]["ManifestObjectPath"] = "none.csv"  # type: ignore[index]
    ended = place.run(place.task(place.source("/in")), ManifestConfig=manifest)
    assert ended["Result"]["ErrorCode"] == "ManifestFileDoesNotExist"


def test_states_in_order_and_one_execution_at_a_time(place: Place) -> None:
    place.put({"a.tif": b"1"})
    task = place.task()
    place.fault(execution=["slow:PREPARING:0.5"])
    datasync = place.datasync
    first = datasync.start_task_execution(TaskArn=task)["TaskExecutionArn"]
    with pytest.raises(ClientError, match="Unable to queue the task execution"):
        datasync.start_task_execution(TaskArn=task)
    rules = [{"FilterType": "SIMPLE_PATTERN", "Value": "/a.tif"}]
    with pytest.raises(ClientError, match="Unable to queue"):
        datasync.start_task_execution(TaskArn=task, Includes=rules, OverrideOptions={"TaskQueueing": "DISABLED"})
    second = datasync.start_task_execution(TaskArn=task, Includes=rules)["TaskExecutionArn"]
    assert datasync.describe_task_execution(TaskExecutionArn=second)["Status"] == "QUEUED"
    assert datasync.describe_task(TaskArn=task)["Status"] == "RUNNING"
    with pytest.raises(ClientError, match="in progress"):
        datasync.delete_task(TaskArn=task)
    seen: list[str] = []

    def has_ended() -> bool:
        status = str(datasync.describe_task_execution(TaskExecutionArn=first)["Status"])
        seen.extend([status] if status not in seen else [])
        return status == "SUCCESS"

    until(has_ended)
    order = ["LAUNCHING", "PREPARING", "TRANSFERRING", "VERIFYING", "SUCCESS"]
    assert seen == [state for state in order if state in seen]
    assert "PREPARING" in seen
    ended = place.ended(second)
    assert ended["LaunchTime"] > ended["StartTime"]
    rows = datasync.list_task_executions(TaskArn=task, MaxResults=1)
    assert rows["TaskExecutions"][0]["TaskExecutionArn"] == first
    rest = datasync.list_task_executions(TaskArn=task, NextToken=rows["NextToken"])
    assert [each["TaskExecutionArn"] for each in rest["TaskExecutions"]] == [second]
    datasync.delete_task(TaskArn=task)


def test_cancelled_executions_end_in_error(place: Place) -> None:
    place.put({"a.tif": b"1" * 100})
    task = place.task(Options={**AS_THE_ACCESS_POINT, "BytesPerSecond": 10})
    datasync = place.datasync
    running = datasync.start_task_execution(TaskArn=task)["TaskExecutionArn"]
    rules = [{"FilterType": "SIMPLE_PATTERN", "Value": "/a.tif"}]
    waiting = datasync.start_task_execution(TaskArn=task, Includes=rules)["TaskExecutionArn"]
    datasync.cancel_task_execution(TaskExecutionArn=waiting)
    assert datasync.describe_task_execution(TaskExecutionArn=waiting)["Status"] == "ERROR"
    until(lambda: datasync.describe_task_execution(TaskExecutionArn=running)["Status"] == "TRANSFERRING")
    datasync.cancel_task_execution(TaskExecutionArn=running)
    assert place.ended(running)["Status"] == "ERROR"
    assert place.contents() == {}
    with pytest.raises(ClientError, match="cannot be cancelled"):
        datasync.cancel_task_execution(TaskExecutionArn=running)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("fail-once:a.tif", "SUCCESS", None),
        ("fail:a.tif", "ERROR", "TransferFailed"),
        ("error:LAUNCHING", "ERROR", "InternalError"),
        ("error:VERIFYING", "ERROR", "InternalError"),
    ],
)
def test_faults_on_demand(place: Place, fault: str, status: str, code: str | None) -> None:
    place.put({"a.tif": b"1", "b.tif": b"2"})
    place.fault(execution=[fault])
    task = place.task()
    ended = place.run(task)
    assert (ended["Status"], ended["Result"].get("ErrorCode")) == (status, code)
    assert place.run(task)["Status"] == "SUCCESS"  # DataSync completes it at the next execution
    assert place.contents() == {"a.tif": b"1", "b.tif": b"2"}


def test_throttling_on_demand(place: Place) -> None:
    task = place.task()
    place.fault(StartTaskExecution=["ThrottlingException"])
    started = place.datasync.start_task_execution(TaskArn=task)
    assert started["ResponseMetadata"]["RetryAttempts"] == 1  # boto3's own


def test_logs_and_report(place: Place) -> None:
    name = f"/datasync/{uuid4().hex[:8]}"
    logs = place.client("logs")
    logs.create_log_group(logGroupName=name)
    policy = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "datasync.amazonaws.com"}, "Action": "logs:*"}]
    }
    logs.put_resource_policy(policyName="datasync", policyDocument=json.dumps(policy))
    place.put({"in/a.tif": b"1", "in/b.tif": b"2"})
    report = {
        "Destination": {
            "S3": {
                "S3BucketArn": f"arn:aws:s3:::{place.bucket}",
                "Subdirectory": "reports/",
                "BucketAccessRoleArn": place.role,
            }
        },
        "OutputType": "STANDARD",
        "ReportLevel": "SUCCESSES_AND_ERRORS",
    }
    task = place.task(
        place.source("/in"),
        CloudWatchLogGroupArn=f"arn:aws:logs:eu-west-1:123456789012:log-group:{name}:*",
        Options={**AS_THE_ACCESS_POINT, "LogLevel": "TRANSFER"},
        TaskReportConfig=report,
    )
    ended = place.run(task)
    assert ended["ReportResult"]["Status"] == "SUCCESS"
    stream = logs.describe_log_streams(logGroupName=name)["logStreams"][0]["logStreamName"]
    lines = [each["message"] for each in logs.get_log_events(logGroupName=name, logStreamName=stream)["events"]]
    assert "[INFO] Transferred file /a.tif, 1 bytes" in lines
    assert lines[-1].endswith("finished with status Success.")
    listed = place.client("s3").list_objects_v2(Bucket=place.bucket, Prefix="reports/")["Contents"]
    contents = {each["Key"].split("/")[1] + each["Key"].partition(".files-")[2][:8]: each["Key"] for each in listed}
    assert set(contents) == {
        "Summary-Reports",
        "Detailed-Reportstransfer",
        "Detailed-Reportsverified",
        "Detailed-Reportsskipped-",
    }
    body = place.client("s3").get_object(Bucket=place.bucket, Key=contents["Detailed-Reportstransfer"])["Body"].read()
    assert {row["RelativePath"] for row in json.loads(body)["Transferred"]} == {"/a.tif", "/b.tif"}


def test_enhanced_mode_counts_folders_apart(place: Place) -> None:
    place.put({"a/b.tif": b"1"})
    ended = place.run(place.task(TaskMode="ENHANCED", Options={"Uid": "NONE", "Gid": "NONE"}))
    assert ended["TaskMode"] == "ENHANCED"
    assert ended["Options"]["VerifyMode"] == "ONLY_FILES_TRANSFERRED"
    assert (ended["FilesTransferred"], ended["FoldersTransferred"]) == (1, 1)
    assert ended["FilesListed"]["AtSource"] == 1
    assert set(ended["FilesFailed"].values()) == {0}
    assert ended["Result"]["TransferDuration"] == 0


def test_archived_objects_cannot_be_read(place: Place) -> None:
    place.put({"old.tif": b"1"}, StorageClass="GLACIER")
    place.put({"new.tif": b"2"})
    ended = place.run(place.task())
    assert ended["Result"]["ErrorCode"] == "TransferFailed"
    assert place.contents() == {"new.tif": b"2"}

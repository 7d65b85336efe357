"""AppStream of the local AWS: what it has to have in common with the real one."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from local_aws.testing.ecs import Client, Network
from local_aws.testing.faults import forget_faults

BASE_IMAGE = "AppStream-WinServer2022-11-10-2025"


@pytest.fixture(scope="session")
def service_role(client: Client) -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": "appstream.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = client("iam").create_role(
        RoleName="AmazonAppStreamServiceAccess", Path="/service-role/", AssumeRolePolicyDocument=document
    )
    return str(role["Role"]["Arn"])


@pytest.fixture
def appstream(client: Client, aws: LocalAws, service_role: str) -> Iterator[Any]:
    yield client("appstream")
    forget_faults(aws.endpoint, "appstream")


@pytest.fixture
def name() -> str:
    return f"lab-{uuid4().hex[:8]}"


@pytest.fixture
def post(aws: LocalAws) -> Callable[[str, Any], tuple[int, Any]]:
    def posting(path: str, body: Any) -> tuple[int, Any]:
        url = f"{aws.endpoint}/_local/appstream/{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")  # noqa: S310
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    return posting


def bucket_of(client: Client, name: str, *, readable: bool = True) -> str:
    """A bucket with an archive, a script and an icon that AppStream may read."""
    s3 = client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for key in ("app.zip", "setup.ps1", "icon.png"):
        s3.put_object(Bucket=name, Key=key, Body=b"x")
    if readable:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "appstream.amazonaws.com"},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{name}/*",
        }
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return name


def app_block(appstream: Any, name: str, bucket: str, **changes: Any) -> str:
    asked = {
        "Name": name,
        "SourceS3Location": {"S3Bucket": bucket, "S3Key": "app.zip"},
        "SetupScriptDetails": {
            "ScriptS3Location": {"S3Bucket": bucket, "S3Key": "setup.ps1"},
            "ExecutablePath": "powershell.exe",
            "TimeoutInSeconds": 60,
        },
        **changes,
    }
    return str(appstream.create_app_block(**asked)["AppBlock"]["Arn"])


def application(appstream: Any, name: str, bucket: str, block: str) -> str:
    answer = appstream.create_application(
        Name=name,
        IconS3Location={"S3Bucket": bucket, "S3Key": "icon.png"},
        LaunchPath=r"C:\x\x.exe",
        Platforms=["WINDOWS_SERVER_2019"],
        InstanceFamilies=["GENERAL_PURPOSE"],
        AppBlockArn=block,
    )
    return str(answer["Application"]["Arn"])


def elastic(appstream: Any, name: str, network: Network, **changes: Any) -> None:
    asked = {
        "Name": name,
        "FleetType": "ELASTIC",
        "InstanceType": "stream.standard.large",
        "Platform": "WINDOWS_SERVER_2019",
        "MaxConcurrentSessions": 1,
        "VpcConfig": {"SubnetIds": network.subnets, "SecurityGroupIds": [network.group]},
        **changes,
    }
    appstream.create_fleet(**asked)


def state_of(appstream: Any, name: str) -> str:
    return str(appstream.describe_fleets(Names=[name])["Fleets"][0]["State"])


def until(look: Callable[[], str], wanted: str) -> list[str]:
    """The states that were seen until the wanted one."""
    seen = [look()]
    deadline = time.monotonic() + 60
    while seen[-1] != wanted:
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)
        if (now := look()) != seen[-1]:
            seen.append(now)
    return seen


def refused(code: str, call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code
    return error.value.response["Error"]["Message"]


def test_an_elastic_fleet_shows_an_application_from_s3_until_all_is_gone(
    appstream: Any, client: Client, network: Network, name: str, post: Any
) -> None:
    bucket = bucket_of(client, name)
    arn = application(appstream, name, bucket, app_block(appstream, name, bucket))
    elastic(appstream, name, network)
    appstream.create_stack(Name=name, StorageConnectors=[{"ConnectorType": "HOMEFOLDERS"}])
    appstream.associate_fleet(FleetName=name, StackName=name)
    url = {"StackName": name, "FleetName": name, "UserId": "ada"}
    refused("ResourceNotAvailableException", appstream.create_streaming_url, **url)

    appstream.start_fleet(Name=name)
    assert until(lambda: state_of(appstream, name), "RUNNING") == ["STARTING", "RUNNING"]
    streaming = appstream.create_streaming_url(**url)["StreamingURL"]
    status, answer = post("sessions", {"url": streaming})
    assert (status, answer["code"]) == (400, "ResourceNotAvailableException")  # nothing to show yet

    appstream.associate_application_fleet(FleetName=name, ApplicationArn=arn)
    status, session = post("sessions", {"url": streaming})
    assert (status, session["State"]) == (200, "ACTIVE")
    assert post("sessions", {"url": streaming})[0] == 400  # one session at most
    assert appstream.describe_fleets(Names=[name])["Fleets"][0]["ComputeCapacityStatus"]["InUse"] == 1

    refused("ResourceInUseException", appstream.delete_fleet, Name=name)
    refused("ResourceInUseException", appstream.delete_application, Name=name)
    refused("ResourceInUseException", appstream.delete_app_block, Name=name)
    refused("ResourceInUseException", appstream.delete_stack, Name=name)
    appstream.stop_fleet(Name=name)
    assert until(lambda: state_of(appstream, name), "STOPPED") == ["STOPPING", "STOPPED"]
    assert [each["State"] for each in appstream.describe_sessions(StackName=name, FleetName=name)["Sessions"]] == [
        "EXPIRED"
    ]
    refused("ResourceInUseException", appstream.delete_fleet, Name=name)
    appstream.disassociate_fleet(FleetName=name, StackName=name)
    appstream.disassociate_application_fleet(FleetName=name, ApplicationArn=arn)
    appstream.delete_fleet(Name=name)
    appstream.delete_application(Name=name)
    appstream.delete_app_block(Name=name)
    appstream.delete_stack(Name=name)
    refused("ResourceNotFoundException", appstream.describe_fleets, Names=[name])
    home = f"appstream2-36fb080bb8-eu-west-1-{client('sts').get_caller_identity()['Account']}"
    assert client("s3").head_bucket(Bucket=home)  # which stays


def test_objects_have_to_be_there_and_to_be_readable(appstream: Any, client: Client, name: str) -> None:
    bucket = bucket_of(client, name, readable=False)
    message = refused("OperationNotPermittedException", app_block, appstream=appstream, name=name, bucket=bucket)
    assert f"s3://{bucket}/app.zip" in message
    refused("ResourceNotFoundException", app_block, appstream=appstream, name=name, bucket="no-such-bucket")
    there = bucket_of(client, f"{name}-2")
    source = {"S3Bucket": there, "S3Key": "other.zip"}
    asked = {"appstream": appstream, "name": name, "bucket": there, "SourceS3Location": source}
    refused("ResourceNotFoundException", app_block, **asked)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ImageName": BASE_IMAGE}, "InvalidParameterCombinationException"),
        ({"ComputeCapacity": {"DesiredInstances": 1}}, "InvalidParameterCombinationException"),
        ({"Platform": "WINDOWS_SERVER_2022"}, "InvalidParameterCombinationException"),
        ({"DisconnectTimeoutInSeconds": 59}, "InvalidParameterCombinationException"),
        ({"InstanceType": "stream.standard.2xlarge"}, "LimitExceededException"),
        ({"InstanceType": "stream.compute.large"}, "InvalidParameterCombinationException"),
        ({"VpcConfig": {"SubnetIds": ["subnet-0123456789abcdef0"]}}, "ResourceNotFoundException"),
        ({"Name": "-"}, "ValidationException"),
        ({"FleetType": "SOMETIMES"}, "ValidationException"),
    ],
)
def test_refuses_a_fleet(appstream: Any, network: Network, name: str, changes: dict[str, Any], code: str) -> None:
    refused(code, elastic, **{"appstream": appstream, "network": network, "name": name, **changes})


def test_refuses_subnets_in_one_zone(appstream: Any, network: Network, name: str) -> None:
    one = {"VpcConfig": {"SubnetIds": network.subnets[:1]}}
    refused("InvalidParameterCombinationException", elastic, appstream=appstream, name=name, network=network, **one)


def test_a_running_fleet_takes_some_changes_only(appstream: Any, network: Network, name: str) -> None:
    elastic(appstream, name, network)
    appstream.start_fleet(Name=name)
    refused("ResourceInUseException", appstream.update_fleet, Name=name, MaxConcurrentSessions=2)  # STARTING
    until(lambda: state_of(appstream, name), "RUNNING")
    assert appstream.update_fleet(Name=name, MaxConcurrentSessions=2)["Fleet"]["MaxConcurrentSessions"] == 2
    refused("ResourceInUseException", appstream.update_fleet, Name=name, InstanceType="stream.standard.medium")


def test_a_start_may_fail_and_says_why(appstream: Any, network: Network, name: str, post: Any) -> None:
    elastic(appstream, name, network)
    post("faults", {"StartFleet": ["ConcurrentModificationException", "FLEET_INSTANCE_PROVISIONING_FAILURE"]})
    refused("ConcurrentModificationException", appstream.start_fleet, Name=name)
    appstream.start_fleet(Name=name)
    assert until(lambda: state_of(appstream, name), "STOPPED") == ["STARTING", "STOPPED"]
    errors = appstream.describe_fleets(Names=[name])["Fleets"][0]["FleetErrors"]
    assert [each["ErrorCode"] for each in errors] == ["FLEET_INSTANCE_PROVISIONING_FAILURE"]


def test_associations_of_users_fail_one_by_one_with_status_200(appstream: Any, name: str) -> None:
    appstream.create_stack(Name=name)
    appstream.create_user(UserName=f"{name}@example.org", AuthenticationType="USERPOOL")
    refused(
        "ResourceAlreadyExistsException",
        appstream.create_user,
        UserName=f"{name}@example.org",
        AuthenticationType="USERPOOL",
    )
    pairs = [
        {"StackName": name, "UserName": each, "AuthenticationType": "USERPOOL"}
        for each in (f"{name}@example.org", f"{name.upper()}@example.org")
    ]
    answer = appstream.batch_associate_user_stack(UserStackAssociations=pairs)
    assert [(each["ErrorCode"], each["UserStackAssociation"]["UserName"]) for each in answer["errors"]] == [
        ("USER_NAME_NOT_FOUND", f"{name.upper()}@example.org")
    ]
    rows = appstream.describe_user_stack_associations(StackName=name)["UserStackAssociations"]
    assert [each["UserName"] for each in rows] == [f"{name}@example.org"]
    twenty_six = {"UserStackAssociations": pairs * 13}
    refused("ValidationException", appstream.batch_associate_user_stack, **twenty_six)


def test_a_builder_becomes_an_image_once_somebody_pastes_the_script(
    appstream: Any, network: Network, name: str, post: Any
) -> None:
    def builder() -> str:
        found = appstream.describe_image_builders()["ImageBuilders"]
        return next((str(each["State"]) for each in found if each["Name"] == name), "GONE")

    vpc = {"SubnetIds": network.subnets[:1], "SecurityGroupIds": [network.group]}
    appstream.create_image_builder(
        Name=name, ImageName=BASE_IMAGE, InstanceType="stream.standard.medium", VpcConfig=vpc
    )
    until(builder, "RUNNING")
    url = appstream.create_image_builder_streaming_url(Name=name)["StreamingURL"]
    make = f"Assistant create-image --name '{name}'"
    assert post("sessions", {"url": url, "script": make})[0] == 400  # no application in the catalog
    add = r"Assistant add-application --name 'x' --absolute-app-path 'C:\x.exe'"
    assert post("sessions", {"url": url, "script": f"{add}\n{make}"})[0] == 200
    refused("OperationNotPermittedException", appstream.delete_image_builder, Name=name)
    assert until(builder, "STOPPED") == ["SNAPSHOTTING", "STOPPED"]
    assert appstream.describe_images(Names=[name])["Images"][0]["State"] == "AVAILABLE"
    capacity = {"DesiredInstances": 1}
    fleet = {"Name": name, "ImageName": name, "InstanceType": "GeneralPurpose.large", "ComputeCapacity": capacity}
    refused("IncompatibleImageException", appstream.create_fleet, **fleet)
    appstream.create_fleet(**{**fleet, "InstanceType": "stream.standard.medium", "FleetType": "ON_DEMAND"})
    refused("ResourceInUseException", appstream.delete_image, Name=name)
    appstream.delete_image_builder(Name=name)
    until(builder, "GONE")


def test_gaps_say_what_they_are(appstream: Any) -> None:
    assert "CreateUsageReportSubscription" in refused("NotImplemented", appstream.create_usage_report_subscription)

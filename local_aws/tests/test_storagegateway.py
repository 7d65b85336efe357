"""S3 File Gateway: activation, disks and cache, NFS file shares, and what AWS refuses."""

from __future__ import annotations

import json
import urllib.error
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from local_aws.testing.ecs import Client, Network, until
from local_aws.testing.gateway import ask, start_appliance

TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "storagegateway.amazonaws.com"}}]}


def _code(raised: pytest.ExceptionInfo[ClientError]) -> str:
    """Storage Gateway's own code, which comes beside the exception's name."""
    assert raised.value.response["Error"]["Code"] == "InvalidGatewayRequestException"
    return str(raised.value.response["error"]["errorCode"])  # type: ignore[typeddict-item]


@dataclass(frozen=True)
class Gateways:
    """Makes gateways and shares."""

    aws: LocalAws
    client: Client
    network: Network
    bucket: str
    role: str

    @property
    def api(self) -> Any:
        return self.client("storagegateway")

    def instance(self, gib: int = 150) -> str:
        made = self.client("ec2").run_instances(
            ImageId="ami-12c6146b",
            InstanceType="m5.xlarge",
            MinCount=1,
            MaxCount=1,
            SubnetId=self.network.subnets[0],
            BlockDeviceMappings=[
                {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 80}},
                {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": gib}},
            ],
        )
        return str(made["Instances"][0]["InstanceId"])

    def key(self, instance: str | None = None, region: str = "eu-west-1") -> str:
        appliance = start_appliance(self.aws, InstanceId=instance)
        return ask(appliance, f"activationRegion={region}&no_redirect")[2]

    def activate(self, key: str | None = None, **more: Any) -> str:
        made = self.api.activate_gateway(
            **{
                "ActivationKey": key or self.key(self.instance()),
                "GatewayName": "omero",
                "GatewayTimezone": "GMT",
                "GatewayRegion": "eu-west-1",
                "GatewayType": "FILE_S3",
                **more,
            }
        )
        return str(made["GatewayARN"])

    def connected(self, arn: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            try:
                return dict(self.api.describe_gateway_information(GatewayARN=arn))
            except ClientError as error:
                if "not connected" not in str(error):
                    raise
                return None

        return dict(until(look))

    def cached(self) -> str:
        """A gateway that can take file shares."""
        arn = self.activate()
        self.connected(arn)
        disks = self.api.list_local_disks(GatewayARN=arn)["Disks"]
        self.api.add_cache(GatewayARN=arn, DiskIds=[disks[0]["DiskId"]])
        return arn

    def share(self, gateway: str, **more: Any) -> str:
        request = {
            "ClientToken": uuid4().hex,
            "GatewayARN": gateway,
            "Role": self.role,
            "LocationARN": f"arn:aws:s3:::{self.bucket}",
            **more,
        }
        return str(self.api.create_nfs_file_share(**request)["FileShareARN"])

    def described(self, share: str) -> dict[str, Any]:
        return dict(self.api.describe_nfs_file_shares(FileShareARNList=[share])["NFSFileShareInfoList"][0])

    def available(self, share: str) -> dict[str, Any]:
        until(lambda: self.described(share)["FileShareStatus"] == "AVAILABLE")
        return self.described(share)


@pytest.fixture(scope="module")
def gateways(aws: LocalAws, client: Client, network: Network) -> Gateways:
    name = f"g-{uuid4().hex[:10]}"
    client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    return Gateways(aws, client, network, name, role)


@pytest.fixture(scope="module")
def gateway(gateways: Gateways) -> str:
    return gateways.cached()


def test_a_disk_in_use_is_busy_until_the_machine_stops(gateways: Gateways) -> None:
    ec2, instance = gateways.client("ec2"), gateways.instance()
    zone = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["Placement"]
    volume = ec2.create_volume(AvailabilityZone=zone["AvailabilityZone"], Size=160)["VolumeId"]
    attach = {"InstanceId": instance, "VolumeId": volume, "Device": "/dev/sdc"}

    def status() -> tuple[str, list[str]]:
        (found,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        return found["State"], [each["State"] for each in found["Attachments"]]

    ec2.attach_volume(**attach)
    ec2.detach_volume(VolumeId=volume)  # nobody uses it yet
    assert status() == ("available", [])
    ec2.attach_volume(**attach)
    arn = gateways.activate(gateways.key(instance))
    gateways.connected(arn)
    disks = gateways.api.list_local_disks(GatewayARN=arn)["Disks"]
    gateways.api.add_cache(GatewayARN=arn, DiskIds=[each["DiskId"] for each in disks])
    ec2.stop_instances(InstanceIds=[instance])
    ec2.start_instances(InstanceIds=[instance])
    ec2.detach_volume(**attach)
    assert status() == ("in-use", ["busy"])
    with pytest.raises(ClientError, match="VolumeInUse"):
        ec2.delete_volume(VolumeId=volume)
    ec2.stop_instances(InstanceIds=[instance])
    assert status() == ("available", [])
    ec2.delete_volume(VolumeId=volume)


def test_machine_gives_out_keys_until_it_is_activated(gateways: Gateways) -> None:
    instance = gateways.instance()
    appliance = start_appliance(gateways.aws, InstanceId=instance, Address="127.0.0.7")
    status, location, _ = ask(appliance, "activationRegion=eu-west-1&gatewayType=FILE_S3")
    query = parse_qs(urlsplit(location).query)
    assert (status, query["gatewayType"], query["activationRegion"]) == (302, ["FILE_S3"], ["eu-west-1"])
    assert ask(appliance, "")[0] == 400
    arn = gateways.activate(query["activationKey"][0], Tags=[{"Key": "a", "Value": "b"}])
    with pytest.raises(ClientError) as raised:
        gateways.api.describe_gateway_information(GatewayARN=arn)
    assert _code(raised) == "GatewayNotConnected"
    found = gateways.connected(arn)
    assert (found["Ec2InstanceId"], found["HostEnvironment"], found["EndpointType"]) == (instance, "EC2", "STANDARD")
    assert found["Tags"] == [{"Key": "a", "Value": "b"}]
    assert ask(appliance, "activationRegion=eu-west-1")[0] == 404
    with pytest.raises(ClientError) as raised:
        gateways.activate(query["activationKey"][0])
    assert _code(raised) == "ActivationKeyInvalid"
    rows = {each["GatewayARN"]: each for each in gateways.api.list_gateways()["Gateways"]}
    assert rows[arn]["GatewayOperationalState"] == "ACTIVE"
    gateways.client("ec2").stop_instances(InstanceIds=[instance])
    with pytest.raises(ClientError) as raised:
        gateways.api.describe_gateway_information(GatewayARN=arn)
    assert _code(raised) == "GatewayNotConnected"
    gateways.api.delete_gateway(GatewayARN=arn)
    with pytest.raises(ClientError) as raised:
        gateways.api.delete_gateway(GatewayARN=arn)
    assert _code(raised) == "GatewayNotFound"


def test_refuses_machines_elsewhere(gateways: Gateways) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        start_appliance(gateways.aws, Address="192.0.2.1")
    assert raised.value.code == 400


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"ActivationKey": "ABCDE-ABCDE-ABCDE-ABCDE-ABCDE"}, "ActivationKeyNotFound"),
        ({"GatewayRegion": "eu-central-1"}, "RegionInvalid"),
        ({"GatewayType": "TOASTER"}, "InvalidParameters"),
        ({"GatewayTimezone": "CET"}, "InvalidParameters"),
        ({"GatewayName": "a/b"}, "InvalidParameters"),
    ],
)
def test_refuses_activations(gateways: Gateways, more: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as raised:
        gateways.activate(**more)
    assert _code(raised) == code


def test_other_types_are_not_there(gateways: Gateways) -> None:
    with pytest.raises(ClientError) as raised:
        gateways.activate(GatewayType="STORED")
    assert raised.value.response["Error"]["Code"] == "NotImplemented"


def test_key_is_for_one_region(gateways: Gateways) -> None:
    with pytest.raises(ClientError) as raised:
        gateways.activate(gateways.key(region="eu-central-1"))
    assert _code(raised) == "ActivationKeyNotFound"


def test_cache_needs_150_gib(gateways: Gateways) -> None:
    arn = gateways.activate(gateways.key(gateways.instance(gib=149)))
    gateways.connected(arn)
    disks = gateways.api.list_local_disks(GatewayARN=arn)["Disks"]
    assert [(disk["DiskNode"], disk["DiskSizeInBytes"] >> 30) for disk in disks] == [("/dev/sdb", 149)]
    with pytest.raises(ClientError, match="150 GiB") as raised:
        gateways.api.add_cache(GatewayARN=arn, DiskIds=[disks[0]["DiskId"]])
    assert _code(raised) == "InvalidParameters"
    with pytest.raises(ClientError) as raised:
        gateways.api.add_cache(GatewayARN=arn, DiskIds=["none"])
    assert _code(raised) == "DiskDoesNotExist"
    with pytest.raises(ClientError, match="no cache"):
        gateways.share(arn)


def test_disks_of_a_gateway_on_no_instance(gateways: Gateways) -> None:
    arn = gateways.activate(gateways.key())
    assert gateways.connected(arn)["HostEnvironment"] == "OTHER"
    disks = gateways.api.list_local_disks(GatewayARN=arn)["Disks"]
    gateways.api.add_cache(GatewayARN=arn, DiskIds=[disks[0]["DiskId"]])
    cache = gateways.api.describe_cache(GatewayARN=arn)
    assert cache["DiskIds"] == [disks[0]["DiskId"]]
    assert cache["CacheAllocatedInBytes"] == 150 << 30
    with pytest.raises(ClientError) as raised:
        gateways.api.add_cache(GatewayARN=arn, DiskIds=[disks[0]["DiskId"]])
    assert _code(raised) == "DiskAlreadyAllocated"


def test_gateway_is_changed(gateways: Gateways, gateway: str) -> None:
    api = gateways.api
    gateways.client("logs").create_log_group(logGroupName="/gateway")
    group = "arn:aws:logs:eu-west-1:123456789012:log-group:/gateway"
    api.update_gateway_information(GatewayARN=gateway, GatewayName="other", CloudWatchLogGroupARN=group)
    found = api.describe_gateway_information(GatewayARN=gateway)
    assert (found["GatewayName"], found["CloudWatchLogGroupARN"]) == ("other", group)
    window = api.describe_maintenance_start_time(GatewayARN=gateway)
    assert (window["HourOfDay"], window["MinuteOfHour"], window["DayOfWeek"]) == (3, 0, 0)
    assert api.describe_smb_settings(GatewayARN=gateway)["SMBGuestPasswordSet"] is False
    api.add_tags_to_resource(ResourceARN=gateway, Tags=[{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}])
    api.remove_tags_from_resource(ResourceARN=gateway, TagKeys=["a"])
    assert api.list_tags_for_resource(ResourceARN=gateway)["Tags"] == [{"Key": "c", "Value": "d"}]


def test_share_comes_changes_and_goes(gateways: Gateways, gateway: str) -> None:
    token = uuid4().hex
    share = gateways.share(gateway, ClientToken=token, NFSFileShareDefaults={"GroupId": 1000, "OwnerId": 1000})
    assert gateways.share(gateway, ClientToken=token) == share
    assert gateways.described(share)["FileShareStatus"] == "CREATING"
    found = gateways.available(share)
    defaults = {"FileMode": "0666", "DirectoryMode": "0777", "GroupId": 1000, "OwnerId": 1000}
    assert found["NFSFileShareDefaults"] == defaults
    assert (found["Path"], found["FileShareName"]) == (f"/{gateways.bucket}", gateways.bucket)
    assert (found["Squash"], found["ObjectACL"], found["ClientList"]) == ("RootSquash", "private", ["0.0.0.0/0"])
    with pytest.raises(ClientError, match="already"):
        gateways.share(gateway)
    api = gateways.api
    api.update_nfs_file_share(FileShareARN=share, ReadOnly=True, CacheAttributes={"CacheStaleTimeoutInSeconds": 300})
    assert gateways.described(share)["FileShareStatus"] == "UPDATING"
    found = gateways.available(share)
    assert found["ReadOnly"] is True
    assert found["CacheAttributes"] == {"CacheStaleTimeoutInSeconds": 300}
    assert found["NFSFileShareDefaults"] == defaults
    rows = api.list_file_shares(GatewayARN=gateway)["FileShareInfoList"]
    assert [(row["FileShareARN"], row["FileShareType"]) for row in rows] == [(share, "NFS")]
    api.delete_file_share(FileShareARN=share)
    assert gateways.described(share)["FileShareStatus"] == "DELETING"
    until(lambda: not api.list_file_shares(GatewayARN=gateway)["FileShareInfoList"])
    with pytest.raises(ClientError) as raised:
        gateways.described(share)
    assert _code(raised) == "FileShareNotFound"


@pytest.mark.parametrize(
    "more",
    [
        {"Role": "arn:aws:iam::123456789012:role/missing"},
        {"LocationARN": "arn:aws:s3:::missing"},
        {"LocationARN": "arn:aws:s3:::{bucket}/no-slash"},
        {"ClientList": ["10.0.0.1/24"]},
        {"ClientList": ["localhost"]},
        {"CacheAttributes": {"CacheStaleTimeoutInSeconds": 299}},
        {"CacheAttributes": {"CacheStaleTimeoutInSeconds": 2_592_001}},
        {"Squash": "NoGourd"},
        {"KMSEncrypted": True},
        {"NFSFileShareDefaults": {"FileMode": "999"}},
        {"NFSFileShareDefaults": {"OwnerId": 4_294_967_295}},
    ],
)
def test_refuses_shares(gateways: Gateways, gateway: str, more: dict[str, Any]) -> None:
    given = {
        name: value.format(bucket=gateways.bucket) if name == "LocationARN" else value for name, value in more.items()
    }
    with pytest.raises(ClientError) as raised:
        gateways.share(gateway, **given)
    assert _code(raised) == "InvalidParameters"


def test_refresh_has_limits(gateways: Gateways, gateway: str) -> None:
    share = gateways.share(gateway, LocationARN=f"arn:aws:s3:::{gateways.bucket}/in/", FileShareName="in")
    assert gateways.available(share)["Path"] == "/in"
    api = gateways.api
    assert api.refresh_cache(FileShareARN=share, FolderList=["/"], Recursive=True)["NotificationId"]
    with pytest.raises(ClientError, match="Too many requests"):
        api.refresh_cache(FileShareARN=share)

    def is_accepted() -> bool:
        try:
            api.refresh_cache(FileShareARN=share)
        except ClientError:
            return False
        return True

    until(is_accepted)  # the interval is over, the first one is still under way
    with pytest.raises(ClientError, match="Too many requests"):
        api.refresh_cache(FileShareARN=share)
    until(is_accepted)
    api.delete_file_share(FileShareARN=share, ForceDelete=True)


def test_eventbridge_is_told_when_a_refresh_has_ended(gateways: Gateways, gateway: str, client: Client) -> None:
    share = gateways.share(gateway, LocationARN=f"arn:aws:s3:::{gateways.bucket}/told/", FileShareName="told")
    gateways.available(share)
    sqs, events, name = client("sqs"), client("events"), f"a-{uuid4().hex[:10]}"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.storagegateway"], "resources": [share]}))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    asked = gateways.api.refresh_cache(FileShareARN=share, FolderList=["/a"])["NotificationId"]
    assert "Messages" not in sqs.receive_message(QueueUrl=queue), "it has not ended"
    (message,) = until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    event = json.loads(message["Body"])
    assert event["detail-type"] == "Storage Gateway Refresh Cache Event"
    assert event["resources"] == [share, gateway]
    detail = event["detail"]
    assert (detail["event-type"], detail["notification-id"], detail["folderList"]) == (
        "refresh-complete",
        asked,
        ["/a"],
    )
    gateways.api.delete_file_share(FileShareARN=share, ForceDelete=True)

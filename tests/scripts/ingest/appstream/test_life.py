"""AppStream of a workspace from nothing to nothing, by each of the three ways, with faults and kills."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from contract.outputs import Network, Omero
from local_aws.services.appstream import stacks
from local_aws.services.appstream.models import FAULTS
from scripts.errors import Failed, Refused
from scripts.ingest.appstream import application, builder, fleet, lifecycle, network, stack, users
from scripts.ingest.appstream import context as appstream_context
from tests.scripts.ingest.appstream.appstream_help import (
    ACCOUNT,
    NOTHING,
    ON_DEMAND,
    REGION,
    Make,
    Person,
    backend,
    insight_files,
    inventory,
    tear_down,
    url_of,
    with_kills,
    write_zip,
)


def test_an_elastic_life(lab: Make, tmp_path: Path) -> None:
    planned = lab(dry_run=True)
    lifecycle.ensure(planned)
    assert inventory(planned) == NOTHING

    there = lab(users=["ada@example.org"])
    lifecycle.ensure(there)
    found = inventory(there)
    assert found["objects"] == ["icon.png", "omero-insight.zip", "setup.ps1"]
    assert found["fleets"] == found["stacks"] == found["applications"] == ["omero-lab-insight"]
    said = " ".join(there.changes.sentences)
    for sentence in planned.changes.sentences:  # the dry run has said it
        assert sentence.partition(":")[0].replace("sg-(planned)", "") in said
    streaming = stacks.open_session(backend(), url_of(there))
    status = lifecycle.status(lab())
    assert status["fleet"]["state"] == "RUNNING"
    assert status["reaches_omero"] is True
    assert [each["user"] for each in status["sessions"]] == ["ada"]
    assert status["users"] == ["ada@example.org"]
    assert status["cost"]["billed_instances"] == 1

    again = lab(users=["ada@example.org"])
    lifecycle.ensure(again)
    assert again.changes.sentences == []

    # Another archive: another app block, the old one goes; the session stays.
    path, sha256 = write_zip(tmp_path / "new.zip", {**insight_files(), "OMERO.insight-5.8.4/NEW": b"1"})
    newer = lab(insight={"archive": str(path), "archive_sha256": sha256})
    lifecycle.ensure(newer)
    assert len(inventory(newer)["app blocks"]) == 1
    assert inventory(newer)["app blocks"] != found["app blocks"]
    assert len(inventory(newer)["objects"]) == 3
    assert backend().sessions[streaming["Id"]]["State"] == "ACTIVE"

    with pytest.raises(Refused, match=r"1 sessions are open \(ada\).*--end-sessions"):
        tear_down(lab())
    with pytest.raises(Refused, match="1 sessions are open"):
        fleet.stop(lab())
    tear_down(lab(), end_sessions=True)
    assert inventory(lab()) == NOTHING
    home = lifecycle.HOME_BUCKET.format(region=REGION, account=ACCOUNT)
    assert there.deployment.client("s3").head_bucket(Bucket=home)
    assert [each["UserName"] for each in users.pool(lab())] == ["ada@example.org"]
    gone = lab()
    tear_down(gone)
    assert gone.changes.sentences == []


def test_an_elastic_life_killed_after_every_change(lab: Make) -> None:
    made = with_kills(lifecycle.ensure, lambda: lab(users=["ada@example.org"]))
    assert len(made) > 20
    assert {"appstream:CreateFleet", "s3:PutObject", "ec2:CreateSecurityGroup", "appstream:StartFleet"} <= set(made)
    found = inventory(lab())
    assert {key: len(value) for key, value in found.items()} == {
        "fleets": 1,
        "stacks": 1,
        "app blocks": 1,
        "applications": 1,
        "images": 0,
        "builders": 0,
        "objects": 3,
        "buckets": 1,
        "groups": 1,
        "roles": 0,
    }
    assert stacks.open_session(backend(), url_of(lab()))["State"] == "ACTIVE"
    gone = with_kills(lambda there: tear_down(there, end_sessions=True), lab)
    assert "appstream:DeleteFleet" in gone
    assert inventory(lab()) == NOTHING


def test_the_way_to_omero_is_open_to_sessions_alone(lab: Make) -> None:
    there = lab()
    group_id = network.ensure_group(there)
    ec2 = there.deployment.client("ec2")
    (group,) = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    assert group["IpPermissions"] == []
    ways = {(each["FromPort"], each["IpRanges"][0]["CidrIp"]) for each in group["IpPermissionsEgress"]}
    assert ways == {(4064, "10.192.0.0/16"), (443, "0.0.0.0/0")}
    server = there.deployment.parameter(Omero.server_security_group_id)
    (guard,) = ec2.describe_security_groups(GroupIds=[server])["SecurityGroups"]
    (rule,) = guard["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (4064, 4064, [])
    assert [each["GroupId"] for each in rule["UserIdGroupPairs"]] == [group_id]
    # Nothing of the fleet's group names OMERO's: else that could not be deleted.
    assert not any(each["UserIdGroupPairs"] for each in group["IpPermissionsEgress"])


def test_drift_is_corrected(lab: Make) -> None:
    there = lab(stack={"embed_domains": ["portal.example.org"], "redirect_url": "https://omero.example.org/"})
    lifecycle.ensure(there)
    client, ec2, s3 = there.client, there.deployment.client("ec2"), there.deployment.client("s3")
    client.update_fleet(Name=there.name, MaxConcurrentSessions=9, DisplayName="X")
    client.update_stack(Name=there.name, UserSettings=[{"Action": "FILE_DOWNLOAD", "Permission": "ENABLED"}])
    client.update_application(Name=there.name, LaunchPath="C:\\other.exe")
    group = network.find_group(there)
    assert group
    everyone = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_egress(GroupId=group["GroupId"], IpPermissions=[everyone])
    s3.delete_bucket_policy(Bucket=there.bucket)
    mended = lab()
    lifecycle.ensure(mended)
    text = "\n".join(mended.changes.sentences)
    for part in (
        "MaxConcurrentSessions",
        "UserSettings",
        "RedirectURL, EmbedHostDomains",
        "LaunchPath",
        "outbound rule to 0.0.0.0/0, all ports removed",
        "policy set to read access for AppStream",
    ):
        assert part in text
    (found,) = client.describe_stacks()["Stacks"]
    permissions = {each["Action"]: each["Permission"] for each in found["UserSettings"]}
    assert permissions == {
        "CLIPBOARD_COPY_FROM_LOCAL_DEVICE": "ENABLED",
        "CLIPBOARD_COPY_TO_LOCAL_DEVICE": "DISABLED",
        "FILE_UPLOAD": "ENABLED",
        "FILE_DOWNLOAD": "DISABLED",
        "PRINTING_TO_LOCAL_DEVICE": "DISABLED",
    }
    assert not found.get("EmbedHostDomains")
    assert not found.get("RedirectURL")
    last = lab()
    lifecycle.ensure(last)
    assert last.changes.sentences == []


def test_a_change_that_needs_a_stop_needs_a_word(lab: Make) -> None:
    lifecycle.ensure(lab())
    bigger = {"fleet": {"instance_type": "stream.standard.xlarge"}}
    there = lab(**bigger)
    with pytest.raises(
        Refused, match=r"is RUNNING, and InstanceType can only be changed while it is STOPPED.*--restart"
    ):
        lifecycle.ensure(there)
    assert there.changes.sentences == []
    restarted = lab(**bigger)
    lifecycle.ensure(restarted, restart=True)
    (found,) = restarted.client.describe_fleets()["Fleets"]
    assert (found["InstanceType"], found["State"]) == ("stream.standard.xlarge", "RUNNING")
    with pytest.raises(Refused, match=r"is ELASTIC, and appstream\.fleet\.type is ON_DEMAND, but AWS cannot change"):
        _with_image(lambda: lifecycle.ensure(lab(**ON_DEMAND)))


def _with_image(run: Callable[[], object]) -> None:
    client = boto3.client("appstream", region_name=REGION)
    client.describe_images()  # has the base images made
    backend().add("image", {"Name": "insight-1"}, {"Visibility": "PRIVATE", "ImageType": "NATIVE"}).state = "AVAILABLE"
    run()


def test_what_passes_by_itself_is_tried_again(lab: Make) -> None:
    FAULTS.add(
        "CreateFleet", "InvalidRoleException", "ConcurrentModificationException", "ResourceNotAvailableException"
    )
    FAULTS.add("StartFleet", "ConcurrentModificationException")
    lifecycle.ensure(lab())
    assert fleet.find(lab())["State"] == "RUNNING"  # type: ignore[index]


def test_a_fleet_that_does_not_start_says_why_and_starts_later(lab: Make) -> None:
    FAULTS.add("StartFleet", "SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES")
    with pytest.raises(Failed, match="did not start: SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES: The subnet has no free"):
        lifecycle.ensure(lab())
    lifecycle.ensure(lab())
    assert fleet.find(lab())["State"] == "RUNNING"  # type: ignore[index]


def test_a_quota_of_zero_is_one_sentence(lab: Make) -> None:
    lab().client.describe_fleets()
    backend().quotas["stream.standard.2xlarge"] = 0
    with pytest.raises(Failed, match=r"CreateFleet exceeds a quota.*stream\.standard\.2xlarge.*Service Quotas"):
        lifecycle.ensure(lab(fleet={"instance_type": "stream.standard.2xlarge"}))


@pytest.mark.parametrize("kind", ["fleet", "stack", "application"])
def test_refuses_a_name_in_use(lab: Make, kind: str) -> None:
    there = lab()
    there.client.describe_fleets()
    backend().add(kind, {"Name": there.name}, {"InstanceType": "x", "FleetType": "ELASTIC", "instances": 1})
    with pytest.raises(Refused, match=f"the name of {kind} omero-lab-insight is in use in {REGION}"):
        lifecycle.ensure(there)
    assert there.changes.sentences == []


def test_refuses_where_it_cannot_work(lab: Make) -> None:
    there = lab()
    ec2, vpc = there.deployment.client("ec2"), there.deployment.parameter(Network.vpc_id)
    one = there.deployment.listed(Network.private_subnet_ids)[0]
    same = ec2.create_subnet(VpcId=vpc, CidrBlock="10.192.30.0/24", AvailabilityZone=f"{REGION}a")["Subnet"]["SubnetId"]
    with pytest.raises(Refused, match=f"are both in {REGION}a, and AppStream needs two Availability Zones"):
        lifecycle.ensure(lab(fleet={"subnet_ids": [one, same]}))
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    outside = ec2.create_subnet(VpcId=other, CidrBlock="10.1.0.0/24", AvailabilityZone=f"{REGION}b")["Subnet"][
        "SubnetId"
    ]
    with pytest.raises(Refused, match=f"{outside} is in {other}, and OMERO is in {vpc}"):
        lifecycle.ensure(lab(fleet={"subnet_ids": [one, outside]}))
    with pytest.raises(Refused, match=r"one of the subnets .* is not in eu-central-1"):
        lifecycle.ensure(lab(fleet={"subnet_ids": [one, "subnet-0123456789abcdef0"]}))
    endpoints = [each["VpcEndpointId"] for each in ec2.describe_vpc_endpoints()["VpcEndpoints"]]
    ec2.delete_vpc_endpoints(VpcEndpointIds=endpoints)
    with pytest.raises(Refused, match="has no route to S3"):
        lifecycle.ensure(lab())
    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    with pytest.raises(Refused, match="has no route to S3"):  # instances have no public address
        lifecycle.ensure(lab())
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    with pytest.raises(Refused, match=r"enableDnsHostnames of .* is off.*--enable-dns-hostnames"):
        lifecycle.ensure(lab())
    assert inventory(lab()) == NOTHING


def test_a_bad_archive_is_refused_before_anything_is_made(lab: Make, tmp_path: Path) -> None:
    other, sha256 = write_zip(tmp_path / "other.zip", {"readme.txt": b"no OMERO"})
    bad: list[dict[str, Any]] = [
        {"insight": {"archive_sha256": "0" * 64}},
        {"insight": {"archive": str(other), "archive_sha256": sha256}},
        {"insight": {"runtime": str(other), "runtime_sha256": sha256}},
        {"insight": {"runtime": str(tmp_path / "none.zip")}},
    ]
    for changes in bad:
        for run in (lifecycle.ensure, lambda there: builder.build(there, "insight-1", show=Person())):
            there = lab(**changes)
            with pytest.raises(Refused):
                run(there)
            assert there.changes.sentences == []
    assert inventory(lab()) == NOTHING


def test_teardown_needs_no_parameter(lab: Make) -> None:
    lifecycle.ensure(lab())
    there = lab()
    tear_down(replace(there, deployment=replace(there.deployment, parameters={})))
    assert inventory(lab()) == NOTHING


def test_teardown_refuses_before_it_deletes(lab: Make) -> None:
    """Somebody else's role has the name of ours: it is the last thing but one that is read."""
    lifecycle.ensure(lab())
    before = inventory(lab())
    FAULTS.add("DescribeImages", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        tear_down(lab(), delete_images=["mine"])
    assert inventory(lab()) == before


def test_a_home_folder_goes_only_when_it_is_named(lab: Make, capsys: pytest.CaptureFixture[str]) -> None:
    lifecycle.ensure(lab())
    s3, home = lab().deployment.client("s3"), lifecycle.HOME_BUCKET.format(region=REGION, account=ACCOUNT)
    for user in ("ada@example.org", "bob@example.org"):
        for prefix in lifecycle.home_folders(lab(), user):
            s3.put_object(Bucket=home, Key=f"{prefix}slide.svs", Body=b"x")
    tear_down(lab(), delete_home_folders=["ADA@example.org"])
    assert "ADA@example.org has no home folder" in capsys.readouterr().err
    assert len(s3.list_objects_v2(Bucket=home)["Contents"]) == 4
    tear_down(lab(), delete_home_folders=["ada@example.org"])
    left = [row["Key"] for row in s3.list_objects_v2(Bucket=home)["Contents"]]
    assert left == sorted(f"{prefix}slide.svs" for prefix in lifecycle.home_folders(lab(), "bob@example.org"))


def test_scale_stop_and_start(lab: Make) -> None:
    with pytest.raises(Refused, match="has no fleet omero-lab-insight; run `appstream ensure`"):
        fleet.start(lab())
    lifecycle.ensure(lab())
    fleet.scale(lab(), 4)
    assert fleet.find(lab())["MaxConcurrentSessions"] == 4  # type: ignore[index]
    fleet.stop(lab())
    assert fleet.find(lab())["State"] == "STOPPED"  # type: ignore[index]
    fleet.start(lab())
    stack.ensure(lab())
    same = lab()
    fleet.start(same)
    assert same.changes.sentences == []


def test_the_bucket_lets_appstream_read_icons_without_a_condition(lab: Make) -> None:
    """AppStream does not say for whom it reads an icon; for archives and scripts it does."""
    there = lab()
    application.ensure(there)
    policy = json.loads(there.deployment.client("s3").get_bucket_policy(Bucket=there.bucket)["Policy"])
    by_sid = {each["Sid"]: each for each in policy["Statement"]}
    assert "Condition" not in by_sid["Icons"]
    assert by_sid["Icons"]["Resource"].endswith("/icon.png")
    assert by_sid["Software"]["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert by_sid["DenyInsecureTransport"]["Effect"] == "Deny"


def test_gives_up_after_a_while(lab: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appstream_context, "RETRY_SECONDS", 0.01)
    FAULTS.add("CreateStack", *["ConcurrentModificationException"] * 1000)
    with pytest.raises(ClientError, match="ConcurrentModificationException"):
        stack.ensure(lab())

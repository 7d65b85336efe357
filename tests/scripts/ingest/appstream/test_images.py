"""Images, imported or made on a builder: their lives, with faults and kills."""

from __future__ import annotations

import re
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.ec2.models import ec2_backends

from local_aws.services.appstream import stacks
from local_aws.services.appstream.models import FAULTS
from scripts.errors import Failed, Refused
from scripts.ingest.appstream import builder, lifecycle, package
from scripts.ingest.appstream import images as image_scripts
from scripts.ingest.appstream.context import AppStreamContext
from tests.scripts.ingest.appstream.appstream_help import (
    ACCOUNT,
    NOTHING,
    ON_DEMAND,
    REGION,
    Make,
    Person,
    backend,
    inventory,
    tear_down,
    url_of,
    with_kills,
)

AMI = "ami-0123456789abcdef0"


def good_ami() -> Any:
    """An AMI that AppStream imports; moto's own lack most attributes."""
    ec2 = boto3.client("ec2", region_name=REGION)
    made = ec2.register_image(
        Name="insight", Architecture="x86_64", RootDeviceName="/dev/sda1", VirtualizationType="hvm"
    )
    found = ec2_backends[ACCOUNT][REGION].amis[made["ImageId"]]
    found.platform, found.architecture, found.virtualization_type = "windows", "x86_64", "hvm"
    found.root_device_name = "/dev/sda1"
    return found


AS_DESCRIBED = {
    "State": "available",
    "ImageType": "machine",
    "Architecture": "x86_64",
    "VirtualizationType": "hvm",
    "RootDeviceType": "ebs",
    "RootDeviceName": "/dev/sda1",
    "BootMode": "uefi",
    "TpmSupport": "v2.0",
    "EnaSupport": True,
    "Platform": "windows",
    "PlatformDetails": "Windows",
    "OwnerId": ACCOUNT,
    "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 200, "VolumeType": "gp3"}}],
}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"BootMode": "legacy-bios"}, "BootMode is legacy-bios instead of uefi"),
        ({"TpmSupport": None}, "TpmSupport is not set instead of v2.0"),
        ({"EnaSupport": False}, "EnaSupport is not set instead of True"),
        ({"Platform": None}, "Platform is not set instead of windows"),
        ({"OwnerId": "999999999999"}, f"OwnerId is 999999999999 instead of {ACCOUNT}"),
        (
            {"PlatformDetails": "Windows with SQL Server"},
            "PlatformDetails is Windows with SQL Server instead of Windows",
        ),
        ({"BlockDeviceMappings": AS_DESCRIBED["BlockDeviceMappings"] * 2}, "it has 2 EBS volumes instead of 1"),  # type: ignore[operator]
        ({"BlockDeviceMappings": [{"Ebs": {"VolumeSize": 501}}]}, "its volume has 501 GiB and 500 is the maximum"),
        ({"BlockDeviceMappings": [{"Ebs": {"VolumeSize": 9, "VolumeType": "io2"}}]}, "its volume is io2"),
    ],
)
def test_says_why_an_ami_is_not_imported(change: dict[str, Any], sentence: str) -> None:
    assert image_scripts.ami_faults(AS_DESCRIBED, ACCOUNT) == []
    (fault,) = image_scripts.ami_faults({**AS_DESCRIBED, **change}, ACCOUNT)
    assert fault.startswith(sentence)


@pytest.fixture
def ami(lab: Make, monkeypatch: pytest.MonkeyPatch) -> str:
    """One whose attributes are as AppStream wants them."""
    made = good_ami()
    monkeypatch.setattr(image_scripts, "ami_faults", lambda image, account: [])
    return str(made.id)


def test_an_imported_life_killed_after_every_change(lab: Make, ami: str) -> None:
    def make_image(there: AppStreamContext) -> None:
        image_scripts.import_ami(there, "insight-1", ami=ami, application_path=package.JAVA)

    made = with_kills(make_image, lab)
    assert "appstream:CreateImportedImage" in made
    assert inventory(lab())["images"] == ["insight-1"]
    with pytest.raises(ClientError, match="IncompatibleImageException"):  # stream.* is for images that are not imported
        lifecycle.ensure(lab(**ON_DEMAND))
    imported = {"fleet": {**ON_DEMAND["fleet"], "instance_type": "GeneralPurpose.large"}}
    with_kills(lifecycle.ensure, lambda: lab(**imported))
    (found,) = lab().client.describe_fleets()["Fleets"]
    assert (found["State"], found["ImageName"]) == ("RUNNING", "insight-1")
    assert inventory(lab())["buckets"] == []  # no archive is needed
    with_kills(lambda there: tear_down(there, delete_images=["insight-1"]), lambda: lab(**imported))
    assert inventory(lab()) == NOTHING


def test_an_import_that_fails_says_why_and_is_made_anew(lab: Make, ami: str) -> None:
    FAULTS.add("CreateImportedImage", "IMAGE_IMPORT_FAILURE")
    run = {"application_path": package.JAVA}
    # The first call is AppStream's own check, which has no image to fail.
    with pytest.raises(Failed, match="the image insight-1 is FAILED: IMAGE_IMPORT_FAILURE: The AMI could not be"):
        image_scripts.import_ami(lab(), "insight-1", ami=ami, **run)
    image_scripts.import_ami(lab(), "insight-1", ami=ami, **run)
    (found,) = lab().client.describe_images(Names=["insight-1"])["Images"]
    assert found["State"] == "AVAILABLE"
    done = lab()
    image_scripts.import_ami(done, "insight-1", ami=ami, **run)
    assert done.changes.sentences == []


def test_an_ami_is_looked_at_before_anything_is_made(lab: Make) -> None:
    with pytest.raises(Refused, match=f"the AMI {AMI} is not in {REGION}"):
        image_scripts.import_ami(lab(), "insight-1", ami=AMI, application_path=package.JAVA)
    bad = good_ami()
    with pytest.raises(Refused, match=rf"cannot import {bad.id}: .*TpmSupport is not set instead of v2"):
        image_scripts.import_ami(lab(), "insight-1", ami=bad.id, application_path=package.JAVA)
    assert inventory(lab()) == NOTHING


def test_a_builder_life_killed_after_every_change(lab: Make) -> None:
    person = Person()
    made = with_kills(lambda there: builder.build(there, "insight-1", show=person), lab)
    assert {"appstream:CreateImageBuilder", "appstream:DeleteImageBuilder"} <= set(made)
    found = inventory(lab())
    assert (found["images"], found["builders"]) == (["insight-1"], [])
    lifecycle.ensure(lab(**ON_DEMAND))
    assert stacks.open_session(backend(), url_of(lab()))["State"] == "ACTIVE"
    tear_down(lab(**ON_DEMAND), end_sessions=True)
    assert inventory(lab()) == {**NOTHING, "images": ["insight-1"]}


def test_a_builder_waits_for_somebody_across_runs(lab: Make) -> None:
    absent = Person(pastes=False)
    builder.build(lab(), "insight-1", show=absent, wait=False)
    assert inventory(lab())["builders"] == ["omero-lab-insight-builder"]
    ((url, script),) = absent.shown
    assert url.startswith("https://appstream2.eu-central-1.aws.amazon.com/authenticate")
    (source,) = re.findall(r"-Uri '([^']+)'", script)
    assert "X-Amz-Expires=14400" in source or "Expires=" in source
    assert "'Workspace' 'lab'" in script
    builder.build(lab(), "insight-1", show=Person())
    assert inventory(lab())["builders"] == []
    done = lab()
    builder.build(done, "insight-1", show=absent)
    assert done.changes.sentences == []
    assert len(absent.shown) == 1


@pytest.mark.parametrize(
    ("action", "fault", "sentence"),
    [
        ("CreateImageBuilder", "IMAGE_UNAVAILABLE", "builder omero-lab-insight-builder is FAILED: IMAGE_UNAVAILABLE"),
        ("CreateImage", "INTERNAL_ERROR", "the image insight-1 is FAILED: INTERNAL_ERROR"),
    ],
)
def test_a_builder_or_an_image_that_fails_says_why(lab: Make, action: str, fault: str, sentence: str) -> None:
    FAULTS.add(action, fault)
    with pytest.raises(Failed, match=sentence):
        builder.build(lab(), "insight-1", show=Person())
    builder.build(lab(), "insight-1", show=Person())
    assert inventory(lab())["images"] == ["insight-1"]
    assert inventory(lab())["builders"] == []


def test_refuses_an_image_that_is_in_use_elsewhere_and_one_that_is_not_there(lab: Make) -> None:
    with pytest.raises(Refused, match=r"the image insight-1 of appstream\.fleet\.image is not in eu-central-1"):
        lifecycle.ensure(lab(**ON_DEMAND))
    builder.build(lab(), "insight-1", show=Person())
    capacity = {"DesiredInstances": 1}
    other = {"Name": "theirs", "ImageName": "insight-1", "InstanceType": "stream.standard.small"}
    lab().client.create_fleet(**other, ComputeCapacity=capacity)
    with pytest.raises(Refused, match="the image insight-1 is used by the fleet theirs"):
        tear_down(lab(), delete_images=["insight-1"])
    with pytest.raises(Refused, match=r"is not a base image in eu-central-1; there are AppStream-WinServer"):
        image_scripts.base_image(lab(), "nothing")

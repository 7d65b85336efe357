"""Images with OMERO.insight: imported from an AMI, or made by a person on an image builder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from contract import names
from scripts import aws, console
from scripts.aws.waiting import wait_for
from scripts.errors import Failed, Refused
from scripts.ingest.appstream import package
from scripts.ingest.appstream.context import Json, Place

IMPORT_SECONDS = 4 * 3600
MOST_GIB = 500
_ACTIONS = ["ec2:DescribeImages", "ec2:ModifyImageAttribute"]


def find(place: Place, name: str) -> Json | None:
    """The image. Raises Refused if it is not this workspace's."""
    every = [each for each in place.pages(place.client.describe_images, "Images") if each["Name"] == name]
    return place.find(f"image {name}", place.client.describe_images, "Images", Names=[name]) if every else None


def wait_available(place: Place, name: str, seconds: float = IMPORT_SECONDS) -> None:
    """Wait until it is AVAILABLE. Raises Failed with AppStream's reasons if it never will be."""

    def look() -> str:
        found = find(place, name) or {"State": "GONE"}
        if found["State"] in ("FAILED", "GONE"):
            raise Failed(
                f"the image {name} is {found['State']}: {reasons(found)}; mend that and run this again, which deletes "
                "it and makes it anew."
            )
        return str(found["State"])

    wait_for(f"image {name}", look, until=("AVAILABLE",), seconds=seconds)


def reasons(found: Json) -> str:
    """What AppStream says is wrong with an image or an image builder."""
    reason = found.get("StateChangeReason", {})
    errors = found.get("ImageErrors", []) + found.get("ImageBuilderErrors", [])
    said = [f"{reason['Code']}: {reason.get('Message', '').rstrip('.')}"] if reason else []
    said += [f"{each['ErrorCode']}: {each.get('ErrorMessage', '').rstrip('.')}" for each in errors]
    return "; ".join(said) or "AppStream gives no reason"


def check_unused(place: Place, name: str) -> None:
    """Raises Refused if a fleet that is not this workspace's uses an image that shall be deleted."""
    using = [
        each["Name"]
        for each in place.pages(place.client.describe_fleets, "Fleets")
        if each.get("ImageName") == name and each["Name"] != place.name
    ]
    if using:
        raise Refused(
            f"the image {name} is used by the fleet {using[0]}; give that another image, or delete it, first."
        )


def remove(place: Place, name: str) -> None:
    """Delete an image of this workspace. One that is not there is told of: a killed run may have deleted it."""
    if find(place, name) is None:
        console.say(f"there is no image {name} in {place.region}.")
        return
    _delete(place, name)


def _delete(place: Place, name: str) -> None:
    def deleting() -> None:
        if (find(place, name) or {"State": "GONE"})["State"] not in ("DELETING", "GONE"):
            place.insist(place.client.delete_image, "ResourceInUseException", Name=name)
        wait_for(
            f"image {name}", lambda: (find(place, name) or {"State": "GONE"})["State"], until=("GONE",), seconds=900
        )

    place.changes.do(f"image {name}: deleted", deleting)


def replace_failed(place: Place, name: str) -> Json | None:
    """The image; None if there is none, or one that FAILED, which is deleted."""
    found = find(place, name)
    if found and found["State"] == "FAILED":
        console.say(f"the image {name} is FAILED: {reasons(found)}")
        _delete(place, name)
        return None
    return found


def import_ami(place: Place, name: str, ami: str, *, application_path: str) -> None:
    """Have the image, imported from an AMI on which OMERO.insight is at `application_path`.

    Raises:
        Refused: the AMI is not what AppStream imports; all that is wrong with it at once.
        Failed: the import ended otherwise.
    """
    found = replace_failed(place, name)
    if found is None:
        check_ami(place, ami)
        role = _ensure_role(place)
        asked = _import_request(place, name, ami, role, application_path)
        if not place.dry_run:
            _ask_aws(place, asked)
        place.changes.do(
            f"image {name}: import of {ami} begun, which takes about an hour",
            lambda: place.insist(place.client.create_imported_image, "InvalidRoleException", **asked),
        )
    if not place.dry_run:
        wait_available(place, name)
        console.say(f"the image {name} is AVAILABLE.")


def _import_request(place: Place, name: str, ami: str, role: str, application_path: str) -> Json:
    catalog: Json = {"Name": "OMERO.insight", "DisplayName": "OMERO.insight", "AbsoluteAppPath": application_path}
    if application_path == package.JAVA:
        catalog |= {"WorkingDirectory": package.WORKING_DIRECTORY, "LaunchParameters": package.PARAMETERS}
    return {
        "Name": name,
        "SourceAmiId": ami,
        "IamRoleArn": role,
        "DisplayName": "OMERO.insight",
        "AgentSoftwareVersion": "ALWAYS_LATEST",
        "AppCatalogConfig": [catalog],
        "Tags": place.tags,
    }


def _ask_aws(place: Place, asked: Json) -> None:
    """AppStream's own check, which changes nothing."""
    try:
        place.insist(place.client.create_imported_image, "InvalidRoleException", **asked, DryRun=True)
    except ClientError as error:
        if aws.code_of(error) != "DryRunOperationException":
            raise


def check_ami(place: Place, ami: str) -> None:
    """Raises Refused with all that AppStream does not import an AMI for.

    https://docs.aws.amazon.com/appstream2/latest/developerguide/import-image.html
    """
    ec2 = place.opened.client("ec2")
    try:
        found = ec2.describe_images(ImageIds=[ami])["Images"]
    except ClientError as error:
        if not aws.code_of(error).startswith("InvalidAMIID"):
            raise
        found = []
    if not found:
        raise Refused(f"the AMI {ami} is not in {place.region}, or is not shared with this account; give another.")
    faults = ami_faults(found[0], place.opened.workspace.account_id)
    if faults:
        raise Refused(f"AppStream does not import {ami}: {'; '.join(faults)}; make an AMI that is so, and give that.")


def ami_faults(image: Json, account_id: str) -> list[str]:
    """What of an AMI, as DescribeImages tells it, is not as AppStream wants it."""
    wanted = {
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
        "OwnerId": account_id,
    }
    faults = [
        f"{key} is {image.get(key) or 'not set'} and not {value}"
        for key, value in wanted.items()
        if image.get(key) != value
    ]
    if image.get("PlatformDetails", "Windows") != "Windows":
        faults.append(f"PlatformDetails is {image['PlatformDetails']} and not Windows")
    disks = [each["Ebs"] for each in image.get("BlockDeviceMappings", []) if "Ebs" in each]
    if len(disks) != 1:
        faults.append(f"it has {len(disks)} EBS volumes and not 1")
    for disk in disks:
        if disk.get("VolumeSize", 0) > MOST_GIB:
            faults.append(f"its volume has {disk['VolumeSize']} GiB and not {MOST_GIB} or less")
        if disk.get("VolumeType", "gp2") not in ("gp2", "gp3"):
            faults.append(f"its volume is {disk['VolumeType']} and not gp2 or gp3")
    return faults


def role_name(place: Place) -> str:
    """Of the role by which AppStream takes an AMI."""
    return names.physical("role", place.workspace, "appstream-import")


def _ensure_role(place: Place) -> str:
    """Its ARN."""
    iam, name = place.opened.client("iam"), role_name(place)
    workspace = place.opened.workspace
    arn = f"arn:{names.partition(place.region)}:iam::{workspace.account_id}:role/{name}"
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "appstream.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": workspace.account_id}},
    }
    owner = {"StringEquals": {"ec2:Owner": workspace.account_id}}
    images = f"arn:{names.partition(place.region)}:ec2:{place.region}::image/*"
    policy = _document(
        # DescribeImages knows no resources.
        {"Effect": "Allow", "Action": _ACTIONS[0], "Resource": "*"},
        {"Effect": "Allow", "Action": _ACTIONS[1], "Resource": images, "Condition": owner},
    )
    if _or_none(lambda: iam.get_role(RoleName=name)) is None:
        tags = [{"Key": key, "Value": value} for key, value in place.tags.items()]
        place.changes.do(
            f"IAM role {name}: created",
            lambda: iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trust), Tags=tags),
        )
    present = _or_none(lambda: iam.get_role_policy(RoleName=name, PolicyName="import"))
    if present is None or present["PolicyDocument"] != json.loads(policy):
        put = {"RoleName": name, "PolicyName": "import", "PolicyDocument": policy}
        place.changes.do(f"IAM role {name}: may share this account's AMIs", lambda: iam.put_role_policy(**put))
    return arn


def _document(*statements: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _or_none(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ClientError as error:
        if aws.code_of(error) == "NoSuchEntity":
            return None
        raise


def remove_role(place: Place) -> None:
    """Delete the role of imports."""
    iam, name = place.opened.client("iam"), role_name(place)
    if _or_none(lambda: iam.get_role(RoleName=name)) is None:
        return

    def deleting() -> None:
        _or_none(lambda: iam.delete_role_policy(RoleName=name, PolicyName="import"))
        iam.delete_role(RoleName=name)

    place.changes.do(f"IAM role {name}: deleted", deleting)


def base_image(place: Place, name: str | None) -> str:
    """The image of AWS's that a builder begins with: `name`, or the newest of Windows Server 2022 without graphics.

    Raises:
        Refused: there is none.
    """
    rows = place.pages(place.client.describe_images, "Images", Type="PUBLIC")
    usable = [row for row in rows if row.get("ImageBuilderSupported") and row.get("State") == "AVAILABLE"]
    if name:
        if name in [row["Name"] for row in usable]:
            return name
        near = sorted(row["Name"] for row in usable if "Windows" in row.get("Platform", "").title())
        raise Refused(f"{name} is no base image in {place.region}; there are {', '.join(near) or 'none'}.")
    plain = [row for row in usable if row["Name"].startswith("AppStream-WinServer2022")]
    if not plain:
        raise Refused(f"there is no base image of Windows Server 2022 in {place.region}; name one with --base-image.")
    return str(max(plain, key=lambda row: row.get("PublicBaseImageReleasedDate") or time.gmtime(0))["Name"])

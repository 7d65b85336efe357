"""Images with OMERO.insight: imported from an AMI, or made by a person on an image builder."""

from __future__ import annotations

import time

from contract import names
from contract.policy import Statement, document, trust
from scripts import aws, console
from scripts.aws import roles
from scripts.aws.roles import Role
from scripts.aws.waiting import wait_for
from scripts.errors import Failed, Refused
from scripts.ingest.appstream import package
from scripts.ingest.appstream.context import AppStreamContext, Json

IMPORT_SECONDS = 4 * 3600
MOST_GIB = 500
POLICY_NAME = "import"
NO_AMI = ("InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable")


def find(context: AppStreamContext, name: str) -> Json | None:
    """The image. Raises Refused if it is not this workspace's."""
    every = [each for each in context.rows("describe_images", "Images") if each["Name"] == name]
    return context.find(f"image {name}", context.client.describe_images, "Images", Names=[name]) if every else None


def wait_available(context: AppStreamContext, name: str, seconds: float = IMPORT_SECONDS) -> None:
    """Wait until it is AVAILABLE. Raises Failed with AppStream's reasons if it never will be."""

    def state() -> str:
        found = find(context, name) or {"State": "GONE"}
        if found["State"] in ("FAILED", "GONE"):
            raise Failed(
                f"the image {name} is {found['State']}: {reasons(found)}; fix that and run this again, which deletes "
                "the image and creates a new one."
            )
        return str(found["State"])

    wait_for(f"image {name}", state, until=("AVAILABLE",), seconds=seconds)


def reasons(found: Json) -> str:
    """What AppStream says is wrong with an image or an image builder."""
    reason = found.get("StateChangeReason", {})
    errors = found.get("ImageErrors", []) + found.get("ImageBuilderErrors", [])
    said = [f"{reason['Code']}: {reason.get('Message', '').rstrip('.')}"] if reason else []
    said += [f"{each['ErrorCode']}: {each.get('ErrorMessage', '').rstrip('.')}" for each in errors]
    return "; ".join(said) or "AppStream gives no reason"


def check_unused(context: AppStreamContext, name: str) -> None:
    """Raises Refused if a fleet that is not this workspace's uses an image that is to be deleted."""
    using = [
        each["Name"]
        for each in context.rows("describe_fleets", "Fleets")
        if each.get("ImageName") == name and each["Name"] != context.name
    ]
    if using:
        raise Refused(
            f"the image {name} is used by the fleet {using[0]}; give the fleet another image, or delete the fleet "
            "first."
        )


def remove(context: AppStreamContext, name: str) -> None:
    """Delete an image of this workspace. One that is not there is told of: a killed run may have deleted it."""
    if find(context, name) is None:
        context.changes.say(
            f"the image {name} does not exist in {context.region}; `appstream status` shows the images."
        )
        return
    _delete(context, name)


def _delete(context: AppStreamContext, name: str) -> None:
    def deleting() -> None:
        if (find(context, name) or {"State": "GONE"})["State"] not in ("DELETING", "GONE"):
            context.retry(context.client.delete_image, "ResourceInUseException", Name=name)
        wait_for(
            f"image {name}", lambda: (find(context, name) or {"State": "GONE"})["State"], until=("GONE",), seconds=900
        )

    context.changes.do(f"image {name}: deleted", deleting)


def replace_failed(context: AppStreamContext, name: str) -> Json | None:
    """The image; None if there is none, or one that FAILED, which is deleted."""
    found = find(context, name)
    if found and found["State"] == "FAILED":
        console.say(f"the image {name} is FAILED: {reasons(found)}")
        _delete(context, name)
        return None
    return found


def import_ami(context: AppStreamContext, name: str, *, ami: str, application_path: str) -> None:
    """Have the image, imported from an AMI on which OMERO.insight is at `application_path`.

    Raises:
        Refused: the AMI is not what AppStream imports; all that is wrong with it at once.
        Failed: the import ended otherwise.
    """
    found = replace_failed(context, name)
    if found is None:
        check_ami(context, ami)
        role = _ensure_role(context)
        asked = _import_request(context, name=name, ami=ami, role=role, application_path=application_path)
        if not context.dry_run:
            _ask_aws(context, asked)
        context.changes.do(
            f"image {name}: import of {ami} started, which takes about an hour",
            lambda: context.retry(context.client.create_imported_image, **asked),
        )
    if not context.dry_run:
        wait_available(context, name)
        console.say(f"the image {name} is AVAILABLE.")


def _import_request(context: AppStreamContext, *, name: str, ami: str, role: str, application_path: str) -> Json:
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
        "Tags": context.tags,
    }


def _ask_aws(context: AppStreamContext, asked: Json) -> None:
    """AppStream's own check, which changes nothing."""
    aws.read(
        lambda: context.retry(context.client.create_imported_image, **asked, DryRun=True),
        "DryRunOperationException",
    )


def check_ami(context: AppStreamContext, ami: str) -> None:
    """Raises Refused with all that AppStream does not import an AMI for.

    https://docs.aws.amazon.com/appstream2/latest/developerguide/import-image.html
    """
    ec2 = context.deployment.client("ec2")
    found = aws.read(lambda: ec2.describe_images(ImageIds=[ami])["Images"], *NO_AMI)
    if not found:
        raise Refused(
            f"the AMI {ami} is not in {context.region}, or is not shared with this account; give another AMI."
        )
    faults = ami_faults(found[0], context.deployment.workspace.account_id)
    if faults:
        raise Refused(f"AppStream cannot import {ami}: {'; '.join(faults)}; give an AMI without these faults.")


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
        f"{key} is {image.get(key) or 'not set'} instead of {value}"
        for key, value in wanted.items()
        if image.get(key) != value
    ]
    if image.get("PlatformDetails", "Windows") != "Windows":
        faults.append(f"PlatformDetails is {image['PlatformDetails']} instead of Windows")
    disks = [each["Ebs"] for each in image.get("BlockDeviceMappings", []) if "Ebs" in each]
    if len(disks) != 1:
        faults.append(f"it has {len(disks)} EBS volumes instead of 1")
    for disk in disks:
        if disk.get("VolumeSize", 0) > MOST_GIB:
            faults.append(f"its volume has {disk['VolumeSize']} GiB and {MOST_GIB} is the maximum")
        if disk.get("VolumeType", "gp2") not in ("gp2", "gp3"):
            faults.append(f"its volume is {disk['VolumeType']} instead of gp2 or gp3")
    return faults


def role_name(context: AppStreamContext) -> str:
    """Of the role by which AppStream takes an AMI."""
    return names.physical("role", context.workspace, "appstream-import")


def _ensure_role(context: AppStreamContext) -> str:
    """Its ARN."""
    name, workspace = role_name(context), context.deployment.workspace
    role = Role(
        name=name,
        trust=trust("appstream.amazonaws.com", account_id=workspace.account_id),
        policy_name=POLICY_NAME,
        policy=document(
            Statement(
                sid="Find",
                actions=("ec2:DescribeImages",),
                resources=("*",),
                any_resource_because="DescribeImages knows no resources",
            ),
            Statement(
                sid="Share",
                actions=("ec2:ModifyImageAttribute",),
                resources=(f"arn:{names.partition(context.region)}:ec2:{context.region}::image/*",),
                conditions={"StringEquals": {"ec2:Owner": workspace.account_id}},
            ),
        ),
        allows="allowed to share this account's AMIs",
        tags=context.tags,
    )
    roles.ensure(context.deployment.client("iam"), role, context.changes)
    return context.deployment.arn("iam", f"role/{name}")


def remove_role(context: AppStreamContext) -> None:
    """Delete the role of imports."""
    roles.delete(context.deployment.client("iam"), role_name(context), context.changes, policy_name=POLICY_NAME)


def base_image(context: AppStreamContext, name: str | None) -> str:
    """The image of AWS's that a builder begins with: `name`, or the newest of Windows Server 2022 without graphics.

    Raises:
        Refused: there is none.
    """
    rows = context.rows("describe_images", "Images", Type="PUBLIC")
    usable = [row for row in rows if row.get("ImageBuilderSupported") and row.get("State") == "AVAILABLE"]
    if name:
        if name in [row["Name"] for row in usable]:
            return name
        near = sorted(row["Name"] for row in usable if "Windows" in row.get("Platform", "").title())
        raise Refused(f"{name!r} is not a base image in {context.region}; there are {', '.join(near) or 'none'}.")
    plain = [row for row in usable if row["Name"].startswith("AppStream-WinServer2022")]
    if not plain:
        raise Refused(f"{context.region} has no base image of Windows Server 2022; give one with --base-image.")
    return str(max(plain, key=lambda row: row.get("PublicBaseImageReleasedDate") or time.gmtime(0))["Name"])

"""Locations in S3 and EFS: creating, describing, changing, listing and deleting them; tags of all resources."""

from __future__ import annotations

import re
import time
from typing import Any

from moto.datasync.models import DataSyncBackend
from moto.ec2.models import ec2_backends
from moto.efs.models import efs_backends

from local_aws import packets
from local_aws.actions import Action
from local_aws.services.datasync import checks, roles
from local_aws.services.datasync.state import Json, arn, location_of, new_id, page, refused, tags_of

_PREFIX = "Request parameters are invalid: "
_SUBDIRECTORY = re.compile(r"[a-zA-Z0-9_\-+./() \u00a0\u2000-\u200a\u202f\u3000]*")
_STORAGE_CLASS = "STANDARD"
_MOST_TAGS = 50


def _subdirectory(request: Json) -> str:
    """With a slash at both ends, as the URI of a location shows it."""
    given = str(request.get("Subdirectory") or "/")
    if len(given) > 4096 or not _SUBDIRECTORY.fullmatch(given):
        raise refused(f"{_PREFIX}Subdirectory {given} has characters that are not allowed.")
    padded = f"/{given.lstrip('/')}/" if given.strip("/") else "/"
    if any(part in padded for part in ("/./", "/../")) or "//" in given:
        raise refused(f"{_PREFIX}Subdirectory {given} holds //, /./ or /../.")
    return padded.replace("//", "/")


def _created(backend: Any, uri: str, kind: str, metadata: Json, request: Json) -> Json:
    location_arn = backend.create_location(uri, typ=kind, metadata=metadata)
    tags_of(backend, location_arn).update({each["Key"]: each.get("Value", "") for each in request.get("Tags") or []})
    return {"LocationArn": location_arn}


def create_location(self: Any, location_uri: str, typ: str, metadata: Json) -> str:
    """Instead of moto's, whose ARNs are of an account 111222333444."""
    location_arn = _create_location(self, location_uri, typ, metadata)
    location = self.locations.pop(location_arn)
    location.arn = arn(self, f"location/{new_id('loc')}")
    location.created = time.time()
    self.locations[location.arn] = location
    return str(location.arn)


_create_location = DataSyncBackend.create_location


def create_location_s3(backend: Any, request: Json) -> Json:
    metadata = {
        "S3BucketArn": request["S3BucketArn"],
        "S3Config": request["S3Config"],
        "S3StorageClass": request.get("S3StorageClass") or _STORAGE_CLASS,
        "Subdirectory": _subdirectory(request),
    }
    bucket = checks.bucket_of(backend, request["S3BucketArn"])
    checks.check_role(backend, request["S3Config"]["BucketAccessRoleArn"])
    if why := roles.cannot_list(backend, metadata):
        raise refused(why)
    return _created(backend, f"s3://{bucket.name}{metadata['Subdirectory']}", "S3", metadata, request)


def _described(backend: Any, request: Json, kind: str, names: tuple[str, ...]) -> Json:
    location = backend._get_location(request["LocationArn"], typ=kind)
    return {
        "LocationArn": location.arn,
        "LocationUri": location.uri,
        "CreationTime": location.created,
        **{name: location.metadata[name] for name in names if location.metadata.get(name)},
    }


def describe_location_s3(backend: Any, request: Json) -> Json:
    return _described(backend, request, "S3", ("S3Config", "S3StorageClass"))


def update_location_s3(backend: Any, request: Json) -> Json:
    location = backend._get_location(request["LocationArn"], typ="S3")
    if request.get("S3Config"):
        checks.check_role(backend, request["S3Config"]["BucketAccessRoleArn"])
    if request.get("Subdirectory") is not None:
        location.metadata["Subdirectory"] = _subdirectory(request)
        location.uri = f"s3://{location.uri.split('/')[2]}{location.metadata['Subdirectory']}"
    location.metadata.update({name: request[name] for name in ("S3Config", "S3StorageClass") if request.get(name)})
    return {}


def create_location_efs(backend: Any, request: Json) -> Json:
    metadata = {
        "EfsFilesystemArn": request["EfsFilesystemArn"],
        "Ec2Config": request["Ec2Config"],
        "AccessPointArn": request.get("AccessPointArn"),
        "FileSystemAccessRoleArn": request.get("FileSystemAccessRoleArn"),
        "InTransitEncryption": request.get("InTransitEncryption") or "NONE",
        "Subdirectory": _subdirectory(request),
    }
    _check_efs(backend, metadata)
    system = request["EfsFilesystemArn"].rpartition("/")[2]
    region = request["EfsFilesystemArn"].split(":")[3]
    return _created(backend, f"efs://{region}.{system}{metadata['Subdirectory']}", "EFS", metadata, request)


def _check_efs(backend: Any, metadata: Json) -> None:
    check_file_system(backend, metadata)
    if metadata["InTransitEncryption"] not in ("NONE", "TLS1_2"):
        raise refused(f"{_PREFIX}InTransitEncryption is NONE or TLS1_2, not {metadata['InTransitEncryption']}.")
    for name in ("AccessPointArn", "FileSystemAccessRoleArn"):
        if metadata[name] and metadata["InTransitEncryption"] != "TLS1_2":
            raise refused(f"{_PREFIX}InTransitEncryption must be TLS1_2 when {name} is specified.")
    if metadata["FileSystemAccessRoleArn"]:
        checks.check_role(backend, metadata["FileSystemAccessRoleArn"])
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    groups = metadata["Ec2Config"].get("SecurityGroupArns") or []
    if not 1 <= len(groups) <= 5:
        raise refused(f"{_PREFIX}a location has 1 to 5 security groups, not {len(groups)}.")
    for group in groups:
        if ec2.get_security_group_from_id(group.rpartition("/")[2]) is None:
            raise refused(f"{_PREFIX}security group {group} is not found.")


def check_file_system(backend: Any, metadata: Json) -> tuple[Any, Any]:
    """moto's file system and access point (or None).

    Raises InvalidRequestException where they, the subnet, or a mount target in its zone and VPC are missing.
    """
    efs = efs_backends[backend.account_id][metadata["EfsFilesystemArn"].split(":")[3]]
    system = efs.file_systems_by_id.get(metadata["EfsFilesystemArn"].rpartition("/")[2])
    if system is None:
        raise refused(f"{_PREFIX}file system {metadata['EfsFilesystemArn']} is not found.")
    point = None
    if metadata["AccessPointArn"]:
        point = efs.access_points.get(metadata["AccessPointArn"].rpartition("/")[2])
        if point is None or point.file_system_id != system.file_system_id:
            raise refused(
                f"{_PREFIX}access point {metadata['AccessPointArn']} of {system.file_system_id} is not found."
            )
    try:
        ec2 = ec2_backends[backend.account_id][backend.region_name]
        subnet = ec2.get_subnet(metadata["Ec2Config"]["SubnetArn"].rpartition("/")[2])
    except Exception as error:
        raise refused(f"{_PREFIX}subnet {metadata['Ec2Config']['SubnetArn']} is not found.") from error
    zones = {each.availability_zone_name for each in system.iter_mount_targets() if each.vpc_id == subnet.vpc_id}
    if subnet.availability_zone not in zones:
        raise refused(
            f"{_PREFIX}{system.file_system_id} has no mount target in {subnet.vpc_id} and {subnet.availability_zone}, "
            f"those of subnet {subnet.id}."
        )
    return system, point


def blocked(backend: Any, metadata: Json) -> str | None:
    """Why DataSync's interfaces, which have the location's security groups, do not reach the mount target."""
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    efs = efs_backends[backend.account_id][metadata["EfsFilesystemArn"].split(":")[3]]
    subnet = ec2.get_subnet(metadata["Ec2Config"]["SubnetArn"].rpartition("/")[2])
    side = packets.Side(
        name="DataSync",
        groups=tuple(arn.rpartition("/")[2] for arn in metadata["Ec2Config"]["SecurityGroupArns"]),
        address=str(subnet.cidr_block).partition("/")[0],
    )
    system = metadata["EfsFilesystemArn"].rpartition("/")[2]
    target = packets.mount_target(ec2, efs, system, subnet.availability_zone)
    return packets.blocked(ec2, side, target, packets.NFS) if target else None


def describe_location_efs(backend: Any, request: Json) -> Json:
    names = ("Ec2Config", "AccessPointArn", "FileSystemAccessRoleArn", "InTransitEncryption")
    return _described(backend, request, "EFS", names)


def update_location_efs(backend: Any, request: Json) -> Json:
    location = backend._get_location(request["LocationArn"], typ="EFS")
    names = ("AccessPointArn", "FileSystemAccessRoleArn", "InTransitEncryption")
    changed = {**location.metadata, **{name: request[name] for name in names if name in request}}
    if request.get("Subdirectory") is not None:
        changed["Subdirectory"] = _subdirectory(request)
    _check_efs(backend, changed)
    location.metadata = changed
    location.uri = f"efs://{location.uri.split('/')[2]}{changed['Subdirectory']}"
    return {}


def list_locations(backend: Any, request: Json) -> Json:
    rows = []
    for each in backend.locations.values():
        known = {"LocationUri": each.uri, "LocationType": each.typ, "CreationTime": str(each.created)}
        if all(_passes(known.get(one["Name"], ""), one) for one in request.get("Filters") or []):
            rows.append({"LocationArn": each.arn, "LocationUri": each.uri})
    return page(request, "Locations", rows)


def _passes(value: str, condition: Json) -> bool:
    operator, wanted = condition["Operator"], condition["Values"]
    found = {
        "Equals": value in wanted,
        "In": value in wanted,
        "NotEquals": value not in wanted,
        "Contains": any(each in value for each in wanted),
        "NotContains": not any(each in value for each in wanted),
        "BeginsWith": any(value.startswith(each) for each in wanted),
    }
    if operator not in found:
        raise refused(f"{_PREFIX}operator {operator} is not valid for filter {condition['Name']}.")
    return found[operator]


def delete_location(backend: Any, request: Json) -> Json:
    location_arn = request["LocationArn"]
    location = location_of(backend, location_arn)
    users = [task.arn for task in backend.tasks.values() if location in (task.source, task.destination)]
    if users:
        raise refused(f"{_PREFIX}Location {location_arn} is used by {', '.join(users)}.")
    del backend.locations[location_arn]
    tags_of(backend, location_arn).clear()
    return {}


def _tagged(backend: Any, request: Json) -> dict[str, str]:
    resource = request["ResourceArn"]
    if not any(resource in known for known in (backend.locations, backend.tasks, backend.task_executions)):
        raise refused(f"{_PREFIX}Resource {resource} is not found.")
    return tags_of(backend, resource)


def list_tags_for_resource(backend: Any, request: Json) -> Json:
    rows = [{"Key": key, "Value": value} for key, value in _tagged(backend, request).items()]
    return page(request, "Tags", rows)


def tag_resource(backend: Any, request: Json) -> Json:
    tags = _tagged(backend, request)
    added = {each["Key"]: each.get("Value", "") for each in request["Tags"]}
    if len(tags | added) > _MOST_TAGS:
        raise refused(f"{_PREFIX}a resource has at most {_MOST_TAGS} tags.")
    tags.update(added)
    return {}


def untag_resource(backend: Any, request: Json) -> Json:
    tags = _tagged(backend, request)
    for key in request["Keys"]:
        tags.pop(key, None)
    return {}


ACTIONS: dict[str, Action] = {
    "CreateLocationS3": create_location_s3,
    "DescribeLocationS3": describe_location_s3,
    "UpdateLocationS3": update_location_s3,
    "CreateLocationEfs": create_location_efs,
    "DescribeLocationEfs": describe_location_efs,
    "UpdateLocationEfs": update_location_efs,
    "ListLocations": list_locations,
    "DeleteLocation": delete_location,
    "ListTagsForResource": list_tags_for_resource,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}

"""What Storage Gateway refuses for a gateway and an NFS file share.

https://docs.aws.amazon.com/storagegateway/latest/APIReference/API_CreateNFSFileShare.html; the words of the messages
are AWS's own only where Terraform's provider looks for them.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends

from local_aws.services.storagegateway.models import Json, invalid

STALE_SECONDS = (300, 2_592_000)
DEFAULTS: Json = {
    "DefaultStorageClass": "S3_STANDARD",
    "ObjectACL": "private",
    "ClientList": ["0.0.0.0/0"],
    "Squash": "RootSquash",
    "ReadOnly": False,
    "GuessMIMETypeEnabled": True,
    "RequesterPays": False,
    "KMSEncrypted": False,
    "NotificationPolicy": "{}",
}
# Of files and folders that have no owner metadata in S3.
NFS_DEFAULTS: Json = {"FileMode": "0666", "DirectoryMode": "0777", "GroupId": 65534, "OwnerId": 65534}
_CHOICES = {
    "Squash": ("RootSquash", "NoSquash", "AllSquash"),
    "DefaultStorageClass": ("S3_STANDARD", "S3_INTELLIGENT_TIERING", "S3_STANDARD_IA", "S3_ONEZONE_IA"),
    "ObjectACL": (
        "private",
        "public-read",
        "public-read-write",
        "authenticated-read",
        "bucket-owner-read",
        "bucket-owner-full-control",
        "aws-exec-read",
    ),
}


def check_name(name: str) -> None:
    if not 2 <= len(name) <= 255 or not re.fullmatch(r"[ -\.0-\[\]-~]*[!-\.0-\[\]-~][ -\.0-\[\]-~]*", name):
        raise invalid(f"GatewayName {name} is not valid.")


def check_timezone(timezone: str) -> None:
    if not re.fullmatch(r"GMT([+-]\d{1,2}:\d{2})?", timezone):
        raise invalid(f"GatewayTimezone {timezone} is not valid.")


def check_log_group(backend: Any, arn: str) -> None:
    """A log group that is not there is refused; the empty name ends the logging."""
    name = arn.partition(":log-group:")[2].removesuffix(":*")
    if arn and name not in logs_backends[backend.account_id][backend.region_name].groups:
        raise invalid(f"Log group {arn} was not found.")


def check_role(backend: Any, arn: str) -> None:
    """It has to be there, and to trust Storage Gateway."""
    try:
        role = iam_backends[backend.account_id][backend.partition].get_role_by_arn(arn)
    except Exception as error:
        raise invalid(f"The IAM role {arn} was not found.") from error
    if "storagegateway.amazonaws.com" not in str(role.assume_role_policy_document):
        raise invalid(f"The IAM role {arn} cannot be assumed by storagegateway.amazonaws.com.")


def bucket_and_prefix(backend: Any, location: str) -> str:
    """`bucket` or `bucket/prefix`, of `arn:aws:s3:::bucket/prefix/`. Raises for what is not there or has no slash."""
    name, _, prefix = location.partition(":::")[2].partition("/")
    try:
        s3_backends[backend.account_id][backend.partition].get_bucket(name)
    except Exception as error:
        raise invalid(f"The bucket of LocationARN {location} was not found.") from error
    if prefix and (not prefix.endswith("/") or prefix.startswith("/") or "//" in prefix):
        raise invalid(f"The prefix of LocationARN {location} has to end with a slash, and cannot hold two in a row.")
    return f"{name}/{prefix}".rstrip("/")


def check_share(shown: Json) -> None:
    """What a file share would be, in full."""
    for name, allowed in _CHOICES.items():
        if shown[name] not in allowed:
            raise invalid(f"{name} {shown[name]} is not valid: {', '.join(allowed)} are.")
    clients = shown["ClientList"]
    if not 1 <= len(clients) <= 100:
        raise invalid(f"ClientList has 1 to 100 entries, not {len(clients)}.")
    for client in clients:
        _check_client(client)
    timeout = (shown.get("CacheAttributes") or {}).get("CacheStaleTimeoutInSeconds", 0)
    if timeout and not STALE_SECONDS[0] <= timeout <= STALE_SECONDS[1]:
        raise invalid(f"CacheStaleTimeoutInSeconds is 0, or 300 to 2592000, not {timeout}.")
    if shown["KMSEncrypted"] and not shown.get("KMSKey"):
        raise invalid("KMSKey is required when KMSEncrypted is true.")
    _check_defaults(shown["NFSFileShareDefaults"])


def _check_client(client: str) -> None:
    """An address, or a network by its own address: 10.0.0.1/24 has host bits."""
    try:
        ipaddress.ip_network(client)
    except ValueError as error:
        raise invalid(f"{client} in ClientList is no valid IP address or CIDR block.") from error


def _check_defaults(defaults: Json) -> None:
    for name in ("FileMode", "DirectoryMode"):
        if not re.fullmatch(r"[0-7]{4}", str(defaults[name])):
            raise invalid(f"{name} {defaults[name]} is not valid: four octal digits are.")
    for name in ("GroupId", "OwnerId"):
        if not 0 <= int(defaults[name]) <= 4_294_967_294:
            raise invalid(f"{name} {defaults[name]} is not valid: 0 to 4294967294 is.")

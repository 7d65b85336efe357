"""The actions on NFS file shares."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from local_aws.actions import Action
from local_aws.services import events
from local_aws.services.storagegateway import checks
from local_aws.services.storagegateway.models import (
    Gateway,
    GatewayError,
    Json,
    Share,
    StorageGatewayBackend,
    invalid,
    page,
    tags_of,
)
from local_aws.services.storagegateway.settings import REFRESH_INTERVAL_SECONDS, REFRESH_SECONDS

_MOST_SHARES = 50  # of one gateway: https://docs.aws.amazon.com/filegateway/latest/files3/fgw-quotas.html
_MOST_REFRESHES = 2  # at once
_CHANGEABLE = (
    "DefaultStorageClass",
    "ObjectACL",
    "ClientList",
    "Squash",
    "ReadOnly",
    "GuessMIMETypeEnabled",
    "RequesterPays",
    "KMSEncrypted",
    "KMSKey",
    "EncryptionType",
    "FileShareName",
    "NotificationPolicy",
    "AuditDestinationARN",
    "CacheAttributes",
)
_FIXED = ("VPCEndpointDNSName", "BucketRegion")


def create_nfs_file_share(backend: StorageGatewayBackend, asked: Json) -> Json:
    gateway = backend.gateway(asked["GatewayARN"])
    for present in backend.shares_of(gateway):
        if present.token == asked["ClientToken"]:
            return {"FileShareARN": present.arn}
    if len(backend.shares_of(gateway)) >= _MOST_SHARES:
        raise invalid(f"A gateway has at most {_MOST_SHARES} file shares.")
    if not gateway.cache:
        raise invalid("The gateway has no cache storage.")
    checks.check_role(backend, asked["Role"])
    where = checks.bucket_and_prefix(backend, asked["LocationARN"])
    arn = backend.arn("share", "share")
    shown: Json = {
        "FileShareARN": arn,
        "FileShareId": arn.rpartition("/")[2],
        "GatewayARN": gateway.arn,
        "LocationARN": asked["LocationARN"],
        "Role": asked["Role"],
        "FileShareName": where,
        **{name: asked[name] for name in _FIXED if asked.get(name)},
    }
    _set(backend, shown, {**checks.DEFAULTS, **asked})
    _check_path(gateway, shown, except_for=None)
    backend.shares[arn] = Share(arn, gateway, asked["ClientToken"], shown)
    backend.tags[arn] = {each["Key"]: each["Value"] for each in asked.get("Tags") or []}
    return {"FileShareARN": arn}


def _set(backend: StorageGatewayBackend, shown: Json, given: Json) -> None:
    """Put parameters into what is shown, once they are found to be valid."""
    changed = {**shown, **{name: given[name] for name in _CHANGEABLE if given.get(name) is not None}}
    before = shown.get("NFSFileShareDefaults") or checks.NFS_DEFAULTS
    changed["NFSFileShareDefaults"] = {**before, **(given.get("NFSFileShareDefaults") or {})}
    changed["EncryptionType"] = given.get("EncryptionType") or ("SseKms" if changed["KMSEncrypted"] else "SseS3")
    if not changed["KMSEncrypted"]:
        changed.pop("KMSKey", None)
    if changed.get("AuditDestinationARN"):
        checks.check_log_group(backend, changed["AuditDestinationARN"])
    checks.check_share(changed)
    changed["Path"] = "/" + changed["FileShareName"]
    shown.update(changed)


def _check_path(gateway: Gateway, shown: Json, *, except_for: Share | None) -> None:
    for other in gateway.backend.shares_of(gateway):
        if other is not except_for and other.shown["Path"] == shown["Path"]:
            raise invalid(f"The gateway has a file share {shown['FileShareName']} already.")


def describe_nfs_file_shares(backend: StorageGatewayBackend, asked: Json) -> Json:
    wanted = asked["FileShareARNList"]
    if not 1 <= len(wanted) <= 10:
        raise invalid(f"FileShareARNList has 1 to 10 entries, not {len(wanted)}.")
    shares = [backend.share(arn) for arn in wanted]
    rows = [{**each.shown, "FileShareStatus": each.status, "Tags": tags_of(backend, each.arn)} for each in shares]
    return {"NFSFileShareInfoList": rows}


def update_nfs_file_share(backend: StorageGatewayBackend, asked: Json) -> Json:
    share = _changeable(backend, asked)
    shown = dict(share.shown)
    _set(backend, shown, asked)
    _check_path(share.gateway, shown, except_for=share)
    share.shown = shown
    share.change("UPDATING")
    return {"FileShareARN": share.arn}


def _changeable(backend: StorageGatewayBackend, asked: Json) -> Share:
    share = backend.share(asked["FileShareARN"])
    backend.gateway(share.gateway.arn)
    if share.status != "AVAILABLE":
        raise invalid(f"The file share is {share.status}.")
    return share


def delete_file_share(backend: StorageGatewayBackend, asked: Json) -> Json:
    share = backend.share(asked["FileShareARN"])
    force = bool(asked.get("ForceDelete"))
    if not force:
        # It would wait for the gateway to upload what is left.
        backend.gateway(share.gateway.arn)
    if share.status != "DELETING":
        share.change("FORCE_DELETING" if force else "DELETING")
    return {"FileShareARN": share.arn}


def list_file_shares(backend: StorageGatewayBackend, asked: Json) -> Json:
    arn = asked.get("GatewayARN")
    gateway = backend.gateway(arn, connected=False) if arn else None
    rows = [
        {
            "FileShareType": "NFS",
            "FileShareARN": each.arn,
            "FileShareId": each.shown["FileShareId"],
            "FileShareStatus": each.status,
            "GatewayARN": each.gateway.arn,
        }
        for each in backend.shares_of(gateway)
    ]
    answer = page(asked, "FileShareInfoList", rows)
    if "Marker" in answer:
        answer["NextMarker"] = answer.pop("Marker")
    return answer


def refresh_cache(backend: StorageGatewayBackend, asked: Json) -> Json:
    share = _changeable(backend, asked)
    folders = asked.get("FolderList")
    if folders is not None and (not 1 <= len(folders) <= 50 or not all(each.startswith("/") for each in folders)):
        raise invalid("FolderList has 1 to 50 entries, which begin with a slash.")
    now = time.time()
    share.refreshes = [each for each in share.refreshes if now < each + max(REFRESH_SECONDS, REFRESH_INTERVAL_SECONDS)]
    under_way = [each for each in share.refreshes if now < each + REFRESH_SECONDS]
    too_soon = any(now < each + REFRESH_INTERVAL_SECONDS for each in share.refreshes)
    if len(under_way) >= _MOST_REFRESHES or too_soon:
        raise GatewayError("GatewayProxyNetworkConnectionBusy", "Too many requests have been sent to the server.")
    share.refreshes.append(now)
    refresh = Refresh(backend, share, str(uuid.uuid4()), folders or ["/"], now)
    _under_way.append(refresh)
    return {"FileShareARN": share.arn, "NotificationId": refresh.id}


@dataclass(frozen=True)
class Refresh:
    """One that was asked for at `begun` (seconds since 1970); EventBridge is told of its end."""

    backend: StorageGatewayBackend
    share: Share
    id: str
    folders: list[str]
    begun: float

    def tell(self, now: float) -> None:
        """As the S3 File Gateway User Guide has it, "Getting refresh cache notification"."""
        detail = {
            "event-type": "refresh-complete",
            "notification-id": self.id,
            "started": _text(self.begun),
            "completed": _text(now),
            "folderList": self.folders,
        }
        events.tell(
            self.backend.account_id,
            self.backend.region_name,
            source="aws.storagegateway",
            kind="Storage Gateway Refresh Cache Event",
            resources=[self.share.arn, self.share.gateway.arn],
            detail=detail,
        )


_under_way: list[Refresh] = []


def tick(now: float) -> None:
    """Tell of the refreshes that have ended."""
    for each in [each for each in _under_way if now >= each.begun + REFRESH_SECONDS]:
        _under_way.remove(each)
        each.tell(each.begun + REFRESH_SECONDS)


def _text(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


ACTIONS: dict[str, Action] = {
    "CreateNFSFileShare": create_nfs_file_share,
    "DescribeNFSFileShares": describe_nfs_file_shares,
    "UpdateNFSFileShare": update_nfs_file_share,
    "DeleteFileShare": delete_file_share,
    "ListFileShares": list_file_shares,
    "RefreshCache": refresh_cache,
}

"""The actions on NFS file shares."""

from __future__ import annotations

import secrets
import time
from typing import Any

from moto.core.responses import ActionResult

from local_aws.services.storagegateway import checks
from local_aws.services.storagegateway.models import (
    Gateway,
    GatewayError,
    Json,
    Share,
    StorageGatewayBackend,
    invalid,
    storagegateway_backends,
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


class ShareActions:
    """A part of the response class: the names below come from the rest of it."""

    current_account: str
    region: str
    params: Any
    page: Any
    _gateway: Any
    _tags: Any

    @property
    def backend(self) -> StorageGatewayBackend:
        return storagegateway_backends[self.current_account][self.region]  # type: ignore[no-any-return]

    def create_nfs_file_share(self) -> ActionResult:
        backend, params = self.backend, self.params
        gateway: Gateway = self._gateway()
        for present in backend.shares_of(gateway):
            if present.token == params["ClientToken"]:
                return ActionResult({"FileShareARN": present.arn})
        if len(backend.shares_of(gateway)) >= _MOST_SHARES:
            raise invalid(f"A gateway has at most {_MOST_SHARES} file shares.")
        if not gateway.cache:
            raise invalid("The gateway has no cache storage.")
        checks.check_role(backend, params["Role"])
        where = checks.bucket_and_prefix(backend, params["LocationARN"])
        arn = backend.arn("share", "share")
        shown: Json = {
            "FileShareARN": arn,
            "FileShareId": arn.rpartition("/")[2],
            "GatewayARN": gateway.arn,
            "LocationARN": params["LocationARN"],
            "Role": params["Role"],
            "FileShareName": where,
            **{name: params[name] for name in _FIXED if params.get(name)},
        }
        self._set(shown, {**checks.DEFAULTS, **params})
        self._check_path(gateway, shown, except_for=None)
        backend.shares[arn] = Share(arn, gateway, params["ClientToken"], shown)
        backend.tags[arn] = {each["Key"]: each["Value"] for each in params.get("Tags") or []}
        return ActionResult({"FileShareARN": arn})

    def _set(self, shown: Json, params: Json) -> None:
        """Put parameters into what is shown, once they are found to be valid."""
        changed = {**shown, **{name: params[name] for name in _CHANGEABLE if params.get(name) is not None}}
        before = shown.get("NFSFileShareDefaults") or checks.NFS_DEFAULTS
        changed["NFSFileShareDefaults"] = {**before, **(params.get("NFSFileShareDefaults") or {})}
        changed["EncryptionType"] = params.get("EncryptionType") or ("SseKms" if changed["KMSEncrypted"] else "SseS3")
        if not changed["KMSEncrypted"]:
            changed.pop("KMSKey", None)
        if changed.get("AuditDestinationARN"):
            checks.check_log_group(self.backend, changed["AuditDestinationARN"])
        checks.check_share(changed)
        changed["Path"] = "/" + changed["FileShareName"]
        shown.update(changed)

    def _check_path(self, gateway: Gateway, shown: Json, *, except_for: Share | None) -> None:
        for other in self.backend.shares_of(gateway):
            if other is not except_for and other.shown["Path"] == shown["Path"]:
                raise invalid(f"The gateway has a file share {shown['FileShareName']} already.")

    def describe_nfs_file_shares(self) -> ActionResult:
        wanted = self.params["FileShareARNList"]
        if not 1 <= len(wanted) <= 10:
            raise invalid(f"FileShareARNList has 1 to 10 entries, not {len(wanted)}.")
        shares = [self.backend.share(arn) for arn in wanted]
        rows = [{**each.shown, "FileShareStatus": each.status, "Tags": self._tags(each.arn)} for each in shares]
        return ActionResult({"NFSFileShareInfoList": rows})

    def update_nfs_file_share(self) -> ActionResult:
        share = self._changeable()
        shown = dict(share.shown)
        self._set(shown, self.params)
        self._check_path(share.gateway, shown, except_for=share)
        share.shown = shown
        share.change("UPDATING")
        return ActionResult({"FileShareARN": share.arn})

    def _changeable(self) -> Share:
        share = self.backend.share(self.params["FileShareARN"])
        self.backend.gateway(share.gateway.arn)
        if share.status != "AVAILABLE":
            raise invalid(f"The file share is {share.status}.")
        return share

    def delete_file_share(self) -> ActionResult:
        share = self.backend.share(self.params["FileShareARN"])
        force = bool(self.params.get("ForceDelete"))
        if not force:
            # It would wait for the gateway to upload what is left.
            self.backend.gateway(share.gateway.arn)
        if share.status != "DELETING":
            share.change("FORCE_DELETING" if force else "DELETING")
        return ActionResult({"FileShareARN": share.arn})

    def list_file_shares(self) -> ActionResult:
        arn = self.params.get("GatewayARN")
        gateway = self.backend.gateway(arn, connected=False) if arn else None
        rows = [
            {
                "FileShareType": "NFS",
                "FileShareARN": each.arn,
                "FileShareId": each.shown["FileShareId"],
                "FileShareStatus": each.status,
                "GatewayARN": each.gateway.arn,
            }
            for each in self.backend.shares_of(gateway)
        ]
        answer = self.page("FileShareInfoList", rows)
        if "Marker" in answer:
            answer["NextMarker"] = answer.pop("Marker")
        return ActionResult(answer)

    def refresh_cache(self) -> ActionResult:
        share = self._changeable()
        folders = self.params.get("FolderList")
        if folders is not None and (not 1 <= len(folders) <= 50 or not all(each.startswith("/") for each in folders)):
            raise invalid("FolderList has 1 to 50 entries, which begin with a slash.")
        now = time.time()
        share.refreshes = [
            each for each in share.refreshes if now < each + max(REFRESH_SECONDS, REFRESH_INTERVAL_SECONDS)
        ]
        under_way = [each for each in share.refreshes if now < each + REFRESH_SECONDS]
        too_soon = any(now < each + REFRESH_INTERVAL_SECONDS for each in share.refreshes)
        if len(under_way) >= _MOST_REFRESHES or too_soon:
            raise GatewayError("GatewayProxyNetworkConnectionBusy", "Too many requests have been sent to the server.")
        share.refreshes.append(now)
        return ActionResult({"FileShareARN": share.arn, "NotificationId": secrets.token_hex(16)})

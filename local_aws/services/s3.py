"""S3: bucket policies that ask for TLS, life-cycle rules that keep versions, events to EventBridge, keys of versions.

moto 5.2.5 takes a policy's condition that is not met for a denial, so that a bucket which denies requests without
TLS denies every object request; here requests count as sent with TLS, for they never leave the machine. It also
forgets `NewerNoncurrentVersions` of a life-cycle rule, does not tell that a bucket's events go to EventBridge, and
lists versions without the URL encoding of keys that is asked for, so that Terraform cannot empty a bucket.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response

WITHOUT_TLS = {"Bool": {"aws:SecureTransport": "false"}}


def install() -> None:
    """Put all of it into moto's S3. A second time changes nothing."""
    if not hasattr(FakeBucket, "newer_noncurrent_versions"):
        _keep_newer_noncurrent_versions()
        _tell_of_eventbridge()
        _encode_keys_of_versions()
        FakeBucket.get_permission = get_permission


def get_permission(self: Any, action: str, resource: str) -> Any:
    """What the bucket's policy says of an action, its denial of requests without TLS apart."""
    if self.policy is None:
        return PermissionResult.NEUTRAL
    document = json.loads(self.policy)
    rows = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    document["Statement"] = [row for row in rows if row.get("Condition") != WITHOUT_TLS]
    return IAMPolicy(json.dumps(document)).is_action_permitted(action, resource)


def _keep_newer_noncurrent_versions() -> None:
    FakeBucket.newer_noncurrent_versions = {}
    set_lifecycle, get_lifecycle = FakeBucket.set_lifecycle, S3Response.get_bucket_lifecycle

    def set_and_keep(self: Any, rules: list[dict[str, Any]]) -> None:
        set_lifecycle(self, rules)
        given = [(rule.get("NoncurrentVersionExpiration") or {}).get("NewerNoncurrentVersions") for rule in rules]
        self.newer_noncurrent_versions = {
            rule.id: int(number) for rule, number in zip(self.rules, given, strict=True) if number
        }

    def get_with_kept(self: Any) -> Any:
        kept = self.backend.head_bucket(self.bucket_name).newer_noncurrent_versions
        serialized = self.serialized

        def serialized_with_kept(action: Any) -> Any:
            rules = action.result["Rules"] if isinstance(action.result, dict) else []  # else it is an error
            for rule in rules:
                if number := kept.get(rule["ID"]):
                    rule["NoncurrentVersionExpiration"]["NewerNoncurrentVersions"] = number
            return serialized(action)

        self.serialized = serialized_with_kept
        return get_lifecycle(self)

    FakeBucket.set_lifecycle = set_and_keep
    S3Response.get_bucket_lifecycle = get_with_kept


def _tell_of_eventbridge() -> None:
    get_notification = S3Response.get_bucket_notification

    def get_with_eventbridge(self: Any) -> Any:
        found = self.backend.get_bucket_notification_configuration(self.bucket_name)
        serialized = self.serialized

        def serialized_with_eventbridge(action: Any) -> Any:
            # Set, it is an empty structure.
            if found and found.event_bridge is not None:
                given = action.result if isinstance(action.result, dict) else {}
                return serialized(ActionResult({**given, "EventBridgeConfiguration": {}}))
            return serialized(action)

        self.serialized = serialized_with_eventbridge
        return get_notification(self)

    S3Response.get_bucket_notification = get_with_eventbridge


def _encode_keys_of_versions() -> None:
    list_versions = S3Response.list_object_versions

    def list_encoded(self: Any) -> Any:
        serialized = self.serialized

        def serialized_and_encoded(action: Any) -> Any:
            found = action.result
            for row in [*found["Versions"], *found["DeleteMarkers"]]:
                row["Key"] = quote(row["Key"])
            for row in found.get("CommonPrefixes", []):
                row["Prefix"] = quote(row["Prefix"])
            named = {
                name: quote(found[name])
                for name in ("Prefix", "Delimiter", "KeyMarker", "NextKeyMarker")
                if found.get(name)
            }
            return serialized(ActionResult({**found, **named, "EncodingType": "url"}))

        if self.querystring.get("encoding-type") == ["url"]:
            self.serialized = serialized_and_encoded
        return list_versions(self)

    S3Response.list_object_versions = list_encoded

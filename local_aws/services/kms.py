"""KMS: the period of a key's rotation, and keys that are AWS's own.

moto 5.2.5 drops `RotationPeriodInDays`, so that `rotation_period_in_days` is a difference at every plan; and it calls
the keys that AWS manages (`alias/aws/ebs` and the like) the customer's. A key that is made without a usage or a spec
has none, where AWS makes it a symmetric one for encryption.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kms.models import KmsBackend
from moto.kms.responses import KmsResponse

_DEFAULT_DAYS = 365
_ALLOWED_DAYS = range(90, 2561)  # https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html


def install() -> None:
    """Keep the period, and give it back; say whose a key is."""
    add_alias, make = KmsBackend.create_alias, KmsBackend.create_key

    def create_key(self: Any, policy: Any, key_usage: Any, key_spec: Any, *rest: Any, **named: Any) -> Any:
        usage, spec = key_usage or "ENCRYPT_DECRYPT", key_spec or "SYMMETRIC_DEFAULT"
        return make(self, policy, usage, spec, *rest, **named)

    def create_alias(self: Any, target_key_id: str, alias_name: str) -> Any:
        if alias_name.startswith("alias/aws/"):
            self.keys[self.get_key_id(target_key_id)].key_manager = "AWS"
        return add_alias(self, target_key_id, alias_name)

    KmsBackend.create_alias = create_alias
    KmsBackend.create_key = create_key
    enable, status = KmsResponse.enable_key_rotation, KmsResponse.get_key_rotation_status

    def key(self: Any) -> Any:
        return self.kms_backend.keys[self.kms_backend.get_key_id(self._get_param("KeyId"))]

    def enable_key_rotation(self: Any) -> str:
        days = self._get_param("RotationPeriodInDays") or _DEFAULT_DAYS
        if days not in _ALLOWED_DAYS:
            raise JsonRESTError("ValidationException", f"RotationPeriodInDays {days} is not between 90 and 2560.")
        answer = enable(self)
        key(self)._rotation_days = days
        return str(answer)

    def get_key_rotation_status(self: Any) -> str:
        answer = json.loads(status(self))
        if answer["KeyRotationEnabled"]:
            answer["RotationPeriodInDays"] = getattr(key(self), "_rotation_days", _DEFAULT_DAYS)
        return json.dumps(answer)

    KmsResponse.enable_key_rotation = enable_key_rotation
    KmsResponse.get_key_rotation_status = get_key_rotation_status

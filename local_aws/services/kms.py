"""KMS: the period of a key's rotation, and keys that are AWS's own.

moto 5.2.5 drops `RotationPeriodInDays`, so that `rotation_period_in_days` is a difference at every plan; and it calls
the keys that AWS manages (`alias/aws/ebs` and the like) the customer's. A key that is made without a usage or a spec
has none, where AWS makes it a symmetric one for encryption. A key that is disabled or waits for its deletion encrypts
and decrypts; AWS answers DisabledException and KMSInvalidStateException (KMS Developer Guide, "Key states").
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kms.models import KmsBackend
from moto.kms.responses import KmsResponse

from local_aws import actions

Json = dict[str, Any]

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

    for name in ("encrypt", "decrypt"):
        setattr(KmsBackend, name, _by_enabled_keys(getattr(KmsBackend, name)))
    KmsBackend.create_alias = create_alias
    KmsBackend.create_key = create_key
    rotation = {"EnableKeyRotation": enable_key_rotation, "GetKeyRotationStatus": get_key_rotation_status}
    actions.wrap(KmsResponse, "kms_backend", rotation)


def _by_enabled_keys(operate: Callable[..., Any]) -> Callable[..., Any]:
    """The operation, refused where its key has no use; a decryption tells its key afterwards."""

    @functools.wraps(operate)
    def operated(self: Any, *arguments: Any, **named: Any) -> Any:
        if key_id := named.get("key_id"):
            _check_state(self.keys.get(self.any_id_to_key_id(key_id)))
        done = operate(self, *arguments, **named)
        if "ciphertext_blob" in named:
            _check_state(self.keys.get(str(done[1]).rpartition("/")[2]))
        return done

    return operated


def _check_state(key: Any) -> None:
    if key is None or key.key_state == "Enabled":
        return
    if key.key_state == "PendingDeletion":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")


def _key(backend: Any, asked: Json) -> Any:
    return backend.keys[backend.get_key_id(asked["KeyId"])]


def enable_key_rotation(backend: Any, asked: Json, moto: actions.Moto) -> Json:
    days = asked.get("RotationPeriodInDays") or _DEFAULT_DAYS
    if days not in _ALLOWED_DAYS:
        raise JsonRESTError("ValidationException", f"RotationPeriodInDays {days} is not between 90 and 2560.")
    answer = moto()
    _key(backend, asked)._rotation_days = days
    return answer


def get_key_rotation_status(backend: Any, asked: Json, moto: actions.Moto) -> Json:
    answer = moto()
    if answer["KeyRotationEnabled"]:
        answer["RotationPeriodInDays"] = getattr(_key(backend, asked), "_rotation_days", _DEFAULT_DAYS)
    return answer

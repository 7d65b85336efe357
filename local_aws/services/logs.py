"""CloudWatch Logs: the keys of log groups.

moto 5.2.5 lacks AssociateKmsKey and DisassociateKmsKey, and takes any key. AWS refuses a key that CloudWatch Logs may
not use for the log group: the key policy has to admit the service (CloudWatch Logs User Guide, "Encrypt log data",
whose condition on `kms:EncryptionContext:aws:logs:arn` is the one looked at here). AWS refuses a key that is disabled
or waits for its deletion, too (botocore's documentation of CreateLogGroup).
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator
from typing import Any

from moto.kms.models import kms_backends
from moto.logs.exceptions import InvalidParameterException, LogsClientError, ResourceNotFoundException
from moto.logs.responses import LogsResponse

from local_aws import actions

Json = dict[str, Any]

_CONTEXT = "kms:EncryptionContext:aws:logs:arn"


def install() -> None:
    """Look at keys, and let them be changed."""
    keys: dict[str, actions.Action] = {"AssociateKmsKey": associate_kms_key, "DisassociateKmsKey": disassociate_kms_key}
    actions.add(LogsResponse, "logs_backend", keys)
    create = LogsResponse.create_log_group

    def create_log_group(self: Any) -> Any:
        if key := self._get_param("kmsKeyId"):
            _check_key(self.logs_backend, key, self._get_param("logGroupName"))
        return create(self)

    LogsResponse.create_log_group = create_log_group


def associate_kms_key(backend: Any, asked: Json) -> None:
    group = _group(backend, asked)
    _check_key(backend, asked["kmsKeyId"], group.name)
    group.kms_key_id = asked["kmsKeyId"]


def disassociate_kms_key(backend: Any, asked: Json) -> None:
    _group(backend, asked).kms_key_id = None


def _group(backend: Any, asked: Json) -> Any:
    name = asked.get("logGroupName") or str(asked.get("resourceIdentifier", "")).partition(":log-group:")[2]
    if name not in backend.groups:
        raise ResourceNotFoundException()
    return backend.groups[name]


def _check_key(backend: Any, key_arn: str, group_name: str) -> None:
    """Raises for a key that CloudWatch Logs cannot use for the group."""
    kms = kms_backends[backend.account_id][backend.region_name]
    key = kms.keys.get(key_arn.rpartition("/")[2])
    group_arn = f"arn:{backend.partition}:logs:{backend.region_name}:{backend.account_id}:log-group:{group_name}"
    service = f"logs.{backend.region_name}.amazonaws.com"
    if key is None or not any(_admits(each, service, group_arn) for each in _statements(key)):
        raise LogsClientError(
            "AccessDeniedException",
            f"The specified KMS key does not exist or is not allowed to be used with Arn '{group_arn}'",
        )
    if key.key_state != "Enabled":
        raise InvalidParameterException(f"The specified KMS key {key_arn} is {key.key_state}.")


def _statements(key: Any) -> Iterator[Json]:
    found = json.loads(key.policy or "{}").get("Statement", [])
    yield from [found] if isinstance(found, dict) else found


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _admits(statement: Json, service: str, group_arn: str) -> bool:
    principal = statement.get("Principal")
    services = _listed(principal.get("Service", [])) if isinstance(principal, dict) else []
    if statement.get("Effect") != "Allow" or service not in services:
        return False
    allowed = [
        arn
        for operator, keys in statement.get("Condition", {}).items()
        for key, arns in keys.items()
        if key == _CONTEXT and operator in ("ArnLike", "ArnEquals", "StringLike", "StringEquals")
        for arn in _listed(arns)
    ]
    return not allowed or any(fnmatch.fnmatchcase(group_arn, arn) for arn in allowed)

"""Which actions on which resources a call needs: the table that the modules `needs_*` fill, by service.

A row is a function of the call, to its needs. Actions and the kinds of their resources are those of AWS's Service
Authorization Reference (https://docs.aws.amazon.com/service-authorization/latest/reference/), which a test compares
them to; where public reports of refusals show another resource than that page, the row names the report. A call without
a row is refused with status 501, for whoever is not the administrator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

_FIELD = re.compile(r"{(\w+)}")
# A call that needs no right: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
FREE = frozenset({"sts:GetCallerIdentity"})


@dataclass(frozen=True)
class Need:
    """An action, the ARN of its resource (or *), and what the service says of the request, by condition keys."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A request: botocore's name of the service, the operation's name, and its parameters."""

    service: str
    operation: str
    asked: Json
    account: str
    region: str
    partition: str

    def arn(self, template: str, **more: str) -> str:
        """An ARN of a template such as `dynamodb:table/{TableName}`.

        A field is a parameter of the call, or one of `more`. A parameter that is an ARN already is the answer, and one
        that is left out makes it a `*`, as every resource of the kind is meant.
        """
        service, _, rest = template.partition(":")
        values = {**self.asked, **more}
        for name in _FIELD.findall(rest):
            value = values.get(name)
            if isinstance(value, str) and value.startswith("arn:"):
                return value
            if not isinstance(value, str):
                values[name] = "*"
        where = {"s3": ":", "iam": f":{self.account}"}.get(service, f"{self.region}:{self.account}")
        return f"arn:{self.partition}:{service}:{where}:{_FIELD.sub(lambda found: str(values[found[1]]), rest)}"


Row = Callable[[Call], Iterable[Need]]

ROWS: dict[str, Row] = {}


def row(*operations: str) -> Callable[[Row], Row]:
    """Put a function into the table, for operations such as `ecs:RunTask`."""

    def put(made: Row) -> Row:
        ROWS.update(dict.fromkeys(operations, made))
        return made

    return put


def simple(service: str, template: str, operations: str, *, prefix: str = "") -> None:
    """Rows of operations whose action has their own name, on one resource; `template` as of `Call.arn`, or `*`.

    `service`: botocore's name. `prefix`: that of its actions, where it is another.
    """
    for operation in operations.split():
        action = f"{prefix or service}:{operation}"

        def needs(call: Call, action: str = action) -> Iterator[Need]:
            yield Need(action, template if template == "*" else call.arn(template))

        ROWS[f"{service}:{operation}"] = needs


def via(call: Call, service: str, action: str, key: str | None) -> Iterator[Need]:
    """The use of a KMS key that a service makes with its caller's rights, in the name of the caller.

    `key`: id, alias or ARN; a key of AWS's own, or none, needs no right.
    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    """
    if (arn := key_arn(call, key)) is not None:
        context = {"kms:viaservice": f"{service}.{call.region}.amazonaws.com"}
        yield Need(action, arn, context)


def key_arn(call: Call, key: str | None) -> str | None:
    """The ARN of a customer's key, by id, alias or ARN; None for one of AWS's own, and for none."""
    from moto.kms.models import kms_backends  # noqa: PLC0415 - moto is imported after its settings

    if not key:
        return None
    backend = kms_backends[call.account][call.region]
    found = backend.keys.get(backend.any_id_to_key_id(key) or "")
    return None if found is None or found.key_manager == "AWS" else str(found.arn)


def passed(call: Call, role: str | None, service: str) -> Iterator[Need]:
    """The right to give a role to a service (IAM User Guide, "Grant a user permissions to pass a role")."""
    if role:
        yield Need("iam:PassRole", role, {"iam:passedtoservice": service})

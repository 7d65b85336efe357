"""Resources that get the id that they have elsewhere, so that a workspace that names them can be rehearsed here.

A VPC, a subnet, a KMS key, a secret or an imported certificate that is made with the tag `local-aws:id` gets that id:
of a certificate and of a key, what is behind the slash of the ARN; of a secret, its last part. AWS has no such thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from moto.acm import models as acm
from moto.ec2.models import subnets, vpcs
from moto.kms import models as kms

TAG = "local-aws:id"
_wanted: ContextVar[str | None] = ContextVar("wanted", default=None)


def _tags(value: Any) -> Iterator[str]:
    """The tag's values in whatever form the services hand tags to moto's models."""
    if isinstance(value, dict):
        if TAG in value:
            yield str(value[TAG])
        elif TAG in (value.get("Key"), value.get("TagKey")):
            yield str(value.get("Value") or value.get("TagValue"))
        else:
            for each in value.values():
                yield from _tags(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _tags(each)


def wanted(tags: Any) -> str | None:
    """The id that these tags ask for."""
    return next(_tags(tags), None)


def _with_its_id(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(self: Any, *arguments: Any, **named: Any) -> Any:
        token = _wanted.set(wanted([*arguments, *named.values()]))
        try:
            return make(self, *arguments, **named)
        finally:
            _wanted.reset(token)

    return made


def _or_wanted(random: Callable[..., str]) -> Callable[..., str]:
    return lambda *arguments, **named: _wanted.get() or random(*arguments, **named)


def _arn_or_wanted(random: Callable[..., str]) -> Callable[..., str]:
    def arn(*arguments: Any, **named: Any) -> str:
        made, wanted = random(*arguments, **named), _wanted.get()
        return f"{made.rpartition('/')[0]}/{wanted}" if wanted else made

    return arn


def install() -> None:
    """Put it into moto."""
    vpcs.random_vpc_id = _or_wanted(vpcs.random_vpc_id)
    vpcs.VPCBackend.create_vpc = _with_its_id(vpcs.VPCBackend.create_vpc)
    subnets.random_subnet_id = _or_wanted(subnets.random_subnet_id)
    subnets.SubnetBackend.create_subnet = _with_its_id(subnets.SubnetBackend.create_subnet)
    kms.generate_key_id = _or_wanted(kms.generate_key_id)
    kms.KmsBackend.create_key = _with_its_id(kms.KmsBackend.create_key)
    acm.make_arn_for_certificate = _arn_or_wanted(acm.make_arn_for_certificate)
    acm.AWSCertificateManagerBackend.import_certificate = _with_its_id(
        acm.AWSCertificateManagerBackend.import_certificate
    )

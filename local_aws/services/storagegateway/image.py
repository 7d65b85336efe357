"""The image of an S3 File Gateway, and the machines that run it: they answer at their private addresses.

moto 5.2.5 has neither the image nor the parameter of Systems Manager that names it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ssm.models import Parameter, ParameterDict

from local_aws import packets
from local_aws.application import LocalAwsApplication
from local_aws.services.storagegateway.activation import Machine

IMAGE = "ami-0f11e530000000000"
PARAMETER = "/aws/service/storagegateway/ami/FILE_S3/latest"
HTTP = 80
_PUBLISHED = datetime(2025, 1, 1, tzinfo=UTC)

_machines: dict[str, Machine] = {}


def install() -> None:
    """Put both into moto, and the machines behind the server's proxy. A second time changes nothing."""
    if answer not in LocalAwsApplication.machines:
        LocalAwsApplication.machines.append(answer)
        _add_image()
        _add_parameter()


def answer(address: str, path: str, caller: packets.Side | None) -> tuple[int, dict[str, str], bytes] | None:
    """What a gateway's machine answers at `address`, if the caller's security groups and its own let the call through.

    None where no running machine has the address.
    """
    for regions in list(ec2_backends.values()):
        for backend in list(regions.values()):
            for instance in [each for group in backend.reservations.values() for each in group.instances]:
                if (instance.image_id, instance.private_ip, instance.state) == (IMAGE, address, "running"):
                    found = packets.instance(backend, instance)
                    if caller and (why := packets.blocked(backend, caller, found, HTTP)):
                        return 504, {}, why.encode()
                    machine = _machines.setdefault(instance.id, Machine(address, instance.id))
                    return machine.answer(path)
    return None


def _add_image() -> None:
    load = AmiBackend._load_amis

    def load_amis(self: Any) -> None:
        load(self)
        self.amis[IMAGE] = Ami(
            self,
            IMAGE,
            name="aws-storage-gateway-FILE_S3-2.0.0",
            description="S3 File Gateway",
            owner_alias="amazon",
            public=True,
            virtualization_type="hvm",
            architecture="x86_64",
            root_device_type="ebs",
            root_device_name="/dev/xvda",
            creation_date=_PUBLISHED,
        )

    AmiBackend._load_amis = load_amis


def _add_parameter() -> None:
    check = ParameterDict._check_loading_status

    def check_loading_status(self: Any, key: str) -> None:
        check(self, key)
        if str(key or "") == PARAMETER and not dict.__contains__(self, PARAMETER):
            parameter = Parameter(
                account_id=self.account_id,
                name=PARAMETER,
                value=IMAGE,
                parameter_type="String",
                description=None,
                allowed_pattern=None,
                keyid=None,
                last_modified_date=_PUBLISHED,
                version=1,
                data_type="text",
            )
            dict.__setitem__(self, PARAMETER, [parameter])

    ParameterDict._check_loading_status = check_loading_status

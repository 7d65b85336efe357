"""Service Quotas, and the services whose actions refuse to exceed a quota (`local_aws.quotas`).

moto 5.2.5 tells AWS's defaults of VPC alone and refuses nothing. The refusals are AWS's: VpcLimitExceeded,
AddressLimitExceeded, NatGatewayLimitExceeded and VcpuLimitExceeded (EC2 API reference, "Error codes"; the messages as
EC2 writes them in the VPC User Guide, "Troubleshoot NAT gateways", and in reports of Terraform's users),
InstanceQuotaExceeded of RDS and FileSystemLimitExceeded of EFS (botocore's models). An Auto Scaling group is made all
the same; its launch fails, with a scaling activity that says why (`lifecycle_hooks`). Fargate's is in `ecs`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.efs.exceptions import EFSError
from moto.efs.models import EFSBackend
from moto.rds.exceptions import RDSClientError
from moto.rds.models import RDSBackend
from moto.servicequotas.responses import ServiceQuotasResponse

from local_aws import actions
from local_aws.quotas import VALUES, by_code

Json = dict[str, Any]
_STANDARD = re.compile(r"(a|c|d|h|i|im|is|m|r|t|z)\d")  # the families of the quota's name
VCPUS = "VcpuLimitExceeded"


class FileSystemLimitExceeded(EFSError):  # type: ignore[misc]
    """Of EFS."""

    code = 403

    def __init__(self) -> None:
        super().__init__(
            "FileSystemLimitExceeded",
            "The Amazon Web Services account has already created the maximum number of file systems allowed per "
            "account.",
        )


def get_service_quota(backend: Any, asked: Json, moto: actions.Moto) -> Json:
    found = by_code(asked["ServiceCode"], asked["QuotaCode"])
    if found is None:
        return moto()
    quota, value = found
    arn = f"arn:aws:servicequotas:{backend.region_name}:{backend.account_id}:{quota.service}/{quota.code}"
    told = {"ServiceCode": quota.service, "QuotaCode": quota.code, "QuotaName": quota.name, "QuotaArn": arn}
    return {"Quota": {**told, "Value": float(value), "Unit": "None", "Adjustable": True, "GlobalQuota": False}}


def install() -> None:
    """Let the actions look at the quotas."""
    actions.wrap(ServiceQuotasResponse, "backend", {"GetServiceQuota": get_service_quota})
    _network()
    _instances()
    _data()


def _network() -> None:
    create_vpc, allocate = VPCBackend.create_vpc, ElasticAddressBackend.allocate_address
    create_gateway = NatGatewayBackend.create_nat_gateway

    def create_vpc_within(self: Any, *arguments: Any, **named: Any) -> Any:
        if len(self.vpcs) >= VALUES["vpc"]:
            raise EC2ClientError("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
        return create_vpc(self, *arguments, **named)

    def allocate_address(self: Any, *arguments: Any, **named: Any) -> Any:
        if len(self.addresses) >= VALUES["eip"]:
            raise EC2ClientError("AddressLimitExceeded", "The maximum number of addresses has been reached.")
        return allocate(self, *arguments, **named)

    def create_nat_gateway(self: Any, subnet_id: str, *arguments: Any, **named: Any) -> Any:
        zone, most = self.get_subnet(subnet_id).availability_zone, VALUES["nat_gateway"]
        living = [each for each in self.nat_gateways.values() if each.state in ("pending", "available")]
        if sum(self.get_subnet(each.subnet_id).availability_zone == zone for each in living) >= most:
            raise EC2ClientError(
                "NatGatewayLimitExceeded", f"Performing this operation would exceed the limit of {most} NAT gateways"
            )
        return create_gateway(self, subnet_id, *arguments, **named)

    VPCBackend.create_vpc = create_vpc_within
    ElasticAddressBackend.allocate_address = allocate_address
    NatGatewayBackend.create_nat_gateway = create_nat_gateway


def _instances() -> None:
    run, start = InstanceBackend.run_instances, InstanceBackend.start_instances

    def run_instances(self: Any, image_id: str, count: int, *arguments: Any, **named: Any) -> Any:
        if not named.get("instance_market_options"):  # spot instances have a quota of their own
            kind = str(named.get("instance_type") or "")
            if named.get("is_instance_type_default") and named.get("launch_template"):
                kind = self._get_template_from_args(named["launch_template"]).data.get("InstanceType") or kind
            _check_vcpus(self, [kind] * int(count))
        return run(self, image_id, count, *arguments, **named)

    def start_instances(self: Any, instance_ids: list[str]) -> Any:
        stopped = [each for each in map(self.get_instance, instance_ids) if each.state == "stopped"]
        _check_vcpus(self, [each.instance_type for each in stopped])
        return start(self, instance_ids)

    InstanceBackend.run_instances = run_instances
    InstanceBackend.start_instances = start_instances


def _check_vcpus(backend: Any, more: Iterable[str]) -> None:
    """Raise if instances of these types are too many beside those that run."""
    added = sum(map(_vcpus, more))
    running = (each for each in backend.all_instances() if each.state in ("pending", "running"))
    taken = sum(_vcpus(each.instance_type) for each in running if each.lifecycle != "spot")
    most = VALUES["ec2_vcpu"]
    if added and taken + added > most:
        raise EC2ClientError(
            VCPUS,
            f"You have requested more vCPU capacity than your current vCPU limit of {most} allows for the instance "
            "bucket that the specified instance type belongs to. Please visit "
            "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
        )


def _vcpus(kind: str) -> int:
    """Those that a type counts with against the quota of standard instances."""
    known = INSTANCE_TYPES.get(kind) if _STANDARD.match(kind) else None
    return int(known["VCpuInfo"]["DefaultVCpus"]) if known else 0


def _data() -> None:
    create_instance, create_system = RDSBackend.create_db_instance, EFSBackend.create_file_system

    def create_db_instance(self: Any, db_kwargs: Any) -> Any:
        if len(self.databases) >= VALUES["db_instance"]:
            raise RDSClientError(
                "InstanceQuotaExceeded",
                "The request would result in the user exceeding the allowed number of DB instances.",
            )
        return create_instance(self, db_kwargs)

    def create_file_system(self: Any, *arguments: Any, **named: Any) -> Any:
        if len(self.file_systems_by_id) >= VALUES["file_system"]:
            raise FileSystemLimitExceeded
        return create_system(self, *arguments, **named)

    RDSBackend.create_db_instance = create_db_instance
    EFSBackend.create_file_system = create_file_system

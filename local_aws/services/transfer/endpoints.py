"""Where a server can be reached: publicly, or by an endpoint in a VPC, which Transfer Family makes and removes.

https://docs.aws.amazon.com/transfer/latest/userguide/API_EndpointDetails.html. The messages that Terraform's provider
quotes from AWS (internal/service/transfer/server.go) are AWS's own; the others are not proved.
"""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends

from local_aws.services.transfer.state import Json, Server, invalid

_KEPT_OUT = ("VpcId", "SubnetIds", "SecurityGroupIds", "AddressAllocationIds", "VpcEndpointId")
_OFFLINE = "Server must be OFFLINE to change "


def created(backend: Any, kind: str, asked: Json) -> Json | None:
    """The EndpointDetails of a new server. Raises InvalidRequestException."""
    if kind == "VPC_ENDPOINT":
        raise invalid("EndpointType VPC_ENDPOINT is no longer supported; use EndpointType VPC")
    if kind == "PUBLIC":
        _refuse_details(asked)
        return None
    if asked.get("AddressAllocationIds"):
        raise invalid("AddressAllocationIds cannot be set in CreateServer")
    return _made(backend, asked)


def updated(backend: Any, server: Server, kind: str, asked: Json) -> Json | None:
    """The EndpointDetails after UpdateServer. Raises InvalidRequestException."""
    before = server.shown["EndpointType"]
    if kind != before:
        if server.state != "OFFLINE":
            raise invalid(_OFFLINE + "EndpointType")
        if kind == "VPC_ENDPOINT":
            raise invalid("EndpointType VPC_ENDPOINT is no longer supported; use EndpointType VPC")
        if kind == "VPC":
            if asked.get("AddressAllocationIds"):
                raise invalid("Cannot specify AddressAllocationids when updating server to EndpointType: VPC")
            return _made(backend, asked)
        _refuse_details(asked)
        removed(backend, server)
        return None
    if kind == "PUBLIC":
        _refuse_details(asked)
        return None
    return _changed(backend, server, asked) if asked else server.shown["EndpointDetails"]


def removed(backend: Any, server: Server) -> None:
    """Take the endpoint of a server away, if it has one."""
    details = server.shown.get("EndpointDetails")
    if details:
        ec2 = _ec2(backend)
        _release(ec2, details["AddressAllocationIds"])
        ec2.delete_vpc_endpoints([details["VpcEndpointId"]])
        ec2.vpc_end_points.pop(details["VpcEndpointId"], None)


def _ec2(backend: Any) -> Any:
    return ec2_backends[backend.account_id][backend.region_name]


def _refuse_details(asked: Json) -> None:
    for name in _KEPT_OUT:
        if asked.get(name):
            raise invalid(f"{name} unsupported for EndpointType: PUBLIC")


def _made(backend: Any, asked: Json) -> Json:
    ec2, vpc_id, subnets = _ec2(backend), asked.get("VpcId"), asked.get("SubnetIds") or []
    if asked.get("VpcEndpointId"):
        raise invalid("VPC Endpoint ID unsupported for EndpointType: VPC")
    if not vpc_id:
        raise invalid("VpcId is required for EndpointType: VPC")
    if vpc_id not in ec2.vpcs:
        raise invalid(f"The vpc ID '{vpc_id}' does not exist")
    _check_subnets(ec2, vpc_id, subnets)
    groups = asked.get("SecurityGroupIds") or [ec2.get_default_security_group(vpc_id).id]
    for group_id in groups:
        group = ec2.get_security_group_from_id(group_id)
        if group is None or group.vpc_id != vpc_id:
            raise invalid(f"The security group '{group_id}' does not exist in VPC '{vpc_id}'")
    endpoint = ec2.create_vpc_endpoint(
        vpc_id=vpc_id,
        service_name=f"com.amazonaws.{backend.region_name}.transfer.server",
        endpoint_type="Interface",
        policy_document=None,
        route_table_ids=[],
        subnet_ids=list(subnets),
        security_group_ids=list(groups),
    )
    # AWS leaves SecurityGroupIds out: DescribeVpcEndpoints tells them.
    return {"AddressAllocationIds": [], "SubnetIds": list(subnets), "VpcEndpointId": endpoint.id, "VpcId": vpc_id}


def _check_subnets(ec2: Any, vpc_id: str, subnets: list[str]) -> None:
    zones = []
    for subnet_id in subnets:
        try:
            subnet = ec2.get_subnet(subnet_id)
        except (EC2ClientError, ServiceException):
            raise invalid(f"The subnet ID '{subnet_id}' does not exist") from None
        if subnet.vpc_id != vpc_id:
            raise invalid(f"The subnet ID '{subnet_id}' does not exist in VPC '{vpc_id}'")
        zones.append(subnet.availability_zone)
    if len(set(zones)) != len(zones):
        raise invalid("SubnetIds must be in different Availability Zones")


def _changed(backend: Any, server: Server, asked: Json) -> Json:
    ec2, now = _ec2(backend), server.shown["EndpointDetails"]
    if asked.get("SecurityGroupIds"):
        raise invalid("Changing Security Group is not supported")
    if asked.get("VpcId", now["VpcId"]) != now["VpcId"]:
        raise invalid("Changing VpcId is not supported")
    if asked.get("VpcEndpointId", now["VpcEndpointId"]) != now["VpcEndpointId"]:
        raise invalid("VPC Endpoint ID unsupported for EndpointType: VPC")
    subnets = asked.get("SubnetIds", now["SubnetIds"])
    addresses = asked.get("AddressAllocationIds", now["AddressAllocationIds"])
    changes_subnets = set(subnets) != set(now["SubnetIds"])
    changes_addresses = addresses != now["AddressAllocationIds"]
    if changes_addresses and server.state != "OFFLINE":
        raise invalid(_OFFLINE + "AddressAllocationIds")
    if changes_subnets:
        if now["AddressAllocationIds"]:
            raise invalid("AddressAllocationIds must be removed before SubnetIds can be modified")
        if addresses:
            raise invalid("Specified SubnetIds must exist in the server before attaching AddressAllocationIds")
        _check_subnets(ec2, now["VpcId"], subnets)
        _move(ec2, ec2.vpc_end_points[now["VpcEndpointId"]], subnets)
    else:
        subnets = now["SubnetIds"]  # in the order in which the addresses were given
    if changes_addresses:
        _check_addresses(ec2, server, subnets, addresses)
        _release(ec2, now["AddressAllocationIds"])
        interfaces = ec2.vpc_end_points[now["VpcEndpointId"]].network_interface_ids
        for address, interface in zip(addresses, interfaces, strict=False):
            ec2.associate_address(eni=ec2.enis[interface], allocation_id=address)
    return {**now, "SubnetIds": list(subnets), "AddressAllocationIds": list(addresses)}


def _check_addresses(ec2: Any, server: Server, subnets: list[str], addresses: list[str]) -> None:
    if server.shown["IpAddressType"] == "DUALSTACK" and addresses:
        raise invalid("AddressAllocationIds unsupported for IpAddressType: DUALSTACK")
    if len(set(addresses)) != len(addresses):
        raise invalid("AddressAllocationIds must not contain duplicates")
    if addresses and len(addresses) != len(subnets):
        raise invalid("The number of AddressAllocationIds must be equal to the number of SubnetIds")
    mine = server.shown["EndpointDetails"]["AddressAllocationIds"]
    for address in addresses:
        found = [each for each in ec2.addresses if each.allocation_id == address]
        if not found:
            raise invalid(f"The allocation ID '{address}' does not exist")
        if found[0].association_id and address not in mine:
            raise invalid(f"The allocation ID '{address}' is already associated")


def _release(ec2: Any, addresses: list[str]) -> None:
    for each in ec2.addresses:
        if each.allocation_id in addresses and each.association_id:
            ec2.disassociate_address(association_id=each.association_id)


def _move(ec2: Any, endpoint: Any, subnets: list[str]) -> None:
    """Give the endpoint a network interface in each of the subnets and in no other."""
    kept = []
    for interface in endpoint.network_interface_ids:
        if interface in ec2.enis and ec2.enis[interface].subnet.id in subnets:
            kept.append(interface)
        elif interface in ec2.enis:
            ec2.enis[interface].delete()
    covered = {ec2.enis[interface].subnet.id for interface in kept}
    kept += [ec2.create_network_interface(each, None).id for each in subnets if each not in covered]
    endpoint.network_interface_ids, endpoint.subnet_ids = kept, list(subnets)

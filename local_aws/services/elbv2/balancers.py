"""Load balancers: names, attributes and security groups by their kind, and deletion protection."""

from __future__ import annotations

import secrets
from typing import Any

from moto.elbv2.exceptions import ELBClientError, InvalidConfigurationRequest, ValidationError
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer
from moto.elbv2.responses import ELBV2Response

from local_aws import actions
from local_aws.services.elbv2 import access_logs, listeners

Json = dict[str, Any]

# Where the alias records point to: application, network. https://docs.aws.amazon.com/general/latest/gr/elb.html
_HOSTED_ZONES = {
    "eu-central-1": ("Z215JYRZR1TBD5", "Z3F0SRJ5LGBH90"),
    "eu-north-1": ("Z23TAZ6LKFMNIO", "Z1UDT6IFJ4EJM"),
    "eu-west-1": ("Z32O12XQLNTSW2", "Z2IFOLAFXWLO4F"),
    "eu-west-2": ("ZHURV8PSTC4K8", "ZD4D7Y8KGAS4G"),
    "eu-west-3": ("Z3Q77PNBQS71R4", "Z1CMS0P5QUZ6D5"),
    "us-east-1": ("Z35SXDOTRQ7X7K", "Z26RNL4JYFTOTI"),
    "us-east-2": ("Z3AADJGX6KTTL2", "ZLMOA37VPKANP"),
    "us-west-1": ("Z368ELLRRE2KJ0", "Z24FKFUX50B4VW"),
    "us-west-2": ("Z1H1FL5HABSF5", "Z18D5FSROUN65G"),
}
_NETWORK_ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "dns_record.client_routing_policy": "any_availability_zone",
    "ipv6.deny_all_igw_traffic": "false",
    "load_balancing.cross_zone.enabled": "false",
    "secondary_ips.auto_assigned.per_subnet": "0",
    "zonal_shift.config.enabled": "false",
}
_NETWORK_ONLY = {"dns_record.client_routing_policy", "secondary_ips.auto_assigned.per_subnet"}
_ROUTING_POLICIES = ("any_availability_zone", "availability_zone_affinity", "partial_availability_zone_affinity")
_ENFORCE = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"


def install() -> None:
    """Put it into moto's load balancers."""
    create, modify = ELBv2Backend.create_load_balancer, ELBv2Backend.modify_load_balancer_attributes
    delete = ELBv2Backend.delete_load_balancer

    def create_load_balancer(self: Any, name: str, *arguments: Any, **asked: Any) -> Any:
        if any(present.name == name for present in self.load_balancers.values()):
            raise ELBClientError(
                "DuplicateLoadBalancerName",
                f"A load balancer with the same name '{name}' exists, but with different settings",
            )
        _check_groups(self, asked.get("security_groups") or [])
        balancer = create(self, name, *arguments, **asked)
        balancer.scheme = balancer.scheme or "internet-facing"  # AWS's default, which moto does not tell
        zones = {subnet.availability_zone for subnet in balancer.subnets}
        if balancer.type == "application" and len(zones) < 2:
            del self.load_balancers[balancer.arn]
            raise ValidationError("At least two subnets in two different Availability Zones must be specified")
        _name(self, balancer)
        if balancer.type == "network":
            balancer.attrs = dict(_NETWORK_ATTRIBUTES)
            if balancer.security_groups:
                balancer.enforce_security_group_inbound_rules_on_private_link_traffic = "on"
        return balancer

    def modify_load_balancer_attributes(self: Any, arn: str, attrs: dict[str, Any]) -> Any:
        if (balancer := self.load_balancers.get(arn)) is not None:
            _check_attributes(balancer, attrs)
            if str(attrs.get("access_logs.s3.enabled")).lower() == "true":
                bucket, prefix = attrs.get("access_logs.s3.bucket"), attrs.get("access_logs.s3.prefix")
                access_logs.check(self, balancer.type, bucket or "", prefix or "")
        return modify(self, arn, attrs)

    def delete_load_balancer(self: Any, arn: str) -> None:
        balancer = self.load_balancers.get(arn)
        if balancer is not None and str(balancer.attrs.get("deletion_protection.enabled")).lower() == "true":
            raise ELBClientError(
                "OperationNotPermitted",
                f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
            )
        delete(self, arn)
        listeners.associate(self)

    ELBv2Backend.create_load_balancer = create_load_balancer
    ELBv2Backend.modify_load_balancer_attributes = modify_load_balancer_attributes
    ELBv2Backend.delete_load_balancer = delete_load_balancer
    actions.add(ELBV2Response, "elbv2_backend", {"SetSecurityGroups": set_security_groups})


def set_security_groups(backend: Any, request: Json) -> Json:
    groups = request.get("SecurityGroups") or []
    balancer = backend.load_balancers.get(request["LoadBalancerArn"])
    if balancer is not None and balancer.type == "network":
        if groups and not balancer.security_groups:
            raise InvalidConfigurationRequest(
                "You cannot set security groups on a Network Load Balancer that was created without security groups."
            )
        if balancer.security_groups and not groups:
            raise InvalidConfigurationRequest(
                "A Network Load Balancer that has security groups must keep at least one security group."
            )
    backend.set_security_groups(request["LoadBalancerArn"], groups)
    answer: Json = {"SecurityGroupIds": groups}
    if balancer.type == "network" and groups:
        if request.get(_ENFORCE):
            balancer.enforce_security_group_inbound_rules_on_private_link_traffic = request[_ENFORCE]
        answer[_ENFORCE] = balancer.enforce_security_group_inbound_rules_on_private_link_traffic
    return answer


def _name(backend: Any, balancer: Any) -> None:
    """Give it the ARN, the address and the hosted zone of its kind."""
    network = balancer.type == "network"
    zones = _HOSTED_ZONES.get(backend.region_name)
    if zones:
        balancer.canonical_hosted_zone_id = zones[network]
    if network:
        old, balancer.arn = balancer.arn, balancer.arn.replace(":loadbalancer/app/", ":loadbalancer/net/")
        backend.load_balancers[balancer.arn] = backend.load_balancers.pop(old)
        tags = backend.tagging_service.list_tags_for_resource(old)["Tags"]
        backend.tagging_service.delete_all_tags_for_resource(old)
        backend.tagging_service.tag_resource(balancer.arn, tags)
        balancer.dns_name = f"{balancer.name}-{balancer.arn.rpartition('/')[2]}.elb.{backend.region_name}.amazonaws.com"
        return
    internal = "internal-" if balancer.scheme == "internal" else ""
    number = 10**9 + secrets.randbelow(10**9)
    balancer.dns_name = f"{internal}{balancer.name}-{number}.{backend.region_name}.elb.amazonaws.com"


def _check_groups(backend: Any, groups: list[str]) -> None:
    for group in groups:
        if backend.ec2_backend.get_security_group_from_id(group) is None:
            raise ELBClientError("InvalidSecurityGroup", f"Security group '{group}' does not exist")


def _check_attributes(balancer: Any, attrs: dict[str, Any]) -> None:
    if balancer.type == "network":
        foreign = (set(attrs) & FakeLoadBalancer.VALID_ATTRS) - set(_NETWORK_ATTRIBUTES)
    else:
        foreign = set(attrs) & _NETWORK_ONLY
    if foreign:
        raise InvalidConfigurationRequest(
            f"Load balancer attribute key '{min(foreign)}' is not supported on load balancers with type "
            f"'{balancer.type}'"
        )
    policy = attrs.get("dns_record.client_routing_policy")
    if policy is not None and policy not in _ROUTING_POLICIES:
        raise ValidationError(
            f"Load balancer attribute value '{policy}' is not valid for key 'dns_record.client_routing_policy'"
        )

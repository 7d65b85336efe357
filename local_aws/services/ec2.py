"""EC2: security group rules that name another group or a prefix list, NAT gateways that go whole, launch templates.

moto 5.2.5 returns a rule's description only where its peer is a range of addresses, so that any other is a difference
at every plan; and ModifySecurityGroupRules changes the peer of a range of IPv4 addresses only, never takes a
description away, and refuses protocol -1 without ports, which AWS wants without. A NAT gateway that is deleted leaves
its network interface behind, and so does an instance that is terminated. A launch template's own tags are returned
among those that it gives to instances, a difference at every plan, and changes to them are not; no instance can be
launched from a second version that has user data (an assertion in moto fails). An interface gets any address of its
subnet, whoever has that already. MonitorInstances and
UnmonitorInstances, which Terraform calls for an instance with monitoring, are missing, and so are the actions that tell
and set the key that disks are encrypted with by default: the alias of AWS's own until somebody sets another (EC2 API
reference, GetEbsDefaultKmsKeyId). A volume that a running instance uses is detached at once; AWS leaves it `busy`, a
state of botocore's VolumeAttachmentState, until the instance lets go of it or stops (EC2 User Guide, "Detach an Amazon
EBS volume"). `uses_its_disks` says which instances do.
"""

from __future__ import annotations

import functools
from typing import Any

from moto.ec2.models import vpcs
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
from moto.ec2.models.instances import Instance
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.security_groups import SecurityGroupBackend, SecurityGroupRule
from moto.ec2.responses.monitoring import Monitoring
from moto.ec2.responses.settings import Settings
from moto.ec2.utils import parse_user_data
from moto.kms.models import kms_backends

from local_aws import actions

Json = dict[str, Any]
AWS_DISK_KEY = "alias/aws/ebs"


def install() -> None:
    """Put all of it into moto's EC2."""
    _rules_with_any_peer()
    _launch_templates()
    monitoring: dict[str, actions.Action] = {
        "MonitorInstances": functools.partial(_monitor, "enabled"),
        "UnmonitorInstances": functools.partial(_monitor, "disabled"),
    }
    actions.add(Monitoring, "ec2_backend", monitoring)
    disk_keys: dict[str, actions.Action] = {
        "GetEbsDefaultKmsKeyId": _default_disk_key,
        "ModifyEbsDefaultKmsKeyId": _set_default_disk_key,
    }
    actions.add(Settings, "ec2_backend", disk_keys)
    terminate = Instance.terminate

    def terminate_instance(self: Any, *arguments: Any, **named: Any) -> Any:
        previous = terminate(self, *arguments, **named)
        for index, interface in list(self.nics.items()):
            if (index == 0 or interface.delete_on_termination) and interface.id in self.ec2_backend.enis:
                interface.delete()
        return previous

    Instance.terminate = terminate_instance
    delete = NatGatewayBackend.delete_nat_gateway

    def delete_nat_gateway(self: Any, nat_gateway_id: str) -> Any:
        gateway = delete(self, nat_gateway_id)
        if gateway._eni.id in self.enis:
            gateway._eni.delete()
        return gateway

    NatGatewayBackend.delete_nat_gateway = delete_nat_gateway
    _busy_volumes()
    _free_addresses()


def _free_addresses() -> None:
    vpcs.random_private_ip = lambda: ""  # of an endpoint's interface: from anywhere in 10.0.0.0/8
    create = NetworkInterfaceBackend.create_network_interface

    def create_network_interface(
        self: Any, subnet: Any, private_ip_address: Any, private_ip_addresses: Any = None, *arguments: Any, **named: Any
    ) -> Any:
        if not private_ip_address and not private_ip_addresses:
            found = self.get_subnet(subnet) if isinstance(subnet, str) else subnet
            private_ip_address = found.get_available_subnet_ip(None)
        return create(self, subnet, private_ip_address, private_ip_addresses, *arguments, **named)

    NetworkInterfaceBackend.create_network_interface = create_network_interface


def uses_its_disks(instance: Any) -> None:
    """Keep what is attached to the instance at the moment busy whenever it runs."""
    instance._disks_in_use = {mapping.volume_id for mapping in instance.block_device_mapping.values()}


def _busy_volumes() -> None:
    detach, stop = EBSBackend.detach_volume, Instance.stop

    def detach_volume(self: Any, volume_id: str, instance_id: str, device_path: str) -> Any:
        attachment = self.get_volume(volume_id).attachment
        if attachment:  # the other two may be left out
            instance_id, device_path = instance_id or attachment.instance.id, device_path or attachment.device
        instance = self.get_instance(instance_id)
        if attachment and instance.state == "running" and volume_id in getattr(instance, "_disks_in_use", ()):
            attachment.status = "busy"
            return attachment
        return detach(self, volume_id, instance_id, device_path)

    def stop_instance(self: Any, *arguments: Any, **named: Any) -> Any:
        for device, mapping in list(self.block_device_mapping.items()):
            volume = self.ec2_backend.volumes.get(mapping.volume_id)
            if volume is not None and volume.attachment and volume.attachment.status == "busy":
                detach(self.ec2_backend, volume.id, self.id, device)
        return stop(self, *arguments, **named)

    EBSBackend.detach_volume = detach_volume
    Instance.stop = stop_instance


def _monitor(state: str, backend: Any, asked: Json) -> Json:
    rows = []
    for id_ in asked["InstanceIds"]:
        backend.get_instance(id_).monitoring_state = state
        rows.append({"InstanceId": id_, "Monitoring": {"State": state}})
    return {"InstanceMonitorings": rows}


def _default_disk_key(backend: Any, asked: Json) -> Json:
    """moto keeps the ARN of a key that it makes for the alias, and calls it a customer's."""
    kms, found = kms_backends[backend.account_id][backend.region_name], backend.default_kms_key_id
    of_aws = kms.describe_key(AWS_DISK_KEY).arn if kms.alias_exists(AWS_DISK_KEY) else ""
    return {"KmsKeyId": AWS_DISK_KEY if found in ("", of_aws) else found}


def _set_default_disk_key(backend: Any, asked: Json) -> Json:
    backend.modify_ebs_default_kms_key_id(asked["KmsKeyId"])
    return _default_disk_key(backend, asked)


def _launch_templates() -> None:
    create, version = LaunchTemplateBackend.create_launch_template, LaunchTemplate.create_version

    def create_launch_template(self: Any, name: str, description: str, template_data: Any, tag_spec: Any) -> Any:
        if template_data.get("TagSpecifications"):
            others = [each for each in template_data["TagSpecifications"] if each["ResourceType"] != "launch-template"]
            template_data = {**template_data, "TagSpecifications": others}
            if not others:
                del template_data["TagSpecifications"]
        return create(self, name, description, template_data, tag_spec)

    def create_version(self: Any, data: Any, description: str) -> Any:
        if isinstance(data.get("UserData"), str):
            data = {**data, "UserData": parse_user_data(data["UserData"])}
        return version(self, data, description)

    def tags(self: Any) -> Any:
        return self.get_tags()

    def ignore(self: Any, value: Any) -> None:
        """Those of the creation, which moto keeps."""

    LaunchTemplateBackend.create_launch_template = create_launch_template
    LaunchTemplate.create_version = create_version
    LaunchTemplate.tags = property(tags, ignore)


def _rules_with_any_peer() -> None:
    """Keep and change a rule's description and peer, whatever the peer is."""
    initialise, modify = SecurityGroupRule.__init__, SecurityGroupBackend.modify_security_group_rules

    def __init__(  # noqa: N807
        self: Any,
        ec2_backend: Any,
        ip_protocol: str,
        group_id: str,
        from_port: Any,
        to_port: Any,
        ip_range: Any,
        source_group: Any = None,
        prefix_list_id: Any = None,
        *more: Any,
        **named: Any,
    ) -> None:
        initialise(
            self,
            ec2_backend,
            ip_protocol,
            group_id,
            from_port,
            to_port,
            ip_range,
            source_group,
            prefix_list_id,
            *more,
            **named,
        )
        self._prefix_list = dict(prefix_list_id or {})

    def peers(rule: Any) -> list[dict[str, Any]]:
        return [rule.ip_range, rule.source_group, rule._prefix_list]

    def description(self: Any) -> str | None:
        return next((str(peer["Description"]) for peer in peers(self) if peer.get("Description")), None)

    def modify_security_group_rules(self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
        every = {"FromPort": -1, "ToPort": -1}
        asked = {name: {**(every if rule.get("IpProtocol") == "-1" else {}), **rule} for name, rule in rules.items()}
        modify(self, group_id, asked)
        group = self.get_security_group_by_name_or_id(group_id)
        for name, rule in rules.items():
            changed = group.get_rule(name)
            for peer in peers(changed):
                peer.pop("Description", None)
            if text := rule.get("Description"):
                next(peer for peer in peers(changed) if peer)["Description"] = text
            if changed.ip_protocol == "-1":
                changed.from_port = changed.to_port = None
            if peer_group := rule.get("ReferencedGroupId"):
                changed.source_group["GroupId"] = peer_group
            if prefix_list := rule.get("PrefixListId"):
                changed.prefix_list_id = prefix_list
            if addresses := rule.get("CidrIpv6"):
                changed.ip_range["CidrIpv6"] = addresses

    SecurityGroupRule.__init__ = __init__
    SecurityGroupRule.description = property(description)
    SecurityGroupBackend.modify_security_group_rules = modify_security_group_rules

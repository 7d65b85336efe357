"""What security groups let through, and functions and hosts that do not get through."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws import named_hosts, packets
from local_aws.packets import ELSEWHERE, Side
from local_aws.testing.ecs import Client, Network, until
from local_aws.testing.functions import invoke, make
from local_aws.testing.gateway import start_instance
from local_aws.testing.groups import Groups, file_system

LISTS = """
import os
def handler(event, context):
    return os.listdir(os.environ["FOLDER"])
"""


@dataclass
class _Rule:
    ip_protocol: str
    from_port: int | None
    to_port: int | None
    ip_range: dict[str, str]
    source_group: dict[str, str]


@dataclass
class _Group:
    egress_rules: list[_Rule]
    ingress_rules: list[_Rule]


class _Ec2:
    def __init__(self, **groups: _Group) -> None:
        self._groups = groups

    def get_security_group_from_id(self, id_: str) -> _Group | None:
        return self._groups.get(id_)


def _rule(protocol: str, ports: tuple[int, int] | None = None, *, cidr: str = "", group: str = "") -> _Rule:
    first, last = ports or (None, None)
    return _Rule(protocol, first, last, {"CidrIp": cidr} if cidr else {}, {"GroupId": group} if group else {})


@pytest.mark.parametrize(
    ("out", "into", "said"),
    [
        ([_rule("tcp", (2049, 2049), group="b")], [_rule("tcp", (2049, 2049), group="a")], None),
        ([_rule("-1", cidr="0.0.0.0/0")], [_rule("tcp", (2000, 2100), cidr="10.0.1.0/24")], None),
        ([], [_rule("-1", cidr="0.0.0.0/0")], "no outbound rule of a"),
        ([_rule("-1", cidr="0.0.0.0/0")], [], "no inbound rule of b"),
        ([_rule("udp", (2049, 2049), group="b")], [_rule("-1", group="a")], "no outbound rule"),
        ([_rule("tcp", (2050, 2050), group="b")], [_rule("-1", group="a")], "no outbound rule"),
        ([_rule("tcp", (2049, 2049), group="c")], [_rule("-1", group="a")], "no outbound rule"),
        ([_rule("-1", group="b")], [_rule("tcp", (2049, 2049), cidr="10.0.2.0/24")], "no inbound rule"),
    ],
)
def test_a_connection_takes_a_rule_out_and_a_rule_in(out: Any, into: Any, said: str | None) -> None:
    ec2 = _Ec2(a=_Group(out, []), b=_Group([], into))
    source = Side(name="source", groups=("a",), address="10.0.1.5")
    why = packets.blocked(ec2, source, Side(name="target", groups=("b",), address="10.0.3.7"), 2049)
    assert (said is None and why is None) or (said and why and said in why)


def test_what_is_outside_of_the_vpc_takes_a_range_that_holds_it() -> None:
    source = Side(name="source", groups=("a",), address="10.0.1.5")
    inside = _Ec2(a=_Group([_rule("tcp", (443, 443), cidr="10.0.0.0/8")], []))
    assert packets.blocked(inside, source, ELSEWHERE, 443)
    anywhere = _Ec2(a=_Group([_rule("tcp", (443, 443), cidr="0.0.0.0/0")], []))
    assert packets.blocked(anywhere, source, ELSEWHERE, 443) is None


def test_an_address_is_of_the_vpc_that_it_is_asked_in() -> None:
    def eni(vpc: str, group: str) -> Any:
        has = SimpleNamespace(id=group)
        return SimpleNamespace(private_ip_address="10.9.0.7", subnet=SimpleNamespace(vpc_id=vpc), group_set=[has])

    ec2 = SimpleNamespace(enis={"a": eni("vpc-a", "sg-a"), "b": eni("vpc-b", "sg-b")})
    sides = [packets.at(ec2, "10.9.0.7", vpc) for vpc in ("vpc-a", "vpc-b", "vpc-c")]
    assert [side and side.groups for side in sides] == [("sg-a",), ("sg-b",), None]


def test_a_private_name_is_of_its_vpc(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Side(name="server", groups=("b",), vpc="vpc-b")
    host = named_hosts.Host(name="server.lab", sides=(closed,), ports=(4064,), vpc="vpc-b")
    monkeypatch.setattr(named_hosts, "known", lambda *_: [host])
    ec2 = _Ec2(a=_Group([_rule("-1", cidr="0.0.0.0/0")], []), b=_Group([], []))
    monkeypatch.setattr(packets, "ec2_of", lambda *_: ec2)

    def why(vpc: str) -> str | None:
        source = Side(name="web", groups=("a",), address="10.0.1.5", vpc=vpc)
        return named_hosts.unreachable("1", "eu-west-1", source, ["server.lab:4064"])

    assert why("vpc-a") is None
    assert "server.lab cannot be reached" in str(why("vpc-b"))
    assert "server.lab cannot be reached" in str(why(""))


def test_every_interface_has_an_address_of_its_own(client: Client) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.0.0/27")["Subnet"]["SubnetId"]
    made = [ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["PrivateIpAddress"] for _ in range(20)]
    assert len(set(made)) == 20
    # AWS has the first four and the last one of a subnet (VPC User Guide, "Subnet CIDR blocks").
    taken = {f"10.7.0.{number}" for number in (0, 1, 2, 3, 31)}
    assert not taken.intersection(made)
    name = "com.amazonaws.eu-west-1.ssm"
    asked = {"VpcId": vpc, "ServiceName": name, "VpcEndpointType": "Interface", "SubnetIds": [subnet]}
    (interface,) = ec2.create_vpc_endpoint(**asked)["VpcEndpoint"]["NetworkInterfaceIds"]
    (found,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
    assert found["PrivateIpAddress"].startswith("10.7.0.")
    assert found["PrivateIpAddress"] not in made


def test_a_function_mounts_through_its_own_groups(client: Client, network: Network, groups: Groups) -> None:
    own, files = groups.make(), groups.make()
    system = file_system(client, network, files)
    point = client("efs").create_access_point(ClientToken=uuid4().hex, FileSystemId=system)["AccessPointArn"]
    name = make(
        client,
        LISTS,
        "lists",
        VpcConfig={"SubnetIds": network.subnets, "SecurityGroupIds": [own]},
        FileSystemConfigs=[{"Arn": point, "LocalMountPath": "/mnt/x"}],
        Environment={"Variables": {"FOLDER": "/mnt/x"}},
    )
    with pytest.raises(ClientError) as raised:
        invoke(client, name, {})
    assert raised.value.response["Error"]["Code"] == "EFSMountConnectivityException"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 408
    groups.connect(own, files, 2049)
    answer, failed = invoke(client, name, {})
    assert failed
    assert answer["errorType"] == "EFSMountFailureException", "it gets there, and its role has no right to mount"


def test_a_function_reaches_machines_and_aws_as_far_as_groups_let_it(
    client: Client, network: Network, groups: Groups
) -> None:
    code = """
import boto3, urllib.request
def handler(event, context):
    if event.get("url"):
        return len(urllib.request.urlopen(event["url"], timeout=5).read())
    return len(boto3.client("sts").get_caller_identity()["Account"])
"""
    own = groups.make()
    machine = start_instance(client, network)
    name = make(client, code, "code", VpcConfig={"SubnetIds": network.subnets, "SecurityGroupIds": [own]}, Timeout=20)
    url = {"url": f"http://{machine['PrivateIpAddress']}/?activationRegion=eu-west-1&no_redirect"}
    assert "504" in invoke(client, name, url)[0]["errorMessage"]
    groups.let_out(own, 80, "10.9.0.0/16")
    assert invoke(client, name, url) == (29, False)


def test_a_host_whose_user_data_names_what_it_cannot_reach_is_replaced(
    client: Client, network: Network, groups: Groups
) -> None:
    own, files = groups.make(), groups.make()
    groups.let_out(own, 443, "0.0.0.0/0")
    system = file_system(client, network, files)
    name = f"host-{uuid4().hex[:8]}"
    client("ec2").create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData={
            "ImageId": client("ec2").describe_images()["Images"][0]["ImageId"],
            "InstanceType": "m6i.large",
            "UserData": base64.b64encode(f"#!/bin/bash\nmount -t efs {system} /OMERO\n".encode()).decode(),
            "SecurityGroupIds": [own],
        },
    )
    scaling = client("autoscaling")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
        MinSize=0,
        MaxSize=1,
        VPCZoneIdentifier=network.subnets[0],
    )
    scaling.put_lifecycle_hook(
        AutoScalingGroupName=name,
        LifecycleHookName="set-up",
        LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
        HeartbeatTimeout=300,
        DefaultResult="ABANDON",
    )
    scaling.update_auto_scaling_group(AutoScalingGroupName=name, DesiredCapacity=1)

    def activities() -> list[str]:
        found = scaling.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
        return [each["StatusCode"] for each in found]

    until(lambda: "Cancelled" in activities())
    groups.connect(own, files, 2049)

    def in_service() -> bool:
        (group,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return any(each["LifecycleState"] == "InService" for each in group["Instances"])

    until(in_service)
    scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)

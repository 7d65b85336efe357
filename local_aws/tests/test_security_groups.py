"""Security groups that are still in use are not deleted."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.ecs import Client, Network, default_group


def _group(client: Client, network: Network) -> str:
    made = client("ec2").create_security_group(GroupName=f"g-{uuid4().hex[:8]}", Description="test", VpcId=network.vpc)
    return str(made["GroupId"])


def _refused(ec2: Any, group: str) -> None:
    with pytest.raises(ClientError) as raised:
        ec2.delete_security_group(GroupId=group)
    assert raised.value.response["Error"]["Code"] == "DependencyViolation"
    assert raised.value.response["Error"]["Message"] == f"resource {group} has a dependent object"


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_a_group_that_a_rule_names_stays(client: Client, network: Network, direction: str) -> None:
    ec2, peer, group = client("ec2"), _group(client, network), _group(client, network)
    rule = {"IpProtocol": "tcp", "FromPort": 4064, "ToPort": 4064, "UserIdGroupPairs": [{"GroupId": peer}]}
    made = getattr(ec2, f"authorize_security_group_{direction}")(GroupId=group, IpPermissions=[rule])
    _refused(ec2, peer)
    rules = [each["SecurityGroupRuleId"] for each in made["SecurityGroupRules"]]
    getattr(ec2, f"revoke_security_group_{direction}")(GroupId=group, SecurityGroupRuleIds=rules)
    ec2.delete_security_group(GroupId=peer)


def test_a_group_that_names_itself_goes(client: Client, network: Network) -> None:
    ec2, group = client("ec2"), _group(client, network)
    rule = {"IpProtocol": "tcp", "FromPort": 4064, "ToPort": 4064, "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    ec2.delete_security_group(GroupId=group)


def test_a_group_of_an_interface_stays(client: Client, network: Network) -> None:
    ec2, group = client("ec2"), _group(client, network)
    made = ec2.create_network_interface(SubnetId=network.subnets[0], Groups=[group])["NetworkInterface"]
    _refused(ec2, group)
    ec2.delete_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"])
    ec2.delete_security_group(GroupId=group)


def test_a_group_of_a_balancer_stays(client: Client, network: Network) -> None:
    ec2, elb, group = client("ec2"), client("elbv2"), _group(client, network)
    made = elb.create_load_balancer(Name=f"b-{uuid4().hex[:8]}", Subnets=network.subnets, SecurityGroups=[group])
    _refused(ec2, group)
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancers"][0]["LoadBalancerArn"])
    ec2.delete_security_group(GroupId=group)


def test_members_of_a_default_group_reach_each_other(client: Client, network: Network) -> None:
    group = default_group(client, network.vpc)
    (own,) = client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    assert own["IpProtocol"] == "-1"
    assert [pair["GroupId"] for pair in own["UserIdGroupPairs"]] == [group]

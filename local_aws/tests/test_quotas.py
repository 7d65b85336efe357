"""Quotas: what is refused beyond them, and that Service Quotas tells the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local_aws import quotas
from local_aws.install import install
from local_aws.server import LocalAws
from local_aws.testing.ecs import until
from local_aws.testing.fixtures import QUICK
from local_aws.testing.rights import make_role

install()
NO_VCPUS = "You\u2019ve reached the limit on the number of vCPUs you can run concurrently"


def _client(service: str, endpoint: str | None = None, region: str = "eu-west-1") -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


@pytest.fixture(scope="module")
def regions() -> Iterator[Iterator[str]]:
    """Regions without anything in them: quicker than an empty AWS for each test."""
    with mock_aws():
        names = ("eu-west", "us-west", "us-east", "ap-south", "ap-southeast")
        yield iter(f"{name}-{number}" for number in (1, 2) for name in names)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, regions: Iterator[str]) -> Any:
    region = next(regions)
    for name, value in quotas.read("").items():
        monkeypatch.setitem(quotas.VALUES, name, value)
    return lambda service: _client(service, region=region)


def _refused(call: Any, **asked: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**asked)
    return raised.value.response["Error"]["Code"], raised.value.response["Error"]["Message"]


def test_service_quotas_tells_what_counts(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(quotas.VALUES, "vpc", 3)
    told = client("service-quotas")
    for name, quota in quotas.QUOTAS.items():
        answer = told.get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)["Quota"]
        assert (answer["Value"], answer["QuotaName"]) == (quotas.VALUES[name], quota.name)
    assert told.get_service_quota(ServiceCode="vpc", QuotaCode="L-7E9ECCDB")["Quota"]["Value"] == 50  # moto's


@pytest.mark.parametrize("given", ["vpc", "vpc=x", "vpc=-1", "vpcs=5", "vpc=5 eip=5"])
def test_refuses_a_setting(given: str) -> None:
    with pytest.raises(ValueError, match="LOCAL_AWS_QUOTAS is"):
        quotas.read(given)


def test_network_of_one_region(client: Any) -> None:
    ec2 = client("ec2")
    vpcs = [ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(4)]  # and the default one
    said = "The maximum number of VPCs has been reached."
    assert _refused(ec2.create_vpc, CidrBlock="10.0.0.0/16") == ("VpcLimitExceeded", said)
    addresses = [ec2.allocate_address(Domain="vpc")["AllocationId"] for _ in range(5)]
    said = "The maximum number of addresses has been reached."
    assert _refused(ec2.allocate_address, Domain="vpc") == ("AddressLimitExceeded", said)
    subnets = [
        ec2.create_subnet(
            VpcId=vpcs[0], CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=f"{ec2.meta.region_name}{zone}"
        )["Subnet"]["SubnetId"]
        for index, zone in enumerate("ab")
    ]
    asked = {"SubnetId": subnets[0], "ConnectivityType": "private"}
    made = [ec2.create_nat_gateway(**asked)["NatGateway"]["NatGatewayId"] for _ in range(5)]
    said = "Performing this operation would exceed the limit of 5 NAT gateways"
    assert _refused(ec2.create_nat_gateway, **asked) == ("NatGatewayLimitExceeded", said)
    ec2.create_nat_gateway(SubnetId=subnets[1], AllocationId=addresses[0])  # in another zone
    ec2.delete_nat_gateway(NatGatewayId=made[0])
    ec2.create_nat_gateway(**asked)
    ec2.release_address(AllocationId=addresses[1])
    ec2.allocate_address(Domain="vpc")


def test_vcpus_of_instances(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(quotas.VALUES, "ec2_vcpu", 6)
    ec2 = client("ec2")
    asked = {"ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1, "InstanceType": "m5.xlarge"}
    first = ec2.run_instances(**asked)["Instances"][0]["InstanceId"]
    code, said = _refused(ec2.run_instances, **asked)
    assert code == "VcpuLimitExceeded"
    assert said.startswith(
        "You have requested more vCPU capacity than your current vCPU limit of 6 allows for the inst"
    )
    ec2.run_instances(**{**asked, "InstanceType": "g4dn.xlarge"})  # another bucket
    ec2.run_instances(**{**asked, "InstanceType": "t3.micro"})
    ec2.stop_instances(InstanceIds=[first])
    second = ec2.run_instances(**asked)["Instances"][0]["InstanceId"]
    assert _refused(ec2.start_instances, InstanceIds=[first])[0] == "VcpuLimitExceeded"
    ec2.terminate_instances(InstanceIds=[second])
    ec2.start_instances(InstanceIds=[first])


def test_a_launch_of_a_group_fails(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(quotas.VALUES, "ec2_vcpu", 2)
    ec2, groups = client("ec2"), client("autoscaling")
    template = ec2.create_launch_template(
        LaunchTemplateName="big", LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "m5.xlarge"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    groups.create_auto_scaling_group(
        AutoScalingGroupName="big",
        MinSize=1,
        MaxSize=1,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
        AvailabilityZones=[f"{ec2.meta.region_name}a"],
    )
    assert groups.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"] == []
    (activity,) = groups.describe_scaling_activities(AutoScalingGroupName="big")["Activities"]
    assert activity["StatusCode"] == "Failed"
    assert "vCPU limit of 2 allows" in activity["StatusMessage"]


def test_databases_and_file_systems(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(quotas.VALUES, "db_instance", 0)
    monkeypatch.setitem(quotas.VALUES, "file_system", 1)
    asked = {"DBInstanceIdentifier": "a", "DBInstanceClass": "db.t3.medium", "Engine": "postgres"}
    assert _refused(client("rds").create_db_instance, **asked)[0] == "InstanceQuotaExceeded"
    efs = client("efs")
    efs.create_file_system(CreationToken="a")
    assert _refused(efs.create_file_system, CreationToken="b")[0] == "FileSystemLimitExceeded"


def _rules(count: int, kind: str = "IpRanges", key: str = "CidrIp") -> list[dict[str, Any]]:
    ranges = [
        {key: f"10.0.{number}.0/24" if key == "CidrIp" else f"2001:db8:{number:x}::/48"} for number in range(count)
    ]
    return [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, kind: ranges}]


@pytest.mark.parametrize("way", ["ingress", "egress"])
def test_rules_of_a_security_group(client: Any, way: str) -> None:
    ec2 = client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    add = getattr(ec2, f"authorize_security_group_{way}")
    start = len(_permissions(ec2, group, way))  # outbound: all to everywhere
    full = ("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
    two = [*_rules(30), *[{**each, "FromPort": 80, "ToPort": 80} for each in _rules(31)]]
    assert _refused(add, GroupId=group, IpPermissions=two) == full
    assert len(_permissions(ec2, group, way)) == start  # nothing of it
    add(GroupId=group, IpPermissions=_rules(60 - start))
    assert _refused(add, GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.9.0.0/16") == full
    add(GroupId=group, IpPermissions=_rules(60, "Ipv6Ranges", "CidrIpv6"))  # counted by themselves
    peer = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": group}]}]
    assert _refused(add, GroupId=group, IpPermissions=peer) == full


def test_a_prefix_list_counts_as_many_rules_as_it_may_have_entries(client: Any) -> None:
    ec2 = client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    made = ec2.create_managed_prefix_list(PrefixListName="l", MaxEntries=50, AddressFamily="IPv4", Entries=[])
    listed = {"PrefixListIds": [{"PrefixListId": made["PrefixList"]["PrefixListId"]}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=_rules(11))
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **listed}
    assert _refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[rule])[0].startswith("RulesPer")


def _permissions(ec2: Any, group: str, way: str) -> list[Any]:
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    return [each for each in rules if each["IsEgress"] == (way == "egress")]


def test_vcpus_on_fargate() -> None:
    with LocalAws(settings={**QUICK, "LOCAL_AWS_QUOTAS": "fargate_vcpu=1"}) as aws:
        ec2, ecs = _client("ec2", aws.endpoint), _client("ecs", aws.endpoint)
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        role = make_role(lambda name: _client(name, aws.endpoint), service="ecs-tasks.amazonaws.com")
        ecs.create_cluster(clusterName="c")
        for cpu, memory in (("512", "1024"), ("1024", "2048")):
            ecs.register_task_definition(
                family=f"of-{cpu}",
                cpu=cpu,
                memory=memory,
                networkMode="awsvpc",
                requiresCompatibilities=["FARGATE"],
                executionRoleArn=role,
                containerDefinitions=[{"name": "a", "image": "example/a:1", "essential": True}],
            )
        asked = {
            "cluster": "c",
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": [subnet], "assignPublicIp": "ENABLED"}},
        }
        ecs.create_service(
            serviceName="s",
            taskDefinition="of-512",
            desiredCount=1,
            deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
            **asked,
        )

        def service() -> Any:
            return ecs.describe_services(cluster="c", services=["s"])["services"][0]

        until(lambda: service()["deployments"][0]["rolloutState"] == "COMPLETED")
        answer = ecs.run_task(taskDefinition="of-1024", **asked)
        assert (answer["tasks"], answer["failures"][0]["reason"]) == ([], NO_VCPUS)
        # Beside the running task there is no room for one of a whole vCPU: the deployment fails, and is rolled back.
        ecs.update_service(cluster="c", service="s", taskDefinition="of-1024")
        until(lambda: "of-512" in service()["taskDefinition"])
        messages = [each["message"] for each in service()["events"]]
        assert f"(service s) was unable to place a task. Reason: {NO_VCPUS}." in messages
        until(lambda: service()["deployments"][0]["rolloutState"] == "COMPLETED")
        assert service()["runningCount"] == 1

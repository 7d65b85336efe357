"""What security groups let through, and what fails in AWS's words where they do not."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws import packets
from local_aws.packets import ELSEWHERE, Side
from local_aws.services.ecs import ways
from local_aws.testing.ecs import Client, Ecs, Network, until
from local_aws.testing.functions import invoke, make
from local_aws.testing.gateway import start_instance
from local_aws.tests.test_container_instances import _group, _provider

LISTS = """
import os
def handler(event, context):
    return os.listdir(os.environ["FOLDER"])
"""


@dataclass
class Groups:
    """Makes security groups that let nothing in or out, and rules."""

    client: Client
    vpc: str

    def make(self) -> str:
        ec2 = self.client("ec2")
        group = str(ec2.create_security_group(GroupName=uuid4().hex, Description="x", VpcId=self.vpc)["GroupId"])
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[_permission(None, "0.0.0.0/0")])
        return group

    def let_out(self, source: str, port: int | None, peer: str) -> None:
        self.client("ec2").authorize_security_group_egress(GroupId=source, IpPermissions=[_permission(port, peer)])

    def let_in(self, target: str, port: int | None, peer: str) -> None:
        self.client("ec2").authorize_security_group_ingress(GroupId=target, IpPermissions=[_permission(port, peer)])

    def connect(self, source: str, target: str, port: int) -> None:
        self.let_out(source, port, target)
        self.let_in(target, port, source)


def _permission(port: int | None, peer: str) -> dict[str, Any]:
    named = {"UserIdGroupPairs": [{"GroupId": peer}]} if peer.startswith("sg-") else {"IpRanges": [{"CidrIp": peer}]}
    ports = {"IpProtocol": "-1"} if port is None else {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    return {**ports, **named}


@pytest.fixture
def groups(client: Client, network: Network) -> Groups:
    return Groups(client, network.vpc)


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


def _reasons(ecs: Ecs) -> list[str]:
    return [str(task.get("stoppedReason")) for task in ecs.tasks("STOPPED")]


def _place(network: Network, group: str) -> dict[str, Any]:
    return {"awsvpcConfiguration": {"subnets": network.subnets, "securityGroups": [group]}}


def _file_system(client: Client, network: Network, group: str | None) -> str:
    efs = client("efs")
    system = str(efs.create_file_system(CreationToken=uuid4().hex)["FileSystemId"])
    for subnet in network.subnets:
        efs.create_mount_target(FileSystemId=system, SubnetId=subnet, **({"SecurityGroups": [group]} if group else {}))
    return system


def _volume(system: str) -> dict[str, Any]:
    return {"name": "data", "efsVolumeConfiguration": {"fileSystemId": system, "transitEncryption": "ENABLED"}}


def _breaks(service: dict[str, Any]) -> bool:
    return any(each["rolloutState"] == "FAILED" for each in service["deployments"])


BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def test_a_file_system_out_of_reach_fails_the_deployment(client: Client, ecs: Ecs, groups: Groups) -> None:
    task, files = groups.make(), groups.make()
    groups.let_out(task, 443, "0.0.0.0/0")
    groups.let_out(task, 2049, files)
    definition = ecs.definition(volumes=[_volume(_file_system(client, ecs.network, files))])
    ecs.create(
        definition, desiredCount=1, networkConfiguration=_place(ecs.network, task), deploymentConfiguration=BREAKER
    )
    until(lambda: _breaks(ecs.service()))
    prefix = "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: "
    assert all(reason.startswith(prefix) for reason in _reasons(ecs))
    groups.let_in(files, 2049, task)
    client("ecs").update_service(cluster=ecs.cluster, service="web", forceNewDeployment=True)
    until(ecs.is_steady)


def test_a_mount_target_without_groups_has_the_vpcs_default_one(
    client: Client, ecs: Ecs, groups: Groups, network: Network
) -> None:
    vpc = client("ec2").create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = client("ec2").create_subnet(VpcId=vpc, CidrBlock="10.8.0.0/24", AvailabilityZone="eu-west-1a")
    elsewhere = Network(vpc, [subnet["Subnet"]["SubnetId"]], "")
    own = Groups(client, vpc).make()
    Groups(client, vpc).let_out(own, None, "0.0.0.0/0")
    definition = ecs.definition(volumes=[_volume(_file_system(client, elsewhere, None))])
    ecs.create(definition, desiredCount=1, networkConfiguration=_place(elsewhere, own))
    until(lambda: any("failed to invoke EFS utils" in reason for reason in _reasons(ecs)))


def _ec2_service(client: Client, ecs: Ecs, groups: Groups, volume: dict[str, Any], instance: str, task: str) -> None:
    group = _group(client, ecs.network, ecs.cluster, groups=[instance])
    provider = _provider(client, group, ecs.cluster)
    definition = ecs.definition(volumes=[volume], requiresCompatibilities=["EC2"])
    request = {"networkConfiguration": _place(ecs.network, task), "desiredCount": 1, "launchType": None}
    asked = {name: value for name, value in request.items() if value is not None}
    client("ecs").create_service(
        cluster=ecs.cluster,
        serviceName="web",
        taskDefinition=definition,
        capacityProviderStrategy=[{"capacityProvider": provider, "weight": 1}],
        **asked,
    )


def test_on_an_instance_it_is_the_task_that_mounts_the_file_system(client: Client, ecs: Ecs, groups: Groups) -> None:
    """The instances' way to the file system is of no use, and tasks need none to AWS for it."""
    instance, task, files = groups.make(), groups.make(), groups.make()
    groups.let_out(instance, 443, "0.0.0.0/0")
    groups.connect(instance, files, 2049)
    _ec2_service(client, ecs, groups, _volume(_file_system(client, ecs.network, files)), instance, task)
    until(lambda: any("context deadline exceeded" in reason for reason in _reasons(ecs)))
    assert all(reason.startswith("CannotCreateVolumeError: ") for reason in _reasons(ecs))
    groups.connect(task, files, 2049)
    until(ecs.is_steady)


def test_on_an_instance_it_is_the_instance_that_mounts_dockers_nfs(
    client: Client, ecs: Ecs, groups: Groups, network: Network
) -> None:
    instance, task, share = groups.make(), groups.make(), groups.make()
    groups.let_out(instance, 443, "0.0.0.0/0")
    groups.connect(task, share, 2049)
    server = client("ec2").create_network_interface(SubnetId=network.subnets[0], Groups=[share])["NetworkInterface"]
    options = {"type": "nfs", "device": ":/slides", "o": f"addr={server['PrivateIpAddress']},nfsvers=4.1,ro"}
    volume = {
        "name": "share",
        "dockerVolumeConfiguration": {"scope": "task", "driver": "local", "driverOpts": options},
    }
    _ec2_service(client, ecs, groups, volume, instance, task)
    until(lambda: any("connection timed out" in reason for reason in _reasons(ecs)))
    groups.connect(instance, share, 2049)
    until(ecs.is_steady)


def test_an_instance_without_a_way_out_never_joins(client: Client, ecs: Ecs, groups: Groups) -> None:
    instance = groups.make()
    _group(client, ecs.network, ecs.cluster, groups=[instance], size=1)
    client("ecs").describe_clusters(clusters=[ecs.cluster])

    def joined() -> Iterable[str]:
        return list(client("ecs").list_container_instances(cluster=ecs.cluster)["containerInstanceArns"])

    with pytest.raises(AssertionError, match="not within"):
        until(joined, seconds=1)
    groups.let_out(instance, 443, "0.0.0.0/0")
    until(joined)


@pytest.mark.parametrize(
    ("secrets", "said"),
    [(False, "CannotPullContainerError: "), (True, "unable to retrieve secret from asm: There is a connection issue")],
)
def test_fargate_needs_a_way_to_aws(client: Client, ecs: Ecs, groups: Groups, secrets: bool, said: str) -> None:
    arn = client("secretsmanager").create_secret(Name=uuid4().hex, SecretString="x")["ARN"]
    definition = ecs.definition(secrets=[{"name": "PASSWORD", "valueFrom": arn}] if secrets else [])
    ecs.create(definition, networkConfiguration=_place(ecs.network, groups.make()))
    until(lambda: any(said in reason for reason in _reasons(ecs)))


def _with_variable(ecs: Ecs, text: str) -> str:
    family = ecs.client.describe_task_definition(taskDefinition=ecs.definition())["taskDefinition"]
    (container,) = family["containerDefinitions"]
    container["environment"] = [{"name": "SOMETHING", "value": text}]
    return ecs.definition(containerDefinitions=[container])


@pytest.mark.parametrize("kind", ["database", "cache", "service"])
def test_a_program_ends_that_cannot_reach_what_its_variables_name(
    client: Client, ecs: Ecs, groups: Groups, kind: str
) -> None:
    task, target = groups.make(), groups.make()
    groups.let_out(task, 443, "0.0.0.0/0")
    name = f"x{uuid4().hex[:8]}"
    text, port = {"database": _database, "cache": _cache, "service": _service}[kind](client, ecs, name, target)
    ecs.create(
        _with_variable(ecs, text),
        desiredCount=1,
        networkConfiguration=_place(ecs.network, task),
        deploymentConfiguration=BREAKER,
    )
    until(lambda: _breaks(ecs.service()))
    assert "Essential container in task exited" in _reasons(ecs)
    events = client("logs").filter_log_events(logGroupName="/tasks")["events"]
    assert any(f"TCP port {port}" in event["message"] and name in event["message"] for event in events)
    groups.connect(task, target, port)
    client("ecs").update_service(cluster=ecs.cluster, service="web", forceNewDeployment=True)
    until(ecs.is_steady)


def _database(client: Client, ecs: Ecs, name: str, group: str) -> tuple[str, int]:
    rds = client("rds")
    rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="x", SubnetIds=ecs.network.subnets)
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        DBInstanceClass="db.t4g.medium",
        AllocatedStorage=20,
        MasterUsername="omero",
        MasterUserPassword="correct-horse",
        DBSubnetGroupName=name,
        VpcSecurityGroupIds=[group],
    )
    described = until(lambda: rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0].get("Endpoint"))
    return str(described["Address"]), 5432


def _cache(client: Client, ecs: Ecs, name: str, group: str) -> tuple[str, int]:
    cache = client("elasticache")
    cache.create_cache_subnet_group(
        CacheSubnetGroupName=name, CacheSubnetGroupDescription="x", SubnetIds=ecs.network.subnets
    )
    cache.create_replication_group(
        ReplicationGroupId=name,
        ReplicationGroupDescription="x",
        Engine="valkey",
        CacheNodeType="cache.t4g.micro",
        NumCacheClusters=1,
        CacheSubnetGroupName=name,
        SecurityGroupIds=[group],
        TransitEncryptionEnabled=True,
    )
    (node,) = until(
        lambda: cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]["NodeGroups"]
    )
    return f"rediss://{node['PrimaryEndpoint']['Address']}:6379/0", 6379


def _service(client: Client, ecs: Ecs, name: str, group: str) -> tuple[str, int]:
    """Of two ports, the one that the variable names counts."""
    cloud_map = client("servicediscovery")
    groups = Groups(client, ecs.network.vpc)
    groups.let_out(group, 443, "0.0.0.0/0")
    cloud_map.create_private_dns_namespace(Name=f"{name}.lab", Vpc=ecs.network.vpc)
    namespaces = cloud_map.list_namespaces()["Namespaces"]
    (space,) = [each["Id"] for each in namespaces if each["Name"] == f"{name}.lab"]
    registry = cloud_map.create_service(
        Name="server", NamespaceId=space, DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 10}]}
    )["Service"]["Arn"]
    ecs.create(
        ecs.definition(),
        serviceName=f"server-{name}",
        desiredCount=1,
        networkConfiguration=_place(ecs.network, group),
        serviceRegistries=[{"registryArn": registry}],
    )
    return f'[["server.{name}.lab", 4064, "omero"]]', 4064


def test_a_target_that_its_balancer_does_not_reach_is_stopped(client: Client, ecs: Ecs, groups: Groups) -> None:
    balancer, task, elb = groups.make(), groups.make(), client("elbv2")
    groups.let_out(task, 443, "0.0.0.0/0")
    name = f"web-{uuid4().hex[:8]}"
    made = elb.create_target_group(Name=name, Protocol="HTTP", Port=4080, VpcId=ecs.network.vpc, TargetType="ip")
    target_group = made["TargetGroups"][0]["TargetGroupArn"]
    created = elb.create_load_balancer(Name=name, Subnets=ecs.network.subnets, SecurityGroups=[balancer])
    elb.create_listener(
        LoadBalancerArn=created["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group}],
    )
    ecs.create(
        ecs.definition(),
        desiredCount=1,
        networkConfiguration=_place(ecs.network, task),
        loadBalancers=[{"targetGroupArn": target_group, "containerName": "web", "containerPort": 4080}],
    )
    said = f"Task failed ELB health checks in (target-group {target_group})"
    until(lambda: any(said in reason for reason in _reasons(ecs)))
    groups.connect(balancer, task, 4080)
    until(ecs.is_steady)


def test_ecs_exec_needs_a_way_to_aws(client: Client, ecs: Ecs, groups: Groups) -> None:
    task = groups.make()
    groups.let_out(task, 443, "0.0.0.0/0")
    ecs.create(
        ecs.definition(), desiredCount=1, networkConfiguration=_place(ecs.network, task), enableExecuteCommand=True
    )
    until(ecs.is_steady)

    def agent() -> str:
        return str(ecs.tasks()[0]["containers"][0]["managedAgents"][0]["lastStatus"])

    assert agent() == "RUNNING"
    client("ec2").revoke_security_group_egress(GroupId=task, IpPermissions=[_permission(443, "0.0.0.0/0")])
    assert agent() != "RUNNING"


def test_a_function_mounts_through_its_own_groups(client: Client, network: Network, groups: Groups) -> None:
    own, files = groups.make(), groups.make()
    system = _file_system(client, network, files)
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
    system = _file_system(client, network, files)
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
        MinSize=1,
        MaxSize=1,
        VPCZoneIdentifier=network.subnets[0],
        LifecycleHookSpecificationList=[
            {
                "LifecycleHookName": "set-up",
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                "HeartbeatTimeout": 300,
                "DefaultResult": "ABANDON",
            }
        ],
    )

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


def test_dockers_other_volumes_take_no_way() -> None:
    volume = {"dockerVolumeConfiguration": {"driver": "local", "driverOpts": {"type": "tmpfs", "device": "tmpfs"}}}
    assert ways._share(None, volume) is None

"""Tasks that cannot mount, connect or be reached fail in AWS's words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import pytest

from local_aws.services.ecs import ways
from local_aws.testing.ecs import Client, Ecs, Network, until
from local_aws.testing.groups import Groups, file_system, permission
from local_aws.testing.instances import capacity_provider, instances_group


def _reasons(ecs: Ecs) -> list[str]:
    return [str(task.get("stoppedReason")) for task in ecs.tasks("STOPPED")]


def _place(network: Network, group: str) -> dict[str, Any]:
    return {"awsvpcConfiguration": {"subnets": network.subnets, "securityGroups": [group]}}


def _volume(system: str) -> dict[str, Any]:
    return {"name": "data", "efsVolumeConfiguration": {"fileSystemId": system, "transitEncryption": "ENABLED"}}


def _breaks(service: dict[str, Any]) -> bool:
    return any(each["rolloutState"] == "FAILED" for each in service["deployments"])


BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def test_a_file_system_out_of_reach_fails_the_deployment(client: Client, ecs: Ecs, groups: Groups) -> None:
    task, files = groups.make(), groups.make()
    groups.let_out(task, 443, "0.0.0.0/0")
    groups.let_out(task, 2049, files)
    definition = ecs.definition(volumes=[_volume(file_system(client, ecs.network, files))])
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
    definition = ecs.definition(volumes=[_volume(file_system(client, elsewhere, None))])
    ecs.create(definition, desiredCount=1, networkConfiguration=_place(elsewhere, own))
    until(lambda: any("failed to invoke EFS utils" in reason for reason in _reasons(ecs)))


def _ec2_service(client: Client, ecs: Ecs, groups: Groups, volume: dict[str, Any], instance: str, task: str) -> None:
    group = instances_group(client, ecs.network, ecs.cluster, groups=[instance])
    provider = capacity_provider(client, group, ecs.cluster)
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
    _ec2_service(client, ecs, groups, _volume(file_system(client, ecs.network, files)), instance, task)
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
    instances_group(client, ecs.network, ecs.cluster, groups=[instance], size=1)
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
    client("ec2").revoke_security_group_egress(GroupId=task, IpPermissions=[permission(443, "0.0.0.0/0")])
    assert agent() != "RUNNING"


def test_dockers_other_volumes_take_no_way() -> None:
    volume = {"dockerVolumeConfiguration": {"driver": "local", "driverOpts": {"type": "tmpfs", "device": "tmpfs"}}}
    assert ways._share(None, volume) is None

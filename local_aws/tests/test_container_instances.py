"""Tasks on EC2: instances that register, capacity providers, and an Auto Scaling group's end."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.ecs import Client, Ecs, Network, until
from local_aws.testing.instances import capacity_provider, instances_group


def _code(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


def _instances(ecs: Ecs) -> list[dict[str, Any]]:
    arns = ecs.client.list_container_instances(cluster=ecs.cluster)["containerInstanceArns"]
    if not arns:
        return []
    found = ecs.client.describe_container_instances(cluster=ecs.cluster, containerInstances=arns)
    return list(found["containerInstances"])


def test_instances_register_in_both_zones_and_go_with_the_group(client: Client, network: Network, ecs: Ecs) -> None:
    group = instances_group(client, network, ecs.cluster, size=2)
    found = until(lambda: len(_instances(ecs)) == 2 and _instances(ecs))
    attributes = [{each["name"]: each.get("value") for each in instance["attributes"]} for instance in found]
    assert {each["ecs.availability-zone"] for each in attributes} == {"eu-west-1a", "eu-west-1b"}
    assert all("ecs.capability.task-eni" in each for each in attributes)
    with pytest.raises(ClientError) as raised:
        ecs.client.delete_cluster(cluster=ecs.cluster)
    assert _code(raised) == "ClusterContainsContainerInstancesException"
    scaling, name = client("autoscaling"), group["AutoScalingGroupName"]
    with pytest.raises(ClientError) as raised:
        scaling.delete_auto_scaling_group(AutoScalingGroupName=name)
    assert _code(raised) == "ResourceInUse"
    scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    assert _instances(ecs) == []
    wanted = [{"Name": "attachment.instance-id", "Values": [each["ec2InstanceId"] for each in found]}]
    assert client("ec2").describe_network_interfaces(Filters=wanted)["NetworkInterfaces"] == []
    assert ecs.client.delete_cluster(cluster=ecs.cluster)["cluster"]["status"] == "INACTIVE"


def test_managed_scaling_launches_what_a_service_needs(client: Client, network: Network, ecs: Ecs) -> None:
    group = instances_group(client, network, ecs.cluster)
    provider = capacity_provider(client, group, ecs.cluster)
    strategy = [{"capacityProvider": provider, "weight": 1}]
    definition = ecs.definition(requiresCompatibilities=["EC2"], cpu="1024", memory="6144")
    request = {"cluster": ecs.cluster, "serviceName": "web", "taskDefinition": definition, "desiredCount": 2}
    ecs.client.create_service(**request, capacityProviderStrategy=strategy, networkConfiguration=ecs.vpc)
    until(ecs.is_steady, seconds=20)
    tasks = ecs.tasks()
    assert len({task["containerInstanceArn"] for task in tasks}) == 2
    assert {task["capacityProviderName"] for task in tasks} == {provider}
    assert {instance["runningTasksCount"] for instance in _instances(ecs)} == {1}
    # A third task finds no room, for the group has reached its maximum.
    ecs.client.update_service(cluster=ecs.cluster, service="web", desiredCount=3)
    until(lambda: "unable to place a task" in ecs.messages()[0])
    # An instance that is terminated takes its task with it.
    before = {task["taskArn"] for task in tasks}
    ecs.client.update_service(cluster=ecs.cluster, service="web", desiredCount=1)
    until(ecs.is_steady, seconds=20)
    left = next(instance for instance in _instances(ecs) if instance["runningTasksCount"])
    client("ec2").terminate_instances(InstanceIds=[left["ec2InstanceId"]])
    until(ecs.is_steady, seconds=20)
    stopped = {task["taskArn"]: task for task in ecs.tasks("STOPPED")}
    assert "terminated" in " ".join(task["stoppedReason"] for arn, task in stopped.items() if arn in before)


def test_capacity_provider_is_refused(client: Client, network: Network, ecs: Ecs) -> None:
    group = instances_group(client, network, ecs.cluster)
    with pytest.raises(ClientError) as raised:
        capacity_provider(client, group, ecs.cluster, managedScaling={"status": "DISABLED"})
    assert _code(raised) == "ClientException"
    provider = capacity_provider(client, group, ecs.cluster)
    with pytest.raises(ClientError, match="already being used"):
        capacity_provider(client, group, ecs.cluster)
    with pytest.raises(ClientError) as raised:
        ecs.client.delete_capacity_provider(capacityProvider=provider)
    assert _code(raised) == "ResourceInUseException"
    groups = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group["AutoScalingGroupName"]])
    assert "AmazonECSManaged" in [tag["Key"] for tag in groups["AutoScalingGroups"][0]["Tags"]]


def test_lists_the_capacity_providers_there_are(client: Client, network: Network, ecs: Ecs) -> None:
    def listed(*names: str) -> set[str]:
        found = client("ecs").describe_capacity_providers(**({"capacityProviders": list(names)} if names else {}))
        assert {each["status"] for each in found["capacityProviders"]} == {"ACTIVE"}
        return {each["name"] for each in found["capacityProviders"]}

    assert listed() >= {"FARGATE", "FARGATE_SPOT"}
    own = capacity_provider(client, instances_group(client, network, ecs.cluster), ecs.cluster)
    assert listed() >= {"FARGATE", "FARGATE_SPOT", own}
    assert listed(own) == {own}
    assert listed("FARGATE", own) == {"FARGATE", own}


def test_a_capacity_provider_is_detached_only_when_no_task_uses_it(client: Client, network: Network, ecs: Ecs) -> None:
    provider = capacity_provider(client, instances_group(client, network, ecs.cluster), ecs.cluster)
    attach = {"cluster": ecs.cluster, "defaultCapacityProviderStrategy": []}
    ecs.client.put_cluster_capacity_providers(capacityProviders=["FARGATE", provider], **attach)
    definition = ecs.definition(requiresCompatibilities=["EC2", "FARGATE"], cpu="1024", memory="2048")
    request = {"cluster": ecs.cluster, "serviceName": "web", "taskDefinition": definition}
    ecs.client.create_service(
        **request,
        desiredCount=1,
        capacityProviderStrategy=[{"capacityProvider": provider, "weight": 1}],
        networkConfiguration=ecs.vpc,
        deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100},
    )
    until(ecs.is_steady, seconds=20)
    with pytest.raises(ClientError) as raised:
        ecs.client.put_cluster_capacity_providers(capacityProviders=["FARGATE"], **attach)
    assert _code(raised) == "ResourceInUseException"
    # A service moves in place, one task after the other; its old task holds the provider until it has stopped.
    ecs.client.update_service(
        cluster=ecs.cluster,
        service="web",
        capacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}],
        forceNewDeployment=True,
    )
    with pytest.raises(ClientError) as raised:
        ecs.client.put_cluster_capacity_providers(capacityProviders=["FARGATE"], **attach)
    assert _code(raised) == "ResourceInUseException"
    until(ecs.is_steady, seconds=20)
    assert {task["capacityProviderName"] for task in ecs.tasks()} == {"FARGATE"}
    ecs.client.put_cluster_capacity_providers(capacityProviders=["FARGATE"], **attach)
    ecs.client.delete_capacity_provider(capacityProvider=provider)

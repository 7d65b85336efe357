"""A service's tasks and deployments change as AWS changes them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.ecs import Client, Ecs, target_group, until


def test_deployment_goes_from_in_progress_to_completed(ecs: Ecs) -> None:
    created = ecs.create(ecs.definition())
    assert [(each["status"], each["rolloutState"]) for each in created["deployments"]] == [("PRIMARY", "IN_PROGRESS")]
    assert (created["runningCount"], created["pendingCount"]) == (0, 2)

    until(ecs.is_steady)

    service = ecs.service()
    assert service["pendingCount"] == 0
    assert service["deployments"][0]["runningCount"] == 2
    assert ecs.messages()[0] == "(service web) has reached a steady state."


def test_task_has_address_containers_and_exec_agent(ecs: Ecs, client: Client) -> None:
    ecs.create(
        ecs.definition(),
        enableExecuteCommand=True,
        propagateTags="SERVICE",
        enableECSManagedTags=True,
        tags=[{"key": "Application", "value": "omero"}],
    )
    until(ecs.is_steady)

    tasks = ecs.tasks()

    assert {task["availabilityZone"] for task in tasks} == {"eu-west-1a", "eu-west-1b"}
    for task in tasks:
        assert (task["lastStatus"], task["healthStatus"], task["group"]) == ("RUNNING", "HEALTHY", "service:web")
        details = {each["name"]: each["value"] for each in task["attachments"][0]["details"]}
        container = task["containers"][0]
        assert container["networkInterfaces"][0]["privateIpv4Address"] == details["privateIPv4Address"]
        assert [(each["name"], each["lastStatus"]) for each in container["managedAgents"]] == [
            ("ExecuteCommandAgent", "RUNNING")
        ]
        interface = client("ec2").describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])
        assert interface["NetworkInterfaces"][0]["SubnetId"] == details["subnetId"]
        assert {tag["key"]: tag["value"] for tag in task["tags"]} == {
            "Application": "omero",
            "aws:ecs:clusterName": ecs.cluster,
            "aws:ecs:serviceName": "web",
        }


def test_tasks_write_to_a_log_stream_each(ecs: Ecs, client: Client) -> None:
    ecs.create(ecs.definition(), desiredCount=1)
    until(ecs.is_steady)
    task = ecs.tasks()[0]["taskArn"].rpartition("/")[2]
    streams = client("logs").describe_log_streams(logGroupName="/tasks", logStreamNamePrefix=f"web/web/{task}")
    assert len(streams["logStreams"]) == 1


def _watch(ecs: Ecs) -> list[tuple[int, int]]:
    """How many tasks of the old and of the new definition lived at each look, until the service was steady."""
    seen: list[tuple[int, int]] = []

    def look() -> bool:
        living = [task for task in ecs.tasks() + ecs.tasks("STOPPED") if task["lastStatus"] != "STOPPED"]
        newest = ecs.service()["taskDefinition"]
        new = sum(task["taskDefinitionArn"] == newest for task in living)
        seen.append((len(living) - new, new))
        return ecs.is_steady()

    until(look)
    return seen


def test_update_with_100_and_0_percent_stops_the_old_task_before_the_new_one_starts(ecs: Ecs) -> None:
    configuration = {"minimumHealthyPercent": 0, "maximumPercent": 100}
    ecs.create(ecs.definition(), desiredCount=1, deploymentConfiguration=configuration)
    until(ecs.is_steady)

    updated = ecs.client.update_service(cluster=ecs.cluster, service="web", taskDefinition=ecs.definition())["service"]

    assert [each["status"] for each in updated["deployments"]] == ["PRIMARY", "ACTIVE"]
    seen = _watch(ecs)
    assert max(old + new for old, new in seen) == 1
    assert seen[-1] == (0, 1)


def test_update_with_200_and_100_percent_never_has_less_than_desired(ecs: Ecs) -> None:
    ecs.create(ecs.definition())
    until(ecs.is_steady)
    ecs.client.update_service(cluster=ecs.cluster, service="web", taskDefinition=ecs.definition())

    running = []

    def look() -> bool:
        running.append(ecs.service()["runningCount"])
        return ecs.is_steady()

    until(look)
    assert min(running) >= 2
    assert max(running) > 2


def test_forced_deployment_replaces_tasks_and_same_definition_does_not(ecs: Ecs) -> None:
    definition = ecs.definition()
    ecs.create(definition, desiredCount=1)
    until(ecs.is_steady)
    before = ecs.tasks()[0]["taskArn"]

    same = ecs.client.update_service(cluster=ecs.cluster, service="web", taskDefinition=definition)["service"]
    assert len(same["deployments"]) == 1

    ecs.client.update_service(cluster=ecs.cluster, service="web", forceNewDeployment=True)
    until(ecs.is_steady)
    assert [task["taskArn"] for task in ecs.tasks()] != [before]


def test_stopped_task_is_replaced_and_scaling_in_stops_tasks(ecs: Ecs) -> None:
    ecs.create(ecs.definition())
    until(ecs.is_steady)
    first = ecs.tasks()[0]["taskArn"]
    ecs.client.stop_task(cluster=ecs.cluster, task=first, reason="testing")
    until(lambda: ecs.service()["runningCount"] == 2 and ecs.is_steady())
    stopped = ecs.client.describe_tasks(cluster=ecs.cluster, tasks=[first])["tasks"][0]
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "testing")

    ecs.client.update_service(cluster=ecs.cluster, service="web", desiredCount=0)
    until(lambda: ecs.service()["runningCount"] == 0 and ecs.is_steady())


def test_deleted_service_drains_and_becomes_inactive(ecs: Ecs, client: Client) -> None:
    ecs.create(ecs.definition())
    until(ecs.is_steady)
    with pytest.raises(ClientError, match=r"InvalidParameterException.*scaled above 0"):
        ecs.client.delete_service(cluster=ecs.cluster, service="web")
    with pytest.raises(ClientError, match="ClusterContainsServicesException"):
        ecs.client.delete_cluster(cluster=ecs.cluster)

    assert ecs.client.delete_service(cluster=ecs.cluster, service="web", force=True)["service"]["status"] == "DRAINING"
    with pytest.raises(ClientError, match="still Draining"):
        ecs.create(ecs.definition())
    until(lambda: ecs.service()["status"] == "INACTIVE")

    with pytest.raises(ClientError, match="ServiceNotActiveException"):
        ecs.client.update_service(cluster=ecs.cluster, service="web", desiredCount=1)
    with pytest.raises(ClientError, match="ServiceNotFoundException"):
        ecs.client.delete_service(cluster=ecs.cluster, service="web")
    assert ecs.client.list_services(cluster=ecs.cluster)["serviceArns"] == []
    filters = [{"Name": "group-id", "Values": [ecs.network.group]}]
    arn = ecs.service()["clusterArn"]
    assert arn.endswith(ecs.cluster)
    assert not [
        each
        for each in client("ec2").describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        if f"attachment/{ecs.cluster}/" in each["Description"]
    ]
    assert ecs.client.delete_cluster(cluster=ecs.cluster)["cluster"]["status"] == "INACTIVE"


def test_service_without_network_block_has_none_in_its_description(ecs: Ecs) -> None:
    definition = ecs.client.register_task_definition(
        family="host", containerDefinitions=[{"name": "web", "image": "example/web:1", "memory": 64}]
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.client.create_service(cluster=ecs.cluster, serviceName="host", taskDefinition=definition, desiredCount=1)
    service = ecs.service("host")
    assert "networkConfiguration" not in service
    assert "no container instance met all of its requirements" in service["events"][0]["message"]
    assert service["runningCount"] == 0


def _health(client: Client, group: str) -> list[tuple[str, str]]:
    found = client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return [(each["Target"]["Id"], each["TargetHealth"]["State"]) for each in found]


def test_tasks_are_targets_and_registered_names_while_they_run(ecs: Ecs, client: Client) -> None:
    group, _ = target_group(client, ecs.network)
    discovery = client("servicediscovery")
    namespace = f"{uuid4().hex[:8]}.internal"
    discovery.create_private_dns_namespace(Name=namespace, Vpc=ecs.network.vpc)
    namespace_id = next(each["Id"] for each in discovery.list_namespaces()["Namespaces"] if each["Name"] == namespace)
    registry = discovery.create_service(
        Name="web",
        NamespaceId=namespace_id,
        DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 10}], "RoutingPolicy": "MULTIVALUE"},
        HealthCheckCustomConfig={"FailureThreshold": 1},
    )["Service"]
    states: set[str] = set()

    def steady() -> bool:
        states.update(state for _, state in _health(client, group))
        return ecs.is_steady()

    ecs.create(
        ecs.definition(),
        loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 4080}],
        serviceRegistries=[{"registryArn": registry["Arn"]}],
        healthCheckGracePeriodSeconds=60,
    )
    until(steady)

    addresses = {task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] for task in ecs.tasks()}
    assert states <= {"initial", "healthy"}
    assert dict(_health(client, group)) == dict.fromkeys(addresses, "healthy")
    with pytest.raises(ClientError, match="ResourceInUse"):
        discovery.delete_service(Id=registry["Id"])
    found = discovery.list_instances(ServiceId=registry["Id"])["Instances"]
    assert {each["Attributes"]["AWS_INSTANCE_IPV4"] for each in found} == addresses

    ecs.client.delete_service(cluster=ecs.cluster, service="web", force=True)
    until(lambda: ecs.service()["status"] == "INACTIVE")
    assert _health(client, group) == []
    assert discovery.list_instances(ServiceId=registry["Id"])["Instances"] == []
    discovery.delete_service(Id=registry["Id"])


def test_capacity_providers_follow_base_and_weight(ecs: Ecs) -> None:
    with pytest.raises(ClientError, match="not associated with the cluster"):
        ecs.client.create_service(
            cluster=ecs.cluster,
            serviceName="web",
            taskDefinition=ecs.definition(),
            networkConfiguration=ecs.vpc,
            capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT"}],
        )
    providers: list[dict[str, Any]] = [
        {"capacityProvider": "FARGATE", "base": 1, "weight": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 3},
    ]
    ecs.client.put_cluster_capacity_providers(
        cluster=ecs.cluster,
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=providers,
    )
    ecs.client.create_service(
        cluster=ecs.cluster,
        serviceName="web",
        taskDefinition=ecs.definition(),
        desiredCount=4,
        networkConfiguration=ecs.vpc,
    )
    until(ecs.is_steady)
    assert sorted(task["capacityProviderName"] for task in ecs.tasks()) == ["FARGATE"] + ["FARGATE_SPOT"] * 3
    with pytest.raises(ClientError, match="ResourceInUseException"):
        ecs.client.put_cluster_capacity_providers(
            cluster=ecs.cluster, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[]
        )

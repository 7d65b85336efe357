"""Clusters, their container instances and capacity providers."""

from __future__ import annotations

import time
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.ecs.exceptions import EcsClientException, ECSException, InvalidParameterException

from local_aws.actions import Moto, Wrapper
from local_aws.services.ecs import instances, validation

Json = dict[str, Any]

_MANAGED = "AmazonECSManaged"


def describe_clusters(backend: Any, request: Json, moto: Moto) -> Json:
    for cluster in backend.clusters.values():
        tasks = list(backend.tasks.get(cluster.name, {}).values())
        cluster.running_tasks_count = sum(task.last_status == "RUNNING" for task in tasks)
        cluster.pending_tasks_count = sum(task.is_starting for task in tasks)
        cluster.active_services_count = sum(
            service.cluster is cluster and service.status == "ACTIVE" for service in backend.services.values()
        )
        cluster.registered_container_instances_count = len(backend.container_instances.get(cluster.name, {}))
    return moto()


def create_cluster(backend: Any, request: Json, moto: Moto) -> Json:
    # AWS answers with the one that is there; moto would replace it, with its services.
    present = backend.clusters.get(request.get("clusterName") or "default")
    if present is not None and present.status == "ACTIVE":
        return {"cluster": present}
    return moto()


def delete_cluster(backend: Any, request: Json, moto: Moto) -> Json:
    cluster = backend._get_cluster(request["cluster"])
    if any(each.cluster is cluster and each.status != "INACTIVE" for each in backend.services.values()):
        raise ECSException(
            "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
        )
    if backend.container_instances.get(cluster.name):
        raise ECSException(
            "ClusterContainsContainerInstancesException",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        )
    if any(task.last_status != "STOPPED" for task in backend.tasks.get(cluster.name, {}).values()):
        raise ECSException("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
    return moto()


def put_cluster_capacity_providers(backend: Any, request: Json, moto: Moto) -> Json:
    """Refuses to detach one that tasks use, as botocore's documentation of the action says."""
    cluster = validation.active_cluster(backend, request)
    wanted = request.get("capacityProviders") or []
    for name in wanted:
        if name not in validation.FARGATE_PROVIDERS and backend._get_provider(name) is None:
            raise InvalidParameterException(
                f"The specified capacity provider '{name}' was not found. Specify a valid name or ARN and try again."
            )
    used = {
        item["capacityProvider"]
        for service in backend.services.values()
        if service.cluster is cluster and service.status != "INACTIVE"
        for item in service.spec.get("capacityProviderStrategy") or []
    }
    used |= {
        task.capacity_provider
        for task in backend.tasks.get(cluster.name, {}).values()
        if task.last_status != "STOPPED" and task.capacity_provider
    }
    if used - set(wanted):
        raise ECSException("ResourceInUseException", "The specified capacity provider is in use and cannot be removed.")
    return moto()


def _group(backend: Any, arn: str) -> Any:
    groups = autoscaling_backends[backend.account_id][backend.region_name].autoscaling_groups.values()
    return next((group for group in groups if arn in (group.arn, group.name)), None)


def _check_provider(backend: Any, asked: Json, group: Any) -> None:
    """Raises for settings that ECS refuses.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/asg-capacity-providers-create-capacity-provider.html
    """
    if asked.get("managedTerminationProtection") != "ENABLED":
        return
    if (asked.get("managedScaling") or {}).get("status") != "ENABLED":
        raise EcsClientException(
            "The managed termination protection setting for the capacity provider is invalid. To enable managed "
            "termination protection for a capacity provider, managed scaling must be enabled."
        )
    if not group.new_instances_protected_from_scale_in:
        raise EcsClientException(
            "The managed termination protection setting for the capacity provider is invalid. To enable managed "
            "termination protection for a capacity provider, the Auto Scaling group must have instance protection "
            "from scale in enabled."
        )


def _mark(backend: Any, asked: Json, group: Any) -> None:
    """Tag a group that ECS scales, as ECS does."""
    if (asked.get("managedScaling") or {}).get("status") != "ENABLED":
        return
    if any(tag["Key"] == _MANAGED for tag in group.tags):
        return
    tag = {"Key": _MANAGED, "Value": "", "PropagateAtLaunch": True}
    tag |= {"ResourceId": group.name, "ResourceType": "auto-scaling-group"}
    autoscaling_backends[backend.account_id][backend.region_name].create_or_update_tags([tag])


def create_capacity_provider(backend: Any, request: Json, moto: Moto) -> Json:
    name, asked = request["name"], request["autoScalingGroupProvider"]
    if name.lower().startswith(("aws", "ecs", "fargate")):
        raise EcsClientException(
            "The specified capacity provider name is invalid. Up to 255 characters are allowed, including letters "
            '(upper and lowercase), numbers, underscores, and hyphens. The name cannot be prefixed with "aws", '
            '"ecs", or "fargate". Specify a valid name and try again.'
        )
    if backend._get_provider(name) is not None:
        raise EcsClientException(f"A capacity provider with name {name} already exists. Specify a unique name.")
    group = _group(backend, asked["autoScalingGroupArn"])
    if group is None:
        raise EcsClientException("The specified Auto Scaling group ARN is invalid or does not exist.")
    if any(
        provider.auto_scaling_group_provider["autoScalingGroupArn"] == group.arn
        for provider in backend.capacity_providers.values()
    ):
        raise EcsClientException(
            "The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a "
            "unique Auto Scaling group ARN and try again."
        )
    _check_provider(backend, asked, group)
    answer = moto()
    backend.capacity_providers[name].auto_scaling_group_provider.setdefault("managedDraining", "ENABLED")
    _mark(backend, asked, group)
    return answer


def update_capacity_provider(backend: Any, request: Json, moto: Moto) -> Json:
    provider = backend._get_provider(request["name"])
    if provider is None:
        raise EcsClientException("The specified capacity provider does not exist.")
    present, asked = provider.auto_scaling_group_provider, request["autoScalingGroupProvider"]
    merged = {**present, **asked}
    group = _group(backend, present["autoScalingGroupArn"])
    if group is not None:
        _check_provider(backend, merged, group)
        _mark(backend, merged, group)
    if "managedDraining" in asked:
        present["managedDraining"] = asked["managedDraining"]
    return moto()


def delete_capacity_provider(backend: Any, request: Json, moto: Moto) -> Json:
    provider = backend._get_provider(request["capacityProvider"])
    if provider is None:
        raise EcsClientException("The specified capacity provider does not exist.")
    for cluster in backend.clusters.values():
        if cluster.status == "ACTIVE" and provider.name in (cluster.capacity_providers or []):
            raise ECSException(
                "ResourceInUseException",
                "The capacity provider cannot be deleted because it is associated with cluster: "
                f"{cluster.name}. Remove the capacity provider from the cluster and try again.",
            )
    return moto()


def describe_capacity_providers(backend: Any, request: Json, moto: Moto) -> Json:
    """Without names, moto fails; AWS gives all there are, its own two among them."""
    names = request.get("capacityProviders")
    own = [name for name in validation.FARGATE_PROVIDERS if not names or name in names]
    request["capacityProviders"] = [name for name in names or backend.capacity_providers if name not in own]
    answer = moto()
    arn = f"arn:{backend.partition}:ecs:{backend.region_name}:{backend.account_id}:capacity-provider/"
    found = [{"name": name, "capacityProviderArn": f"{arn}{name}", "status": "ACTIVE", "tags": []} for name in own]
    return {**answer, "capacityProviders": [*found, *answer["capacityProviders"]]}


def describe_container_instances(backend: Any, request: Json) -> Json:
    found, failures = backend.describe_container_instances(
        request.get("cluster") or "default", request.get("containerInstances") or []
    )
    return {"containerInstances": [instances.describe(backend, each) for each in found], "failures": failures}


def follow_instances(backend: Any) -> None:
    """Register and deregister instances, and let services use what has come or do without what has gone."""
    now = time.time()
    changed = instances.register_and_deregister(backend, now)
    for service in backend.services.values():
        if service.cluster.name in changed:
            service.reconcile(now)


def scale_out(backend: Any, name: str, cluster: str) -> None:
    """Have the capacity provider's group launch an instance for a task that finds no room, if it may.

    One at a time: as long as an instance has been launched and not registered, the task waits for that one.
    """
    provider = backend._get_provider(name)
    details = provider.auto_scaling_group_provider if provider else {}
    group = _group(backend, details.get("autoScalingGroupArn") or "")
    if group is None or (details.get("managedScaling") or {}).get("status") != "ENABLED":
        return
    registered = {each.ec2_instance_id for each in backend.container_instances.get(cluster, {}).values()}
    waiting = [each for each in group.instance_states if each.instance.id not in registered]
    if not waiting and len(group.instance_states) < (group.max_size or 0):
        group.set_desired_capacity(len(group.instance_states) + 1)


WRAPPERS: dict[str, Wrapper] = {
    "DescribeClusters": describe_clusters,
    "CreateCluster": create_cluster,
    "DeleteCluster": delete_cluster,
    "PutClusterCapacityProviders": put_cluster_capacity_providers,
    "CreateCapacityProvider": create_capacity_provider,
    "UpdateCapacityProvider": update_capacity_provider,
    "DeleteCapacityProvider": delete_capacity_provider,
    "DescribeCapacityProviders": describe_capacity_providers,
}

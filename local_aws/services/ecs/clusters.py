"""Clusters, their container instances and capacity providers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.core.responses import ActionResult
from moto.ecs.exceptions import EcsClientException, ECSException, InvalidParameterException
from moto.ecs.responses import EC2ContainerServiceResponse as Response

from local_aws.services.ecs import instances, validation

Action = Callable[[Any], ActionResult]
Json = dict[str, Any]

_MANAGED = "AmazonECSManaged"


def _describe_clusters(original: Action) -> Action:
    def describe_clusters(self: Any) -> ActionResult:
        backend = self.ecs_backend
        for cluster in backend.clusters.values():
            tasks = list(backend.tasks.get(cluster.name, {}).values())
            cluster.running_tasks_count = sum(task.last_status == "RUNNING" for task in tasks)
            cluster.pending_tasks_count = sum(task.is_starting for task in tasks)
            cluster.active_services_count = sum(
                service.cluster is cluster and service.status == "ACTIVE" for service in backend.services.values()
            )
            cluster.registered_container_instances_count = len(backend.container_instances.get(cluster.name, {}))
        return original(self)

    return describe_clusters


def _create_cluster(original: Action) -> Action:
    def create_cluster(self: Any) -> ActionResult:
        # AWS answers with the one that is there; moto would replace it, with its services.
        present = self.ecs_backend.clusters.get(self.params.get("clusterName") or "default")
        if present is not None and present.status == "ACTIVE":
            return ActionResult({"cluster": present})
        return original(self)

    return create_cluster


def _delete_cluster(original: Action) -> Action:
    def delete_cluster(self: Any) -> ActionResult:
        backend = self.ecs_backend
        cluster = backend._get_cluster(self.params["cluster"])
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
        return original(self)

    return delete_cluster


def _put_capacity_providers(original: Action) -> Action:
    def put_cluster_capacity_providers(self: Any) -> ActionResult:
        backend, request = self.ecs_backend, self.params
        cluster = validation.active_cluster(backend, request)
        wanted = request.get("capacityProviders") or []
        for name in wanted:
            if name not in validation.FARGATE_PROVIDERS and backend._get_provider(name) is None:
                raise InvalidParameterException(
                    f"The specified capacity provider '{name}' was not found. "
                    "Specify a valid name or ARN and try again."
                )
        used = {
            item["capacityProvider"]
            for service in backend.services.values()
            if service.cluster is cluster and service.status != "INACTIVE"
            for item in service.spec.get("capacityProviderStrategy") or []
        }
        if used - set(wanted):
            raise ECSException(
                "ResourceInUseException", "The specified capacity provider is in use and cannot be removed."
            )
        return original(self)

    return put_cluster_capacity_providers


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


def _create_provider(original: Action) -> Action:
    def create_capacity_provider(self: Any) -> ActionResult:
        backend, request = self.ecs_backend, self.params
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
        answer = original(self)
        backend.capacity_providers[name].auto_scaling_group_provider.setdefault("managedDraining", "ENABLED")
        _mark(backend, asked, group)
        return answer

    return create_capacity_provider


def _update_provider(original: Action) -> Action:
    def update_capacity_provider(self: Any) -> ActionResult:
        backend, request = self.ecs_backend, self.params
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
        return original(self)

    return update_capacity_provider


def _delete_provider(original: Action) -> Action:
    def delete_capacity_provider(self: Any) -> ActionResult:
        backend = self.ecs_backend
        provider = backend._get_provider(self.params["capacityProvider"])
        if provider is None:
            raise EcsClientException("The specified capacity provider does not exist.")
        for cluster in backend.clusters.values():
            if cluster.status == "ACTIVE" and provider.name in (cluster.capacity_providers or []):
                raise ECSException(
                    "ResourceInUseException",
                    "The capacity provider cannot be deleted because it is associated with cluster: "
                    f"{cluster.name}. Remove the capacity provider from the cluster and try again.",
                )
        return original(self)

    return delete_capacity_provider


def _describe_providers(original: Action) -> Action:
    """Without names, moto fails; AWS gives all there are, its own two among them."""

    def describe_capacity_providers(self: Any) -> ActionResult:
        backend, names = self.ecs_backend, self.params.get("capacityProviders")
        own = [name for name in validation.FARGATE_PROVIDERS if not names or name in names]
        self.params["capacityProviders"] = [name for name in names or backend.capacity_providers if name not in own]
        answer = original(self)
        arn = f"arn:{backend.partition}:ecs:{backend.region_name}:{backend.account_id}:capacity-provider/"
        found = [{"name": name, "capacityProviderArn": f"{arn}{name}", "status": "ACTIVE", "tags": []} for name in own]
        return ActionResult({**answer.result, "capacityProviders": [*found, *answer.result["capacityProviders"]]})

    return describe_capacity_providers


def describe_container_instances(self: Any) -> ActionResult:
    backend, request = self.ecs_backend, self.params
    found, failures = backend.describe_container_instances(
        request.get("cluster") or "default", request.get("containerInstances") or []
    )
    return ActionResult(
        {"containerInstances": [instances.describe(backend, each) for each in found], "failures": failures}
    )


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


def install() -> None:
    """Put it into moto's ECS."""
    Response.describe_clusters = _describe_clusters(Response.describe_clusters)
    Response.create_cluster = _create_cluster(Response.create_cluster)
    Response.delete_cluster = _delete_cluster(Response.delete_cluster)
    Response.put_cluster_capacity_providers = _put_capacity_providers(Response.put_cluster_capacity_providers)
    Response.create_capacity_provider = _create_provider(Response.create_capacity_provider)
    Response.update_capacity_provider = _update_provider(Response.update_capacity_provider)
    Response.delete_capacity_provider = _delete_provider(Response.delete_capacity_provider)
    Response.describe_capacity_providers = _describe_providers(Response.describe_capacity_providers)
    Response.describe_container_instances = describe_container_instances

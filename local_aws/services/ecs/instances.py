"""Container instances: EC2 instances whose agent registers with a cluster, and which task fits on which of them.

moto registers an instance only when RegisterContainerInstance is called, each with the same resources, and keeps it
when the EC2 instance is terminated. In AWS the agent of an ECS-optimised AMI registers the instance with the cluster
that `ECS_CLUSTER` in /etc/ecs/ecs.config names, which the user data writes ("default" without), if it has an
instance profile; an instance that is terminated is deregistered, and its tasks stop
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html). A task in network mode awsvpc
needs one of the instance's network interfaces, in a subnet of the instance's zone.

Here the user data is searched for the setting, not executed. An instance registers LOCAL_AWS_INSTANCE_SECONDS (1) after
its launch (AWS: one to two minutes). Not modelled: trunking of network interfaces, placement constraints and
strategies (tasks are spread over the instances), host ports. An instance whose security groups let nothing out on port
443 never registers, as its agent does not reach ECS; nor does one whose role lacks a right for it (`host_roles`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ssm.models import ssm_backends

from local_aws import clock, host_roles, packets

DELAY = clock.seconds("LOCAL_AWS_INSTANCE_SECONDS", 1)

_SETTING = re.compile(r"^[^#\n]*\bECS_CLUSTER=[\"']?([\w-]+)", re.MULTILINE)
_IMAGES = "/aws/service/ecs/optimized-ami"
_RESERVED = 0.05  # of the memory, for the system and the agent: roughly what AWS registers
# What a current agent on Amazon Linux 2023 registers, as far as tasks of ours ask for it.
_CAPABILITIES = (
    "ecs.capability.task-eni",
    "ecs.capability.task-iam-role",
    "ecs.capability.task-iam-role-network-host",
    "ecs.capability.task-cpu-mem-limit",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.execution-role-ecr-pull",
    "ecs.capability.secrets.asm.environment-variables",
    "ecs.capability.secrets.ssm.environment-variables",
    "ecs.capability.container-health-check",
    "ecs.capability.container-ordering",
    "ecs.capability.efs",
    "ecs.capability.efsAuth",
    "ecs.capability.execute-command",
    "com.amazonaws.ecs.capability.ecr-auth",
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
    "com.amazonaws.ecs.capability.docker-remote-api.1.44",
)


def register_and_deregister(backend: Any, now: float) -> set[str]:
    """Bring the container instances in line with EC2's; returns the clusters that have gained or lost one."""
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    changed = set()
    for cluster, registered in backend.container_instances.items():
        for key, container_instance in list(registered.items()):
            if not _runs(ec2, container_instance.ec2_instance_id):
                changed.add(cluster)
                del registered[key]
                _stop_tasks(backend, cluster, container_instance, now)
    known = {
        each.ec2_instance_id for registered in backend.container_instances.values() for each in registered.values()
    }
    for instance in _running(ec2):
        if instance.id in known or now < instance.launch_time.replace(tzinfo=UTC).timestamp() + DELAY:
            continue
        cluster = _cluster_of(backend, instance)
        if packets.blocked(ec2, packets.instance(ec2, instance), packets.ELSEWHERE, packets.HTTPS):
            continue  # its agent does not reach ECS
        if cluster in backend.clusters and backend.clusters[cluster].status == "ACTIVE":
            if not host_roles.joins(instance, str(cluster)):
                continue
            _complete(backend.register_container_instance(cluster, instance.id), instance)
            changed.add(cluster)
    return changed


def _running(ec2: Any) -> Iterator[Any]:
    for reservation in list(ec2.reservations.values()):
        yield from (instance for instance in reservation.instances if instance.state == "running")


def _runs(ec2: Any, instance_id: str) -> bool:
    instance = ec2.get_instance_by_id(instance_id)
    return instance is not None and instance.state in ("running", "pending", "stopping", "stopped")


def _cluster_of(backend: Any, instance: Any) -> str | None:
    """The cluster that the agent on it registers with; None where there is no agent, or no role for it."""
    if not hasattr(instance, "_ecs_cluster"):
        instance._ecs_cluster = None
        if _profile(instance) and instance.image_id in _images(backend):
            found = _SETTING.search(user_data(instance))
            instance._ecs_cluster = found[1] if found else "default"
    cluster: str | None = instance._ecs_cluster
    return cluster


def _images(backend: Any) -> set[str]:
    """The ECS-optimised images of the region."""
    parameters = ssm_backends[backend.account_id][backend.region_name]
    parameters.get_parameter(f"{_IMAGES}/amazon-linux-2023/recommended/image_id")  # has moto load them
    return {
        str(found[-1].value) for name, found in parameters._parameters.items() if name.startswith(_IMAGES) and found
    }


def _profile(instance: Any) -> bool:
    if instance.iam_instance_profile or instance.ec2_backend.iam_instance_profile_associations.get(instance.id):
        return True
    group: Any = getattr(instance, "autoscaling_group", None)
    template: Any = getattr(group, "ec2_launch_template", None)
    if template is None:
        return bool(getattr(getattr(group, "launch_config", None), "instance_profile_name", None))
    return bool(template.get_version(group.launch_template_version).data.get("IamInstanceProfile"))


def user_data(instance: Any) -> str:
    """The user data as text; "" where there is none."""
    raw = instance.user_data
    text = raw if isinstance(raw, str) else str(raw or "")
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return text


def _complete(container_instance: Any, instance: Any) -> None:
    """Give it the resources and attributes of its type."""
    kind = INSTANCE_TYPES.get(instance.instance_type) or {}
    sizes = {
        "CPU": 1024 * int((kind.get("VCpuInfo") or {}).get("DefaultVCpus") or 2),
        "MEMORY": int((1 - _RESERVED) * int((kind.get("MemoryInfo") or {}).get("SizeInMiB") or 8192)),
    }
    for resources in (container_instance.registered_resources, container_instance.remaining_resources):
        for resource in resources:
            if resource["name"] in sizes:
                resource["integerValue"] = sizes[resource["name"]]
    architectures = (kind.get("ProcessorInfo") or {}).get("SupportedArchitectures") or ["x86_64"]
    container_instance.attributes = {
        **container_instance.attributes,
        **dict.fromkeys(_CAPABILITIES),
        "ecs.os-type": "linux",
        "ecs.os-family": "LINUX",
        "ecs.availability-zone": _zone(instance),
        "ecs.cpu-architecture": "arm64" if "arm64" in architectures else "x86_64",
        "ecs.vpc-id": getattr(instance, "vpc_id", None),
        "ecs.subnet-id": getattr(instance, "subnet_id", None),
    }
    container_instance.version_info = {
        "agentVersion": "1.107.0",
        "agentHash": "2a5f1d6b",
        "dockerVersion": "DockerVersion: 25.0.16",
    }
    container_instance.network_interfaces = (kind.get("NetworkInfo") or {}).get("MaximumNetworkInterfaces") or 3


def _zone(instance: Any) -> str:
    subnet = getattr(instance, "subnet_id", None)
    return str(instance.ec2_backend.get_subnet(subnet).availability_zone if subnet else instance.availability_zone)


def _stop_tasks(backend: Any, cluster: str, container_instance: Any, now: float) -> None:
    reason = f"Host EC2 (instance {container_instance.ec2_instance_id}) terminated."
    for task in list(backend.tasks.get(cluster, {}).values()):
        if task.container_instance_arn == container_instance.container_instance_arn:
            task.stop(now, reason, "TerminationNotice")


def capacity_provider_of(backend: Any, container_instance: Any) -> Any:
    """The capacity provider whose group the instance belongs to, if the cluster has it."""
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    group = getattr(ec2.get_instance_by_id(container_instance.ec2_instance_id), "autoscaling_group", None)
    associated = backend.clusters[container_instance.cluster_name].capacity_providers or []
    for provider in backend.capacity_providers.values():
        if group is not None and provider.auto_scaling_group_provider.get("autoScalingGroupArn") == group.arn:
            return provider if provider.name in associated else None
    return None


def place(backend: Any, cluster: str, definition: Any, provider: str | None, subnets: list[str]) -> Any:
    """The container instance with the fewest tasks that has room for one of `definition`, and its subnet.

    None where there is none; the subnet is "" for a task without a network interface of its own.
    """
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    zones = {ec2.get_subnet(subnet).availability_zone: subnet for subnet in reversed(subnets)}
    found = []
    for candidate in backend.container_instances.get(cluster, {}).values():
        zone = candidate.attributes.get("ecs.availability-zone")
        if candidate.status != "ACTIVE" or (subnets and zone not in zones):
            continue
        owner = capacity_provider_of(backend, candidate)
        if provider is not None and (owner is None or owner.name != provider):
            continue
        tasks = tasks_on(backend, candidate)
        if _fits(candidate, tasks, definition, bool(subnets)):
            found.append((len(tasks), str(candidate.container_instance_arn), zones.get(zone, "")))
    return min(found)[1:] if found else None


def tasks_on(backend: Any, container_instance: Any) -> list[Any]:
    """Its tasks that have not stopped."""
    return [
        task
        for task in backend.tasks.get(container_instance.cluster_name, {}).values()
        if task.container_instance_arn == container_instance.container_instance_arn and task.last_status != "STOPPED"
    ]


def _fits(container_instance: Any, tasks: Iterable[Any], definition: Any, own_interface: bool) -> bool:
    tasks = list(tasks)
    for name in ("CPU", "MEMORY"):
        has = _integer(container_instance.registered_resources, name)
        if sum(_size(task.definition)[name] for task in tasks) + _size(definition)[name] > has:
            return False
    interfaces = getattr(container_instance, "network_interfaces", 3) - 1
    return not own_interface or sum(task.address is not None for task in tasks) < interfaces


def _integer(resources: list[dict[str, Any]], name: str) -> int:
    return int(next(resource["integerValue"] for resource in resources if resource["name"] == name))


def _size(definition: Any) -> dict[str, int]:
    """What a task of it takes: the task's own size, or the sum of its containers'."""
    containers = definition.container_definitions
    cpu = getattr(definition, "cpu", None) or sum(each.get("cpu") or 0 for each in containers)
    memory = getattr(definition, "memory", None) or sum(
        each.get("memoryReservation") or each.get("memory") or 0 for each in containers
    )
    return {"CPU": int(cpu), "MEMORY": int(memory)}


def describe(backend: Any, container_instance: Any) -> dict[str, Any]:
    """As in a response."""
    tasks = tasks_on(backend, container_instance)
    used = [_size(task.definition) for task in tasks]
    remaining = [dict(resource) for resource in container_instance.registered_resources]
    for resource in remaining:
        if resource["name"] in ("CPU", "MEMORY"):
            resource["integerValue"] -= sum(size[resource["name"]] for size in used)
    provider = capacity_provider_of(backend, container_instance)
    described = {
        "containerInstanceArn": container_instance.container_instance_arn,
        "ec2InstanceId": container_instance.ec2_instance_id,
        "capacityProviderName": provider.name if provider else None,
        "status": container_instance.status,
        "agentConnected": container_instance.agent_connected,
        "runningTasksCount": sum(task.last_status == "RUNNING" for task in tasks),
        "pendingTasksCount": sum(task.is_starting for task in tasks),
        "registeredResources": container_instance.registered_resources,
        "remainingResources": remaining,
        "versionInfo": container_instance.version_info,
        "registeredAt": container_instance.registered_at,
        "attributes": container_instance.attributes,  # moto makes a list of it
    }
    return {name: value for name, value in described.items() if value is not None}

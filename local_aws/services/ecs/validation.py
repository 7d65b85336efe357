"""What ECS refuses when a task definition, a service or a task is asked for.

moto accepts all of it. The messages are AWS's.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends
from moto.ecs.exceptions import EcsClientException, ECSException, InvalidParameterException
from moto.elbv2.models import elbv2_backends
from moto.servicediscovery.models import servicediscovery_backends

Json = dict[str, Any]

FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")

_LONGEST_OVERRIDES = 8192  # characters, with the JSON around them
_GIB = 1024
# CPU units and the memory (MiB) they may have:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
_FARGATE_SIZES: dict[int, frozenset[int]] = {
    256: frozenset({512, _GIB, 2 * _GIB}),
    512: frozenset(range(_GIB, 4 * _GIB + 1, _GIB)),
    1024: frozenset(range(2 * _GIB, 8 * _GIB + 1, _GIB)),
    2048: frozenset(range(4 * _GIB, 16 * _GIB + 1, _GIB)),
    4096: frozenset(range(8 * _GIB, 30 * _GIB + 1, _GIB)),
    8192: frozenset(range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB)),
    16384: frozenset(range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB)),
}


def active_cluster(backend: Any, request: Json) -> Any:
    """The cluster that a request names. Raises ClusterNotFoundException when it is not active."""
    cluster = backend._get_cluster(request.get("cluster") or "default")
    if cluster.status != "ACTIVE":
        raise ECSException("ClusterNotFoundException", "Cluster not found.")
    return cluster


def check_task_definition(request: Json) -> None:
    """Raises ClientException as RegisterTaskDefinition does."""
    containers = request.get("containerDefinitions") or []
    names = [container.get("name") for container in containers]
    volumes = {volume["name"] for volume in request.get("volumes") or []}
    if "FARGATE" in (request.get("requiresCompatibilities") or []):
        _check_fargate(request, containers)
    for container in containers:
        _check_health(container.get("healthCheck") or {})
        for mount in container.get("mountPoints") or []:
            if mount.get("sourceVolume") not in volumes:
                raise EcsClientException(f"Unknown volume '{mount.get('sourceVolume')}'.")
        for dependency in container.get("dependsOn") or []:
            other = dependency["containerName"]
            if other not in names:
                raise EcsClientException(f"Invalid dependency: container '{other}' does not exist.")
            target = containers[names.index(other)]
            if dependency["condition"] == "HEALTHY" and not target.get("healthCheck"):
                raise EcsClientException(
                    f"Container '{other}' must define a health check: another one depends on it being HEALTHY."
                )
            if dependency["condition"] in ("COMPLETE", "SUCCESS") and target.get("essential", True):
                raise EcsClientException(
                    f"Container '{other}' cannot be essential: another one depends on its {dependency['condition']}."
                )
        if container.get("secrets") and not request.get("executionRoleArn"):
            raise EcsClientException(
                "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
            )
    if containers and not any(container.get("essential", True) for container in containers):
        raise EcsClientException("Invalid 'essential' setting: at least one container must be essential.")
    for volume in request.get("volumes") or []:
        _check_files(volume.get("efsVolumeConfiguration") or {})


# The ranges that the API's reference gives for a container's health check (botocore's HealthCheck).
_HEALTH_RANGES = {"interval": (5, 300), "timeout": (2, 60), "retries": (1, 10), "startPeriod": (0, 300)}


def _check_health(check: Json) -> None:
    for name, (least, most) in _HEALTH_RANGES.items():
        if check.get(name) is not None and not least <= int(check[name]) <= most:
            raise EcsClientException(
                f"Invalid health check: {name} is {check[name]}; it has to be between {least} and {most}."
            )


def _check_fargate(request: Json, containers: list[Json]) -> None:
    if request.get("networkMode") != "awsvpc":
        raise EcsClientException("Fargate only supports network mode 'awsvpc'.")
    try:
        cpu, memory = int(request.get("cpu") or 0), int(request.get("memory") or 0)
    except ValueError:
        return  # "1 vCPU", "2 GB": forms that are seldom used
    if not cpu or not memory:
        raise EcsClientException(f"Fargate requires that '{'memory' if cpu else 'cpu'}' be defined at the task level.")
    if memory not in _FARGATE_SIZES.get(cpu, ()):
        raise EcsClientException(f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory.")
    for container in containers:
        driver = (container.get("logConfiguration") or {}).get("logDriver")
        if driver == "awslogs" and not request.get("executionRoleArn"):
            raise EcsClientException(
                "Fargate requires task definition to have execution role ARN to support log driver awslogs."
            )
        for port in container.get("portMappings") or []:
            if port.get("hostPort", port["containerPort"]) != port["containerPort"]:
                raise EcsClientException(
                    "When networkMode=awsvpc, the host ports and container ports in port mappings must match."
                )
        if (container.get("linuxParameters") or {}).get("sharedMemorySize"):
            raise EcsClientException("Fargate does not support 'sharedMemorySize'.")


def _check_files(files: Json) -> None:
    access = files.get("authorizationConfig") or {}
    if not access:
        return
    if files.get("transitEncryption") != "ENABLED":
        raise EcsClientException("EFS authorization requires that transit encryption is enabled.")
    if access.get("accessPointId") and (files.get("rootDirectory") or "/") != "/":
        raise EcsClientException("rootDirectory must be omitted or set to / when an EFS access point is specified.")


def check_network(backend: Any, definition: Any, network: Json | None) -> None:
    """Raises InvalidParameterException for a network configuration that a task of `definition` cannot have."""
    if definition.network_mode != "awsvpc":
        if network:
            raise InvalidParameterException(
                "Network Configuration is not valid for the given networkMode of this task definition."
            )
        return
    vpc = (network or {}).get("awsvpcConfiguration")
    if not vpc:
        raise InvalidParameterException(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if not vpc.get("subnets"):
        raise InvalidParameterException("subnets can not be empty.")
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    vpcs = set()
    for subnet in vpc["subnets"]:
        try:
            vpcs.add(ec2.get_subnet(subnet).vpc_id)
        except Exception as error:  # moto's error is an HTTPException
            raise InvalidParameterException(
                f"Error retrieving subnet information for [{subnet}]: The subnet ID '{subnet}' does not exist "
                "(ErrorCode: InvalidSubnetID.NotFound)"
            ) from error
    if len(vpcs) > 1:
        raise InvalidParameterException("The subnets specified must all be in the same VPC.")
    for name in vpc.get("securityGroups") or []:
        group = ec2.get_security_group_from_id(name)
        if group is None:
            raise InvalidParameterException(
                f"Error retrieving security group information for [{name}]: The security group '{name}' does not "
                "exist (ErrorCode: InvalidGroup.NotFound)"
            )
        if group.vpc_id not in vpcs:
            raise InvalidParameterException("The security groups and the subnets must be in the same VPC.")


def check_launch(cluster: Any, definition: Any, request: Json) -> None:
    """Raises for a launch type or capacity providers that do not fit the cluster or the definition."""
    strategy = request.get("capacityProviderStrategy") or []
    if strategy and request.get("launchType"):
        raise InvalidParameterException(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
        )
    for item in strategy:
        if item["capacityProvider"] not in (cluster.capacity_providers or []):
            raise InvalidParameterException(
                "The capacity provider strategy cannot contain a capacity provider that is not associated with the "
                f"cluster ({item['capacityProvider']}). Associate the capacity provider with the cluster and try again."
            )
    kinds = {item["capacityProvider"] in FARGATE_PROVIDERS for item in strategy}
    if len(kinds) > 1:
        raise InvalidParameterException(
            "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and "
            "Fargate providers. Specify a strategy that contains only one kind and try again."
        )
    fargate = request.get("launchType") == "FARGATE" or True in kinds
    vpc = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    if not fargate and vpc.get("assignPublicIp") == "ENABLED":
        raise InvalidParameterException("Assign public IP is not supported for this launch type.")
    if fargate and "FARGATE" not in definition.compatibilities:
        raise InvalidParameterException("Task definition does not support launch_type FARGATE.")
    if request.get("enableExecuteCommand") and not getattr(definition, "task_role_arn", None):
        raise InvalidParameterException(
            "The service couldn't be created because a valid taskRoleArn is not being used. Specify a valid task role "
            "in your task definition and try again."
        )


def check_overrides(definition: Any, overrides: Json) -> None:
    """Raises for overrides of containers that are not there, or of more than 8192 characters (RunTask)."""
    names = [container["name"] for container in definition.container_definitions]
    for override in overrides.get("containerOverrides") or []:
        if override.get("name") not in names:
            raise InvalidParameterException(
                f"Override for container named {override.get('name')} is not a container in the TaskDefinition."
            )
    if len(json.dumps(overrides)) > _LONGEST_OVERRIDES:
        raise InvalidParameterException("Container Overrides length must be at most 8192")


def check_connections(backend: Any, definition: Any, request: Json) -> None:
    """Raises for target groups and registries that do not exist or do not fit the definition."""
    groups = elbv2_backends[backend.account_id][backend.region_name].target_groups
    for balancer in request.get("loadBalancers") or []:
        arn = balancer.get("targetGroupArn")
        if arn not in groups:
            raise InvalidParameterException(
                "Unable to assume role and validate the specified targetGroupArn. Please verify that the ECS service "
                "role being passed has the proper permissions."
            )
        if definition.network_mode == "awsvpc" and groups[arn].target_type != "ip":
            raise InvalidParameterException(
                f"The provided target group {arn} has target type {groups[arn].target_type}, which is incompatible "
                "with the awsvpc network mode specified in the task definition."
            )
        if not groups[arn].load_balancer_arns:
            raise InvalidParameterException(
                f"The target group with targetGroupArn {arn} does not have an associated load balancer."
            )
        _check_port(definition, balancer["containerName"], balancer["containerPort"])
    for registry in request.get("serviceRegistries") or []:
        try:
            servicediscovery_backends[backend.account_id][backend.region_name].get_service(
                registry["registryArn"].rpartition("/")[2]
            )
        except Exception as error:  # ServiceNotFound is an HTTPException
            raise InvalidParameterException(
                f"Unable to find the service registry {registry['registryArn']}: it does not exist."
            ) from error


def _check_port(definition: Any, name: str, port: int) -> None:
    containers = {container["name"]: container for container in definition.container_definitions}
    if name not in containers:
        raise InvalidParameterException(f"The container {name} does not exist in the task definition.")
    if port not in [mapping["containerPort"] for mapping in containers[name].get("portMappings") or []]:
        raise InvalidParameterException(f"The container {name} did not have a container port {port} defined.")


def check_percents(request: Json) -> None:
    """Raises for limits that never let a deployment, or the rebalancing of zones, go on."""
    configuration = request.get("deploymentConfiguration") or {}
    minimum = configuration.get("minimumHealthyPercent", 100)
    maximum = configuration.get("maximumPercent", 200)
    if minimum == maximum == 100:
        raise InvalidParameterException(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."
        )
    if request.get("availabilityZoneRebalancing") == "ENABLED" and maximum <= 100:
        raise InvalidParameterException(
            f"Availability Zone rebalancing needs a maximumPercent greater than 100; it is {maximum}."
        )


def existing_definition(backend: Any, name: str) -> Any:
    """The task definition of that name or ARN. Raises ClientException when there is none, or when it is inactive."""
    try:
        definition = backend.describe_task_definition(name)
    except (ServiceException, ValueError) as error:
        raise EcsClientException("TaskDefinition not found.") from error
    if definition.status != "ACTIVE":
        raise EcsClientException("TaskDefinition is inactive")
    return definition

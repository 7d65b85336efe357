"""What a task has to reach before it runs, and from where: its own network interface, or the instance it is on.

On Fargate, everything goes through the task's interface: images, secrets, logs and EFS. On an instance, the agent and
Docker pull images, read secrets, write logs and mount NFS with Docker's `local` driver in the instance's network; for a
task in network mode awsvpc they have EFS mounted in the task's (aws/amazon-ecs-agent, agent/taskresource/volume,
`TestGetDriverOpts`: `netns` of the pause container is added for the volume plugin, and for no other driver; a
maintainer says the same of security groups in its issue 2570).

The reasons are those of public reports. Fargate without a way to EFS: aws/efs-utils and docker-archive/compose-cli
issue 1490. EC2: `TestCreateVolumeError` of the agent for the name of the error, issue 2570 for its text. Docker's NFS:
aws/efs-utils issue 39. Secrets: ECS Developer Guide, "Troubleshooting ResourceInitializationError"; images:
"CannotPullContainer task errors".

A program that cannot connect to a host that its variables name would say so, or wait; which, this server cannot know.
Here it ends with exit code 1 before its task is RUNNING, and its log says why.
"""

from __future__ import annotations

import re
from typing import Any

from moto.efs.models import efs_backends
from moto.elbv2.models import elbv2_backends

from local_aws import named_hosts, packets
from local_aws.packets import ELSEWHERE, HTTPS, NFS, Side
from local_aws.services.ecs.execution import REASONS

_FILES = "failed to invoke EFS utils commands to set up EFS volumes: stderr: "
_PLUGIN = "http://%2Frun%2Fdocker%2Fplugins%2Famazon-ecs-volume-plugin.sock/VolumeDriver.Create"
_ADDRESS = re.compile(r"(?:^|,)addr=([^,]+)")


def source(task: Any) -> Side:
    """Where the task's programs connect from, and where EFS is mounted."""
    if task.eni is not None:
        return packets.interface(task.ec2, task.eni, f"task {task.id}")
    return _host(task) or Side(name=f"task {task.id}", groups=None)


def _host(task: Any) -> Side | None:
    """The instance that the task is on, as a side; None on Fargate."""
    found = instance_of(task)
    return packets.instance(task.ec2, found) if found else None


def instance_of(task: Any) -> Any:
    """The instance that the task is on; None on Fargate."""
    registered = task.backend.container_instances.get(task.cluster.name, {}).values()
    for each in registered:
        if each.container_instance_arn == task.container_instance_arn:
            return task.ec2.get_instance_by_id(each.ec2_instance_id)
    return None


def reaches_aws(task: Any) -> bool:
    """Whether its programs reach AWS's own API over HTTPS, as the agent of ECS Exec has to."""
    return packets.blocked(task.ec2, source(task), ELSEWHERE, HTTPS) is None


def reason_not_to_start(task: Any) -> str | None:
    """Why ECS cannot get together what the task needs, as `stoppedReason`; None if nothing is in the way."""
    fargate = task.launch_type == "FARGATE"
    if fargate and not reaches_aws(task):
        return _without_https(task)
    for volume in task.definition.volumes:
        if efs := volume.get("efsVolumeConfiguration"):
            if why := _file_system(task, efs):
                return _not_mounted(task, volume, why, fargate=fargate)
        elif why := _share(task, volume):
            return why
    return None


def _without_https(task: Any) -> str:
    """The first thing that Fargate cannot fetch: secrets come before images."""
    if any(each.get("secrets") for each in task.definition.container_definitions):
        return REASONS["ResourceInitializationError"]
    image = task.definition.container_definitions[0]["image"]
    registry = image.partition("/")[0] if "." in image.partition("/")[0] else "registry-1.docker.io"
    return (
        f"CannotPullContainerError: ref pull has been retried 5 time(s): failed to resolve reference {image}: "
        f'failed to do request: Head "https://{registry}/v2/": dial tcp: i/o timeout'
    )


def _file_system(task: Any, efs: dict[str, Any]) -> str | None:
    backend = efs_backends[task.backend.account_id][task.backend.region_name]
    target = packets.mount_target(task.ec2, backend, efs["fileSystemId"], task.zone)
    return packets.blocked(task.ec2, source(task), target, NFS) if target else None


def _not_mounted(task: Any, volume: dict[str, Any], why: str, *, fargate: bool) -> str:
    if fargate:
        return (
            f"ResourceInitializationError: {_FILES}b'mount.nfs4: Connection reset by peer' : unsuccessful EFS utils "
            f"command execution; code: 32 ({why})"
        )
    name = f"ecs-{task.definition.family}-{task.definition.revision}-{volume['name']}-{task.id[:20]}"
    return (
        f'CannotCreateVolumeError: Error response from daemon: create {name}: Post "{_PLUGIN}": context deadline '
        f"exceeded ({why})"
    )


def _share(task: Any, volume: dict[str, Any]) -> str | None:
    """Docker's own NFS client is the instance's, whatever the task's network mode."""
    docker = volume.get("dockerVolumeConfiguration") or {}
    options = docker.get("driverOpts") or {}
    found = _ADDRESS.search(options.get("o", ""))
    if docker.get("driver", "local") != "local" or options.get("type") != "nfs" or not found:
        return None
    instance = instance_of(task)
    if not instance:
        return None
    # A server that this VPC does not have: its own rules are somebody else's.
    target = packets.at(task.ec2, found[1], instance.vpc_id) or Side(name=found[1], groups=None, address=found[1])
    why = packets.blocked(task.ec2, packets.instance(task.ec2, instance), target, NFS)
    if why is None:
        return None
    place = f"/var/lib/docker/volumes/ecs-{task.definition.family}-{volume['name']}/_data"
    return (
        f"CannotStartContainerError: Error response from daemon: error while mounting volume '{place}': failed to "
        f"mount local volume: mount {options.get('device')}:{place}, data: {options['o']}: connection timed out ({why})"
    )


def unreachable(task: Any) -> tuple[Any, str] | None:
    """The first container that cannot reach a host that its variables name, and why."""
    origin = source(task)
    for container in task.containers:
        texts = [each["value"] for each in container.definition.get("environment") or []]
        for override in (task.overrides or {}).get("containerOverrides") or []:
            if override.get("name") == container.definition["name"]:
                texts += [each["value"] for each in override.get("environment") or []]
        why = named_hosts.unreachable(task.backend.account_id, task.backend.region_name, origin, texts)
        if why:
            return container, why
    return None


def failing_target_group(task: Any) -> str | None:
    """The target group whose balancers do not reach the task, and so find it unhealthy; as a reason to stop it."""
    target = source(task)
    backend = elbv2_backends[task.backend.account_id][task.backend.region_name]
    for each in task.load_balancers:
        arn = each["targetGroupArn"]
        group = backend.target_groups.get(arn)
        for balancer_arn in group.load_balancer_arns if group else ():
            balancer = backend.load_balancers.get(balancer_arn)
            if balancer is None or not balancer.security_groups:
                continue  # without groups (a network balancer may have none) nothing is to be said
            subnets = balancer.subnets
            origin = Side(
                name=balancer.name,
                groups=tuple(balancer.security_groups),
                address=str(subnets[0].cidr_block).partition("/")[0] if subnets else "",
            )
            if packets.blocked(task.ec2, origin, target, int(each["containerPort"])):
                return f"Task failed ELB health checks in (target-group {arn})"
    return None

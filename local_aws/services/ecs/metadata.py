"""What a container asks of ECS itself: its metadata, and how it reaches this AWS.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html. Credentials are those
of the task role, in the environment: AWS gives them at an address that only its own machines have. A task without a
role has none.
"""

from __future__ import annotations

import os
from typing import Any

from local_aws.application import LocalAwsApplication
from local_aws.rights import principals
from local_aws.serve import ENDPOINT
from local_aws.services.ecs import roles

Json = dict[str, Any]


def environment(task: Any, container: Any) -> dict[str, str]:
    """The variables; none for a server that nobody can reach."""
    endpoint = os.environ.get(ENDPOINT)
    if not endpoint:
        return {}
    path = f"/_local/ecs/metadata/{container.runtime_id}"
    LocalAwsApplication.resources[path] = lambda _method, _body: (200, _of_container(task, container))
    LocalAwsApplication.resources[f"{path}/task"] = lambda _method, _body: (200, _of_task(task))
    role = roles.task_role(task)
    return {
        "ECS_CONTAINER_METADATA_URI_V4": f"{endpoint}{path}",
        "AWS_ENDPOINT_URL": endpoint,
        **(principals.credentials(role, task.id, task.backend.region_name) if role else {}),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def forget(container: Any) -> None:
    path = f"/_local/ecs/metadata/{container.runtime_id}"
    for each in (path, f"{path}/task"):
        LocalAwsApplication.resources.pop(each, None)


def _of_container(task: Any, container: Any) -> Json:
    definition = container.definition
    log = definition.get("logConfiguration") or {}
    options = log.get("options") or {}
    told = {
        "DockerId": container.runtime_id,
        "Name": definition["name"],
        "Image": definition["image"],
        "ContainerARN": container.arn,
        "DesiredStatus": task.desired_status,
        "KnownStatus": container.last_status,
        "Type": "NORMAL",
        "Labels": {
            "com.amazonaws.ecs.cluster": task.cluster.arn,
            "com.amazonaws.ecs.container-name": definition["name"],
            "com.amazonaws.ecs.task-arn": task.task_arn,
            "com.amazonaws.ecs.task-definition-family": task.definition.family,
        },
    }
    if log.get("logDriver") == "awslogs":
        stream = f"{options.get('awslogs-stream-prefix')}/{definition['name']}/{task.id}"
        told["LogDriver"] = "awslogs"
        told["LogOptions"] = {
            "awslogs-group": options.get("awslogs-group"),
            "awslogs-region": options.get("awslogs-region"),
            "awslogs-stream": stream,
        }
    return told


def _of_task(task: Any) -> Json:
    return {
        "Cluster": task.cluster.arn,
        "TaskARN": task.task_arn,
        "Family": task.definition.family,
        "DesiredStatus": task.desired_status,
        "KnownStatus": task.last_status,
        "AvailabilityZone": task.zone,
        "LaunchType": task.launch_type,
        "Containers": [_of_container(task, each) for each in task.containers],
    }

"""A cluster, a service and its tasks, as the tests of ECS need them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

Client = Callable[[str], Any]


def until(condition: Callable[[], Any], *, seconds: float = 60) -> Any:
    """What `condition` returns as soon as it is true. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} seconds: {condition}"
        time.sleep(0.05)
    return result


@dataclass(frozen=True)
class Network:
    vpc: str
    subnets: list[str]
    group: str


@dataclass(frozen=True)
class Ecs:
    """A cluster of its own for a test, and the parts of a service that are always the same."""

    client: Any
    cluster: str
    network: Network
    role: str

    def definition(self, *, secrets: list[dict[str, str]] | None = None, group: str = "/tasks", **more: Any) -> str:
        container = {
            "name": "web",
            "image": "example/web:1",
            "portMappings": [{"containerPort": 4080, "name": "web"}],
            "healthCheck": {"command": ["CMD-SHELL", "true"]},
            "secrets": secrets or [],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": group,
                    "awslogs-region": "eu-west-1",
                    "awslogs-stream-prefix": "web",
                },
            },
        }
        request = {
            "family": "web",
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": self.role,
            "taskRoleArn": self.role,
            "containerDefinitions": [container],
            **more,
        }
        return str(self.client.register_task_definition(**request)["taskDefinition"]["taskDefinitionArn"])

    @property
    def vpc(self) -> dict[str, Any]:
        return {
            "awsvpcConfiguration": {
                "subnets": self.network.subnets,
                "securityGroups": [self.network.group],
                "assignPublicIp": "DISABLED",
            }
        }

    def create(self, definition: str, **more: Any) -> dict[str, Any]:
        request = {
            "cluster": self.cluster,
            "serviceName": "web",
            "taskDefinition": definition,
            "desiredCount": 2,
            "launchType": "FARGATE",
            "networkConfiguration": self.vpc,
            **more,
        }
        return dict(self.client.create_service(**request)["service"])

    def service(self, name: str = "web") -> dict[str, Any]:
        found = self.client.describe_services(cluster=self.cluster, services=[name], include=["TAGS"])["services"]
        return dict(found[0])

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.client.list_tasks(cluster=self.cluster, desiredStatus=status)["taskArns"]
        if not arns:
            return []
        return list(self.client.describe_tasks(cluster=self.cluster, tasks=arns, include=["TAGS"])["tasks"])

    def is_steady(self, name: str = "web") -> bool:
        service = self.service(name)
        return (
            len(service["deployments"]) == 1
            and service["deployments"][0]["rolloutState"] == "COMPLETED"
            and service["runningCount"] == service["desiredCount"]
        )

    def messages(self) -> list[str]:
        return [event["message"] for event in self.service()["events"]]


def default_group(client: Client, vpc: str) -> str:
    """The default security group of a VPC."""
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    return str(client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"])


def target_group(client: Client, network: Network) -> tuple[str, str]:
    """A target group for tasks, and the load balancer that forwards to it."""
    elb = client("elbv2")
    name = f"web-{uuid4().hex[:8]}"
    made = elb.create_target_group(Name=name, Protocol="HTTP", Port=4080, VpcId=network.vpc, TargetType="ip")
    group = str(made["TargetGroups"][0]["TargetGroupArn"])
    balancer = elb.create_load_balancer(Name=name, Subnets=network.subnets, Type="application")["LoadBalancers"][0]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    return group, str(balancer["LoadBalancerArn"])

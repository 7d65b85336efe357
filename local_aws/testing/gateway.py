"""Machines of gateways on this one, as far as their activation goes."""

from __future__ import annotations

import http.client
import json
import urllib.request
from typing import Any

from local_aws.server import LocalAws
from local_aws.services.storagegateway.image import PARAMETER
from local_aws.testing.ecs import Client, Network

PATH = "/_local/storagegateway/appliances"


def start_appliance(aws: LocalAws, **request: Any) -> dict[str, Any]:
    body = json.dumps(request).encode()
    with urllib.request.urlopen(urllib.request.Request(aws.endpoint + PATH, body, method="POST")) as answer:  # noqa: S310
        return dict(json.load(answer))


def ask(appliance: dict[str, Any], query: str) -> tuple[int, str, str]:
    """Status, Location and body of a GET on the gateway's machine."""
    connection = http.client.HTTPConnection(appliance["Address"], appliance["Port"], timeout=5)
    connection.request("GET", f"/?{query}")
    answer = connection.getresponse()
    found = answer.status, answer.headers.get("Location", ""), answer.read().decode()
    connection.close()
    return found


def activate(client: Client, key: str) -> dict[str, Any]:
    """The S3 File Gateway that an activation key makes, as `ListGateways` tells of it."""
    api = client("storagegateway")
    arn = api.activate_gateway(
        ActivationKey=key,
        GatewayName="lab",
        GatewayTimezone="GMT",
        GatewayRegion="eu-west-1",
        GatewayType="FILE_S3",
    )["GatewayARN"]
    (found,) = [each for each in api.list_gateways()["Gateways"] if each["GatewayARN"] == arn]
    return dict(found)


def start_instance(client: Client, network: Network) -> dict[str, Any]:
    """An EC2 instance of Storage Gateway's image."""
    image = client("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"]
    made = client("ec2").run_instances(
        ImageId=image,
        InstanceType="m5.xlarge",
        MinCount=1,
        MaxCount=1,
        SubnetId=network.subnets[0],
        SecurityGroupIds=[network.group],
    )
    return dict(made["Instances"][0])

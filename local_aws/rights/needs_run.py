"""Rights for calls to what runs programs: ECS, Lambda, EC2, Auto Scaling, and STS."""

from __future__ import annotations

from collections.abc import Iterator

from moto.autoscaling.models import autoscaling_backends
from moto.core.exceptions import ServiceException
from moto.ecs.models import ecs_backends

from local_aws.rights.needs import Call, Need, passed, row, simple


def _cluster(call: Call) -> str:
    """The ARN of the cluster that a call names, by name or ARN."""
    return call.arn("ecs:cluster/{cluster}", cluster=str(call.asked.get("cluster") or "default"))


def _in_cluster(call: Call, kind: str, name: str) -> str:
    if name.startswith("arn:"):
        return name
    return _cluster(call).replace(":cluster/", f":{kind}/") + f"/{name.rpartition('/')[2]}"


def _needs(call: Call, resource: str) -> Need:
    return Need(f"ecs:{call.operation}", resource, {"ecs:cluster": _cluster(call)})


@row("ecs:RunTask")
def _run_task(call: Call) -> Iterator[Need]:
    asked = str(call.asked["taskDefinition"])
    backend = ecs_backends[call.account][call.region]
    try:
        definition = backend.describe_task_definition(asked)
    except ServiceException:  # ECS says so itself
        yield _needs(call, call.arn("ecs:task-definition/{taskDefinition}"))
        return
    yield _needs(call, str(definition.arn))
    overrides = call.asked.get("overrides") or {}
    for given, own in (("taskRoleArn", "task_role_arn"), ("executionRoleArn", "execution_role_arn")):
        role = overrides.get(given) or getattr(definition, own, None)
        yield from passed(call, role, "ecs-tasks.amazonaws.com")
    if call.asked.get("tags"):
        yield Need("ecs:TagResource", _in_cluster(call, "task", "*"))


@row("ecs:DescribeTasks", "ecs:StopTask")
def _tasks(call: Call) -> Iterator[Need]:
    for each in call.asked.get("tasks") or [call.asked["task"]]:
        yield _needs(call, _in_cluster(call, "task", str(each)))


@row("ecs:ListTasks")
def _list_tasks(call: Call) -> Iterator[Need]:
    # The reference names container instances alone. Of a whole cluster the resource is *, as refusals show: pull
    # request 1207 of cdklabs/construct-hub, issue 74 of widdix/complete-aws-iam-reference.
    instance = call.asked.get("containerInstance")
    yield _needs(call, _in_cluster(call, "container-instance", str(instance)) if instance else "*")


@row("ecs:DescribeServices")
def _services(call: Call) -> Iterator[Need]:
    for each in call.asked["services"]:
        yield _needs(call, _in_cluster(call, "service", str(each)))


@row("ecs:ExecuteCommand")
def _execute(call: Call) -> Iterator[Need]:
    yield _needs(call, _cluster(call))
    yield _needs(call, _in_cluster(call, "task", str(call.asked["task"])))


simple("ecs", "ecs:cluster/{cluster}", "RegisterContainerInstance DeregisterContainerInstance")
simple("ecs", "ecs:cluster/{cluster}", "SubmitTaskStateChange SubmitContainerStateChange SubmitAttachmentStateChanges")
simple("ecs", "*", "DiscoverPollEndpoint DescribeTaskDefinition")


@row("lambda:Invoke")
def _invoke(call: Call) -> Iterator[Need]:
    yield Need("lambda:InvokeFunction", call.arn("lambda:function:{FunctionName}"))


@row("autoscaling:CompleteLifecycleAction")
def _complete(call: Call) -> Iterator[Need]:
    groups = autoscaling_backends[call.account][call.region].autoscaling_groups
    found = groups.get(call.asked["AutoScalingGroupName"])
    missing = call.arn("autoscaling:autoScalingGroup:*:autoScalingGroupName/{AutoScalingGroupName}")
    yield Need("autoscaling:CompleteLifecycleAction", str(found.arn) if found else missing)


@row("sts:AssumeRole")
def _assume(call: Call) -> Iterator[Need]:
    yield Need("sts:AssumeRole", str(call.asked["RoleArn"]))


simple(
    "ec2",
    "*",
    "DescribeAddresses DescribeAvailabilityZones DescribeNetworkInterfaces DescribeSecurityGroupRules "
    "DescribeSecurityGroups DescribeSubnets DescribeVpcEndpoints DescribeVpcs",
)
simple(
    "ec2",
    "ec2:security-group/{GroupId}",
    "AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress DeleteSecurityGroup RevokeSecurityGroupEgress "
    "RevokeSecurityGroupIngress",
)
simple("ec2", "ec2:elastic-ip/{AllocationId}", "ReleaseAddress")


def _tagged(call: Call, kind: str) -> Iterator[Need]:
    """Tags that a thing is made with (EC2 User Guide, "Grant permission to tag resources during creation")."""
    if call.asked.get("TagSpecifications"):
        yield Need("ec2:CreateTags", call.arn(f"ec2:{kind}/*"))


@row("ec2:AllocateAddress")
def _address(call: Call) -> Iterator[Need]:
    yield Need("ec2:AllocateAddress", call.arn("ec2:elastic-ip/*"))
    yield from _tagged(call, "elastic-ip")


@row("ec2:CreateSecurityGroup")
def _group(call: Call) -> Iterator[Need]:
    yield Need("ec2:CreateSecurityGroup", call.arn("ec2:security-group/*"))
    if call.asked.get("VpcId"):
        yield Need("ec2:CreateSecurityGroup", call.arn("ec2:vpc/{VpcId}"))
    yield from _tagged(call, "security-group")


@row("ec2:ModifyVpcEndpoint")
def _endpoint(call: Call) -> Iterator[Need]:
    yield Need("ec2:ModifyVpcEndpoint", call.arn("ec2:vpc-endpoint/{VpcEndpointId}"))
    named = {
        "security-group": ("AddSecurityGroupIds", "RemoveSecurityGroupIds"),
        "subnet": ("AddSubnetIds", "RemoveSubnetIds"),
        "route-table": ("AddRouteTableIds", "RemoveRouteTableIds"),
    }
    for kind, parameters in named.items():
        for parameter in parameters:
            for each in call.asked.get(parameter) or []:
                yield Need("ec2:ModifyVpcEndpoint", call.arn(f"ec2:{kind}/{each}"))


@row("ec2:CreateTags", "ec2:DeleteTags")
def _tags(call: Call) -> Iterator[Need]:
    kinds = {"sg": "security-group", "eipalloc": "elastic-ip", "vpce": "vpc-endpoint", "eni": "network-interface"}
    for each in call.asked["Resources"]:
        kind = kinds.get(str(each).rpartition("-")[0])
        if kind is None:
            raise NotImplementedError(f"the right to tag {each}")
        yield Need(f"ec2:{call.operation}", call.arn(f"ec2:{kind}/{each}"))

"""Rights for calls of the ways in: Transfer Family, DataSync, Storage Gateway, EFS, IAM, CloudWatch and its logs."""

from __future__ import annotations

from collections.abc import Iterator

from moto.transfer.models import transfer_backends

from local_aws.rights.needs import Call, Need, passed, row, simple

_TRANSFER = "transfer.amazonaws.com"

simple("transfer", "*", "ListServers")
simple(
    "transfer",
    "transfer:server/{ServerId}",
    "DescribeServer ImportHostKey ListHostKeys ListUsers StartServer StopServer",
)
simple("transfer", "transfer:host-key/{ServerId}/{HostKeyId}", "DeleteHostKey DescribeHostKey")
simple(
    "transfer",
    "transfer:user/{ServerId}/{UserName}",
    "DeleteSshPublicKey DeleteUser DescribeUser ImportSshPublicKey",
)


@row("transfer:TagResource", "transfer:UntagResource", "transfer:ListTagsForResource")
def _tag(call: Call) -> Iterator[Need]:
    yield Need(f"transfer:{call.operation}", str(call.asked["Arn"]))


@row("transfer:DeleteServer")
def _delete_server(call: Call) -> Iterator[Need]:
    yield Need("transfer:DeleteServer", call.arn("transfer:server/{ServerId}"))
    from local_aws.services.transfer.state import state_of  # noqa: PLC0415 - services import rights

    server = state_of(transfer_backends[call.account][call.region]).servers.get(call.asked["ServerId"])
    if server and (endpoint := (server.shown.get("EndpointDetails") or {}).get("VpcEndpointId")):
        yield Need("ec2:DeleteVpcEndpoints", call.arn(f"ec2:vpc-endpoint/{endpoint}"))


@row("transfer:CreateServer", "transfer:UpdateServer")
def _server(call: Call) -> Iterator[Need]:
    made = call.operation == "CreateServer"
    yield Need(f"transfer:{call.operation}", "*" if made else call.arn("transfer:server/{ServerId}"))
    if made and call.asked.get("Tags"):
        yield Need("transfer:TagResource", call.arn("transfer:server/*"))
    yield from passed(call, call.asked.get("LoggingRole"), _TRANSFER)
    if call.asked.get("StructuredLogDestinations"):
        # Transfer Family User Guide, "Create, update, and view logging for servers", the user's permissions.
        deliveries = (
            "CreateLogDelivery",
            "DeleteLogDelivery",
            "GetLogDelivery",
            "ListLogDeliveries",
            "UpdateLogDelivery",
        )
        for each in (*deliveries, "DescribeLogGroups", "DescribeResourcePolicies", "PutResourcePolicy"):
            yield Need(f"logs:{each}", "*")
    if made and call.asked.get("EndpointType") == "VPC":
        yield from _endpoint(call)


def _endpoint(call: Call) -> Iterator[Need]:
    """Transfer Family creates the VPC endpoint with its caller's rights.

    Its user guide's prerequisites name the right; pull request 52 of awsdocs/amazon-vpc-user-guide shows the refusal.
    """
    details = call.asked.get("EndpointDetails") or {}
    named = {"subnet": details.get("SubnetIds") or [], "security-group": details.get("SecurityGroupIds") or []}
    resources = [f"{kind}/{each}" for kind, ids in named.items() for each in ids]
    for each in (f"vpc/{details.get('VpcId')}", "vpc-endpoint/*", *resources):
        yield Need("ec2:CreateVpcEndpoint", call.arn(f"ec2:{each}"))


@row("transfer:CreateUser", "transfer:UpdateUser")
def _user(call: Call) -> Iterator[Need]:
    made = call.operation == "CreateUser"
    yield Need(
        f"transfer:{call.operation}",
        call.arn("transfer:server/{ServerId}" if made else "transfer:user/{ServerId}/{UserName}"),
    )
    if made and call.asked.get("Tags"):
        yield Need("transfer:TagResource", call.arn("transfer:user/{ServerId}/{UserName}"))
    yield from passed(call, call.asked.get("Role"), _TRANSFER)


@row("datasync:DescribeTask", "datasync:StartTaskExecution")
def _task(call: Call) -> Iterator[Need]:
    yield Need(f"datasync:{call.operation}", str(call.asked["TaskArn"]))


@row("storagegateway:RefreshCache")
def _share(call: Call) -> Iterator[Need]:
    yield Need("storagegateway:RefreshCache", str(call.asked["FileShareARN"]))


simple("efs", "elasticfilesystem:file-system/{FileSystemId}", "DescribeFileSystemPolicy", prefix="elasticfilesystem")

simple("iam", "iam:role/{RoleName}", "DeleteRole DeleteRolePolicy GetRole GetRolePolicy PutRolePolicy")
simple("iam", "iam:role/{RoleName}", "ListRolePolicies UpdateAssumeRolePolicy")


@row("iam:CreateRole")
def _role(call: Call) -> Iterator[Need]:
    yield Need("iam:CreateRole", call.arn("iam:role/{RoleName}"))
    if call.asked.get("Tags"):
        yield Need("iam:TagRole", call.arn("iam:role/{RoleName}"))


simple("cloudwatch", "*", "GetMetricStatistics GetMetricData")


@row("cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm")
def _alarms(call: Call) -> Iterator[Need]:
    if call.operation == "DescribeAlarms":
        # Of a list of names, too, the resource is that of all alarms.
        yield Need("cloudwatch:DescribeAlarms", call.arn("cloudwatch:alarm:*"))
        return
    for each in call.asked.get("AlarmNames") or [call.asked["AlarmName"]]:
        yield Need(f"cloudwatch:{call.operation}", call.arn("cloudwatch:alarm:{Name}", Name=str(each)))
        if call.asked.get("Tags"):
            yield Need("cloudwatch:TagResource", call.arn("cloudwatch:alarm:{Name}", Name=str(each)))


def log_group(call: Call, name: str | None = None) -> str:
    """A log group as refusals name it: issue 313 of terraform-aws-modules/terraform-aws-ecs."""
    return call.arn("logs:log-group:{Name}:log-stream:", Name=str(name or _named(call)))


def _named(call: Call) -> str:
    """The log group of a call, by its name or its ARN."""
    asked = call.asked.get("logGroupName") or call.asked["logGroupIdentifier"]
    return str(asked).partition(":log-group:")[2].removesuffix(":*") or str(asked)


@row(
    *(
        f"logs:{each}"
        for each in [
            "AssociateKmsKey",
            "CreateLogGroup",
            "DeleteLogGroup",
            "DeleteMetricFilter",
            "DescribeLogStreams",
            "FilterLogEvents",
            "PutMetricFilter",
            "PutRetentionPolicy",
        ]
    )
)
def _group(call: Call) -> Iterator[Need]:
    yield Need(f"logs:{call.operation}", log_group(call))
    if call.operation == "CreateLogGroup" and call.asked.get("tags"):
        yield Need("logs:TagResource", call.arn("logs:log-group:{logGroupName}"))


@row("logs:DescribeMetricFilters")
def _filters(call: Call) -> Iterator[Need]:
    yield Need("logs:DescribeMetricFilters", log_group(call, call.asked.get("logGroupName") or "*"))


@row("logs:DescribeLogGroups")
def _groups(call: Call) -> Iterator[Need]:
    # The reference has no resource for it; issue 8804 of hashicorp/terraform-provider-aws shows that of an empty name.
    yield Need("logs:DescribeLogGroups", call.arn("logs:log-group::log-stream:"))


@row("logs:CreateLogStream", "logs:PutLogEvents", "logs:GetLogEvents")
def _stream(call: Call) -> Iterator[Need]:
    yield Need(f"logs:{call.operation}", log_group(call) + str(call.asked["logStreamName"]))

"""What the role of a Lambda function lets Lambda do for it, and which functions Lambda refuses to make.

Lambda takes the role (InvalidParameterValueException where it may not), makes network interfaces for a function in a
VPC, reads the queue of an event source mapping, and writes the function's log. A function that may not log runs all
the same. The messages are those of public reports: nficano/python-lambda issue 28 (trust), aws/aws-sam-cli issue 617
(EC2), aws/aws-cdk issue 6770 (SQS).

https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
"""

from __future__ import annotations

from typing import Any

from moto.awslambda.models import LambdaBackend
from moto.core.exceptions import JsonRESTError
from moto.sqs.models import sqs_backends

from local_aws.rights import acting
from local_aws.rights.needs import Call, Need, via
from local_aws.rights.needs_ways import log_group

SERVICE = "lambda.amazonaws.com"
# The list of the page on permissions for a VPC; Lambda asks on every resource, before there are any.
_INTERFACES = (
    "CreateNetworkInterface",
    "DescribeNetworkInterfaces",
    "DescribeSubnets",
    "DeleteNetworkInterface",
    "AssignPrivateIpAddresses",
    "UnassignPrivateIpAddresses",
)
_MESSAGES = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")


def install() -> None:
    """Put the checks into moto's Lambda. A second time changes nothing."""
    if hasattr(LambdaBackend, "_local_roles"):
        return
    LambdaBackend._local_roles = True
    create, listen = LambdaBackend.create_function, LambdaBackend.create_event_source_mapping

    def create_function(self: Any, spec: dict[str, Any]) -> Any:
        function = create(self, spec)
        try:
            check(function)
            _check_vpc(function)
        except JsonRESTError:
            self.delete_function(function.function_name)
            raise
        return function

    def create_event_source_mapping(self: Any, spec: dict[str, Any]) -> Any:
        if ":sqs:" in str(spec.get("EventSourceArn")):
            _check_queue(self.get_function(spec["FunctionName"]), str(spec["EventSourceArn"]))
        return listen(self, spec)

    LambdaBackend.create_function = create_function
    LambdaBackend.create_event_source_mapping = create_event_source_mapping


def _refused(message: str) -> JsonRESTError:
    return JsonRESTError("InvalidParameterValueException", message)


def check(function: Any) -> None:
    """Raise JsonRESTError for a function whose role Lambda may not take."""
    if acting.untrusted(function.role, SERVICE, function.region, {}):
        raise _refused("The role defined for the function cannot be assumed by Lambda.")


def _check_vpc(function: Any) -> None:
    if not (function.vpc_config or {}).get("SubnetIds"):
        return
    for action in _INTERFACES:
        if acting.refusal(function.role, function.function_name, function.region, [Need(f"ec2:{action}", "*")]):
            raise _refused(f"The provided execution role does not have permissions to call {action} on EC2")


def _check_queue(function: Any, arn: str) -> None:
    _, _, _, region, account, name = arn.split(":", 5)
    call = Call("sqs", "ReceiveMessage", {}, account, region, function.partition)
    queue = sqs_backends[account][region].queues.get(name)
    needs = [(each, Need(f"sqs:{each}", arn)) for each in _MESSAGES]
    needs += [("Decrypt", each) for each in via(call, "sqs", "kms:Decrypt", getattr(queue, "kms_master_key_id", None))]
    for action, need in needs:
        if acting.refusal(function.role, function.function_name, function.region, [need]):
            service = need.action.partition(":")[0].upper()
            raise _refused(f"The provided execution role does not have permissions to call {action} on {service}")


def may_log(function: Any) -> bool:
    """Whether what the function prints comes to its log group, which Lambda makes where it is missing."""
    call = Call("logs", "", {}, function.account_id, function.region, function.partition)
    group = log_group(call, function.logs_group_name)
    needs = [Need("logs:CreateLogStream", f"{group}{function.function_name}")]
    needs.append(Need("logs:PutLogEvents", f"{group}{function.function_name}"))
    if function.logs_group_name not in function.logs_backend.groups:
        needs.insert(0, Need("logs:CreateLogGroup", group))
    return acting.refusal(function.role, function.function_name, function.region, needs) is None

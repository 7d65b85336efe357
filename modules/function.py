"""A Lambda function whose code is one file of the folder `functions/`."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.lambda_function import (
    LambdaFunction,
    LambdaFunctionEnvironment,
    LambdaFunctionFileSystemConfig,
    LambdaFunctionLoggingConfig,
    LambdaFunctionVpcConfig,
)
from cdktf_cdktf_provider_aws.lambda_function_event_invoke_config import LambdaFunctionEventInvokeConfig
from cdktf_cdktf_provider_aws.lambda_permission import LambdaPermission
from constructs import Construct

from contract.policy import Statement, document, trust
from functions import FOLDER, archive
from modules.addresses import MAIN
from modules.audit import skip
from modules.connections import Endpoint, open_ways
from modules.log_group import LogSettings, log_group
from modules.security_group import SecurityGroup, SecurityGroupProps

RUNTIME = "python3.13"


@dataclass(frozen=True, kw_only=True)
class VpcConfig:
    """The subnets of a function that reaches what is in their VPC (Lambda API reference, VpcConfig)."""

    vpc_id: str
    subnet_ids: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Mounted:
    """An access point of the file system at `endpoint`.

    The function finds it at `path`, below `/mnt/` (Lambda API reference).
    """

    access_point_arn: str
    path: str
    endpoint: Endpoint


@dataclass(frozen=True, kw_only=True)
class FunctionProps:
    """`code` is a file of `functions/`, without `.py`; its `handler` is called. `statements` are what it may do.

    `timeout_seconds` is 900 at most (Lambda quotas). Without a `vpc_config` it reaches AWS and the internet only; with
    one, what it has `mounted` and what it `calls`.
    """

    name: str
    description: str
    code: str
    timeout_seconds: int
    log_group_name: str
    logs: LogSettings
    statements: tuple[Statement, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    vpc_config: VpcConfig | None = None
    mounted: Mounted | None = None
    calls: Sequence[Endpoint] = ()

    def __post_init__(self) -> None:
        if not (FOLDER / f"{self.code}.py").is_file():
            raise ValueError(f"there is no functions/{self.code}.py; name a file of that folder, without .py")
        if not 1 <= self.timeout_seconds <= 900:
            raise ValueError(f"timeout_seconds {self.timeout_seconds} is not offered by Lambda; allowed: 1 to 900")
        if self.mounted and not self.vpc_config:
            raise ValueError("mounted needs a vpc_config: Lambda mounts a file system in a VPC only")
        if self.calls and not self.vpc_config:
            raise ValueError("calls needs a vpc_config: what a function calls is in a VPC")


class Function(Construct):
    """`name` and `arn` are the function's, known once it may do what it has to; `ways` are rules to wait for.

    `security_group` is that in the VPC.
    """

    def __init__(self, scope: Construct, id_: str, props: FunctionProps) -> None:
        super().__init__(scope, id_)
        self.security_group = self._security_group(props) if props.vpc_config else None
        mounted = [props.mounted.endpoint] if props.mounted else []
        self.ways = open_ways(scope, self.security_group, [*mounted, *props.calls]) if self.security_group else []
        group = log_group(self, "log_group", name=props.log_group_name, logs=props.logs)
        role = IamRole(self, "role", name=props.name, assume_role_policy=trust("lambda.amazonaws.com"))
        policy = IamRolePolicy(
            self,
            "policy",
            name="function",
            role=role.id,
            policy=document(*_own_statements(group.arn, in_vpc=props.vpc_config is not None), *props.statements),
        )
        packed = archive(props.code)
        function = LambdaFunction(
            self,
            MAIN,
            function_name=props.name,
            description=props.description,
            role=role.arn,
            runtime=RUNTIME,
            handler=f"{props.code}.handler",
            filename=_written(self, f"{props.code}.zip", packed),
            source_code_hash=base64.b64encode(hashlib.sha256(packed).digest()).decode(),
            timeout=props.timeout_seconds,
            memory_size=256,
            architectures=["x86_64"],
            environment=LambdaFunctionEnvironment(variables=dict(props.environment)) if props.environment else None,
            logging_config=LambdaFunctionLoggingConfig(log_format="JSON", log_group=group.name),
            vpc_config=LambdaFunctionVpcConfig(
                subnet_ids=list(props.vpc_config.subnet_ids), security_group_ids=[self.security_group.id]
            )
            if props.vpc_config and self.security_group
            else None,
            file_system_config=LambdaFunctionFileSystemConfig(
                arn=props.mounted.access_point_arn, local_mount_path=props.mounted.path
            )
            if props.mounted
            else None,
            depends_on=[policy, *self.ways],
        )
        skip(
            function,
            CKV_AWS_50="it makes a few calls, and its log tells how those went",
            CKV_AWS_115="a reserved share would be refused in accounts with a small quota",
            CKV_AWS_116="whoever calls it waits for its answer, has a dead-letter queue, or calls again a minute later",
            CKV_AWS_272="its code comes from this repository in the same deployment",
        )
        if not props.vpc_config:
            skip(function, CKV_AWS_117="it calls AWS's own API, and nothing in the VPC")
        if props.environment:
            skip(function, CKV_AWS_173="its variables are names and ARNs, no secrets")
        self.name = function.function_name
        self.arn = function.arn

    def _security_group(self, props: FunctionProps) -> SecurityGroup:
        assert props.vpc_config is not None  # noqa: S101 - the caller has looked
        group = SecurityGroupProps(name=props.name, description=props.description, vpc_id=props.vpc_config.vpc_id)
        return SecurityGroup(self, "security_group", group)


def _own_statements(log_group_arn: str, *, in_vpc: bool) -> tuple[Statement, ...]:
    """What Lambda itself does with the function's role: as AWSLambdaBasicExecutionRole, AWSLambdaVPCAccess..."""
    logs = Statement(
        sid="WriteOwnLog",
        actions=("logs:CreateLogStream", "logs:PutLogEvents"),
        resources=(f"{log_group_arn}:*",),
    )
    interfaces = Statement(
        sid="BeInTheVpc",
        actions=(
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:UnassignPrivateIpAddresses",
        ),
        resources=("*",),
        any_resource_because="Lambda checks for the rights on every interface before it makes its own",
    )
    return (logs, interfaces) if in_vpc else (logs,)


def call_at_a_rate(function: Function, rate: str) -> None:
    """Have EventBridge call a function, for instance every `rate(1 minute)`, and never try again.

    The next call does the same, and an old one would only come in its way.
    """
    LambdaFunctionEventInvokeConfig(
        function,
        "retries",
        function_name=function.name,
        maximum_retry_attempts=0,
        maximum_event_age_in_seconds=60,
    )
    rule = CloudwatchEventRule(function, "rule", name=function.name, schedule_expression=rate)
    permission = LambdaPermission(
        function,
        "permission",
        statement_id="Rule",
        function_name=function.name,
        action="lambda:InvokeFunction",
        principal="events.amazonaws.com",
        source_arn=rule.arn,
    )
    CloudwatchEventTarget(
        function, "target", rule=rule.name, target_id="function", arn=function.arn, depends_on=[permission]
    )


def _written(scope: Construct, name: str, content: bytes) -> str:
    """Write a file into the stack's own folder, and give its path as Terraform sees it, which runs there."""
    stack = TerraformStack.of(scope)
    folder = Path(App.of(stack).outdir, "stacks", stack.node.id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return name

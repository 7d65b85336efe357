"""A Lambda function from one file of `functions/`, called by EventBridge at a rate, with a log group of its own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.lambda_function import (
    LambdaFunction,
    LambdaFunctionEnvironment,
    LambdaFunctionLoggingConfig,
)
from cdktf_cdktf_provider_aws.lambda_function_event_invoke_config import LambdaFunctionEventInvokeConfig
from cdktf_cdktf_provider_aws.lambda_permission import LambdaPermission
from constructs import Construct

from functions import archive
from modules.addresses import MAIN
from modules.audit import skip
from modules.log_group import log_group
from modules.policy import Statement, document, trust

RUNTIME = "python3.13"


@dataclass(frozen=True, kw_only=True)
class FunctionProps:
    """`source` is the name of a file of `functions/`, whose `handler` is called every `rate`.

    `statements` are what it may do beside writing its log. `timeout_seconds` should be less than the rate.
    """

    name: str
    description: str
    source: str
    rate: str
    timeout_seconds: int
    environment: Mapping[str, str]
    statements: Sequence[Statement]
    log_group_name: str
    log_retention_days: int
    key_arn: str


class Function(Construct):
    """`name` is the function's."""

    def __init__(self, scope: Construct, id_: str, props: FunctionProps) -> None:
        super().__init__(scope, id_)
        logs = log_group(
            self,
            "logs",
            name=props.log_group_name,
            retention_days=props.log_retention_days,
            key_arn=props.key_arn,
        )
        role = IamRole(self, "role", name=props.name, assume_role_policy=trust("lambda.amazonaws.com"))
        write = Statement(
            sid="Log", actions=("logs:CreateLogStream", "logs:PutLogEvents"), resources=(f"{logs.arn}:*",)
        )
        policy = IamRolePolicy(self, "policy", name="function", role=role.id, policy=document(*props.statements, write))
        packed = archive(props.source)
        function = LambdaFunction(
            self,
            MAIN,
            function_name=props.name,
            description=props.description,
            role=role.arn,
            runtime=RUNTIME,
            architectures=["arm64"],
            handler=f"{props.source}.handler",
            filename=_written(self, f"{props.source}.zip", packed),
            source_code_hash=base64.b64encode(hashlib.sha256(packed).digest()).decode(),
            timeout=props.timeout_seconds,
            memory_size=256,
            environment=LambdaFunctionEnvironment(variables=dict(props.environment)),
            logging_config=LambdaFunctionLoggingConfig(log_format="Text", log_group=logs.name),
            depends_on=[policy],
        )
        skip(
            function,
            CKV_AWS_50="it makes a handful of calls a minute, whose outcome is in its log; a trace would add nothing",
            CKV_AWS_115="two at a time do no harm, and an account with a low limit could not reserve any",
            CKV_AWS_116="a call that failed is worth nothing a minute later, when the next one comes",
            CKV_AWS_117="it speaks to public endpoints of AWS only, and to nothing in the VPC",
            CKV_AWS_173="its variables are names and ARNs, no secrets",
            CKV_AWS_272="the archive's hash is in the plan; whoever may apply it may change the function anyway",
        )
        # The next minute's call does the same, and an old one would only come in its way.
        LambdaFunctionEventInvokeConfig(
            self,
            "retries",
            function_name=function.function_name,
            maximum_retry_attempts=0,
            maximum_event_age_in_seconds=60,
        )
        self._call(function, props)
        self.name = function.function_name

    def _call(self, function: LambdaFunction, props: FunctionProps) -> None:
        rule = CloudwatchEventRule(
            self, "rule", name=props.name, description=props.description, schedule_expression=props.rate
        )
        permission = LambdaPermission(
            self,
            "permission",
            statement_id="Rule",
            function_name=function.function_name,
            action="lambda:InvokeFunction",
            principal="events.amazonaws.com",
            source_arn=rule.arn,
        )
        CloudwatchEventTarget(
            self, "target", rule=rule.name, target_id="function", arn=function.arn, depends_on=[permission]
        )


def _written(scope: Construct, name: str, content: bytes) -> str:
    """Write a file into the stack's own folder, and give its path as Terraform sees it, which runs there."""
    stack = TerraformStack.of(scope)
    folder = Path(App.of(stack).outdir, "stacks", stack.node.id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return name

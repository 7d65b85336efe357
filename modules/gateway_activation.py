"""The activation key of a Storage Gateway, fetched by a function in the VPC while Terraform waits for it.

So a gateway can be activated from a pipeline that does not reach the VPC. The key is in the state from then on, and
of no use: it is valid once, for 30 minutes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import Fn, ITerraformDependable, Token
from cdktf_cdktf_provider_aws.lambda_invocation import LambdaInvocation
from constructs import Construct

from modules.account import Account
from modules.connections import Endpoint
from modules.function import Function, FunctionProps, VpcConfig
from modules.log_group import LogSettings

# A gateway answers some minutes after its instance was started.
PATIENCE_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class GatewayActivationProps:
    """`endpoint`, with the address, and `instance_id` are the gateway's; it is asked once `ready` is there."""

    name: str
    account: Account
    endpoint: Endpoint
    instance_id: str
    vpc_config: VpcConfig
    log_group_name: str
    logs: LogSettings
    ready: Sequence[ITerraformDependable]


class GatewayActivation(Construct):
    """`key` is the activation key."""

    def __init__(self, scope: Construct, id_: str, props: GatewayActivationProps) -> None:
        super().__init__(scope, id_)
        function = Function(
            self,
            "function",
            FunctionProps(
                name=props.name,
                description="Fetches the activation key of the File Gateway",
                code="activate_gateway",
                timeout_seconds=PATIENCE_SECONDS,
                log_group_name=props.log_group_name,
                logs=props.logs,
                vpc_config=props.vpc_config,
                calls=[props.endpoint],
            ),
        )
        invocation = LambdaInvocation(
            self,
            "key",
            function_name=function.name,
            input=json.dumps({"address": props.endpoint.known_host, "region": props.account.region}),
            # Another instance has another key, even at the same address.
            triggers={"instance": props.instance_id},
            depends_on=[*props.ready, *function.ways],
        )
        self.key = Token.as_string(Fn.jsondecode(invocation.result))
